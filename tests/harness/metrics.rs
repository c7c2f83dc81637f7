//! Samples of `/metrics`.

use super::isobar::Isobar;

/// The sum of a family's samples that have all these labels (`reason="full"`).
pub async fn metric(node: &Isobar, family: &str, labels: &[&str]) -> f64 {
    let metrics = node.metrics().await;
    let samples = metrics.lines().filter_map(|line| line.strip_prefix(family));
    let samples = samples.filter(|rest| rest.starts_with(['{', ' ']));
    let wanted = samples.filter(|rest| labels.iter().all(|label| rest.contains(label)));
    let numbers = wanted.filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok());
    numbers.sum()
}
