//! How many streams may be open at a time: in all, and of one node.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tonic::Status;

#[derive(Debug, Default)]
pub(super) struct Places {
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_node: HashMap<Arc<str>, usize>,
}

impl Places {
    /// How many streams are open.
    pub fn len(&self) -> usize {
        self.lock().all
    }

    /// A place for one more stream.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED` when there are `limit` streams.
    pub fn take(self: &Arc<Self>, limit: usize) -> Result<Place, Status> {
        let mut taken = self.lock();
        let open = taken.all;
        if open >= limit {
            return Err(Status::resource_exhausted(format!(
                "{open} discovery streams are open, and the limit is {limit}"
            )));
        }
        taken.all += 1;
        Ok(Place {
            places: Arc::clone(self),
            node: None,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the streams that may be open at a time; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    node: Option<Arc<str>>,
}

impl Place {
    /// The stream turned out to be this node's.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED` when the node has `limit` streams.
    pub fn assign(&mut self, node: &str, limit: usize) -> Result<(), Status> {
        let mut taken = self.places.lock();
        let open = taken.by_node.get(node).copied().unwrap_or(0);
        if open >= limit {
            return Err(Status::resource_exhausted(format!(
                "{open} discovery streams of node `{node}` are open, and the limit is {limit}"
            )));
        }
        let node: Arc<str> = node.into();
        *taken.by_node.entry(Arc::clone(&node)).or_default() += 1;
        self.node = Some(node);
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.all -= 1;
        let Some(node) = &self.node else { return };
        if let Some(open) = taken.by_node.get_mut(node) {
            *open -= 1;
            if *open == 0 {
                taken.by_node.remove(node);
            }
        }
    }
}
