//! The store under everything that happens to it: kill -9, a full disk, several control planes over etcd, backups.

mod backups;
mod cluster;
mod control_planes;
mod full_disk;
mod kills;
mod linearizable;
mod register;
mod write_load;

/// Whether the tests run at full size, with `FERROMESH_FULL=1`.
fn is_full() -> bool {
    std::env::var("FERROMESH_FULL").is_ok_and(|value| value == "1")
}
