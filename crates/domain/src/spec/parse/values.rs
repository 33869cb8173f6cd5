//! Single values: from a text to a number, a share, a span, a window, one of some names. Each refusal says what would be
//! right. It must not know where in the file a value stands.

use std::ops::RangeInclusive;

use super::keys::nearest;
use super::problems::{Mistake, quoted};
use crate::spec::Window;
use crate::time::Span;

/// Rows beyond this are no sensible setting.
pub(super) const MANY_ROWS: u64 = 1_000_000_000;
/// Spans beyond this are no sensible setting: ten years.
pub(super) const LONG: Span = Span::days(3_660);
/// The shortest window.
const MIN_WINDOW_ROWS: u64 = 10;
/// The longest window in rows.
const MAX_WINDOW_ROWS: u64 = 100_000_000;

/// Yes or no.
pub(super) fn flag(text: &str) -> Result<bool, Mistake> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Mistake::new(format!("{} is neither true nor false", quoted(text)), "write true or false")),
    }
}

/// A finite number.
pub(super) fn number(text: &str) -> Result<f64, Mistake> {
    match text.trim().parse::<f64>() {
        Ok(x) if x.is_finite() => Ok(x),
        _ => Err(Mistake::new(
            format!("{} is no number", quoted(text)),
            "write digits, for example 0.5 or -20",
        )),
    }
}

/// A whole number within bounds.
pub(super) fn count(bounds: RangeInclusive<u64>) -> impl Fn(&str) -> Result<u64, Mistake> {
    move |text| {
        let remedy = || format!("write a whole number from {} to {}", bounds.start(), bounds.end());
        match text.trim().parse::<u64>() {
            Ok(n) if bounds.contains(&n) => Ok(n),
            Ok(n) => {
                let fault = if n < *bounds.start() { "too few" } else { "too many" };
                Err(Mistake::new(format!("{n} is {fault}"), remedy()))
            }
            Err(_) => Err(Mistake::new(format!("{} is no count", quoted(text)), remedy())),
        }
    }
}

/// As [`count`], for settings of 32 bits.
pub(super) fn small_count(bounds: RangeInclusive<u32>) -> impl Fn(&str) -> Result<u32, Mistake> {
    let wide = u64::from(*bounds.start())..=u64::from(*bounds.end());
    move |text| count(wide.clone())(text).map(|n| u32::try_from(n).unwrap_or(u32::MAX))
}

/// A number of rows, with or without the word: `500 rows` or `500`.
pub(super) fn rows(bounds: RangeInclusive<u64>) -> impl Fn(&str) -> Result<u64, Mistake> {
    move |text| count(bounds.clone())(text.trim().strip_suffix("rows").unwrap_or(text))
}

/// A share: `2%` or `0.02`.
pub(super) fn share(bounds: RangeInclusive<f64>) -> impl Fn(&str) -> Result<f64, Mistake> {
    move |text| {
        let remedy = || {
            format!(
                "write from {}% to {}%, for example 2% or 0.02",
                bounds.start() * 100.0,
                bounds.end() * 100.0
            )
        };
        let (digits, scale) =
            text.trim().strip_suffix('%').map_or((text.trim(), 1.0), |d| (d.trim_end(), 100.0));
        match digits.parse::<f64>() {
            Ok(x) if bounds.contains(&(x / scale)) => Ok(x / scale),
            Ok(x) if x.is_finite() && scale == 1.0 => {
                Err(Mistake::new(format!("{} without % means {}%", quoted(text), x * 100.0), remedy()))
            }
            Ok(_) => Err(Mistake::new(format!("{} is out of range", quoted(text)), remedy())),
            Err(_) => Err(Mistake::new(format!("{} is no share", quoted(text)), remedy())),
        }
    }
}

/// A share in whole percent, from 1 to 100.
pub(super) fn percent(text: &str) -> Result<u8, Mistake> {
    let percent = share(0.0..=1.0)(text)? * 100.0;
    let whole = (1..=100_u8).find(|n| (f64::from(*n) - percent).abs() < 1e-9);
    let what = || format!("{} is no whole percent from 1 to 100", quoted(text));
    whole.ok_or_else(|| Mistake::new(what(), "write for example 5%"))
}

/// A span of time within bounds.
pub(super) fn span(bounds: RangeInclusive<Span>) -> impl Fn(&str) -> Result<Span, Mistake> {
    move |text| match text.parse::<Span>() {
        Ok(span) if bounds.contains(&span) => Ok(span),
        Ok(_) => {
            let remedy = format!("write from {} to {}", bounds.start(), bounds.end());
            Err(Mistake::new(format!("{} is out of range", quoted(text)), remedy))
        }
        Err(_) => {
            let remedy = "write a number and one of ms, s, m, h, d, for example 30m or 7d";
            Err(Mistake::new(format!("{} is no span of time", quoted(text)), remedy))
        }
    }
}

/// A window: `1000 rows` or `1h`.
pub(super) fn window(text: &str) -> Result<Window, Mistake> {
    let text = text.trim();
    if let Some(digits) = text.strip_suffix("rows") {
        return count(MIN_WINDOW_ROWS..=MAX_WINDOW_ROWS)(digits).map(Window::Rows);
    }
    match text.parse::<Span>() {
        Ok(_) => span(Span::seconds(1)..=LONG)(text).map(Window::Time),
        Err(_) => {
            let what = format!("{} is no window", quoted(text));
            Err(Mistake::new(what, "write for example \"1000 rows\" or \"1h\""))
        }
    }
}

/// A rate as the mean time from one event to the next: `1 per 30d`.
pub(super) fn rate(text: &str) -> Result<Span, Mistake> {
    let bad = || {
        Mistake::new(
            format!("{} is no rate", quoted(text)),
            "write how many in which time, for example 1 per 30d",
        )
    };
    let (many, time) = text.split_once(" per ").ok_or_else(bad)?;
    let many: i64 = many.trim().parse().map_err(|_| bad())?;
    let time: Span = time.parse().map_err(|_| bad())?;
    let apart = Span(time.0.checked_div(many).ok_or_else(bad)?);
    if (Span::seconds(1)..=LONG).contains(&apart) {
        Ok(apart)
    } else {
        let what = format!("{} is out of range", quoted(text));
        Err(Mistake::new(what, format!("write from 1 per {LONG} to 1 per 1s")))
    }
}

/// One of some names; those of `later` are refused as not supported yet.
pub(super) fn choice<T: Copy>(text: &str, known: &[(&str, T)], later: &[&str]) -> Result<T, Mistake> {
    if let Some((_, value)) = known.iter().find(|k| k.0 == text) {
        return Ok(*value);
    }
    let names: Vec<_> = known.iter().map(|k| k.0).collect();
    let remedy = || match names.as_slice() {
        [only] => format!("write {only}"),
        [most @ .., last] => format!("write {} or {last}", most.join(", ")),
        [] => "delete it".to_owned(),
    };
    if later.contains(&text) {
        return Err(Mistake::new(format!("{} is not supported yet", quoted(text)), remedy()));
    }
    let meant = nearest(text, names.iter().copied()).map(|name| format!("did you mean {name}? "));
    let remedy = format!("{}{}", meant.unwrap_or_default(), remedy());
    Err(Mistake::new(format!("there is no {}", quoted(text)), remedy))
}
