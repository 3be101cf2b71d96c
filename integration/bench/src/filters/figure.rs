//! What the rounds come to: for each case and metric the median of the rounds' ratios, and the table of them.

use std::fmt::Write;

use ferromesh_integration::stats;
use serde::Serialize;

use super::case::Case;
use super::round::Taken;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Envoy's processor time for each request, against `native`.
    CpuPerRequest,
    /// The same against `native-full`: the quotient of two ratios of one round.
    CpuPerRequestOfNativeFull,
    /// The median latency, against `native`.
    P50,
    /// The 99th percentile of the latency, against `native`.
    P99,
}

impl Metric {
    const ALL: [Self; 4] = [
        Self::CpuPerRequest,
        Self::CpuPerRequestOfNativeFull,
        Self::P50,
        Self::P99,
    ];

    fn title(self) -> &'static str {
        match self {
            Self::CpuPerRequest => "CPU per request",
            Self::CpuPerRequestOfNativeFull => "of native-full",
            Self::P50 => "p50",
            Self::P99 => "p99",
        }
    }
}

/// One line of the JSON file.
#[derive(Debug, Serialize)]
pub struct Figure {
    case: &'static str,
    metric: Metric,
    ratio: f64,
    min: f64,
    max: f64,
}

impl Figure {
    fn of(case: &'static str, metric: Metric, mut ratios: Vec<f64>) -> Self {
        let ratio = rounded(stats::median(&mut ratios));
        Self {
            case,
            metric,
            ratio,
            min: rounded(ratios.first().copied().unwrap_or_default()),
            max: rounded(ratios.last().copied().unwrap_or_default()),
        }
    }
}

fn rounded(ratio: f64) -> f64 {
    (ratio * 1000.0).round() / 1000.0
}

/// One case's rounds in order: what the base took, and what the case.
pub type Pairs = Vec<(Taken, Taken)>;

/// All figures, `native` first: how far the base's own rounds lie apart. Those are absolute, so wider than any
/// ratio's spread.
pub fn figures(measured: &[(Case, Pairs)]) -> Vec<Figure> {
    let bases: Vec<Taken> = measured
        .iter()
        .flat_map(|(_, pairs)| pairs)
        .map(|(base, _)| *base)
        .collect();
    let full = measured.iter().find(|(case, _)| *case == Case::NativeFull);
    let full = full.map(|(_, pairs)| ratios(pairs, |taken| taken.cpu));
    let mut found = Vec::new();
    for (metric, of) in [
        (Metric::CpuPerRequest, (|taken| taken.cpu) as fn(&Taken) -> f64),
        (Metric::P50, |taken| taken.p50),
        (Metric::P99, |taken| taken.p99),
    ] {
        let mut absolute: Vec<f64> = bases.iter().map(of).collect();
        let middle = stats::median(&mut absolute);
        let spread = absolute.iter().map(|figure| figure / middle).collect();
        found.push(Figure::of("native", metric, spread));
        for (case, pairs) in measured {
            let against_native = ratios(pairs, of);
            if let (Metric::CpuPerRequest, Some(full)) = (metric, &full) {
                let quotients = against_native
                    .iter()
                    .zip(full)
                    .map(|(case, full)| case / full)
                    .collect();
                found.push(Figure::of(case.name(), Metric::CpuPerRequestOfNativeFull, quotients));
            }
            found.push(Figure::of(case.name(), metric, against_native));
        }
    }
    found
}

fn ratios(pairs: &Pairs, of: impl Fn(&Taken) -> f64) -> Vec<f64> {
    pairs.iter().map(|(base, variant)| of(variant) / of(base)).collect()
}

/// One line for each case, in the order of the figures.
pub fn table(figures: &[Figure]) -> String {
    let mut text = format!("{:<14}", "case");
    for metric in Metric::ALL {
        let _ = write!(text, "  {:<20}", metric.title());
    }
    let mut cases: Vec<&str> = Vec::new();
    for figure in figures {
        if !cases.contains(&figure.case) {
            cases.push(figure.case);
        }
    }
    for case in cases {
        let _ = write!(text, "\n{case:<14}");
        for metric in Metric::ALL {
            let figure = figures
                .iter()
                .find(|figure| figure.case == case && figure.metric == metric);
            let cell = figure.map_or_else(String::new, |Figure { ratio, min, max, .. }| {
                format!("{ratio:.3} [{min:.2}–{max:.2}]")
            });
            let _ = write!(text, "  {cell:<20}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(cpu: f64) -> Taken {
        Taken {
            cpu,
            p50: 10.0 * cpu,
            p99: 100.0,
        }
    }

    #[test]
    fn a_case_is_the_median_of_its_rounds_ratios_and_against_native_full_of_their_quotients() {
        let measured = [
            (
                Case::NativeFull,
                vec![(taken(10.0), taken(11.0)), (taken(20.0), taken(21.0))],
            ),
            (Case::Core, vec![(taken(10.0), taken(12.1)), (taken(20.0), taken(23.1))]),
        ];
        let figures = figures(&measured);
        let ratio = |case, metric| {
            let found = figures
                .iter()
                .find(|figure| figure.case == case && figure.metric == metric);
            found.map(|Figure { ratio, min, max, .. }| (*ratio, *min, *max))
        };
        assert_eq!(ratio("core", Metric::CpuPerRequest), Some((1.183, 1.155, 1.21)));
        assert_eq!(ratio("core", Metric::CpuPerRequestOfNativeFull), Some((1.1, 1.1, 1.1)));
        assert_eq!(ratio("core", Metric::P99), Some((1.0, 1.0, 1.0)));
        assert_eq!(ratio("native", Metric::CpuPerRequest), Some((1.0, 0.667, 1.333)));
        assert!(
            table(&figures).contains("\ncore            1.183 [1.16–1.21]"),
            "{}",
            table(&figures)
        );
    }

    #[test]
    fn without_native_full_nothing_is_said_against_it() {
        let figures = figures(&[(Case::Core, vec![(taken(1.0), taken(1.0))])]);
        assert!(figures
            .iter()
            .all(|figure| figure.metric != Metric::CpuPerRequestOfNativeFull));
    }
}
