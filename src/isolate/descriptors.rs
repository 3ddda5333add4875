//! The three standard descriptors, which the container gets from the caller.
//!
//! /proc/self/fd/0 opens the file behind a descriptor anew, for writing too,
//! with the rights of whoever asks. So a file that the caller gave to be read is
//! given through a mount of its own that is read-only and lies nowhere, or else
//! through a pipe. What the
//! caller gave to be written to, the program may write to.

use crate::kernel::{self, Errno, Fd, Stack};
use crate::report::Report;
use crate::steps::Step;
use crate::text::Text;

/// Host side, before anything else is opened, so that nothing takes the number
/// of a closed one.
pub fn take_over(report: &mut Report) {
    for fd in [kernel::STDIN, kernel::STDOUT, kernel::STDERR] {
        match kernel::file_type(fd) {
            Err(Errno::EBADF) => report.step(Step::Descriptors, kernel::open_null()),
            // From a directory, `..` leads everywhere.
            Ok(libc::S_IFDIR) => report.step(Step::Descriptors, Err(Errno::EISDIR)),
            Ok(libc::S_IFREG) if kernel::is_read_only(fd) != Ok(false) => {
                // An older kernel cannot, nor can an ordinary user.
                report.step(Step::ProtectInput, protect(fd).or_else(|_| relay(fd)));
            }
            other => report.step(Step::Descriptors, other.map(drop)),
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

/// Puts a pipe in a file's place, with a process behind it that reads the file.
/// It ends with the file, or when nobody is left who would read from the pipe.
fn relay(fd: Fd) -> kernel::Result<()> {
    let (from, to) = kernel::pipe()?;
    let mut stack = Stack::map()?;
    kernel::clone_process(0, &mut stack, &mut (fd, from, to), |(fd, from, to)| {
        kernel::close(*from);
        let mut buffer = [0; 4096];
        loop {
            match kernel::read(*fd, &mut buffer) {
                Ok([]) | Err(_) => return 0,
                Ok(bytes) if kernel::write_all(*to, bytes).is_err() => return 0,
                Ok(_) => {}
            }
        }
    })?;
    kernel::close(to);
    kernel::put(fd, from)
}

/// The magic link of a descriptor.
fn link(fd: Fd) -> Text {
    let mut path = Text::of(&[b"/proc/self/fd/"]);
    path.push_number(fd.number() as u64);
    path
}
