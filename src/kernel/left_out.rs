//! For the attack suite alone: a build with the feature `leave-out` can leave
//! one defence out, so that a test sees the attack succeed that the defence is
//! there against. The release has none of this: there the question has one
//! answer, known when it is compiled.

/// Whether the defence of this name is to be left out: never.
#[cfg(not(feature = "leave-out"))]
#[inline(always)]
pub const fn left_out(_: &core::ffi::CStr) -> bool {
    false
}

/// Panics, if that is asked for: never.
#[cfg(not(feature = "leave-out"))]
#[inline(always)]
pub const fn panic_if_asked() {}

#[cfg(feature = "leave-out")]
pub use build::{left_out, panic_if_asked, remember};

#[cfg(feature = "leave-out")]
mod build {
    use core::ffi::{CStr, c_char};
    use core::ptr::with_exposed_provenance_mut as at;

    use crate::kernel::{Argv, arch, call};

    /// Where the names lie, separated by commas, in every process of thimble's:
    /// it has no static data that could be written.
    const PLACE: usize = 0x1000_0000;
    const SIZE: usize = 4096;

    /// Takes the names from the variable THIMBLE_LEAVE_OUT of the caller. Once,
    /// before anything else.
    pub fn remember(environment: Argv) {
        let names = environment.variable(b"THIMBLE_LEAVE_OUT").map_or(c"=", |word| word.text());
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping, which takes no other's place.
        let mapped = unsafe { call!(arch::MMAP, PLACE, SIZE, access, flags, usize::MAX, 0) };
        if mapped != Ok(PLACE) {
            super::super::exit(1);
        }
        for (offset, byte) in names.to_bytes().iter().take(SIZE - 1).enumerate() {
            // SAFETY: inside the mapping, whose last byte stays 0.
            unsafe { at::<u8>(PLACE + offset).write(*byte) };
        }
    }

    /// Panics, if `panic` is among the names.
    #[allow(clippy::panic)]
    pub fn panic_if_asked() {
        if left_out(c"panic") {
            panic!();
        }
    }

    /// Whether the defence of this name is to be left out.
    pub fn left_out(name: &CStr) -> bool {
        // SAFETY: `remember` mapped it, and wrote it for the last time.
        let value = unsafe { CStr::from_ptr(at::<c_char>(PLACE)) };
        let names = value.to_bytes().split(|byte| *byte == b'=').next_back().unwrap_or(&[]);
        names.split(|byte| *byte == b',').any(|other| other == name.to_bytes())
    }
}
