//! What this process and its threads have used, as Linux tells it; 0 where it does not.

/// Processor seconds of the calling thread so far.
#[must_use]
pub fn thread_cpu_seconds() -> f64 {
    // The first number is nanoseconds on a processor.
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split_whitespace().next().and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

/// Processor seconds of the whole process so far, user and system.
#[must_use]
pub fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The fields after the name, which stands in parentheses: user and system time are the 12th and 13th of them, in
    // hundredths of a second on every architecture (USER_HZ).
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().skip(11).take(2);
    fields.filter_map(|f| f.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// The greatest resident memory of the process so far, in bytes.
#[must_use]
pub fn peak_rss_bytes() -> u64 {
    status_kib("VmHWM:") * 1_024
}

/// The resident memory of the process now, in bytes.
#[must_use]
pub fn rss_bytes() -> u64 {
    status_kib("VmRSS:") * 1_024
}

fn status_kib(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix(field));
    line.and_then(|l| l.trim().strip_suffix("kB")?.trim().parse().ok()).unwrap_or(0)
}
