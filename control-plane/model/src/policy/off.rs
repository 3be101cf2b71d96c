//! What a policy switches off: the one way to take back, for a narrower target, what a wider policy has asked for.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::shapes::{Shape, Type};
use crate::Violation;

/// Declares the members that can be switched off, with their names in JSON.
macro_rules! members {
    ($($variant:ident $name:literal,)+) => {
        /// A member of a policy, or a part of one, that is switched off.
        ///
        /// Whatever wider policies say of it is forgotten, and the feature does nothing, until a narrower policy says
        /// something of it again.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Off {
            $(
                #[doc = concat!("`", $name, "`.")]
                #[serde(rename = $name)]
                $variant,
            )+
        }

        impl Off {
            /// Its name: the path of the member in a policy's spec.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }

        const NAMES: &[&str] = &[$($name),+];
    };
}

members! {
    Canary "canary",
    CanarySticky "canary.sticky",
    CanaryOverride "canary.override",
    CanaryRamp "canary.ramp",
    CanaryRollback "canary.rollback",
    Retry "retry",
    RetryIdempotencyKeyHeader "retry.idempotencyKeyHeader",
    RetryBudget "retry.budget",
    RetryHeaders "retry.headers",
    RetryBackoff "retry.backoff",
    RetryRetryAfter "retry.retryAfter",
    RetryHedging "retry.hedging",
    Observability "observability",
    RateLimit "rateLimit",
    CircuitBreaker "circuitBreaker",
    Fault "fault",
    Headers "headers",
    Mirror "mirror",
    Jwt "jwt",
    ExtAuthz "extAuthz",
    Forwarded "forwarded",
}

pub(super) static OFF: Shape = Shape {
    name: "Off",
    ty: Type::List {
        member: &MEMBER,
        min: 1,
        max: Some(NAMES.len()),
    },
};
static MEMBER: Shape = Shape {
    name: "OffMember",
    ty: Type::Enum(NAMES),
};

impl Off {
    /// The policy's member that it is, or is a part of.
    pub fn member(self) -> &'static str {
        let name = self.as_str();
        name.split_once('.').map_or(name, |(member, _)| member)
    }

    /// Whether requests pass without it that would not have passed with it.
    pub fn protects(self) -> bool {
        matches!(
            self,
            Self::RateLimit | Self::CircuitBreaker | Self::Jwt | Self::ExtAuthz
        )
    }
}

/// What is wrong with the list of a spec: a member that occurs twice, or that the same spec also says something of.
pub(super) fn check(spec: &Map<String, Value>) -> Vec<Violation> {
    let Some(listed) = spec.get("off").and_then(Value::as_array) else {
        return Vec::new();
    };
    let names: Vec<&str> = listed.iter().filter_map(Value::as_str).collect();
    let mut found = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let path = format!("off[{index}]");
        let (member, part) = name
            .split_once('.')
            .map_or((*name, None), |(member, part)| (member, Some(part)));
        if names.iter().take(index).any(|earlier| earlier == name) {
            found.push(Violation::new(path, format!("must be unique, {name:?} occurs twice")));
        } else if part.is_some() && names.contains(&member) {
            found.push(Violation::new(
                path,
                format!("must be left out beside {member:?}, which it is a part of"),
            ));
        } else {
            let said = spec.get(member);
            let said = part.map_or(said, |part| said.and_then(|member| member.get(part)));
            if said.is_some() {
                let message = format!("must not be a member that the same policy says something of, is {name:?}");
                found.push(Violation::new(path, message));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_name_is_read_and_written_alike() {
        for name in NAMES {
            let off: Off = serde_json::from_value(json!(name)).expect("a name of the list");
            assert_eq!(off.as_str(), *name);
            assert_eq!(serde_json::to_value(off).expect("JSON"), json!(name));
        }
    }

    #[test]
    fn a_part_belongs_to_its_member() {
        assert_eq!(Off::CanaryRamp.member(), "canary");
        assert_eq!(Off::Jwt.member(), "jwt");
    }

    #[test]
    fn refuses_doubles_and_members_that_are_said_too() {
        let spec = json!({
            "off": ["fault", "fault", "retry.budget", "canary", "canary.ramp", "headers", "retry.hedging"],
            "headers": {"request": []}, "retry": {"budget": {}},
        });
        let found: Vec<String> = check(spec.as_object().expect("an object"))
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            found,
            [
                "off[1]: must be unique, \"fault\" occurs twice",
                "off[2]: must not be a member that the same policy says something of, is \"retry.budget\"",
                "off[4]: must be left out beside \"canary\", which it is a part of",
                "off[5]: must not be a member that the same policy says something of, is \"headers\"",
            ]
        );
    }
}
