//! pid 1 of the container: it passes signals on, reaps every orphan, and ends
//! when the program ends. Its end is the end of everything else inside. And the
//! host side's wait for it, which is the same with one child less, and knows when to
//! stop the container.

use core::ffi::c_int;

use crate::config::Config;
use crate::isolate::terminal;
use crate::kernel::{self, End, NEVER, Pid, left_out};
use crate::report::{FAILED, Report};
use crate::steps::Step;

/// Host side: how the container is stopped, and when.
pub struct Stop {
    signal: c_int,
    /// Seconds from the first signal that stops it until SIGKILL.
    grace: u64,
    /// The next moment to do something at.
    until: u64,
    /// Whether that is the end of the grace, and else of the time that there is.
    stopping: bool,
    /// Whether it was stopped since its time was up.
    pub timed_out: bool,
}

impl Stop {
    /// From now on.
    pub fn new(config: &Config, report: &mut Report) -> Stop {
        let until = if config.timeout == 0 { NEVER } else { after(config.timeout, report) };
        let (signal, grace) = (config.stop_signal as c_int, config.stop_timeout);
        Stop { signal, grace, until, stopping: false, timed_out: false }
    }

    /// What the container is sent where a signal has come, or 0 for the moment.
    fn answer(&mut self, signal: c_int, report: &mut Report) -> c_int {
        match signal {
            0 if self.stopping => {
                self.until = NEVER;
                return if left_out(c"kill") { self.signal } else { libc::SIGKILL };
            }
            0 => self.timed_out = true,
            libc::SIGTERM | libc::SIGHUP => {}
            other => return other,
        }
        if !self.stopping {
            self.stopping = true;
            self.until = after(self.grace, report);
        }
        self.signal
    }
}

#[inline(never)]
fn after(seconds: u64, report: &mut Report) -> u64 {
    report.step(Step::ReadClock, kernel::after(seconds))
}

/// Stays until `child` has ended, passing every signal on to it, and reaps
/// whatever else ends meanwhile.
#[inline(never)]
pub fn attend(child: Pid, mut stop: Option<&mut Stop>, report: &mut Report) -> End {
    loop {
        let until = stop.as_ref().map_or(NEVER, |stop| stop.until);
        let mut signal = report.step(Step::WaitForSignal, kernel::wait_for_signal(until));
        // One SIGCHLD may stand for many ends. And an end that has come counts before the moment,
        // and before signals of lower numbers, which somebody inside may send all the time.
        while let Some((pid, end)) = report.step(Step::Wait, kernel::reap_any()) {
            if pid == child {
                return end;
            }
            // What the program reads would end in the middle. It has told why.
            if report.undo.forget(pid) && !end.is_success() {
                report.end(FAILED);
            }
        }
        if signal == libc::SIGCHLD {
            continue;
        }
        // As everybody else would do.
        if stop.is_some() && kernel::is_ignored(signal) {
            continue;
        }
        if terminal::takes(signal, &report.undo.terminal) {
            continue;
        }
        if let Some(stop) = &mut stop {
            signal = stop.answer(signal, report);
        }
        let sent = kernel::send_signal(child, signal);
        // Others may come to nothing: the program ignores them, or has a grace.
        if signal == libc::SIGKILL {
            report.step(Step::Kill, sent);
        }
        // Ctrl-Z, and now this side: its caller waits for that.
        if signal == libc::SIGTSTP && stop.is_some() {
            // The shell that waits sets what it wants itself.
            let _ = report.undo.terminal.restore(true);
            report.step(Step::StopSelf, kernel::stop_self());
            terminal::takes(libc::SIGCONT, &report.undo.terminal);
            // It may not have stopped, or be continued by itself.
            let _ = kernel::send_signal(child, libc::SIGCONT);
        }
    }
}
