//! The shell of deployer.
