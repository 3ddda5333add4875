//! The line between the host side and the container side. Each side holds one
//! end and has closed the other, so the death of one is end-of-file for the
//! other: neither ever waits for the dead.

use crate::kernel::{self, End, Errno, Fd};
use crate::report::Report;
use crate::steps::Step;
use crate::undo;

/// Both ends, until the processes part.
pub struct Link {
    host: Fd,
    container: Fd,
}

impl Link {
    /// A new line.
    pub fn new(report: &mut Report) -> Link {
        // The container's is the lower number: all behind it can be closed at once.
        let (container, host) = report.step(Step::MakeLink, kernel::socket_pair());
        Link { host, container }
    }

    /// Keeps the host's end and closes the other.
    pub fn keep_host_end(&self) -> Fd {
        kernel::close(self.container);
        self.host
    }

    /// Keeps the container's end and closes the other.
    pub fn keep_container_end(&self) -> Fd {
        kernel::close(self.host);
        self.container
    }
}

/// Host side: lets the container take its first step, and hands it the root that
/// only this side could make.
pub fn release(host: Fd, root: Option<Fd>, report: &mut Report) {
    report.step(Step::Release, kernel::send_descriptor(host, root));
    if let Some(root) = root {
        kernel::close(root);
    }
}

/// Container side: waits to be let go, and takes the root that came with it, if
/// one did; fails if the host side died instead.
pub fn wait_for_release(container: Fd, report: &mut Report) -> Option<Fd> {
    let released = kernel::receive_descriptor(container);
    report.step(Step::WaitForRelease, released.and_then(|came| came.ok_or(Errno::EPIPE)))
}

/// Container side: tells that the program was executed, if the host side waits for that.
pub fn tell_executed(container: Fd, report: &mut Report) {
    report.step(Step::TellHost, kernel::write_all(container, &[undo::EXECUTED]));
}

/// Container side: tells the signal that ended the program, if one did. The exit status of
/// pid 1 would not tell it from a status of the program's.
pub fn tell_signal(container: Fd, end: End, report: &mut Report) {
    if end.signal() != 0 {
        report.step(Step::TellHost, kernel::write_all(container, &[end.signal()]));
    }
}

/// Container side: fails if the host side has died since.
pub fn check_host(container: Fd, report: &mut Report) {
    report.step(Step::WaitForRelease, kernel::check_open(container));
}
