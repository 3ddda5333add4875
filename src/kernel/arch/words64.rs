//! What processors with words of 64 bits have in common.

use core::ffi::{c_int, c_ulong};
use core::mem::MaybeUninit;
use core::ptr::null;

use syscalls::Sysno;

use super::Time;
use crate::kernel::{Result, call, perform};

/// mmap(2)
pub const MMAP: Sysno = Sysno::mmap;

/// setgroups(2) of 32-bit ids.
pub const SETGROUPS: Sysno = Sysno::setgroups;

/// setresgid(2) of 32-bit ids.
pub const SETRESGID: Sysno = Sysno::setresgid;

/// setresuid(2) of 32-bit ids.
pub const SETRESUID: Sysno = Sysno::setresuid;

/// fstat(2), which fills a `Status`.
pub const FSTAT: Sysno = Sysno::fstat;

/// The kernel's `struct stat`.
pub type Status = libc::stat;

/// fstatfs(2): `f_type` and `f_flags` of the kernel's `struct statfs`, which is fifteen
/// words (asm-generic/statfs.h). What libc has differs by C library.
#[inline(always)]
pub fn file_system_status(fd: c_int) -> Result<(c_ulong, c_ulong)> {
    let mut words = MaybeUninit::<[c_ulong; 15]>::uninit();
    // SAFETY: on success the kernel has filled the structure, which the words are as large as.
    let [kind, .., flags, _, _, _, _] = unsafe {
        perform!(Sysno::fstatfs, fd, words.as_mut_ptr())?;
        words.assume_init()
    };
    Ok((kind, flags))
}

/// rt_sigtimedwait(2): takes one signal of the set, if one comes within the time.
#[inline(always)]
pub fn timed_wait(set: &u64, time: Option<&Time>) -> Result<usize> {
    let (set, size) = (&raw const *set, size_of::<u64>());
    let time = time.map_or(null(), |time| &raw const *time);
    // SAFETY: set and time are read during the call; no details are asked for.
    unsafe { call!(Sysno::rt_sigtimedwait, set, null::<u8>(), time, size) }
}

/// clock_gettime(2) of the clock that nobody sets.
#[inline(always)]
pub fn clock() -> Result<Time> {
    let mut time = [0; 2];
    // SAFETY: the kernel writes one `Time`.
    unsafe { perform!(Sysno::clock_gettime, libc::CLOCK_MONOTONIC, time.as_mut_ptr()) }?;
    Ok(time)
}

/// nanosleep(2)
#[inline(always)]
pub fn sleep(time: &Time) -> Result<()> {
    // SAFETY: the time is read during the call; what is left of it is not asked for.
    unsafe { perform!(Sysno::nanosleep, &raw const *time, null::<u8>()) }
}
