//! How memory is taken from the system: from one heap, not one for each thread.
//!
//! glibc gives threads that allocate at once heaps of their own, up to eight for each core. What one thread makes and another
//! drops leaves holes in all of them: a control plane with 1,000 proxies held a third more than it used (decision 0038).

/// Keeps all threads to one heap. To be called before there are threads; `MALLOC_ARENA_MAX` goes before it.
pub fn keep_to_one_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if std::env::var_os("MALLOC_ARENA_MAX").is_none() {
        // SAFETY: it sets a number of the allocator's, which it reads under its own lock; no memory is handed over.
        let is_set = unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) } == 1;
        debug_assert!(is_set, "glibc knows this parameter");
    }
}
