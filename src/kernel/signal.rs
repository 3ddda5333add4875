//! Signals. thimble installs no handler: both sides block every signal and
//! take them one at a time, so that none can arrive between two steps.

use core::ffi::c_int;
use core::ptr::null;

use syscalls::Sysno;

use super::{Errno, Result, arch, perform};

/// The kernel's signal set: a bit for each signal, the lowest for signal 1.
type Set = u64;

const ALL: Set = Set::MAX;

/// The highest signal number (`_NSIG`).
pub const LAST_SIGNAL: c_int = 64;

/// The kernel's `struct sigaction` with SIG_DFL as the handler, no flags and no mask, which
/// is all zero in whatever order it has them. Nowhere is it longer.
const DEFAULT_ACTION: [usize; 5] = [libc::SIG_DFL; 5];

fn set_mask(mask: Set) -> Result<()> {
    let none = null::<Set>();
    // SAFETY: the set is read during the call.
    unsafe {
        perform!(Sysno::rt_sigprocmask, libc::SIG_SETMASK, &raw const mask, none, size_of::<Set>())
    }
}

/// Blocks every signal that can be blocked.
pub fn block_signals() -> Result<()> {
    set_mask(ALL)
}

/// Unblocks every signal.
pub fn unblock_signals() -> Result<()> {
    set_mask(0)
}

/// Gives a signal its default action. An ignored signal stays ignored through
/// execve(2); an ignored SIGCHLD also loses the exit statuses of children.
pub fn default_action(signal: c_int) -> Result<()> {
    let action = DEFAULT_ACTION;
    let none = null::<u8>();
    // SAFETY: the action is read during the call and names no handler of ours.
    unsafe { perform!(Sysno::rt_sigaction, signal, &raw const action, none, size_of::<Set>()) }
}

/// Takes the SIGPIPE that a write of this process's own brought about, if that is blocked.
pub fn forget_broken_pipe() {
    let now = arch::Time { seconds: 0, nanoseconds: 0 };
    // EAGAIN if there is none.
    let _ = arch::timed_wait(&(1 << (libc::SIGPIPE - 1)), Some(&now));
}

/// Waits for one of the blocked signals and takes it.
pub fn wait_for_signal() -> Result<c_int> {
    loop {
        match arch::timed_wait(&ALL, None) {
            Ok(signal) => return Ok(signal as c_int),
            Err(Errno::EINTR) => {} // stopped and continued
            Err(errno) => return Err(errno),
        }
    }
}
