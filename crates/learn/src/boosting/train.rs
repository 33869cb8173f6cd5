//! The one place that calls `perpetual`, and keeps it from looking at the machine: one thread, no time limit, and a memory
//! limit that follows from the size of the data.
//!
//! The library sizes its work by the free memory of the machine when it is given no limit, and then the model would depend
//! on what else runs; a limit well below what is free makes it depend on the data alone. Class balancing is off because
//! it bends probabilities.

use std::collections::HashMap;

use perpetual::booster::config::BoosterConfig;
use perpetual::objective::Objective;
use perpetual::{Matrix, PerpetualBooster};
use tidemill_domain::{Algorithm, Parameters};

use super::forest::{Forest, Node, Tree};
use crate::error::FitError;
use crate::fit::TrainRow;
use crate::prepare::Codes;
use crate::space::integer;

/// Nodes per tree for which histograms are kept.
const MOST_NODES: f64 = 128.0;
/// The most bytes of histograms, however wide the rows, as long as a small tree fits.
const MOST_HISTOGRAM_BYTES: f64 = 192e6;
const FEWEST_NODES: f64 = 32.0;
/// What the library sets aside for finished trees, per round: nodes times bytes per node and its slot in a map.
const FINISHED_TREE_BYTES: f64 = 256.0 * 1.3 * size_of::<perpetual::node::Node>() as f64;

/// What is learnt.
#[derive(Clone, Copy)]
pub(super) enum Task {
    /// The log odds of a 1.
    Class,
    /// A number.
    Number,
}

/// The training rows, column by column.
pub(super) struct Table {
    cells: Vec<f64>,
    rows: usize,
    columns: usize,
    /// `None` where all rows weigh the same.
    weights: Option<Vec<f64>>,
}

impl Table {
    pub(super) fn new(codes: &Codes, rows: &[TrainRow<'_>]) -> Self {
        let columns = codes.width();
        let mut cells = vec![0.0; rows.len() * columns];
        let mut row = Vec::with_capacity(columns);
        for (i, r) in rows.iter().enumerate() {
            row.clear();
            codes.encode(r.features, &mut row);
            for (column, x) in row.iter().enumerate() {
                cells[column * rows.len() + i] = *x;
            }
        }
        let total: f64 = rows.iter().map(|r| r.weight).sum();
        let equal = rows.windows(2).all(|w| w[0].weight == w[1].weight);
        let weights = (!equal).then(|| rows.iter().map(|r| r.weight / total * rows.len() as f64).collect());
        Self { cells, rows: rows.len(), columns, weights }
    }

    /// Trains on `y`: zeros and ones, or numbers of about unit size.
    pub(super) fn train(
        &self,
        task: Task,
        y: &[f64],
        parameters: &Parameters,
        seed: u64,
    ) -> Result<Forest, FitError> {
        if self.columns == 0 {
            return Ok(Forest { base: constant(task, y, self.weights.as_deref()), trees: vec![] });
        }
        let get = |name: &str| parameters.get(name).copied().unwrap_or_default();
        let max_bin = integer(get("max_bin"));
        let rounds = rounds(get("budget"));
        let config = BoosterConfig {
            objective: match task {
                Task::Class => Objective::LogLoss,
                Task::Number => Objective::SquaredLoss,
            },
            #[expect(clippy::cast_possible_truncation, reason = "checked to lie between 0.1 and 2")]
            budget: get("budget") as f32,
            max_bin: u16::try_from(max_bin).unwrap_or(255),
            num_threads: Some(1),
            seed,
            timeout: None,
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a few hundred at most"
            )]
            iteration_limit: Some(rounds as usize),
            memory_limit: Some(self.memory_limit(f64::from(max_bin), rounds)),
            auto_class_weights: false,
            ..BoosterConfig::default()
        };
        let mut booster = PerpetualBooster { cfg: config, ..PerpetualBooster::default() };
        let data = Matrix::new(&self.cells, self.rows, self.columns);
        booster
            .fit(&data, y, self.weights.as_deref(), None)
            .map_err(|e| FitError::Library { algorithm: Algorithm::Boosting, source: Box::new(e) })?;
        // The library may add a small linear correction to small regressions; the trees do without, and the algorithm
        // called linear is tried anyway.
        let forest = Forest { base: booster.base_score, trees: booster.trees.iter().map(flatten).collect() };
        forest.check(self.columns).map_err(|_| FitError::Diverged { algorithm: Algorithm::Boosting })?;
        Ok(forest)
    }

    /// In gigabytes, as the library wants it; it keeps a tenth back and gives seven tenths of the rest to histograms.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a limit needs no more digits than the library reads"
    )]
    fn memory_limit(&self, max_bin: f64, rounds: f64) -> f32 {
        let (rows, columns) = (self.rows as f64, self.columns as f64);
        let histogram =
            columns * (max_bin + 3.0) * size_of::<perpetual::bin::Bin>() as f64 + 64.0 * (columns + 1.0);
        let nodes = (2.0 * rows).min(MOST_NODES).min(MOST_HISTOGRAM_BYTES / histogram).max(FEWEST_NODES);
        let data = rows * (2.0 * columns + 20.0);
        ((data + rounds * FINISHED_TREE_BYTES + nodes * histogram / 0.7) / 0.9e9) as f32
    }
}

/// The most trees: steps shrink tenfold per unit of budget. Left to itself the library may go on for a thousand rounds after
/// it knows the training rows by heart, and each of those costs more than an early one.
fn rounds(budget: f64) -> f64 {
    (80.0 * 10_f64.powf(0.6 * (budget - 1.0))).round()
}

/// The best answer that looks at no column.
fn constant(task: Task, y: &[f64], weights: Option<&[f64]>) -> f64 {
    let mean = match weights {
        Some(w) => y.iter().zip(w).map(|(y, w)| y * w).sum::<f64>() / w.iter().sum::<f64>(),
        None => y.iter().sum::<f64>() / y.len() as f64,
    };
    match task {
        Task::Number => mean,
        Task::Class => {
            let p = mean.clamp(1e-6, 1.0 - 1e-6);
            (p / (1.0 - p)).ln()
        }
    }
}

/// The library's map of nodes as a flat tree.
fn flatten(tree: &perpetual::tree::core::Tree) -> Tree {
    let mut flat = Tree::default();
    place(&tree.nodes, 0, &mut flat);
    flat
}

/// Appends the node and all below it; returns how its parent refers to it.
fn place(nodes: &HashMap<usize, perpetual::node::Node>, at: usize, flat: &mut Tree) -> i32 {
    let reference = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let Some(node) = nodes.get(&at).filter(|n| !n.is_leaf) else {
        flat.leaves.push(nodes.get(&at).map_or(f32::NAN, |n| n.weight_value));
        return !reference(flat.leaves.len() - 1);
    };
    // No number is below NaN, nor below the least of all.
    let limit = if node.split_value.is_nan() { f64::MIN } else { node.split_value.clamp(f64::MIN, f64::MAX) };
    let mine = flat.nodes.len();
    let column = u32::try_from(node.split_feature).unwrap_or(u32::MAX);
    flat.nodes.push(Node(column, limit, 0, 0, 0));
    let yes = place(nodes, node.left_child, flat);
    let no = place(nodes, node.right_child, flat);
    let missing = if node.missing_node == node.left_child {
        yes
    } else if node.missing_node == node.right_child {
        no
    } else {
        place(nodes, node.missing_node, flat)
    };
    flat.nodes[mine].2 = yes;
    flat.nodes[mine].3 = no;
    flat.nodes[mine].4 = missing;
    reference(mine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::Data;

    #[test]
    fn forests_answer_as_the_library_does() {
        let data = Data::mixed(600, 3);
        let rows = data.rows();
        let y: Vec<f64> = (0..rows.len()).map(|i| f64::from(u8::from(i % 7 < 3))).collect();
        let codes = Codes::learn(&data.schema, &rows, &y);
        let table = Table::new(&codes, &rows);
        let config = BoosterConfig {
            num_threads: Some(1),
            auto_class_weights: false,
            max_bin: 63,
            ..BoosterConfig::default()
        };
        let mut booster = PerpetualBooster { cfg: config, ..PerpetualBooster::default() };
        let matrix = Matrix::new(&table.cells, table.rows, table.columns);
        booster.fit(&matrix, &y, None, None).unwrap();
        let theirs = booster.predict(&matrix, false);
        let forest = Forest { base: booster.base_score, trees: booster.trees.iter().map(flatten).collect() };
        let mut row = Vec::new();
        for (r, theirs) in rows.iter().zip(theirs) {
            row.clear();
            codes.encode(r.features, &mut row);
            assert!((forest.output(&row) - theirs).abs() < 1e-9);
        }
        assert!(forest.n_parameters() > 10);
    }
}
