//! The exporter of figures: the `metrics` facade, which whatsapp-rust speaks too, as Prometheus' text.

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// The content type of Prometheus' text.
pub const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Buckets of durations, in seconds.
const BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0, 60.0,
];

/// The library's gauge says whether *one* client is connected; a process has many.
const WRONG_HERE: &str = "wa_connected";

/// What renders the figures of this process.
#[derive(Clone)]
pub struct Exporter(PrometheusHandle);

impl std::fmt::Debug for Exporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Exporter")
    }
}

impl Exporter {
    /// Installs the recorder of this process; `None` if there is one already or the buckets are
    /// refused.
    #[must_use]
    pub fn install() -> Option<Self> {
        PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)
            .ok()?
            .install_recorder()
            .ok()
            .map(Self)
    }

    /// The figures in Prometheus' text.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.run_upkeep();
        let text = self.0.render();
        let kept = text.lines().filter(|line| {
            let name = line
                .strip_prefix("# TYPE ")
                .or_else(|| line.strip_prefix("# HELP "))
                .unwrap_or(line);
            !name.starts_with(WRONG_HERE)
        });
        let mut text: String = kept.collect::<Vec<_>>().join("\n");
        text.push('\n');
        text
    }
}
