//! What is known of one resource at the client.

use std::sync::Arc;

use crate::resource::{Resource, Version};

/// The client's copy, by its acknowledgements.
#[derive(Debug, Clone, Default)]
pub(crate) enum Accepted {
    /// Nothing was said about the name yet.
    #[default]
    Never,
    /// The client was told that it does not exist.
    Absent,
    /// Some version, given by another server or an older one.
    Foreign,
    /// From an earlier stream.
    Version(Version),
    /// From this stream. Kept whole, because a state-of-the-world response has to repeat clusters that
    /// are on their way out.
    Resource(Arc<Resource>),
}

/// Whether the client must be sent the resource even if it has not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Due {
    #[default]
    No,
    /// When its type's turn comes.
    InTurn,
    /// At once: the client has asked.
    Now,
}

/// What the client has refused. Not sent again of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Version(Version),
    Removal,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    /// The client subscribes to the name, apart from any wildcard.
    pub explicit: bool,
    pub accepted: Accepted,
    /// The client has refused a response with the resource, and may have kept a part of it.
    pub doubtful: bool,
    pub refused: Option<Refused>,
    pub due: Due,
}

impl Entry {
    /// Whether the client has exactly this version.
    pub fn has(&self, resource: &Resource) -> bool {
        let accepted = match &self.accepted {
            Accepted::Version(version) => *version,
            Accepted::Resource(accepted) => accepted.version(),
            Accepted::Never | Accepted::Absent | Accepted::Foreign => return false,
        };
        !self.doubtful && accepted == resource.version()
    }

    /// Whether this version is news that the client has not refused.
    pub fn wants(&self, resource: &Resource) -> bool {
        !self.has(resource) && self.refused != Some(Refused::Version(resource.version()))
    }

    /// Whether the client has accepted some version that has not been removed since.
    pub fn exists(&self) -> bool {
        !matches!(self.accepted, Accepted::Never | Accepted::Absent)
    }

    /// Whether the client may have something that a removal would take away.
    pub fn may_exist(&self) -> bool {
        self.exists() || self.doubtful
    }

    pub fn on_accepted(&mut self, resource: Arc<Resource>) {
        self.accepted = Accepted::Resource(resource);
        self.doubtful = false;
        self.refused = None;
    }

    pub fn on_refused(&mut self, resource: &Resource) {
        self.doubtful |= !self.has(resource);
        self.refused = Some(Refused::Version(resource.version()));
    }

    pub fn on_removed(&mut self) {
        self.accepted = Accepted::Absent;
        self.doubtful = false;
        self.refused = None;
    }

    pub fn on_removal_refused(&mut self) {
        if self.may_exist() {
            self.doubtful = true;
            self.refused = Some(Refused::Removal);
        } else {
            self.accepted = Accepted::Absent;
        }
    }
}
