//! What must hold of every subject with one owner: positions rise, ids are new, epochs rise (INV-1).
//!
//! A zombie's write that got through, or an input that was answered twice, is seen here whatever it is about.

use std::collections::{BTreeMap, HashSet};

use tidemill_events::emit::Upto;
use tidemill_events::stream::is_shared;
use tidemill_events::{Event, Recorded, Subject, Topic};

use super::is_claim;

#[derive(Debug, Default)]
struct Tail {
    upto: Option<Upto>,
    epoch: u64,
}

#[derive(Debug, Default)]
pub(super) struct Order {
    tails: BTreeMap<Subject, Tail>,
    ids: HashSet<String>,
    claims: u64,
    wrong: Vec<String>,
}

impl Order {
    pub(super) fn fold(&mut self, recorded: &Recorded) {
        // What anybody may write has no position, and a report may come twice: the first counts.
        if is_shared(recorded.subject.topic) || matches!(recorded.subject.topic, Topic::Intake(_)) {
            return;
        }
        let (subject, id) = (&recorded.subject, &recorded.meta.id);
        if !self.ids.insert(format!("{subject} {id}")) {
            self.wrong.push(format!("{subject}: {id} is on the log twice, again at {}", recorded.sequence));
        }
        let tail = self.tails.entry(subject.clone()).or_default();
        let upto = recorded.meta.upto;
        if is_claim(recorded) {
            self.claims += 1;
            if upto < tail.upto {
                self.wrong.push(format!("{subject}: a claim forgets the position {:?}", tail.upto));
            }
            if let Event::Claimed(claim) = &recorded.event {
                if claim.epoch <= tail.epoch {
                    self.wrong.push(format!(
                        "{subject}: epoch {} of {} follows epoch {}",
                        claim.epoch, claim.owner, tail.epoch
                    ));
                }
                tail.epoch = claim.epoch;
            }
        } else if (upto.is_some() || tail.upto.is_some()) && upto <= tail.upto {
            // What people ask for follows from no input: it has no position, and neither has anything on its subject.
            let place = |upto: Option<Upto>| upto.map_or_else(|| "nowhere".to_owned(), |u| u.to_string());
            let (now, last) = (place(upto), place(tail.upto));
            self.wrong.push(format!("{subject}: position {now} at {} follows {last}", recorded.sequence));
        }
        tail.upto = upto.max(tail.upto);
    }

    pub(super) fn claims(&self) -> u64 {
        self.claims
    }

    pub(super) fn wrong(&self) -> &[String] {
        &self.wrong
    }
}
