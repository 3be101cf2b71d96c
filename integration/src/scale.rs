//! How much a statistical test sends: little in the usual runs, as much as was promised when asked.

/// The second number where `FERROMESH_FULL=1` is set, else the first.
pub fn full<N>(usual: N, full: N) -> N {
    if is_full() {
        full
    } else {
        usual
    }
}

/// Whether the environment asks for tests of their full size.
pub fn is_full() -> bool {
    std::env::var_os("FERROMESH_FULL").is_some_and(|value| value == "1")
}
