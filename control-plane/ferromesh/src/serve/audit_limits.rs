//! How much of the audit record is kept: flags, then the configuration file, then defaults.

use ferromesh_api::{AuditLimit, AuditLimits};
use serde::Deserialize;

/// More records than this are better kept elsewhere: `GET /v1/audit` gives them out.
const MOST: std::ops::RangeInclusive<usize> = 1..=10_000_000;

/// A hundred years.
const DAYS: std::ops::RangeInclusive<u32> = 1..=36_500;

/// The flags.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct AuditFlags {
    /// Most changes that the audit record keeps, 1 to 10,000,000 [default: 100000]
    #[arg(long, value_name = "N")]
    audit_changes: Option<usize>,
    /// Most days that the audit record keeps a change, 1 to 36,500 [default: 400]
    #[arg(long, value_name = "N")]
    audit_change_days: Option<u32>,
    /// Most refusals that the audit record keeps, 1 to 10,000,000 [default: 10000]
    #[arg(long, value_name = "N")]
    audit_refusals: Option<usize>,
    /// Most days that the audit record keeps a refusal, 1 to 36,500 [default: 30]
    #[arg(long, value_name = "N")]
    audit_refusal_days: Option<u32>,
}

/// The same in the configuration file, under `audit`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuditFile {
    changes: Option<usize>,
    change_days: Option<u32>,
    refusals: Option<usize>,
    refusal_days: Option<u32>,
}

/// Puts them together; what is out of range is told to `problems`.
pub(super) fn decide(flags: &AuditFlags, file: &AuditFile, problems: &mut Vec<String>) -> AuditLimits {
    let default = AuditLimits::default();
    let mut most = |name: &str, flag: Option<usize>, member: Option<usize>, default: usize| {
        let most = flag.or(member).unwrap_or(default);
        if !MOST.contains(&most) {
            problems.push(format!(
                "audit.{name} is {most}: expected {} to {}",
                MOST.start(),
                MOST.end()
            ));
        }
        most
    };
    let changes = most("changes", flags.audit_changes, file.changes, default.changes.most);
    let refusals = most("refusals", flags.audit_refusals, file.refusals, default.refusals.most);
    let mut days = |name: &str, flag: Option<u32>, member: Option<u32>, default: u32| {
        let days = flag.or(member).unwrap_or(default);
        if !DAYS.contains(&days) {
            problems.push(format!(
                "audit.{name} is {days}: expected {} to {}",
                DAYS.start(),
                DAYS.end()
            ));
        }
        days
    };
    AuditLimits {
        changes: AuditLimit {
            most: changes,
            days: days(
                "changeDays",
                flags.audit_change_days,
                file.change_days,
                default.changes.days,
            ),
        },
        refusals: AuditLimit {
            most: refusals,
            days: days(
                "refusalDays",
                flags.audit_refusal_days,
                file.refusal_days,
                default.refusals.days,
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_go_before_the_file_and_the_file_before_the_defaults() {
        let flags = AuditFlags {
            audit_changes: Some(5),
            ..AuditFlags::default()
        };
        let file: AuditFile = serde_saphyr::from_str("{changes: 6, changeDays: 7}").unwrap();
        let mut problems = Vec::new();
        let limits = decide(&flags, &file, &mut problems);
        assert_eq!((limits.changes.most, limits.changes.days), (5, 7));
        assert_eq!(limits.refusals, AuditLimits::default().refusals);
        assert!(problems.is_empty(), "{problems:?}");
    }

    #[test]
    fn what_is_out_of_range_is_named_with_the_range() {
        let flags = AuditFlags {
            audit_refusals: Some(0),
            audit_refusal_days: Some(40_000),
            ..AuditFlags::default()
        };
        let mut problems = Vec::new();
        decide(&flags, &AuditFile::default(), &mut problems);
        let expected = [
            "audit.refusals is 0: expected 1 to 10000000",
            "audit.refusalDays is 40000: expected 1 to 36500",
        ];
        assert_eq!(problems, expected);
    }
}
