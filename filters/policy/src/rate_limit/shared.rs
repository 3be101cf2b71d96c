//! The host's shared data: where the truth of a limit lives, so that workers agree and a VM may be reloaded.

/// What a read gave.
#[derive(Debug)]
pub enum SharedRead<T> {
    /// The value, and the number that a write of its successor must give.
    Found(T, u32),
    /// There is no value.
    Absent,
    /// The host does not answer: the capability is denied, or it has none.
    Refused,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedWrite {
    /// Written.
    Written,
    /// Somebody else wrote since the read: nothing is written.
    Mismatch,
    /// The host does not answer.
    Refused,
}

/// Values by key that all VMs of one `vm_id` in one process share. They live as long as the process and
/// cannot be removed (proxy-wasm ABI 0.2.1: `proxy_get_shared_data`, `proxy_set_shared_data`).
pub trait Shared {
    /// A value, borrowed or owned, as suits the host.
    type Value<'a>: AsRef<[u8]>
    where
        Self: 'a;

    /// Reads.
    fn get(&self, key: &[u8]) -> SharedRead<Self::Value<'_>>;

    /// Writes, if the value is still the one that was read with `cas`, or if there is none.
    fn set(&self, key: &[u8], value: &[u8], cas: u32) -> SharedWrite;
}

/// The `cas` of a write that may only create. Envoy (proxy-wasm-cpp-host, `SharedData::set`) compares the number
/// only where a value exists, takes 0 for "whatever is there", and counts its own numbers up from 1.
pub const CREATE: u32 = u32::MAX;

/// Shared data in memory, with Envoy's semantics, for tests.
#[cfg(any(test, feature = "replay"))]
#[derive(Debug, Default)]
pub struct Memory {
    values: std::cell::RefCell<Values>,
    numbers: std::cell::Cell<u32>,
    gets: std::cell::Cell<u64>,
    sets: std::cell::Cell<u64>,
    mismatches: std::cell::Cell<u32>,
    refuses: std::cell::Cell<bool>,
}

/// Values and their numbers by key.
#[cfg(any(test, feature = "replay"))]
type Values = std::collections::BTreeMap<Vec<u8>, (Vec<u8>, u32)>;

#[cfg(any(test, feature = "replay"))]
impl Memory {
    /// Lets the next writes fail as if another worker had written in between.
    pub fn inject_mismatches(&self, count: u32) {
        self.mismatches.set(count);
    }

    /// Stops answering, or answers again.
    pub fn refuse(&self, refuses: bool) {
        self.refuses.set(refuses);
    }

    /// Reads and writes so far.
    pub fn calls(&self) -> (u64, u64) {
        (self.gets.get(), self.sets.get())
    }

    /// Number of values, and bytes of keys and values.
    pub fn size(&self) -> (usize, usize) {
        let values = self.values.borrow();
        let bytes = values.iter().map(|(key, (value, _))| key.len() + value.len()).sum();
        (values.len(), bytes)
    }

    /// Replaces every value.
    pub fn overwrite_all(&self, with: &[u8]) {
        for (value, _) in self.values.borrow_mut().values_mut() {
            *value = with.to_vec();
        }
    }
}

#[cfg(any(test, feature = "replay"))]
impl Shared for Memory {
    type Value<'a> = Vec<u8>;

    fn get(&self, key: &[u8]) -> SharedRead<Vec<u8>> {
        self.gets.set(self.gets.get() + 1);
        if self.refuses.get() {
            return SharedRead::Refused;
        }
        match self.values.borrow().get(key) {
            Some((value, cas)) => SharedRead::Found(value.clone(), *cas),
            None => SharedRead::Absent,
        }
    }

    fn set(&self, key: &[u8], value: &[u8], cas: u32) -> SharedWrite {
        self.sets.set(self.sets.get() + 1);
        if self.refuses.get() {
            return SharedWrite::Refused;
        }
        if self.mismatches.get() > 0 {
            self.mismatches.set(self.mismatches.get() - 1);
            return SharedWrite::Mismatch;
        }
        let mut values = self.values.borrow_mut();
        if values.get(key).is_some_and(|(_, known)| cas != 0 && cas != *known) {
            return SharedWrite::Mismatch;
        }
        self.numbers.set(self.numbers.get() + 1);
        values.insert(key.to_vec(), (value.to_vec(), self.numbers.get()));
        SharedWrite::Written
    }
}
