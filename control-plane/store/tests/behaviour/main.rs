//! What every caller may rely on, whatever engine is behind the store: the same tests run on redb and on a real etcd.

#[path = "../support/mod.rs"]
mod support;

mod promises;
mod restored;

use ferromesh_store::backup::Restore;
use ferromesh_store::{EtcdStore, RedbStore, Store};
use support::Etcd;

/// An engine with a store that can be closed and opened again.
trait Engine {
    fn open(&self) -> Box<dyn Store>;

    /// The store, for whoever replaces everything in it.
    fn open_to_restore(&self) -> Box<dyn Restore>;
}

struct Redb(tempfile::TempDir);

impl Redb {
    fn start() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }
}

impl Engine for Redb {
    fn open(&self) -> Box<dyn Store> {
        Box::new(RedbStore::open(self.0.path().join("data/store.redb")).expect("a store"))
    }

    fn open_to_restore(&self) -> Box<dyn Restore> {
        Box::new(RedbStore::open(self.0.path().join("data/store.redb")).expect("a store"))
    }
}

impl Engine for Etcd {
    fn open(&self) -> Box<dyn Store> {
        Box::new(self.store())
    }

    fn open_to_restore(&self) -> Box<dyn Restore> {
        Box::new(EtcdStore::open_to_restore(self.options()).expect("a store"))
    }
}

macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod redb {
            $(#[test] fn $name() { super::promises::$name(&super::Redb::start()); })*
        }
        mod etcd {
            $(#[test] fn $name() { super::promises::$name(&super::Etcd::start()); })*
        }
    };
}

on_both! {
    counts_revisions_and_remembers_them_per_key,
    keeps_values_and_revision_across_restarts_even_when_everything_was_deleted,
    lists_a_prefix_in_pages,
    takes_a_snapshot_of_several_prefixes_at_one_revision,
    commits_nothing_when_a_compared_key_has_changed,
    commits_when_everything_compared_holds,
    makes_no_revision_of_a_transaction_without_changes,
    commits_hundreds_of_changes_and_compares_as_one,
    tells_watchers_of_the_latest_revision,
    lets_only_one_of_many_concurrent_writers_win_each_revision,
    restores_a_backup_with_later_revisions_and_versions,
    refuses_to_restore_over_values_unless_told_to,
    migrates_a_store_of_an_older_version_and_refuses_a_newer_one,
    brings_up_what_schema_0_left,
}
