//! The line between the host side and the container side. Each side holds one
//! end and has closed the other, so the death of one is end-of-file for the
//! other: neither ever waits for the dead.

use core::ffi::c_int;

use crate::kernel::{self, Errno, Fd, left_out};
use crate::report::Report;
use crate::steps::Step;

/// Both ends, until the processes part.
pub struct Link {
    host: Fd,
    container: Fd,
}

impl Link {
    /// A new line.
    pub fn new(report: &mut Report) -> Link {
        let (host, container) = report.step(Step::MakeLink, kernel::socket_pair());
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

/// Host side: lets the container take its first step.
pub fn release(host: Fd, report: &mut Report) {
    report.step(Step::Release, kernel::write_all(host, b"!"));
}

/// Container side: waits to be let go; fails if the host side died instead.
pub fn wait_for_release(container: Fd, report: &mut Report) {
    let released = match kernel::read(container, &mut [0]) {
        Ok([]) => Err(Errno::EPIPE),
        other => other.map(drop),
    };
    report.step(Step::WaitForRelease, released);
}

/// Container side: closes every descriptor but the standard three and this one.
#[inline(never)]
pub fn close_all_but(container: Fd, report: &mut Report) {
    if left_out(c"closed descriptors") {
        return;
    }
    let own = container.number();
    let below = if own > 3 { kernel::close_range(3, own - 1) } else { Ok(()) };
    let closed = below.and_then(|()| kernel::close_range(own + 1, c_int::MAX));
    report.step(Step::CloseDescriptors, closed);
}
