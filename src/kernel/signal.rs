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

/// The same without these, a bit each.
pub fn block_signals_but(these: u64) -> Result<()> {
    set_mask(!these)
}

/// Unblocks one signal, and blocks all others.
pub(super) fn unblock_one(signal: c_int) -> Result<()> {
    set_mask(ALL & !(1 << (signal - 1)))
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

/// The moment that never comes.
pub const NEVER: u64 = u64::MAX;

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

/// clock_gettime(2): nanoseconds of CLOCK_MONOTONIC, which the waits below go by.
#[inline(never)]
fn now() -> Result<u64> {
    let mut time = [0; 2];
    // SAFETY: the kernel writes a timespec of 64 bits: seconds and nanoseconds.
    unsafe { perform!(Sysno::clock_gettime, libc::CLOCK_MONOTONIC, time.as_mut_ptr()) }?;
    let [seconds, nanoseconds] = time;
    Ok(seconds * SECOND + nanoseconds)
}

/// The moment so many seconds from now; what is centuries away never comes.
pub fn after(seconds: u64) -> Result<u64> {
    Ok(now()?.saturating_add(seconds.saturating_mul(SECOND)))
}

/// Waits for one of the blocked signals and takes it. 0 once a moment has come, even if
/// signals come all the time.
pub fn wait_for_signal(until: u64) -> Result<c_int> {
    let all = ALL;
    let none = null::<u8>();
    loop {
        let left;
        let mut limit = null();
        if until != NEVER {
            let time = until.saturating_sub(now()?);
            if time == 0 {
                return Ok(0);
            }
            left = [time / SECOND, time % SECOND];
            limit = left.as_ptr();
        }
        // SAFETY: the set and the time limit, a timespec of 64 bits, are read during the call; no
        // details are asked for.
        match unsafe {
            call!(Sysno::rt_sigtimedwait, &raw const all, none, limit, size_of::<Set>())
        } {
            Ok(signal) => return Ok(signal as c_int),
            // Stopped and continued; or the time is up, which the clock has to say.
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Whether a signal is ignored, as the caller may have had it: nohup(1), or a shell's
/// command in the background. (The call fails for what is no signal.)
pub fn is_ignored(signal: c_int) -> bool {
    let mut action = Action { handler: libc::SIG_DFL, flags: 0, restorer: 0, mask: 0 };
    let none = null::<Action>();
    // SAFETY: the action is written during the call.
    let asked =
        unsafe { perform!(Sysno::rt_sigaction, signal, none, &raw mut action, size_of::<Set>()) };
    asked.is_ok() && action.handler == libc::SIG_IGN
}
