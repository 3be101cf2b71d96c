//! Memory for what the host returns: taken from one buffer that every callback begins anew.
//!
//! The host asks the guest for memory whenever a call returns data. Values live no longer than the callback,
//! so a bump pointer serves them without the heap; what does not fit is put on the heap until the next callback.

use std::cell::UnsafeCell;

const CAPACITY: usize = 8 * 1024;
const ALIGNMENT: usize = 8;

/// A bump allocator that hands out raw memory. Not reentrant beyond what a single thread needs: no call
/// holds a reference into it while another runs.
pub(crate) struct Scratch {
    inner: UnsafeCell<Inner>,
}

#[repr(align(8))]
struct Buffer([u8; CAPACITY]);

struct Inner {
    buffer: Buffer,
    used: usize,
    large: Vec<Vec<u64>>,
}

// SAFETY: a wasm module has one thread; tests make one scratch each.
unsafe impl Sync for Scratch {}

impl Scratch {
    pub(crate) const fn new() -> Self {
        let inner = Inner {
            buffer: Buffer([0; CAPACITY]),
            used: 0,
            large: Vec::new(),
        };
        Self {
            inner: UnsafeCell::new(inner),
        }
    }

    /// Memory of `size` bytes, aligned to 8; null when there is none.
    pub(crate) fn allocate(&self, size: usize) -> *mut u8 {
        // SAFETY: no other reference to the inside exists (one thread, none is kept). The memory that was
        // handed out before is only reached through raw pointers made from the same buffer pointer.
        let inner = unsafe { &mut *self.inner.get() };
        let rounded = size.saturating_add(ALIGNMENT - 1) & !(ALIGNMENT - 1);
        if rounded <= CAPACITY - inner.used {
            // SAFETY: used + rounded is within the buffer.
            let at = unsafe { inner.buffer.0.as_mut_ptr().add(inner.used) };
            inner.used += rounded;
            return at;
        }
        let mut words: Vec<u64> = Vec::new();
        if words.try_reserve_exact(rounded / ALIGNMENT).is_err() || inner.large.try_reserve(1).is_err() {
            return std::ptr::null_mut();
        }
        let at = words.as_mut_ptr().cast();
        inner.large.push(words);
        at
    }

    /// Takes all memory back.
    ///
    /// # Safety
    /// Nothing that was allocated is used afterwards.
    pub(crate) unsafe fn reset(&self) {
        // SAFETY: as in `allocate`.
        let inner = unsafe { &mut *self.inner.get() };
        inner.used = 0;
        inner.large.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hands_out_disjoint_aligned_memory_and_takes_it_back() {
        let scratch = Scratch::new();
        let (one, two) = (scratch.allocate(3), scratch.allocate(3));
        assert_eq!(one as usize % ALIGNMENT, 0);
        assert_eq!(two as usize - one as usize, ALIGNMENT);
        // SAFETY: nothing is used afterwards.
        unsafe { scratch.reset() };
        assert_eq!(scratch.allocate(1), one);
    }

    #[test]
    fn what_does_not_fit_goes_to_the_heap() {
        let scratch = Scratch::new();
        for size in [CAPACITY, 1, 1 << 20] {
            let at = scratch.allocate(size);
            assert!(!at.is_null());
            // SAFETY: `size` bytes were allocated.
            unsafe { at.write_bytes(0xff, size) };
        }
        // SAFETY: nothing is used afterwards.
        unsafe { scratch.reset() };
    }

    #[test]
    fn has_nothing_for_impossible_sizes_and_something_for_none() {
        let scratch = Scratch::new();
        assert!(scratch.allocate(usize::MAX).is_null());
        assert!(!scratch.allocate(0).is_null());
    }
}
