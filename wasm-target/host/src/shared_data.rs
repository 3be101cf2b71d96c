//! Values that all VMs of one `vm_id` share, each with a number that changes with every write.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::abi::Status;

/// A store of shared values. Copies are the same store: hand one to several VMs to let them share.
#[derive(Clone, Debug, Default)]
pub struct SharedData {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    values: HashMap<Vec<u8>, (Vec<u8>, u32)>,
    last: u32,
}

impl SharedData {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// A value and the number of its last write, never 0.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<(Vec<u8>, u32)> {
        self.with(|inner| inner.values.get(key.as_ref()).cloned())
    }

    /// Writes a value. With `cas` other than 0 only if that is still the number of its last write.
    ///
    /// # Errors
    /// [`Status::CasMismatch`] when somebody else wrote since.
    pub fn set(&self, key: impl AsRef<[u8]>, value: Vec<u8>, cas: u32) -> Result<(), Status> {
        self.with(|inner| {
            let present = inner.values.get(key.as_ref()).map(|(_, number)| *number);
            // As Envoy: a number for a key that does not exist is no mismatch.
            if cas != 0 && present.is_some_and(|number| number != cas) {
                return Err(Status::CasMismatch);
            }
            inner.last = inner.last.checked_add(1).unwrap_or(1);
            inner.values.insert(key.as_ref().to_vec(), (value, inner.last));
            Ok(())
        })
    }

    fn with<T>(&self, action: impl FnOnce(&mut Inner) -> T) -> T {
        action(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_of_two_writers_that_read_the_same_loses() {
        let data = SharedData::new();
        let other = data.clone();
        data.set("k", b"1".to_vec(), 0).unwrap();
        let (_, read) = data.get("k").unwrap();
        assert_eq!(other.set("k", b"2".to_vec(), read), Ok(()));
        assert_eq!(data.set("k", b"3".to_vec(), read), Err(Status::CasMismatch));
        assert_eq!(data.get("k").unwrap().0, b"2");
        assert_eq!(data.set("k", b"4".to_vec(), 0), Ok(()));
    }
}
