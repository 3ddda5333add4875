//! The descriptors that the container gets from the caller: the three standard
//! ones, and those that `--preserve-fds` names. All others are closed.
//!
//! /proc/self/fd/0 opens the file behind a descriptor anew, for writing too,
//! with the rights of whoever asks. So a file that the caller gave to be read is
//! given through a mount of its own that is read-only and lies nowhere. What the
//! caller gave to be written to, the program may write to.

use core::ffi::c_int;

use crate::config::Config;
use crate::isolate::status;
use crate::kernel::{self, Errno, Fd};
use crate::report::Report;
use crate::steps::Step;
use crate::text::{Text, parse_whole};

/// Host side, before anything else is opened, so that nothing takes the number
/// of a closed one, and all of thimble's own come behind these.
pub fn take_over(config: &Config, report: &mut Report) {
    for number in 0..config.first_own_descriptor() {
        let fd = Fd::new(number as usize);
        let (step, name) = match number {
            0..3 => (Step::Descriptors, Text::new()),
            _ => (Step::HandOn, Text::number(u64::from(number))),
        };
        let (step, taken) = match kernel::file_type(fd) {
            Err(Errno::EBADF) if number < 3 => (step, kernel::open_null()),
            // From a directory, `..` leads everywhere.
            Ok(libc::S_IFDIR) => (step, Err(Errno::EISDIR)),
            Ok(libc::S_IFREG) if kernel::is_read_only(fd) != Ok(false) => {
                (Step::ProtectInput, protect(fd))
            }
            other => (step, other.map(drop)),
        };
        report.step_on(step, name.as_c_str().unwrap_or(c""), taken);
    }
}

/// Both sides, once the descriptors are handed on: does not keep the further ones
/// open, since somebody may wait for the end of a pipe.
pub fn let_go(config: &Config) {
    for number in 3..config.first_own_descriptor() {
        kernel::close(Fd::new(number as usize));
    }
}

/// Container side: closes every descriptor but the program's and thimble's link,
/// which lies behind them.
pub fn close_all_but(link: Fd, config: &Config, report: &mut Report) {
    let (first, link) = (config.first_own_descriptor() as c_int, link.number());
    let below = if link > first { close_range(first, link - 1) } else { Ok(()) };
    let closed = below.and_then(|()| close_range(link + 1, c_int::MAX));
    report.step(Step::CloseDescriptors, closed);
}

/// Before Linux 5.9 one by one, as far as the process's table of them reaches.
#[inline(never)]
fn close_range(first: c_int, last: c_int) -> kernel::Result<()> {
    let closed = kernel::close_range(first, last);
    if closed != Err(Errno::ENOSYS) {
        return closed;
    }
    let size = status::field(b"FDSize:\t", parse_whole)?.ok_or(Errno::EINVAL)?;
    for number in first as u64..size.min(last as u64 + 1) {
        kernel::close(Fd::new(number as usize));
    }
    Ok(())
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
