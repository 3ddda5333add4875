//! What the host side has to take back when it ends, well or not.

use core::ffi::CStr;

use crate::kernel::{self, Errno, Fd, List, Pid};
use crate::text::{Parts, Text, parse_whole};

/// How often and how far apart, in milliseconds, a removal is tried while the
/// kernel still counts a process that has just ended.
const TRIES: u32 = 500;
const BETWEEN_TRIES: u32 = 2;

/// A directory that was made in a cgroup hierarchy.
#[derive(Clone, Copy)]
pub struct Directory {
    /// Where it lies.
    pub parent: Fd,
    /// The directory itself.
    pub own: Fd,
    /// Whether that is of cgroup v2.
    pub v2: bool,
}

/// What was made so far.
pub struct Undo<'a> {
    /// The container's first process, while it is not reaped. Killed, and with
    /// it, being pid 1, all others.
    pub child: Option<Pid>,
    /// The line on which the child tells why it failed, if it did.
    pub link: Option<Fd>,
    /// The processes that hand input files on, while they are not reaped.
    pub relays: List<Option<Pid>>,
    /// The container's cgroups, which go once nobody is in them.
    pub cgroups: List<Directory>,
    /// Their name.
    pub name: &'a CStr,
    /// The processes in them may outlive the container's first: end them.
    pub end_all: bool,
}

impl<'a> Undo<'a> {
    /// Nothing yet.
    pub const fn new() -> Self {
        Undo {
            child: None,
            link: None,
            relays: List::new(),
            cgroups: List::new(),
            name: c"",
            end_all: false,
        }
    }

    /// Ends the processes that are left. Whether the child had told a failure of its
    /// own, which is then the cause of what failed on this side, and is told.
    pub fn end_children(&self) -> bool {
        for relay in self.relays.as_slice() {
            end(*relay);
        }
        end(self.child);
        self.child.is_some() && self.link.is_some_and(relay)
    }

    /// A process was reaped: its number may soon be another's. Whether it was one of
    /// these.
    pub fn forget(&mut self, reaped: Pid) -> bool {
        for relay in self.relays.as_mut_slice() {
            if *relay == Some(reaped) {
                *relay = None;
                return true;
            }
        }
        false
    }

    /// Takes the rest back, the last first. Why a cgroup could not be removed, if
    /// there is such a one: somebody is still in it, or below it.
    pub fn run(&self) -> kernel::Result<()> {
        let mut done = Ok(());
        for directory in self.cgroups.as_slice().iter().rev() {
            if self.end_all {
                // What could not be ended shows in what comes next.
                end_all(directory.own);
            }
            let removed = remove(directory.parent, self.name);
            if removed.is_err() {
                done = removed;
            }
        }
        done
    }
}

/// Ends a child. It was not reaped, so it is there to be signalled and waited for. If it
/// cannot be, it ends with this side.
fn end(child: Option<Pid>) {
    if let Some(child) = child
        && kernel::send_signal(child, libc::SIGKILL).is_ok()
    {
        let _ = kernel::wait_for(child);
    }
}

/// Tells the failure that the container's side told, if it told one. Asked when
/// its first process is gone, so the answer is there or never comes.
pub fn relay(link: Fd) -> bool {
    let mut buffer = [0; Text::SIZE];
    // If the other side ended without having read its release, the first answer is that
    // (ECONNRESET), and what it told comes next.
    let mut length = 0;
    for _ in 0..2 {
        if let Ok(lines) = kernel::read(link, &mut buffer) {
            length = lines.len();
            break;
        }
    }
    let lines = buffer.get(..length).unwrap_or(&[]);
    // Nobody is left to tell if the standard error is gone.
    let _ = kernel::write_all(kernel::STDERR, lines);
    !lines.is_empty()
}

fn remove(parent: Fd, name: &CStr) -> kernel::Result<()> {
    for _ in 0..TRIES {
        match kernel::remove_directory(parent, name) {
            Err(Errno::EBUSY) => pause(),
            // It was made, so it was somebody else who removed it.
            Err(Errno::ENOENT) => return Ok(()),
            other => return other,
        }
    }
    Err(Errno::EBUSY)
}

#[inline(never)]
fn pause() {
    kernel::sleep(BETWEEN_TRIES);
}

/// Ends every process of a cgroup. The kernel does it at once where it can (v2,
/// Linux 5.14). Else, once the limit of pids is 0, no new one can be made, so the list
/// of those that are there only shrinks. What fails is tried again.
fn end_all(cgroup: Fd) {
    if kernel::write_file(cgroup, c"cgroup.kill", b"1").is_ok() {
        return;
    }
    let mut list = List::new();
    for _ in 0..TRIES {
        let _ = kernel::write_file(cgroup, c"pids.max", b"0");
        list.clear();
        let read = kernel::read_file(cgroup, c"cgroup.procs", &mut list);
        if read.is_ok() && list.as_slice().is_empty() {
            break;
        }
        for line in Parts::of(list.as_slice(), b'\n') {
            if let Some(pid) = parse_whole(line).and_then(Pid::from_number) {
                // It may have ended since.
                let _ = kernel::send_signal(pid, libc::SIGKILL);
            }
        }
        pause();
    }
}
