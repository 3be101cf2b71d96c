//! Ramps in stock Envoy: the shares that are stated for a time are the shares at that time, and nothing is pushed.
//!
//! Ramps of a few seconds; `FERROMESH_FULL=1` makes them ten times as long.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ferromesh_integration::{
    bed::{Bed, Setup},
    full,
    load::Report,
    stats,
    upstream::Upstream,
};
use serde_json::{json, Value};

/// How far the moment a request was sent may be from the moment it was decided, with room for a busy machine.
const SLACK: Duration = Duration::from_millis(250);

/// Some time for Envoy to come up before the ramp begins.
const LEAD: Duration = Duration::from_secs(6);

fn unix() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970")
}

fn millis(time: Duration) -> u64 {
    time.as_millis() as u64
}

struct Ramping {
    bed: Bed,
    _colours: [Upstream; 2],
    starts: Duration,
}

/// Starts an Envoy whose ramp begins soon. Its native weights are 1:1.
async fn start(ramp: impl FnOnce(u64) -> Value) -> Ramping {
    let colours = [
        Upstream::start("blue").await.expect("blue"),
        Upstream::start("green").await.expect("green"),
    ];
    let starts = unix() + LEAD;
    let policy = json!({
        "labels": {"virtualService": "color.local", "route": "all"},
        "targets": ["blue", "green"],
        "canary": {"weights": [1, 1], "ramp": ramp(millis(starts))},
    });
    let setup = Setup::with_policy("canary", &policy).expect("a built module");
    let [blue, green] = &colours;
    let bed = setup.target(blue, 1).target(green, 1).start().await.expect("Envoy");
    assert!(unix() < starts, "Envoy took longer than {LEAD:?} to come up");
    Ramping {
        bed,
        _colours: colours,
        starts,
    }
}

impl Ramping {
    /// Sends 1,000 requests a second until so long after the start; moments are relative to the start.
    async fn run(&self, until: Duration) -> Vec<(f64, bool)> {
        let began = unix();
        let load = self
            .bed
            .load()
            .connections(4)
            .per_second(1_000.0)
            .start()
            .await
            .expect("load");
        tokio::time::sleep((self.starts + until).saturating_sub(unix())).await;
        let report: Report = load.stop().await;
        report.assert_no_failures("a ramp");
        let offset = began.as_secs_f64() - self.starts.as_secs_f64();
        let sent = report.records.iter();
        sent.map(|record| (record.at.as_secs_f64() + offset, record.note() == Some("green")))
            .collect()
    }
}

/// The requests of a span, without those so near its ends that they may have been decided beyond.
fn within(sent: &[(f64, bool)], from: f64, to: f64) -> (usize, usize) {
    let slack = SLACK.as_secs_f64();
    let inside = sent.iter().filter(|(at, _)| (from + slack..to - slack).contains(at));
    inside.fold((0, 0), |(green, all), (_, is_green)| {
        (green + usize::from(*is_green), all + 1)
    })
}

fn assert_share(what: &str, (green, all): (usize, usize), expected: f64) {
    assert!(all >= 100, "{what}: only {all} requests");
    let off = stats::sigmas(green, all, expected);
    println!("{what}: {green} of {all} on green, {off:.2} deviations off {expected}");
    assert!(
        off <= 4.0,
        "{what}: {green} of {all} on green, {off:.2} deviations off {expected}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_come_at_their_times_and_a_pause_holds_them() {
    let unit = full(2, 20);
    let ramping = start(|starts| {
        let pause = json!({
            "fromUnixMillis": starts + 1_500 * unit, "untilUnixMillis": starts + 2_500 * unit,
        });
        json!({
            "startUnixMillis": starts,
            "pauses": [pause],
            "steps": [
                {"afterSeconds": 0, "weights": [100, 0]},
                {"afterSeconds": unit, "weights": [70, 30]},
                {"afterSeconds": 2 * unit, "weights": [0, 100]},
            ],
        })
    })
    .await;
    let unit_seconds = unit as f64;
    let sent = ramping.run(Duration::from_secs(4 * unit)).await;
    assert_share("before the ramp", within(&sent, -2.0, 0.0), 0.5);
    assert_share("the first step", within(&sent, 0.0, unit_seconds), 0.0);
    // The pause makes it twice as long.
    assert_share("the second step", within(&sent, unit_seconds, 3.0 * unit_seconds), 0.3);
    assert_share(
        "the last step",
        within(&sent, 3.0 * unit_seconds, 4.0 * unit_seconds),
        1.0,
    );
    ramping.bed.assert_no_trap().await.expect("no trap");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_linear_ramp_is_where_it_should_be_at_every_moment() {
    let length = full(5, 50);
    let ramping = start(|starts| {
        json!({
            "startUnixMillis": starts,
            "shape": "linear",
            "steps": [{"afterSeconds": 0, "weights": [1, 0]}, {"afterSeconds": length, "weights": [0, 1]}],
        })
    })
    .await;
    let sent = ramping.run(Duration::from_secs(length + 2)).await;
    // In fifths: the shares of all requests of one, each by its own moment.
    let fifth = length as f64 / 5.0;
    for part in 0..5 {
        let (from, to) = (f64::from(part) * fifth, f64::from(part + 1) * fifth);
        let moments: Vec<_> = sent.iter().filter(|(at, _)| (from..to).contains(at)).collect();
        let shares = moments.iter().map(|(at, _)| at / length as f64);
        let (mean, variance) = shares.fold((0.0, 0.0), |(mean, variance), share| {
            (mean + share, variance + share * (1.0 - share))
        });
        let green = moments.iter().filter(|(_, is_green)| *is_green).count() as f64;
        // A request is decided a moment after it was sent, when more are green.
        let late = moments.len() as f64 * SLACK.as_secs_f64() / length as f64;
        let off = (green - mean) / f64::max(variance, 1.0).sqrt();
        println!(
            "fifth {part}: {green} of {} on green, {off:.2} deviations off {mean:.0}",
            moments.len()
        );
        assert!(moments.len() >= 100, "only {} requests", moments.len());
        let allowed = 4.0 * f64::max(variance, 1.0).sqrt();
        assert!(
            green >= mean - allowed && green <= mean + late + allowed,
            "fifth {part}: {green} of {} on green where {mean:.0} were due",
            moments.len()
        );
    }
    assert_share("after the ramp", within(&sent, length as f64, length as f64 + 2.0), 1.0);
}
