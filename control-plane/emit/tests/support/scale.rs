//! How much a generated test does: little in CI, all of it with `FERROMESH_FULL=1`.

/// One of two numbers of cases.
pub fn of(reduced: u64, full: u64) -> u64 {
    match std::env::var("FERROMESH_FULL").as_deref() {
        Ok("1") => full,
        _ => reduced,
    }
}
