//! The three standard descriptors, which the container gets from the caller.
//!
//! /proc/self/fd/0 opens the file behind a descriptor anew, for writing too,
//! with the rights of whoever asks. So a file that the caller gave to be read is
//! given through a mount of its own that is read-only and lies nowhere. What the
//! caller gave to be written to, the program may write to.

use crate::kernel::{self, Fd};
use crate::report::Report;
use crate::steps::Step;
use crate::text::Text;

/// Host side, before anything is opened: a closed one becomes /dev/null, a
/// directory is refused, a file that is open for reading is protected.
pub fn take_over(report: &mut Report) {
    report.step(Step::Descriptors, kernel::check_standard_descriptors());
    for fd in [kernel::STDIN, kernel::STDOUT, kernel::STDERR] {
        if kernel::is_input_file(fd) {
            report.step(Step::ProtectInput, protect(fd));
        }
    }
}

fn protect(fd: Fd) -> kernel::Result<()> {
    let mount = kernel::open_tree(link(fd).as_c_str().unwrap_or(c""))?;
    kernel::change_attributes(mount, libc::MOUNT_ATTR_RDONLY, 0, false)?;
    let again = kernel::open(link(mount).as_c_str().unwrap_or(c""), libc::O_RDONLY)?;
    kernel::close(mount);
    kernel::replace(fd, again)
}

/// The magic link of a descriptor.
fn link(fd: Fd) -> Text {
    let mut path = Text::of(&[b"/proc/self/fd/"]);
    path.push_number(fd.number() as u64);
    path
}
