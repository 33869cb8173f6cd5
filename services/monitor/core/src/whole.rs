//! What the parts of a window are together: sums of sums, no figures yet. It must not know why these parts are all.

use tidemill_events::monitor::PartWindow;

/// Adds up the parts, in the order given; `None` of none.
///
/// The policy is that of the part that saw most, for spec and routes reach the partitions one after the other. Of paired
/// parts only those that compare the same two models as the first add up.
pub(crate) fn whole(parts: Vec<PartWindow>) -> Option<PartWindow> {
    parts.into_iter().reduce(|mut sum, part| {
        let comparable = match (&sum.paired, &part.paired) {
            (Some(a), Some(b)) => a.champion == b.champion && a.challenger == b.challenger,
            _ => true,
        };
        if !comparable {
            return sum;
        }
        if part.to > sum.to {
            sum.policy = part.policy;
        }
        sum.rows += part.rows;
        sum.from = sum.from.min(part.from);
        sum.to = sum.to.max(part.to);
        add(&mut sum.profile, part.profile, |a, b| a.merge(&b));
        add(&mut sum.scores, part.scores, |a, b| a.merge(&b));
        add(&mut sum.loss, part.loss, |a, b| a.merge(&b));
        add(&mut sum.paired, part.paired, |a, b| {
            a.difference.merge(&b.difference);
            a.champion_loss.merge(&b.champion_loss);
        });
        sum.reference = sum.reference.or(part.reference);
        sum
    })
}

fn add<T>(sum: &mut Option<T>, part: Option<T>, merge: impl FnOnce(&mut T, T)) {
    match (sum.as_mut(), part) {
        (Some(sum), Some(part)) => merge(sum, part),
        (None, Some(part)) => *sum = Some(part),
        (_, None) => {}
    }
}
