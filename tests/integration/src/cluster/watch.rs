//! What processes tell about themselves: states of their parts, counters, memory and open files.

use std::fs;

use serde_json::Value;

use super::{Cluster, Process, Replica, Service};

/// What a process uses, as Linux tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Resident memory in bytes.
    pub rss: u64,
    /// Open file handles.
    pub files: u64,
}

impl Process {
    /// What it uses now; nothing when it does not run.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        let pid = self.pid()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        let files = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
        Some(Usage { rss: kib * 1_024, files: files as u64 })
    }
}

impl Cluster {
    /// The replica that is active in a part of a service: its place among the replicas.
    pub async fn owner(&self, service: Service, part: &str) -> Option<usize> {
        for (index, replica) in self.replicas.iter().enumerate().filter(|(_, r)| r.service == service) {
            if self.state(replica, part).await.as_deref() == Some("live") {
                return Some(index);
            }
        }
        None
    }

    /// The state of a part of a replica, for example `live` or `standby`; nothing when it does not answer.
    pub async fn state(&self, replica: &Replica, part: &str) -> Option<String> {
        let report = self.ask(replica, "readyz").await?;
        let report: Value = serde_json::from_str(&report).ok()?;
        report["parts"][part].as_str().map(str::to_owned)
    }

    /// The sum of a replica's counters of this name whose labels contain `label`; nothing when it does not answer.
    pub async fn counter(&self, replica: &Replica, name: &str, label: &str) -> Option<f64> {
        Some(sum(&self.ask(replica, "metrics").await?, name, label))
    }

    async fn ask(&self, replica: &Replica, path: &str) -> Option<String> {
        let url = format!("http://127.0.0.1:{}/{path}", replica.health);
        self.http.get(url).send().await.ok()?.text().await.ok()
    }
}

fn sum(metrics: &str, name: &str, label: &str) -> f64 {
    let values = metrics.lines().filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let (found, labels) = series.split_once('{').unwrap_or((series, ""));
        if found == name && labels.contains(label) { value.parse::<f64>().ok() } else { None }
    });
    values.sum()
}

#[cfg(test)]
mod tests {
    use super::sum;

    #[test]
    fn counters_are_summed_by_name_and_label() {
        let text = "# HELP x\nx_total{role=\"a\"} 2\nx_total{role=\"b\"} 3\nxy_total{role=\"a\"} 7\nz 1\n";
        assert!((sum(text, "x_total", "") - 5.0).abs() < 1e-9);
        assert!((sum(text, "x_total", "role=\"b\"") - 3.0).abs() < 1e-9);
        assert!((sum(text, "z", "") - 1.0).abs() < 1e-9);
    }
}
