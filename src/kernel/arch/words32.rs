//! What processors with words of 32 bits have in common. Of calls that came in with
//! 16-bit ids, 32-bit times or 32-bit offsets thimble makes the wider successors. No
//! argument of any of its calls has 64 bits and would have to be split.

use core::ffi::{c_int, c_ulong};
use core::mem::MaybeUninit;
use core::ptr::null;

use syscalls::Sysno;

use super::Time;
use crate::kernel::{Errno, Result, call, perform};

/// mmap2(2), which counts the offset, always 0 here, in pages.
pub const MMAP: Sysno = Sysno::mmap2;

/// setgroups(2) of 32-bit ids.
pub const SETGROUPS: Sysno = Sysno::setgroups32;

/// setresgid(2) of 32-bit ids.
pub const SETRESGID: Sysno = Sysno::setresgid32;

/// setresuid(2) of 32-bit ids.
pub const SETRESUID: Sysno = Sysno::setresuid32;

/// fstat64(2), which fills a `Status`.
pub const FSTAT: Sysno = Sysno::fstat64;

/// The kernel's `struct stat64`, up to and with the inode's number. What is here `u64` is
/// aligned to 8 bytes on armv7 and to 4 on i686, as it is there.
#[repr(C)]
#[allow(missing_docs)]
#[derive(Clone, Copy)]
pub struct Status {
    pub st_dev: u64,
    padding: u32,
    truncated_ino: u32,
    pub st_mode: u32,
    links: u32,
    pub st_uid: u32,
    pub st_gid: u32,
    pub st_rdev: u64,
    more_padding: u32,
    size: u64,
    block_size: u32,
    blocks: u64,
    times: [u32; 6],
    pub st_ino: u64,
}

/// fstatfs64(2): `f_type` and `f_flags` of the kernel's `struct statfs64`, which is
/// twenty-one words, five pairs of which are one number each (asm-generic/statfs.h).
pub fn file_system_status(fd: c_int) -> Result<(c_ulong, c_ulong)> {
    let mut words = MaybeUninit::<[c_ulong; 21]>::uninit();
    // SAFETY: on success the kernel has filled the structure, which the words are as large as.
    let [kind, .., flags, _, _, _, _] = unsafe {
        perform!(Sysno::fstatfs64, fd, size_of_val(&words), words.as_mut_ptr())?;
        words.assume_init()
    };
    Ok((kind, flags))
}

/// Before Linux 5.1 times had 32 bits.
fn short(time: &Time) -> [u32; 2] {
    time.map(|number| number.min(i32::MAX as u64) as u32)
}

/// clock_gettime(2) of the clock that nobody sets.
pub fn clock() -> Result<Time> {
    let mut time = [0; 2];
    // SAFETY: the kernel writes one `Time`.
    let read =
        unsafe { perform!(Sysno::clock_gettime64, libc::CLOCK_MONOTONIC, time.as_mut_ptr()) };
    if read != Err(Errno::ENOSYS) {
        return read.map(|()| time);
    }
    let mut short = [0u32; 2];
    // SAFETY: likewise, half as long.
    unsafe { perform!(Sysno::clock_gettime, libc::CLOCK_MONOTONIC, short.as_mut_ptr()) }?;
    Ok(short.map(u64::from))
}

/// rt_sigtimedwait(2): takes one signal of the set, if one comes within the time.
pub fn timed_wait(set: &u64, time: Option<&Time>) -> Result<usize> {
    let (set, size, none) = (&raw const *set, size_of::<u64>(), null::<u8>());
    let long = time.map_or(null(), |time| &raw const *time);
    // SAFETY: set and time are read during the call; no details are asked for.
    let taken = unsafe { call!(Sysno::rt_sigtimedwait_time64, set, none, long, size) };
    if taken != Err(Errno::ENOSYS) {
        return taken;
    }
    let short = time.map(short);
    let short = short.as_ref().map_or(null(), |time| &raw const *time);
    // SAFETY: likewise.
    unsafe { call!(Sysno::rt_sigtimedwait, set, none, short, size) }
}

/// clock_nanosleep(2) by the clock that nobody sets.
pub fn sleep(time: &Time) -> Result<()> {
    let (clock, none) = (libc::CLOCK_MONOTONIC, null::<u8>());
    // SAFETY: the time is read during the call; what is left of it is not asked for.
    let slept =
        unsafe { perform!(Sysno::clock_nanosleep_time64, clock, 0, &raw const *time, none) };
    if slept != Err(Errno::ENOSYS) {
        return slept;
    }
    let short = short(time);
    // SAFETY: likewise.
    unsafe { perform!(Sysno::clock_nanosleep, clock, 0, &raw const short, none) }
}
