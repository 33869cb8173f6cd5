//! A backtest's result for a person: a table of scores, a sparkline of the loss, the turns.

use tidemill_domain::Metric;
use tidemill_sim::result::BacktestResult;

use super::headline;

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Turns that are shown; the JSON holds them all.
const SHOWN: usize = 12;

/// The whole report.
pub(super) fn report(result: &BacktestResult, metric: Metric, cpu_seconds: f64, wall_seconds: f64) -> String {
    let mut text = format!("{} rows, {} scored, {}\n\n", result.rows, result.scored, result.task);
    for (name, value) in &result.metrics {
        text.push_str(&format!("  {name:<18} {value:>10.4}\n"));
    }
    let series: Vec<f64> =
        result.per_1000.iter().map(|m| m.get(headline(metric)).copied().unwrap_or(f64::NAN)).collect();
    text.push_str(&format!("\n  {} per 1,000 rows   {}\n\n", headline(metric), sparkline(&series)));
    text.push_str(&format!(
        "  {} turns, {} promotions, {} rollbacks; {cpu_seconds:.1} s of processor, {wall_seconds:.1} s in all\n",
        result.turns.len(),
        result.promotions,
        result.rollbacks
    ));
    if !result.turns.is_empty() {
        text.push_str(&turns(result));
    }
    text
}

fn turns(result: &BacktestResult) -> String {
    let mut text = format!(
        "\n  {:>7}  {:<11} {:>6}  {:<22} {:<13} {}\n",
        "row", "trigger", "trials", "candidate", "verdict", "outcome"
    );
    let hidden = result.turns.len().saturating_sub(SHOWN);
    if hidden > 0 {
        text.push_str(&format!("  ({hidden} earlier turns are in the JSON result)\n"));
    }
    for turn in &result.turns[hidden..] {
        let or_dash = |x: &Option<String>| x.clone().unwrap_or_else(|| "-".to_owned());
        text.push_str(&format!(
            "  {:>7}  {:<11} {:>6}  {:<22} {:<13} {}\n",
            turn.row,
            turn.trigger,
            turn.trials,
            or_dash(&turn.candidate),
            or_dash(&turn.verdict),
            or_dash(&turn.outcome)
        ));
    }
    text
}

/// One bar a value, from the least to the greatest; a dot where there is none.
fn sparkline(values: &[f64]) -> String {
    let known = || values.iter().copied().filter(|v| v.is_finite());
    let (least, greatest) =
        (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
    let bar = |value: &f64| {
        if !value.is_finite() {
            return '·';
        }
        let share = if greatest > least { (value - least) / (greatest - least) } else { 0.0 };
        let level = LEVELS.iter().enumerate().find(|(i, _)| share <= (*i as f64 + 1.0) / 8.0);
        level.map_or('█', |(_, c)| *c)
    };
    values.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_spans_from_least_to_greatest() {
        assert_eq!(sparkline(&[0.0, 1.0, f64::NAN, 0.5]), "▁█·▄");
        assert_eq!(sparkline(&[2.0, 2.0]), "▁▁");
        assert_eq!(sparkline(&[]), "");
    }
}
