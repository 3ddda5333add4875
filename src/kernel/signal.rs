//! Signals. thimble installs no handler: both sides block every signal and
//! take them one at a time, so that none can arrive between two steps.

use core::ffi::c_int;
use core::ptr::null;

use syscalls::Sysno;

use super::{Errno, Result, call, perform};

/// The kernel's signal set: a bit for each signal, the lowest for signal 1.
type Set = u64;

const ALL: Set = Set::MAX;

/// The highest signal number (`_NSIG`).
pub const LAST_SIGNAL: c_int = 64;

/// The kernel's `struct sigaction`; only its handler is ever other than zero.
#[repr(C)]
struct Action {
    handler: usize,
    flags: usize,
    restorer: usize,
    mask: Set,
}

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

/// Blocks all but this one.
pub fn block_signals_but(signal: c_int) -> Result<()> {
    set_mask(!(1 << (signal - 1)))
}

/// Unblocks every signal.
pub fn unblock_signals() -> Result<()> {
    set_mask(0)
}

/// Gives a signal its default action. An ignored signal stays ignored through
/// execve(2); an ignored SIGCHLD also loses the exit statuses of children.
pub fn default_action(signal: c_int) -> Result<()> {
    let action = Action { handler: libc::SIG_DFL, flags: 0, restorer: 0, mask: 0 };
    let none = null::<Action>();
    // SAFETY: the action is read during the call and names no handler of ours.
    unsafe { perform!(Sysno::rt_sigaction, signal, &raw const action, none, size_of::<Set>()) }
}

/// Waits for one of the blocked signals and takes it.
pub fn wait_for_signal() -> Result<c_int> {
    let all = ALL;
    let none = null::<u8>();
    loop {
        // SAFETY: the set is read during the call; no details and no time limit are asked for.
        match unsafe { call!(Sysno::rt_sigtimedwait, &raw const all, none, none, size_of::<Set>()) }
        {
            Ok(signal) => return Ok(signal as c_int),
            Err(Errno::EINTR) => {} // stopped and continued
            Err(errno) => return Err(errno),
        }
    }
}
