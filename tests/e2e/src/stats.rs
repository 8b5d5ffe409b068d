//! Envoy's statistics in the Prometheus text format, as labelled values.

use std::collections::{BTreeMap, BTreeSet};

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The metric.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

/// All values of a moment.
#[derive(Clone, Debug, Default)]
pub struct Stats(pub Vec<Sample>);

impl Stats {
    /// Reads the text format.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self(lines.filter_map(sample).collect())
    }

    /// The values of a metric that have these labels.
    pub fn of<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&'a str, &'a str)],
    ) -> impl Iterator<Item = &'a Sample> {
        self.0.iter().filter(move |sample| {
            sample.name == name
                && labels.iter().all(|(label, value)| {
                    sample.labels.get(*label).map(String::as_str) == Some(*value)
                })
        })
    }

    /// Their sum; 0 when there are none. All that is counted here is whole.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.of(name, labels)
            .map(|sample| sample.value)
            .sum::<f64>() as u64
    }

    /// The values of one label over all samples of a metric.
    pub fn values(&self, name: &str, label: &str) -> BTreeSet<String> {
        let samples = self.of(name, &[]);
        samples
            .filter_map(|sample| sample.labels.get(label).cloned())
            .collect()
    }

    /// The product's own values, a line each, for messages.
    pub fn ours(&self) -> String {
        let ours = self.0.iter();
        let ours = ours.filter(|sample| sample.name.starts_with("github_proxy_"));
        let ours = ours.filter(|sample| !sample.name.ends_with("_bucket"));
        ours.map(|sample| format!("{} {:?} {}\n", sample.name, sample.labels, sample.value))
            .collect()
    }
}

/// `name{label="value",…} 1`
fn sample(line: &str) -> Option<Sample> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = match series.split_once('{') {
        Some((name, rest)) => (name, rest.strip_suffix('}')?),
        None => (series, ""),
    };
    let mut rest = labels;
    let mut labels = BTreeMap::new();
    while let Some((label, after)) = rest.split_once("=\"") {
        let (value, after) = after.split_once('"')?;
        labels.insert(label.to_owned(), value.to_owned());
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    Some(Sample {
        name: name.to_owned(),
        labels,
        value: value.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_with_their_labels() {
        let text = "# TYPE a counter\na{x=\"1.b\",y=\"-\"} 3\na{x=\"2\"} 4\nb 5\n";
        let stats = Stats::parse(text);
        assert_eq!(stats.sum("a", &[]), 7);
        assert_eq!(stats.sum("a", &[("x", "1.b"), ("y", "-")]), 3);
        assert_eq!(stats.sum("b", &[]), 5);
        assert_eq!(stats.sum("c", &[]), 0);
    }
}
