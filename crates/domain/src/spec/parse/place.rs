//! A place in the tree with the path that leads to it: reports what stands where something else is expected. It must not
//! know the meaning of any value.

use super::problems::{Mark, Mistake, Problems, quoted};
use super::tree::{Kind, Node};

/// A value, where it stands and how one like it is written.
pub(super) struct Place<'t> {
    pub(super) node: &'t Node,
    pub(super) path: String,
    /// Where a mistake in it is pointed at.
    pub(super) mark: Mark,
    /// Where its key stands: what it lacks is pointed at here.
    pub(super) key_mark: Mark,
    /// For example `horizon: 7d`.
    pub(super) example: String,
}

impl<'t> Place<'t> {
    pub(super) fn root(node: &'t Node) -> Self {
        let example = "apiVersion: tidemill.dev/v1".to_owned();
        Self { node, path: String::new(), mark: node.mark, key_mark: Mark::START, example }
    }

    pub(super) fn report(&self, mistake: Mistake, problems: &mut Problems) {
        problems.add(self.mark, &self.path, mistake.what, mistake.remedy);
    }

    /// Whether nothing stands here, or a map without keys.
    pub(super) fn is_empty(&self) -> bool {
        match &self.node.kind {
            Kind::Null => true,
            Kind::Map(entries) => entries.is_empty(),
            Kind::Broken | Kind::List(_) | Kind::Text { .. } => false,
        }
    }

    /// The single value that stands here, read by `reader`.
    pub(super) fn value<T>(
        &self,
        problems: &mut Problems,
        reader: impl FnOnce(&str) -> Result<T, Mistake>,
    ) -> Option<T> {
        let Kind::Text { text, .. } = &self.node.kind else {
            self.report_other("a single value", problems);
            return None;
        };
        reader(text).map_err(|mistake| self.report(mistake, problems)).ok()
    }

    /// The elements of the list that stands here.
    pub(super) fn items(&self, problems: &mut Problems) -> Option<Vec<Self>> {
        let Kind::List(nodes) = &self.node.kind else {
            self.report_other("a list", problems);
            return None;
        };
        let item = |(i, node): (usize, &'t Node)| Self {
            node,
            path: format!("{}[{i}]", self.path),
            mark: node.mark,
            key_mark: node.mark,
            example: self.example.clone(),
        };
        Some(nodes.iter().enumerate().map(item).collect())
    }

    /// Reports that something else stands here than what is expected.
    pub(super) fn report_other(&self, expected: &str, problems: &mut Problems) {
        let what = match &self.node.kind {
            Kind::Broken => return,
            Kind::Null => "has no value".to_owned(),
            Kind::Text { text, .. } => format!("{} stands where {expected} is expected", quoted(text)),
            Kind::List(_) => format!("a list stands where {expected} is expected"),
            Kind::Map(_) => format!("keys stand where {expected} is expected"),
        };
        self.report(Mistake::new(what, format!("write for example \"{}\"", self.example)), problems);
    }
}
