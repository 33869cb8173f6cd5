//! Trees as they serve: flat, checked, in an order that follows from their shape. Must not know how they were trained.

use serde::{Deserialize, Serialize};

/// A sum of trees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Forest {
    /// What it says before any tree.
    pub(super) base: f64,
    pub(super) trees: Vec<Tree>,
}

/// Inner nodes in preorder, and the values of the leaves in the order in which preorder meets them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tree {
    pub(super) leaves: Vec<f32>,
    pub(super) nodes: Vec<Node>,
}

/// Column, limit, and where a number below it, another number and a missing one go: to a node, or to leaf `!x` where
/// negative.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Node(pub(super) u32, pub(super) f64, pub(super) i32, pub(super) i32, pub(super) i32);

impl Tree {
    fn output(&self, row: &[f64]) -> f64 {
        let mut at = if self.nodes.is_empty() { !0 } else { 0 };
        loop {
            let Ok(i) = usize::try_from(at) else {
                return self.leaves.get(!at as usize).map_or(0.0, |x| f64::from(*x));
            };
            let Some(Node(column, limit, below, above, missing)) = self.nodes.get(i) else { return 0.0 };
            let x = row.get(*column as usize).copied().unwrap_or(f64::NAN);
            at = if x.is_nan() {
                *missing
            } else if x < *limit {
                *below
            } else {
                *above
            };
        }
    }

    fn check(&self, width: usize) -> Result<(), String> {
        let fits = |i: usize, to: i32| match usize::try_from(to) {
            // Children come after their parent: no walk is endless.
            Ok(node) => node > i && node < self.nodes.len(),
            Err(_) => (!to as usize) < self.leaves.len(),
        };
        for (i, Node(column, limit, below, above, missing)) in self.nodes.iter().enumerate() {
            let ways = [below, above, missing].iter().all(|to| fits(i, **to));
            if !limit.is_finite() || *column as usize >= width || !ways {
                return Err(format!("node {i} of a tree is impossible"));
            }
        }
        let finite = self.leaves.iter().all(|x| x.is_finite());
        if finite && !self.leaves.is_empty() {
            Ok(())
        } else {
            Err("the leaves of a tree are impossible".to_owned())
        }
    }
}

impl Forest {
    /// The sum over its trees for a row of codes.
    pub(super) fn output(&self, row: &[f64]) -> f64 {
        self.base + self.trees.iter().map(|t| t.output(row)).sum::<f64>()
    }

    pub(super) fn n_parameters(&self) -> u64 {
        self.trees.iter().map(|t| (t.nodes.len() + t.leaves.len()) as u64).sum::<u64>() + 1
    }

    pub(super) fn check(&self, width: usize) -> Result<(), String> {
        if !self.base.is_finite() {
            return Err("the base of a forest is not finite".to_owned());
        }
        self.trees.iter().try_for_each(|t| t.check(width))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forest() -> Forest {
        let nodes = vec![Node(0, 1.5, 1, !2, !2), Node(1, 3.0, !0, !1, !1)];
        Forest { base: 10.0, trees: vec![Tree { leaves: vec![1.0, 2.0, 4.0], nodes }] }
    }

    #[test]
    fn walks() {
        let f = forest();
        assert!(f.check(2).is_ok());
        assert_eq!(f.output(&[1.0, 2.0]), 11.0);
        assert_eq!(f.output(&[1.0, 3.0]), 12.0);
        assert_eq!(f.output(&[1.0, f64::NAN]), 12.0);
        assert_eq!(f.output(&[f64::NAN, 0.0]), 14.0);
        assert_eq!(
            Forest { base: 1.0, trees: vec![Tree { leaves: vec![2.0], nodes: vec![] }] }.output(&[]),
            3.0
        );
    }

    #[test]
    fn impossible_trees_are_refused() {
        assert!(forest().check(1).is_err());
        let mut endless = forest();
        endless.trees[0].nodes[1].2 = 0;
        assert!(endless.check(2).is_err());
        let mut no_leaf = forest();
        no_leaf.trees[0].leaves.pop();
        assert!(no_leaf.check(2).is_err());
    }
}
