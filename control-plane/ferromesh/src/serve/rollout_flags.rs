//! How changes reach proxies: flags and members of the configuration file.

use std::{path::PathBuf, time::Duration};

use serde::Deserialize;

use crate::{
    proxy::envoy,
    rollout::{Settings, Validation},
};

/// The longest observation, in seconds: what takes longer shows in nobody's errors.
const MOST_OBSERVED: u64 = 3600;
/// Seconds for which Envoy may look at a candidate. It takes 0.06 s, and 0.65 s with both modules; a machine that is short of
/// everything needs ten times as long.
const VALIDATE_SECONDS: u64 = 10;
/// The longest of these: nothing is rolled out meanwhile.
const MOST_VALIDATE_SECONDS: u64 = 300;

/// The flags.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct RolloutFlags {
    /// staged: a change goes to one proxy, then a share, then all, and is taken back when it does harm; immediate: to all at
    /// once [default: staged]
    #[arg(long, value_enum, value_name = "HOW", env = "FERROMESH_ROLLOUT")]
    rollout: Option<How>,
    /// Seconds for which the proxies of a stage are watched after they have acknowledged a change; 0: acknowledgement is enough
    /// [default: 3]
    #[arg(long, value_name = "SECONDS")]
    rollout_observe: Option<u64>,
    /// Share of the proxies in the second stage, in percent, 1 to 100; at least one [default: 10]
    #[arg(long, value_name = "PERCENT")]
    rollout_share: Option<u8>,
    /// An Envoy of the version that proxies run: it validates every change (`--mode validate`) before the first proxy is given
    /// it
    #[arg(long, value_name = "PATH", env = "FERROMESH_VALIDATE_WITH")]
    validate_with: Option<PathBuf>,
    /// Seconds after which a change is tried although that Envoy has not come to an end [default: 10]
    #[arg(long, value_name = "SECONDS")]
    validate_seconds: Option<u64>,
}

/// Whether there are stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "camelCase")]
pub enum How {
    /// One, a share, all.
    Staged,
    /// All at once.
    Immediate,
}

/// The members of the configuration file, below `rollout`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RolloutFile {
    how: Option<How>,
    observe_seconds: Option<u64>,
    share_percent: Option<u8>,
    validate_with: Option<PathBuf>,
    validate_seconds: Option<u64>,
}

/// What is decided; what is wrong is added to `problems`.
pub fn decide(flags: RolloutFlags, file: RolloutFile, is_shared: bool, problems: &mut Vec<String>) -> Settings {
    let defaults = Settings::default();
    let how = flags.rollout.or(file.how).unwrap_or(How::Staged);
    let observe = flags.rollout_observe.or(file.observe_seconds);
    let observe = observe.unwrap_or(defaults.observe.as_secs());
    if observe > MOST_OBSERVED {
        problems.push(format!(
            "--rollout-observe is {observe}: expected 0 to {MOST_OBSERVED} seconds"
        ));
    }
    let share_percent = flags.rollout_share.or(file.share_percent);
    let share_percent = share_percent.unwrap_or(defaults.share_percent);
    if !(1..=100).contains(&share_percent) {
        problems.push(format!("--rollout-share is {share_percent}: expected 1 to 100 percent"));
    }
    let limit = flags.validate_seconds.or(file.validate_seconds);
    let limit = limit.unwrap_or(VALIDATE_SECONDS);
    if !(1..=MOST_VALIDATE_SECONDS).contains(&limit) {
        problems.push(format!(
            "--validate-seconds is {limit}: expected 1 to {MOST_VALIDATE_SECONDS} seconds"
        ));
    }
    let program = flags.validate_with.or(file.validate_with);
    if let Some(program) = &program {
        if !envoy::is_executable(program) {
            problems.push(format!("--validate-with is {program:?}: no executable file"));
        }
        if how == How::Immediate {
            problems.push("--validate-with needs --rollout staged: with immediate nothing is held back".to_owned());
        }
    }
    Settings {
        is_staged: how == How::Staged,
        observe: Duration::from_secs(observe),
        is_shared,
        share_percent,
        validation: program.map(|program| Validation {
            program: std::path::absolute(&program).unwrap_or(program),
            limit: Duration::from_secs(limit),
        }),
        served: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused_with_its_limits() {
        let mut problems = Vec::new();
        let flags = RolloutFlags {
            rollout_observe: Some(3601),
            rollout_share: Some(0),
            validate_seconds: Some(0),
            validate_with: Some("/nowhere/envoy".into()),
            ..RolloutFlags::default()
        };
        let file: RolloutFile = serde_saphyr::from_str("how: immediate").unwrap();
        decide(flags, file, false, &mut problems);
        assert_eq!(
            problems,
            [
                "--rollout-observe is 3601: expected 0 to 3600 seconds",
                "--rollout-share is 0: expected 1 to 100 percent",
                "--validate-seconds is 0: expected 1 to 300 seconds",
                "--validate-with is \"/nowhere/envoy\": no executable file",
                "--validate-with needs --rollout staged: with immediate nothing is held back",
            ]
        );
    }

    #[test]
    fn flags_go_before_the_file() {
        let file: RolloutFile =
            serde_saphyr::from_str("{how: immediate, observeSeconds: 1, sharePercent: 50}").unwrap();
        let flags = RolloutFlags {
            rollout_observe: Some(0),
            ..RolloutFlags::default()
        };
        let settings = decide(flags, file, true, &mut Vec::new());
        let expected = Settings {
            is_staged: false,
            observe: Duration::ZERO,
            is_shared: true,
            share_percent: 50,
            validation: None,
            served: None,
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn who_validates_is_named_by_the_file_or_a_flag() {
        let text = "{validateWith: /bin/sh, validateSeconds: 3}";
        let file = || serde_saphyr::from_str::<RolloutFile>(text).unwrap();
        let mut problems = Vec::new();
        let settings = decide(RolloutFlags::default(), file(), false, &mut problems);
        let limit = |seconds| Validation {
            program: "/bin/sh".into(),
            limit: Duration::from_secs(seconds),
        };
        assert_eq!(settings.validation, Some(limit(3)));
        let flags = RolloutFlags {
            validate_seconds: Some(30),
            ..RolloutFlags::default()
        };
        assert_eq!(decide(flags, file(), false, &mut problems).validation, Some(limit(30)));
        assert_eq!(problems, [""; 0]);
    }
}
