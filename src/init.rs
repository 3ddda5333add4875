//! pid 1 of the container: it passes signals on, reaps every orphan, and ends
//! when the program ends. Its end is the end of everything else inside. And the
//! host side's wait for it, which is the same with one child less.

use crate::isolate::terminal;
use crate::kernel::{self, End, Pid};
use crate::report::{FAILED, Report};
use crate::steps::Step;

/// Stays until `child` has ended, passing every signal on to it, and reaps
/// whatever else ends meanwhile.
pub fn attend(child: Pid, report: &mut Report) -> End {
    loop {
        let signal = report.step(Step::WaitForSignal, kernel::wait_for_signal());
        if signal != libc::SIGCHLD {
            if !terminal::takes(signal, &report.undo.terminal) {
                // It may be gone while its end waits to be taken.
                let _ = kernel::send_signal(child, signal);
            }
            continue;
        }
        // One SIGCHLD may stand for many ends.
        while let Some((pid, end)) = report.step(Step::Wait, kernel::reap_any()) {
            if pid == child {
                return end;
            }
            // What the program reads would end in the middle. It has told why.
            if report.undo.forget(pid) && !end.is_success() {
                report.end(FAILED);
            }
        }
    }
}
