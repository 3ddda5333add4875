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

/// The kernel's `struct sigaction`, which is so long at most, and begins with the handler
/// everywhere. Flags, mask and what else there is are zero here, in whatever order.
type Action = [usize; 5];

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
    let action: Action = [libc::SIG_DFL; 5];
    let none = null::<Action>();
    // SAFETY: the action is read during the call and names no handler of ours.
    unsafe { perform!(Sysno::rt_sigaction, signal, &raw const action, none, size_of::<Set>()) }
}

/// Takes the SIGPIPE that a write of this process's own brought about, if that is blocked.
pub fn forget_broken_pipe() {
    // EAGAIN if there is none.
    let _ = arch::timed_wait(&(1 << (libc::SIGPIPE - 1)), Some(&[0; 2]));
}

/// The moment that never comes.
pub const NEVER: u64 = u64::MAX;

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

/// clock_gettime(2): nanoseconds of CLOCK_MONOTONIC, which the waits below go by.
#[inline(never)]
fn now() -> Result<u64> {
    let [seconds, nanoseconds] = arch::clock()?;
    Ok(seconds * SECOND + nanoseconds)
}

/// The moment so many seconds from now; what is centuries away never comes.
pub fn after(seconds: u64) -> Result<u64> {
    Ok(now()?.saturating_add(seconds.saturating_mul(SECOND)))
}

/// Waits for one of the blocked signals and takes it. 0 once a moment has come, even if
/// signals come all the time.
pub fn wait_for_signal(until: u64) -> Result<c_int> {
    loop {
        let left;
        let mut limit = None;
        if until != NEVER {
            let time = until.saturating_sub(now()?);
            if time == 0 {
                return Ok(0);
            }
            left = [time / SECOND, time % SECOND];
            limit = Some(&left);
        }
        match arch::timed_wait(&ALL, limit) {
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
    let mut action: Action = [libc::SIG_DFL; 5];
    let none = null::<Action>();
    // SAFETY: the action is written during the call.
    let asked =
        unsafe { perform!(Sysno::rt_sigaction, signal, none, &raw mut action, size_of::<Set>()) };
    let [handler, ..] = action;
    asked.is_ok() && handler == libc::SIG_IGN
}
