//! The descriptors that the container gets from the caller: the three standard
//! ones, and those that `--preserve-fds` names. All others are closed.
//!
//! /proc/self/fd/0 opens the file behind a descriptor anew, for writing too,
//! with the rights of whoever asks. So a file that the caller gave to be read
//! reaches the container through a pipe, as with docker. What the caller gave to
//! be written to, the program may write to.

use core::ffi::c_int;

use crate::config::Config;
use crate::isolate::status;
use crate::kernel::{self, Errno, Fd, List, Pid, STDERR, STDIN, STDOUT, Stack, left_out};
use crate::report::Report;
use crate::steps::Step;
use crate::text::{Numbered, parse_whole};

/// Host side, before anything else is opened, so that nothing takes the number
/// of a closed one, and all of thimble's own come behind these.
#[inline(never)]
pub fn take_over(config: &Config, stack: &mut Stack, report: &mut Report) {
    for number in 0..config.first_own_descriptor() {
        let fd = Fd::new(number as usize);
        let name = Numbered::of(b"", number);
        let (step, name) = match number {
            0..3 => (Step::Descriptors, c""),
            _ => (Step::HandOn, name.as_c_str()),
        };
        let (step, taken) = match kernel::file_type(fd) {
            Err(Errno::EBADF) if number < 3 => (step, kernel::open_standard(c"/dev/null")),
            // From a directory, `..` leads everywhere.
            Ok(libc::S_IFDIR) if !left_out(c"directory check") => (step, Err(Errno::EISDIR)),
            Ok(libc::S_IFREG) if !left_out(c"input protection") => {
                (Step::RelayInput, relay(fd, stack, &mut report.undo.relays))
            }
            other => (step, other.map(drop)),
        };
        report.step_on(step, name, taken);
    }
}

/// A file's way into the container.
struct Relay {
    file: Fd,
    /// The pipe's end to write to.
    pipe: Fd,
}

/// Puts a pipe in the place of a file that is open for reading only, and a process
/// of its own behind the pipe. That one ends with the file, when nobody is left to
/// read, or with this side.
fn relay(file: Fd, stack: &mut Stack, relays: &mut List<Option<Pid>>) -> kernel::Result<()> {
    if !kernel::is_read_only(file)? {
        return Ok(());
    }
    let (from, to) = kernel::pipe()?;
    let mut relay = Relay { file, pipe: to };
    let pid = kernel::clone_process(0, stack, &mut relay, |relay| {
        let copied = relay.copy();
        if copied != Err(Errno::EPIPE) {
            // Somebody is left to read, and takes the end of the pipe for that of the file.
            Report::new().step(Step::RelayInput, copied);
        }
        0
    })?;
    relays.push(Some(pid))?;
    kernel::close(to);
    kernel::replace(file, from)
}

impl Relay {
    fn copy(&self) -> kernel::Result<()> {
        // Ctrl-C is the program's business; SIGPIPE comes as an error as well.
        kernel::block_signals()?;
        // Nothing but these two stays open, or this process would itself be somebody who is
        // left to read, and what a failure is told by. (The pipe's numbers are behind the
        // file's, and not those of these.)
        if self.file.number() != STDIN.number() {
            kernel::replace(STDIN, self.file)?;
        }
        kernel::replace(STDOUT, self.pipe)?;
        close_range(3, c_int::MAX)?;
        let mut buffer = [0; 2048];
        loop {
            match kernel::read(STDIN, &mut buffer)? {
                [] => return Ok(()),
                bytes => kernel::write_all(STDOUT, bytes)?,
            }
        }
    }
}

/// Both sides, once the descriptors are handed on: does not keep the further ones
/// open, since somebody may wait for the end of a pipe.
pub fn let_go(config: &Config) {
    for number in 3..config.first_own_descriptor() {
        kernel::close(Fd::new(number as usize));
    }
}

/// With `--detach`, once there is nobody to tell: of a pipe or a terminal somebody may wait for
/// the end, and the standard input's /dev/null takes its place. A file is still written to.
pub fn let_go_of_output() -> kernel::Result<()> {
    if left_out(c"output let go") {
        return Ok(());
    }
    for fd in [STDOUT, STDERR] {
        if kernel::file_type(fd)? != libc::S_IFREG {
            kernel::duplicate(fd, STDIN)?;
        }
    }
    Ok(())
}

/// Container side: closes every descriptor but the program's and thimble's link,
/// which lies behind them. Whether the kernel is known to be of Linux 5.9 or later.
pub fn close_all_but(link: Fd, config: &Config, report: &mut Report) -> bool {
    if left_out(c"closed descriptors") {
        return false;
    }
    let (first, link) = (config.first_own_descriptor() as c_int, link.number());
    let below = if link > first { close_range(first, link - 1) } else { Ok(true) };
    let closed = below.and_then(|_| close_range(link + 1, c_int::MAX));
    report.step(Step::CloseDescriptors, closed)
}

/// Closes every descriptor but the program's.
pub fn close_rest(config: &Config, report: &mut Report) {
    if left_out(c"closed descriptors") {
        return;
    }
    let closed = close_range(config.first_own_descriptor() as c_int, c_int::MAX);
    report.step(Step::CloseDescriptors, closed);
}

/// Whether they were closed at once; before Linux 5.9 it is one by one, as far as the process's
/// table of them reaches.
#[inline(never)]
fn close_range(first: c_int, last: c_int) -> kernel::Result<bool> {
    let closed = kernel::close_range(first, last);
    if closed != Err(Errno::ENOSYS) {
        return closed.map(|()| true);
    }
    let file = status::open()?;
    let size = status::field(file, b"FDSize:\t", parse_whole);
    kernel::close(file);
    let size = size?;
    let mut number = first;
    while number <= last && (number as u64) < size {
        kernel::close(Fd::new(number as usize));
        number += 1;
    }
    Ok(false)
}
