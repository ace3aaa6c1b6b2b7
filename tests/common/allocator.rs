//! The system's allocator, which tells a test of every allocation.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;

/// The test's part: it may not allocate.
pub(crate) trait Watch {
    /// Called before an allocation of `size` bytes. Returns whether it may succeed.
    fn allocate(&self, size: usize) -> bool;

    /// Called before `size` bytes are released.
    fn release(&self, size: usize);
}

/// An allocator for `#[global_allocator]`.
pub(crate) struct Watched<W>(pub(crate) W);

// SAFETY: a call is passed unchanged to the system's allocator, or null is returned.
unsafe impl<W: Watch> GlobalAlloc for Watched<W> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !self.0.allocate(layout.size()) {
            return ptr::null_mut();
        }
        // SAFETY: GlobalAlloc::alloc requires a layout of non-zero size, which goes on unchanged.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        self.0.release(layout.size());
        // SAFETY: `at` comes from `alloc` above, hence from System with this layout.
        unsafe { System.dealloc(at, layout) }
    }
}
