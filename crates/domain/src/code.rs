//! The codes of errors that people who run Tidemill meet, all in one place. A code stands in front of its message in logs
//! and answers, and `docs/errors/<code>.md` says what happened and what to do.
//!
//! A code is never given to another error, and never taken back.

use std::fmt;

macro_rules! codes {
    ($($(#[doc = $title:literal])+ $name:ident = $id:literal;)+) => {
        /// The code of an error.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $title])+ $name,)+
        }

        impl Code {
            /// All of them, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The code as it is shown.
            #[must_use]
            pub fn id(self) -> &'static str {
                match self {
                    $(Self::$name => $id,)+
                }
            }

            /// What it means, in a few words.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($title),+).trim_ascii(),)+
                }
            }
        }
    };
}

codes! {
    /// NATS cannot be reached
    NatsUnreachable = "TM-0101";
    /// The NATS credentials cannot be read
    NatsCredentials = "TM-0102";
    /// NATS refuses a permission
    NatsPermission = "TM-0103";
    /// NATS has no JetStream for us
    NoJetStream = "TM-0104";
    /// NATS is too old
    NatsTooOld = "TM-0105";
    /// A stream or bucket is missing
    NotProvisioned = "TM-0106";
    /// A stream cannot be created or changed
    CannotProvision = "TM-0107";
    /// A message was not stored
    NotStored = "TM-0108";
    /// A stream is full
    StreamFull = "TM-0109";
    /// A message is larger than NATS takes
    TooLarge = "TM-0110";
    /// A lease was lost
    LeaseLost = "TM-0111";
    /// A newer owner has taken over
    Fenced = "TM-0112";
    /// A lease can be neither taken nor given back
    LeaseUnavailable = "TM-0113";
    /// NATS does not answer
    NoAnswer = "TM-0114";
    /// A message is no event
    NoEvent = "TM-0115";
    /// A service wrote what it may not
    Defect = "TM-0199";

    /// The store cannot be used
    StoreUnusable = "TM-0201";
    /// The store is of a kind that is not built in
    StoreUnsupported = "TM-0202";
    /// The store cannot be read or written
    StoreFailed = "TM-0203";
    /// An object is not in the store
    ObjectMissing = "TM-0204";
    /// An object in the store is damaged
    ObjectDamaged = "TM-0205";
    /// Segments do not hold the rows of their dataset
    RowsMissing = "TM-0206";

    /// A model cannot be loaded
    ModelUnloadable = "TM-0301";
    /// A model was trained under another schema
    SchemaDiffers = "TM-0302";
    /// Predictions are not logged
    PredictionsLost = "TM-0303";
    /// The data folder of a predictor cannot be used
    PredictorData = "TM-0304";

    /// A loop file has mistakes
    LoopFile = "TM-0401";
    /// The console is still reading the log
    ConsoleReading = "TM-0402";
    /// This console may not write
    ConsoleStandby = "TM-0403";
    /// Nobody knows whether the log has an event
    WriteUnknown = "TM-0404";
    /// The log does not take an event
    WriteRefused = "TM-0405";
    /// The database of the view fails
    ViewDatabase = "TM-0406";

    /// An address is taken
    AddressTaken = "TM-0501";
    /// Spans do not reach the collector
    Collector = "TM-0502";
    /// A process did not stop in order
    NotInOrder = "TM-0503";
    /// What is kept on this machine cannot be used
    LocalUnusable = "TM-0504";
}

impl Code {
    /// The first code that stands in a text, for example in an error with everything that caused it.
    #[must_use]
    pub fn in_text(text: &str) -> Option<Self> {
        let mut rest = text;
        while let Some(at) = rest.find("TM-") {
            rest = &rest[at..];
            if let Some(code) = Self::ALL.iter().find(|code| rest.starts_with(code.id())) {
                return Some(*code);
            }
            rest = &rest[3..];
        }
        None
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_rise_and_are_found_in_texts() {
        assert!(Code::ALL.is_sorted_by(|a, b| a.id() < b.id()));
        for code in Code::ALL {
            let id = code.id();
            assert!(id.len() == 7 && id[3..].bytes().all(|b| b.is_ascii_digit()), "{id}");
            assert_eq!(Code::in_text(&format!("TM-9999 a: {id} b")), Some(*code));
        }
        assert_eq!(Code::in_text("nothing, not even TM-"), None);
        assert_eq!(Code::NatsUnreachable.title(), "NATS cannot be reached");
    }
}
