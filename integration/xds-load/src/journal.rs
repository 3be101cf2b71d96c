//! What one proxy was sent, in order: whether something came again although nothing had changed, or went back to what it had
//! been before. Where every change makes something new, neither may happen, whatever becomes of the servers.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::held::Arrived;
use crate::proxy::Variant;

/// The contents of each resource so far, as hashes, the newest last.
#[derive(Debug, Default)]
pub struct Journal(HashMap<(&'static str, String), Vec<u64>>);

/// What should not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flap {
    /// What the proxy holds was sent once more.
    Again { type_url: &'static str, name: String },
    /// An older content was sent after a newer one.
    Back { type_url: &'static str, name: String },
}

impl fmt::Display for Flap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (type_url, name, what) = match self {
            Self::Again { type_url, name } => (type_url, name, "came again unchanged"),
            Self::Back { type_url, name } => (type_url, name, "went back to an older content"),
        };
        let short = type_url.rsplit('.').next().unwrap_or(type_url);
        write!(f, "{short} {name} {what}")
    }
}

impl Journal {
    /// Takes a response. In the state-of-the-world variant, which repeats what has not changed, only a response without
    /// anything new has come again.
    pub fn take(&mut self, type_url: &'static str, variant: Variant, arrived: &[Arrived]) -> Vec<Flap> {
        let (mut again, mut back) = (Vec::new(), Vec::new());
        for resource in arrived {
            let mut hasher = DefaultHasher::new();
            resource.value.hash(&mut hasher);
            let content = hasher.finish();
            let name = resource.name.clone();
            let known = self.0.entry((type_url, name.clone())).or_default();
            if known.last() == Some(&content) {
                again.push(Flap::Again { type_url, name });
            } else if known.contains(&content) {
                back.push(Flap::Back { type_url, name });
            }
            known.push(content);
        }
        if variant == Variant::Sotw && again.len() < arrived.len() {
            again.clear();
        }
        back.extend(again);
        back
    }
}

#[cfg(test)]
mod tests {
    use ferromesh_xds::type_url::{CLUSTER, ROUTE};

    use super::*;

    fn one(name: &str, value: &'static str) -> Arrived {
        Arrived {
            name: name.to_owned(),
            version: String::new(),
            value: value.into(),
        }
    }

    #[test]
    fn what_comes_again_and_what_goes_back_is_told_apart_from_what_is_new() {
        let mut journal = Journal::default();
        let mut take = |value| journal.take(ROUTE, Variant::Delta, &[one("r", value)]);
        assert_eq!(take("1"), []);
        assert_eq!(take("2"), []);
        let name = || "r".to_owned();
        assert_eq!(
            take("2"),
            [Flap::Again {
                type_url: ROUTE,
                name: name()
            }]
        );
        assert_eq!(
            take("1"),
            [Flap::Back {
                type_url: ROUTE,
                name: name()
            }]
        );
        assert_eq!(take("3"), []);
    }

    #[test]
    fn a_whole_state_in_which_one_resource_is_new_has_not_come_again() {
        let mut journal = Journal::default();
        let mut take = |b| journal.take(CLUSTER, Variant::Sotw, &[one("a", "1"), one("b", b)]);
        assert_eq!(take("1"), []);
        assert_eq!(take("2"), []);
        assert_eq!(take("2").len(), 2);
    }
}
