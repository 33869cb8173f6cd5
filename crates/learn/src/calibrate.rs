//! From scores to probabilities, and how much to trust them. Must not know where scores come from.

/// The logistic function.
pub(crate) fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

/// Probabilities proportional to `exp(anchor + (score - anchor) / temperature)`; they are finite and sum to 1.
///
/// The anchor is what is said without any evidence: a high temperature leads back to it.
pub(crate) fn softmax(scores: &[f64], anchor: &[f64], temperature: f64) -> Vec<f64> {
    // Overflow upstream must not become NaN here.
    let bounded = |s: f64| if s.is_nan() { 0.0 } else { s.clamp(-1e9, 1e9) };
    let tempered = scores.iter().zip(anchor).map(|(s, a)| a + (bounded(*s) - a) / temperature);
    let mut p: Vec<f64> = tempered.collect();
    let most = p.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    p.iter_mut().for_each(|p| *p = (*p - most).exp());
    let sum: f64 = p.iter().sum();
    p.iter_mut().for_each(|p| *p /= sum);
    p
}

/// A row on which confidence is judged.
pub(crate) struct Judged {
    pub(crate) scores: Vec<f64>,
    pub(crate) class: usize,
    pub(crate) weight: f64,
}

/// The temperature in 1 to 10 at which the mean log loss of held-out rows is least (Guo et al. 2017, On calibration of
/// modern neural networks). Scores are never sharpened: on a stream, confidence that was too low yesterday may be too high
/// tomorrow.
pub(crate) fn temperature(rows: &[Judged], anchor: &[f64]) -> f64 {
    let loss = |log_t: f64| -> f64 {
        let t = log_t.exp();
        rows.iter().map(|r| -r.weight * softmax(&r.scores, anchor, t)[r.class].max(1e-12).ln()).sum()
    };
    // Golden section: the loss has one valley in log t, near enough.
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut a, mut b) = (0.0, 10.0_f64.ln());
    let (mut c, mut d) = (b - ratio * (b - a), a + ratio * (b - a));
    let (mut at_c, mut at_d) = (loss(c), loss(d));
    for _ in 0..25 {
        if at_c <= at_d {
            (b, d, at_d) = (d, c, at_c);
            c = b - ratio * (b - a);
            at_c = loss(c);
        } else {
            (a, c, at_c) = (c, d, at_d);
            d = a + ratio * (b - a);
            at_d = loss(d);
        }
    }
    f64::midpoint(a, b).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_of_extreme_scores() {
        assert_eq!(sigmoid(-1e9), 0.0);
        assert_eq!(sigmoid(1e9), 1.0);
        assert_eq!(softmax(&[1e300, -1e300], &[0.0; 2], 1.0), vec![1.0, 0.0]);
        assert_eq!(softmax(&[f64::NAN, f64::NAN], &[0.0; 2], 1.0), vec![0.5, 0.5]);
    }

    #[test]
    fn overconfidence_is_found() {
        // Scores that say 95 % and are right in 75 % of cases.
        let rows: Vec<Judged> = (0..400)
            .map(|i| Judged { scores: vec![0.0, 19_f64.ln()], class: usize::from(i % 4 != 0), weight: 1.0 })
            .collect();
        let t = temperature(&rows, &[0.0; 2]);
        assert!((softmax(&rows[0].scores, &[0.0; 2], t)[1] - 0.75).abs() < 0.01, "{t}");
    }

    #[test]
    fn without_confidence_the_anchor_is_said() {
        let p = softmax(&[0.0, 5.0], &[0.8_f64.ln(), 0.2_f64.ln()], 1e6);
        assert!((p[0] - 0.8).abs() < 1e-4, "{p:?}");
    }
}
