//! How much a snapshot lacks of the one before it.

use std::fmt;
use std::sync::Arc;

use super::Snapshot;

impl Snapshot {
    /// How much of `previous` is gone here, if anything is: for a publisher to refuse a snapshot that
    /// would take down most of a proxy, as a read from an empty or damaged store gives one.
    pub fn is_shrunken(&self, previous: &Snapshot) -> Option<Shrink> {
        let mut shrink = Shrink {
            before: previous.len(),
            removed: 0,
            emptied: Vec::new(),
        };
        for (type_url, before) in &previous.sets {
            let now = self.resources(type_url);
            shrink.removed += before.iter().filter(|r| now.get(r.name()).is_none()).count();
            if now.is_empty() {
                shrink.emptied.push(type_url.clone());
            }
        }
        (shrink.removed > 0).then_some(shrink)
    }
}

/// What a snapshot lacks that the one before had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shrink {
    /// How many resources there were before. Never 0.
    pub before: usize,
    /// How many of them are not there any more. Never 0.
    pub removed: usize,
    /// The types of which nothing is left.
    pub emptied: Vec<Arc<str>>,
}

impl Shrink {
    /// The removed share of what was there, in percent, rounded up.
    pub fn percent(&self) -> usize {
        (self.removed * 100).div_ceil(self.before.max(1))
    }
}

impl fmt::Display for Shrink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} resources ({} %) would be removed",
            self.removed,
            self.before,
            self.percent()
        )?;
        if !self.emptied.is_empty() {
            write!(f, ", among them all of {}", self.emptied.join(", "))?;
        }
        Ok(())
    }
}
