//! A list of the store from one reading to the next: what was written since, and what is gone.

use ferromesh_store::{Revision, StoreError, Stored};

/// The keys of a list with the revisions of their last writes, and what `T` says of each value that must still be known
/// when it is gone.
pub(super) struct Followed<T> {
    /// In the order of the keys, as lists are.
    entries: Vec<Entry<T>>,
}

struct Entry<T> {
    key: String,
    modified: Revision,
    about: T,
}

/// What differs between two readings.
pub(super) struct Difference<V, T> {
    /// Values that are new, or were written since.
    pub written: Vec<V>,
    /// What was known of those that are gone.
    pub gone: Vec<T>,
}

impl<V, T> Difference<V, T> {
    pub fn is_none(&self) -> bool {
        self.written.is_empty() && self.gone.is_empty()
    }
}

impl<T> Default for Followed<T> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<T> Followed<T> {
    /// Goes on to the list as it is now. Only what was written since is read.
    ///
    /// # Errors
    /// A value cannot be read; what is followed is then good for nothing.
    pub fn renew<'s, V>(
        &mut self,
        list: impl IntoIterator<Item = &'s Stored>,
        read: impl Fn(&Stored) -> Result<V, StoreError>,
        about: impl Fn(&V) -> T,
    ) -> Result<Difference<V, T>, StoreError> {
        let mut difference = Difference {
            written: Vec::new(),
            gone: Vec::new(),
        };
        let mut known = std::mem::take(&mut self.entries).into_iter().peekable();
        for stored in list {
            while let Some(entry) = known.next_if(|entry| entry.key < stored.key) {
                difference.gone.push(entry.about);
            }
            match known.next_if(|entry| entry.key == stored.key) {
                Some(entry) if entry.modified == stored.modified => self.entries.push(entry),
                _ => {
                    let value = read(stored)?;
                    self.entries.push(Entry {
                        key: stored.key.clone(),
                        modified: stored.modified,
                        about: about(&value),
                    });
                    difference.written.push(value);
                }
            }
        }
        difference.gone.extend(known.map(|entry| entry.about));
        Ok(difference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(key: &str, modified: Revision) -> Stored {
        Stored {
            key: key.into(),
            value: Vec::new(),
            created: 1,
            modified,
        }
    }

    fn renew(followed: &mut Followed<String>, list: &[(&str, Revision)]) -> (Vec<String>, Vec<String>) {
        let list: Vec<Stored> = list.iter().map(|(key, modified)| stored(key, *modified)).collect();
        let difference = followed
            .renew(&list, |stored| Ok(stored.key.clone()), String::clone)
            .unwrap();
        (difference.written, difference.gone)
    }

    #[test]
    fn says_what_was_written_and_what_is_gone() {
        let mut followed = Followed::default();
        let none: Vec<String> = Vec::new();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let first = renew(&mut followed, &[("b", 1), ("d", 2)]);
        assert_eq!(first, (names(&["b", "d"]), none.clone()));
        assert_eq!(
            renew(&mut followed, &[("b", 1), ("d", 2)]),
            (none.clone(), none.clone())
        );
        let second = renew(&mut followed, &[("a", 3), ("b", 4), ("e", 5)]);
        assert_eq!(second, (names(&["a", "b", "e"]), names(&["d"])));
        assert_eq!(renew(&mut followed, &[]), (none, names(&["a", "b", "e"])));
    }

    #[test]
    fn a_value_that_cannot_be_read_is_an_error() {
        let refuse = |stored: &Stored| -> Result<(), StoreError> {
            Err(StoreError::Unreadable {
                key: stored.key.clone(),
                reason: "no".into(),
            })
        };
        let mut followed = Followed::default();
        assert!(followed.renew(&[stored("a", 1)], refuse, |()| ()).is_err());
    }
}
