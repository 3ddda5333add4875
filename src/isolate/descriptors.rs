//! The three standard descriptors, which the container gets from the caller.
//!
//! /proc/self/fd/0 opens the file behind a descriptor anew, for writing too,
//! with the rights of whoever asks. So a file that the caller gave to be read
//! reaches the container through a pipe, as with docker. What the caller gave to
//! be written to, the program may write to.

use crate::kernel::{self, Errno, Fd, Pid, Stack, left_out};
use crate::report::Report;
use crate::steps::Step;

const STANDARD: [Fd; 3] = [kernel::STDIN, kernel::STDOUT, kernel::STDERR];

/// Host side, before anything else is opened, so that nothing takes the number
/// of a closed one.
pub fn take_over(report: &mut Report) {
    for (fd, at) in STANDARD.into_iter().zip(0..) {
        match kernel::file_type(fd) {
            Err(Errno::EBADF) => report.step(Step::Descriptors, kernel::open_null()),
            // From a directory, `..` leads everywhere.
            Ok(libc::S_IFDIR) if !left_out(c"directory check") => {
                report.step(Step::Descriptors, Err::<(), _>(Errno::EISDIR));
            }
            Ok(libc::S_IFREG)
                if kernel::is_read_only(fd) != Ok(false) && !left_out(c"input protection") =>
            {
                let relay = report.step(Step::RelayInput, relay(fd));
                if let Some(free) = report.undo.relays.get_mut(at) {
                    *free = Some(relay);
                }
            }
            other => report.step(Step::Descriptors, other.map(drop)),
        }
    }
}

/// A file's way into the container.
struct Relay {
    file: Fd,
    /// The pipe's end to read from, and the one to write to.
    pipe: (Fd, Fd),
}

/// Puts a pipe in the place of a file, and a process of its own behind the pipe.
/// That one ends with the file, when nobody is left to read, or with this side.
fn relay(file: Fd) -> kernel::Result<Pid> {
    let mut relay = Relay { file, pipe: kernel::pipe()? };
    let pid = kernel::clone_process(0, &mut Stack::map()?, &mut relay, |relay| relay.copy())?;
    kernel::close(relay.pipe.1);
    kernel::replace(file, relay.pipe.0)?;
    Ok(pid)
}

impl Relay {
    fn copy(&mut self) -> u8 {
        // Ctrl-C is the program's business; SIGPIPE comes as an error as well.
        let _ = kernel::block_signals();
        // Or this process would itself be somebody who is left to read.
        kernel::close(self.pipe.0);
        for other in STANDARD.iter().filter(|fd| fd.number() != self.file.number()) {
            kernel::close(*other);
        }
        let mut buffer = [0; 2048];
        while let Ok(bytes @ [_, ..]) = kernel::read(self.file, &mut buffer) {
            if kernel::write_all(self.pipe.1, bytes).is_err() {
                break;
            }
        }
        0
    }
}
