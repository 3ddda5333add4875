//! What the host side has to take back when it ends, well or not.

use core::ffi::CStr;

use crate::kernel::{self, Errno, Fd, List, Modes, NEVER, Pid, STDIN};
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

/// The program's terminal, as the host side has it.
pub struct Terminal {
    /// What the caller sees of it and writes to it goes through this.
    pub master: Option<Fd>,
    /// The relay that hands the output on, by its place among them. That of the input is
    /// the one before.
    pub output: usize,
    /// Whether that has told a failure at the end.
    pub failed: bool,
    /// How the caller's own terminal was, if he has one.
    pub callers: Option<Modes>,
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
    /// The program's terminal, if it has one.
    pub terminal: Terminal,
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
            terminal: Terminal { master: None, output: usize::MAX, failed: false, callers: None },
        }
    }

    /// Ends the processes that are left. Whether the child had told a failure of its
    /// own, which is then the cause of what failed on this side, and is told.
    pub fn end_children(&mut self) -> bool {
        let output = self.terminal.output;
        end(self.child);
        if self.end_all {
            for directory in self.cgroups.as_slice() {
                // What could not be ended shows in the removal.
                end_all(directory.own);
            }
        }
        // What the program wrote is on its way, as it is to be shown, and what is told comes
        // after it. That may take long if nobody reads it: now Ctrl-C is thimble's.
        let _ = self.terminal.restore(false);
        for (place, relay) in self.relays.as_slice().iter().enumerate() {
            if place != output {
                end(*relay);
            } else if let Some(output) = *relay {
                self.terminal.failed |= !drain(output);
            }
        }
        self.link.is_some_and(relay)
    }

    /// A process was reaped: its number may soon be another's. Whether it was one of
    /// these.
    pub fn forget(&mut self, reaped: Pid) -> bool {
        for (place, relay) in self.relays.as_mut_slice().iter_mut().enumerate() {
            if *relay == Some(reaped) {
                *relay = None;
                if place == self.terminal.output {
                    self.hang_up();
                }
                return true;
            }
        }
        false
    }

    /// Nobody sees the program's terminal any more: ends it, as when a line is dropped.
    /// Once nobody has the master, the kernel sends SIGHUP to those inside.
    fn hang_up(&mut self) {
        if let Some(input) = self.relays.as_mut_slice().get_mut(self.terminal.output - 1) {
            end(input.take());
        }
        if let Some(master) = self.terminal.master.take() {
            kernel::close(master);
        }
        // At the end once more.
        let _ = self.terminal.restore(true);
    }

    /// Takes the rest back, the last first. Why a cgroup could not be removed, if
    /// there is such a one: somebody is still in it, or below it.
    pub fn run(&self) -> kernel::Result<()> {
        let mut done = Ok(());
        for directory in self.cgroups.as_slice().iter().rev() {
            let removed = remove(directory.parent, self.name);
            if removed.is_err() {
                done = removed;
            }
        }
        done
    }
}

impl Terminal {
    /// Gives the caller's terminal back as it was; `whole`: also in how it shows what is
    /// written to it.
    pub fn restore(&self, whole: bool) -> kernel::Result<()> {
        let Some(mut modes) = self.callers else { return Ok(()) };
        if !whole {
            modes.show_as_it_is();
        }
        kernel::set_modes(STDIN, &modes)
    }
}

/// Waits until all output is out, which may be long if nobody reads it: a signal that is
/// there to end thimble ends the waiting. Whether nothing failed.
fn drain(output: Pid) -> bool {
    loop {
        match kernel::reap_any() {
            Ok(None) => {}
            Ok(Some((pid, _))) if pid != output => continue,
            Ok(Some((_, end))) => return end.is_success(),
            Err(_) => return true, // it goes on by itself
        }
        let signal = kernel::wait_for_signal(NEVER);
        if matches!(signal, Ok(libc::SIGHUP | libc::SIGINT | libc::SIGQUIT | libc::SIGTERM)) {
            end(Some(output));
            return true;
        }
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
    for _ in 0..3 {
        // And one byte comes with the terminal's master, which is to be taken before.
        if let Ok(lines) = kernel::read(link, &mut buffer)
            && lines != b"!"
        {
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
