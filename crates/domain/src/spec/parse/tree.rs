//! From YAML text to a bounded tree whose every node knows its line. What a loop file has no use for (anchors, tags, a
//! second document, deep nesting) is refused here. It must not know any key of a loop file.

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput};

use super::Problem;
use super::problems::{Mark, Problems, clip_to, key_text};

/// The longest file, in bytes.
const MAX_BYTES: usize = 1 << 20;
/// The deepest nesting; a loop file needs six levels.
const MAX_DEPTH: usize = 16;

/// A value and where it stands.
pub(super) struct Node {
    pub(super) mark: Mark,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    /// One value; `plain` where it stands without quotes.
    Text {
        text: String,
        plain: bool,
    },
    /// Nothing, `~` or `null`.
    Null,
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// A value that is already reported; nobody shall report it again.
    Broken,
}

/// A key with its value.
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) mark: Mark,
    pub(super) value: Node,
}

/// The tree of the only document in `text`; `None` where there is none, which is then among the problems.
pub(super) fn read(text: &str, problems: &mut Problems) -> Option<Node> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > MAX_BYTES {
        let what = format!("the file has {} bytes, at most {MAX_BYTES} are read", text.len());
        problems.add(Mark::START, "", what, "shorten the lists of values, or leave them out");
        return None;
    }
    // The scanner takes a zero byte for the end of the file and would leave out in silence what follows.
    if let Some(at) = text.find(|c: char| c < ' ' && !matches!(c, '\t' | '\n' | '\r')) {
        let what = "a control character that cannot be seen stands here";
        problems.add(Mark::of_byte(text, at), "", what, "delete it");
        return None;
    }
    let mut builder =
        Builder { events: Parser::new_from_str(text), path: String::new(), open: Vec::new(), text, problems };
    match builder.document() {
        Ok(Some(Node { kind: Kind::Null, .. }) | None) => {
            let remedy = "begin with \"apiVersion: tidemill.dev/v1\"; `tidemill init --csv FILE` writes a complete file";
            problems.add(Mark::START, "", "the file is empty", remedy);
            None
        }
        Ok(root) => root,
        Err(stop) => {
            problems.push(*stop);
            None
        }
    }
}

/// What makes the rest of the file unreadable.
type Stop = Box<Problem>;

struct Builder<'t> {
    events: Parser<'t, StrInput<'t>>,
    path: String,
    /// Where the lists and maps around the present node begin.
    open: Vec<Mark>,
    text: &'t str,
    problems: &'t mut Problems,
}

impl<'t> Builder<'t> {
    fn document(&mut self) -> Result<Option<Node>, Stop> {
        let mut root = None;
        while let Some((event, mark)) = self.next()? {
            match event {
                Event::DocumentStart(_) if root.is_some() => {
                    let what = "a second document begins here";
                    self.problems.add(mark, "", what, "write one loop per file and delete the line \"---\"");
                    break;
                }
                Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
                Event::StreamEnd => break,
                event => root = Some(self.node(event, mark, 0)?),
            }
        }
        Ok(root)
    }

    fn next(&mut self) -> Result<Option<(Event<'t>, Mark)>, Stop> {
        match self.events.next() {
            None => Ok(None),
            Some(Ok((event, span))) => Ok(Some((event, mark_of(&span.start)))),
            Some(Err(error)) => Err(Box::new(syntax(self.text, &error, self.open.last()))),
        }
    }

    fn node(&mut self, event: Event<'t>, mark: Mark, depth: usize) -> Result<Node, Stop> {
        if depth > MAX_DEPTH {
            let what = format!("more than {MAX_DEPTH} levels are nested here");
            return Err(Box::new(Problem::new(mark, "", what, "a loop file needs six; close the brackets")));
        }
        let kind = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_extras(mark, anchor, tag.is_some());
                let plain = style == ScalarStyle::Plain;
                if plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL") {
                    Kind::Null
                } else {
                    Kind::Text { text: text.into_owned(), plain }
                }
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_extras(mark, anchor, tag.is_some());
                self.open.push(mark);
                let nodes = self.list(depth)?;
                self.open.pop();
                Kind::List(nodes)
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_extras(mark, anchor, tag.is_some());
                self.open.push(mark);
                let entries = self.map(depth)?;
                self.open.pop();
                Kind::Map(entries)
            }
            Event::Alias(_) => {
                let what = "aliases are not supported";
                self.problems.add(mark, &self.path, what, "write the value out");
                Kind::Broken
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => Kind::Broken,
        };
        Ok(Node { mark, kind })
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Stop> {
        let mut nodes = Vec::new();
        let outside = self.path.len();
        while let Some((event, mark)) = self.next()? {
            if event == Event::SequenceEnd {
                break;
            }
            self.path.push_str(&format!("[{}]", nodes.len()));
            let node = self.node(event, mark, depth + 1)?;
            self.path.truncate(outside);
            nodes.push(node);
        }
        Ok(nodes)
    }

    fn map(&mut self, depth: usize) -> Result<Vec<Entry>, Stop> {
        let mut entries = Vec::new();
        let outside = self.path.len();
        while let Some((event, mark)) = self.next()? {
            if event == Event::MappingEnd {
                break;
            }
            let key = match self.node(event, mark, depth + 1)?.kind {
                Kind::Text { text, .. } => Some(text),
                Kind::Broken => None,
                Kind::Null | Kind::List(_) | Kind::Map(_) => {
                    let what = "a key must be a text";
                    self.problems.add(
                        mark,
                        &self.path,
                        what,
                        "write \"key: value\" with a space after the colon",
                    );
                    None
                }
            };
            if let Some(key) = &key {
                let dot = if outside == 0 { "" } else { "." };
                self.path.push_str(&format!("{dot}{}", key_text(key)));
            }
            let Some((event, value_mark)) = self.next()? else { break };
            let value = self.node(event, value_mark, depth + 1)?;
            self.path.truncate(outside);
            entries.extend(key.map(|key| Entry { key, mark, value }));
        }
        Ok(entries)
    }

    fn refuse_extras(&mut self, mark: Mark, anchor: usize, tagged: bool) {
        if anchor != 0 {
            let remedy = "delete it and write the value out wherever it is needed";
            self.problems.add(mark, &self.path, "anchors are not supported", remedy);
        }
        if tagged {
            let remedy = "delete it; quotes make a text of any value";
            self.problems.add(mark, &self.path, "tags are not supported", remedy);
        }
    }
}

fn mark_of(marker: &Marker) -> Mark {
    Mark { line: marker.line().max(1), column: marker.col() + 1 }
}

fn syntax(text: &str, error: &ScanError, open: Option<&Mark>) -> Problem {
    let mark = mark_of(error.marker());
    let line = text.lines().nth(mark.line - 1).unwrap_or_default();
    let indent = &line[..line.len() - line.trim_start().len()];
    let what = format!("this is no YAML: {}", clip_to(200, error.info()));
    let remedy = match open {
        _ if indent.contains('\t') => "indent with spaces, not with tabs".to_owned(),
        Some(open) if error.info().contains("flow") => {
            format!(
                "add the comma or the bracket that is missing since line {}, column {}",
                open.line, open.column
            )
        }
        Some(_) | None => {
            "look here and in the line above for indentation, a missing quote, bracket or colon; put \
                           quotes around texts with special characters"
                .to_owned()
        }
    };
    Problem::new(mark, "", what, remedy)
}
