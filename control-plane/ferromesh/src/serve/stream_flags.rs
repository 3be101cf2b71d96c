//! How long discovery streams last: a flag and a member of the configuration file.

use std::time::Duration;

use serde::Deserialize;

/// A day, in minutes: balance after a failover should not take longer.
const MOST_MINUTES: u32 = 24 * 60;

/// The flags.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct StreamFlags {
    /// Minutes after which a proxy's stream ends politely, so that proxies spread over control planes that came later; up to a
    /// tenth less, differently for each; 0: never [default: 30]
    #[arg(long, value_name = "MINUTES")]
    max_stream_age: Option<u32>,
}

/// The members of the configuration file, below `streams`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StreamFile {
    max_age_minutes: Option<u32>,
}

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamSettings {
    max_age: Option<Duration>,
}

impl StreamSettings {
    /// For the discovery service.
    pub fn config(self) -> ferromesh_xds::Config {
        ferromesh_xds::Config {
            max_stream_age: self.max_age,
            ..ferromesh_xds::Config::default()
        }
    }
}

/// What is decided; what is wrong is added to `problems`.
pub fn decide(flags: StreamFlags, file: StreamFile, problems: &mut Vec<String>) -> StreamSettings {
    let minutes = flags.max_stream_age.or(file.max_age_minutes);
    if let Some(minutes) = minutes.filter(|minutes| *minutes > MOST_MINUTES) {
        problems.push(format!(
            "--max-stream-age is {minutes}: expected 0 to {MOST_MINUTES} minutes"
        ));
    }
    let age = |minutes: u32| (minutes > 0).then(|| Duration::from_secs(60 * u64::from(minutes)));
    StreamSettings {
        max_age: minutes.map_or(ferromesh_xds::Config::default().max_stream_age, age),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(flag: Option<u32>) -> (Option<Duration>, Vec<String>) {
        let file: StreamFile = serde_saphyr::from_str("{maxAgeMinutes: 7}").unwrap();
        let flags = StreamFlags { max_stream_age: flag };
        let mut problems = Vec::new();
        let decided = decide(flags, file, &mut problems);
        (decided.config().max_stream_age, problems)
    }

    #[test]
    fn the_flag_goes_before_the_file_and_zero_is_never() {
        assert_eq!(decided(None).0, Some(Duration::from_secs(7 * 60)));
        assert_eq!(decided(Some(60)).0, Some(Duration::from_secs(3600)));
        assert_eq!(decided(Some(0)).0, None);
        let neither = decide(StreamFlags::default(), StreamFile::default(), &mut Vec::new());
        assert_eq!(neither.config().max_stream_age, Some(Duration::from_secs(1800)));
    }

    #[test]
    fn an_age_of_more_than_a_day_is_refused() {
        assert_eq!(
            decided(Some(1_441)).1,
            ["--max-stream-age is 1441: expected 0 to 1440 minutes"]
        );
        assert!(decided(Some(1_440)).1.is_empty());
    }
}
