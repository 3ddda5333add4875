//! What the host side has to take back when it ends, well or not.

use core::ffi::CStr;

use crate::config::Ending;
use crate::kernel::{self, Alike, CURRENT, Errno, Fd, List, Modes, NEVER, Pid, STDIN, left_out};
use crate::text::{Numbered, Parts, Text, line_behind, parse_whole};

/// How often and how far apart, in milliseconds, a removal is tried while the
/// kernel still counts a process that has just ended.
pub const TRIES: u32 = 500;
/// Milliseconds between two.
pub const BETWEEN_TRIES: u32 = 2;

/// The list of a cgroup's processes. Whose number is written to it is moved there.
pub const PROCS: &CStr = c"cgroup.procs";

/// cgroup v2: the controllers that a cgroup hands on to those below.
pub const SUBTREE: &CStr = c"cgroup.subtree_control";

/// A cgroup that thimbles are in beside their containers'. No container has such a name.
pub const LEAF: &CStr = c"_thimble";

/// How many seconds the output of a terminal that somebody still has is waited for.
const GRACE: u64 = 1;

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
    /// `thimble exec`: the program's end, until the program has it.
    pub slave: Option<Fd>,
    /// The relay that hands the output on, by its place among them. That of the input is
    /// the one before.
    pub output: usize,
    /// Whether that has told a failure at the end.
    pub failed: bool,
    /// How the caller's own terminal was, if he has one.
    pub callers: Option<Modes>,
}

/// What was made so far. In this order, so that what is asked most often lies at its start.
#[repr(C)]
pub struct Undo<'a> {
    /// The container's first process, while it is not reaped. Killed, and with
    /// it, being pid 1, all others.
    pub child: Option<Pid>,
    /// The line on which the child tells why it failed, if it did.
    pub link: Option<Fd>,
    /// The processes in the cgroups may outlive the container's first: end them.
    pub end_all: bool,
    /// Where the path of `pid_file` begins.
    pub here: Fd,
    /// The container's cgroups, which go once nobody is in them.
    pub cgroups: List<Directory>,
    /// The processes that hand input files on, while they are not reaped.
    pub relays: List<Option<Pid>>,
    /// The program's terminal, if it has one.
    pub terminal: Terminal,
    /// As pid 1 of a machine: how that ends.
    pub ending: Option<Ending>,
    /// The cgroup that this process was in, and the leaf below it that it is in instead.
    pub leaf: Option<(Fd, Fd)>,
    /// The name of the container's cgroups.
    pub name: &'a CStr,
    /// The file that holds the container's pid: its path, and the file itself. While that is open,
    /// no other has its number.
    pub pid_file: Option<(&'a CStr, Fd)>,
}

impl<'a> Undo<'a> {
    /// Nothing yet.
    pub const fn new() -> Self {
        Undo {
            ending: None,
            child: None,
            link: None,
            relays: List::new(),
            cgroups: List::new(),
            leaf: None,
            name: c"",
            pid_file: None,
            here: CURRENT,
            end_all: false,
            terminal: Terminal {
                master: None,
                slave: None,
                output: usize::MAX,
                failed: false,
                callers: None,
            },
        }
    }

    /// Ends the processes that are left. Whether the child had told a failure of its
    /// own, which is then the cause of what failed on this side, and is told.
    pub fn end_children(&mut self) -> bool {
        // As long as it is there, so is its end of the link and of the terminal, and who reads
        // waits.
        let killed = end(self.child);
        if killed || self.child.is_none() {
            self.end_terminal();
        }
        for relay in self.relays.as_slice() {
            end(*relay);
        }
        let mut heard = Heard::default();
        if killed && let Some(link) = self.link {
            relay(link, &mut heard);
        }
        heard.failure
    }

    /// Waits for what the program has written, which is on its way, and gives the caller's
    /// terminal back: what is told comes after it.
    pub fn end_terminal(&mut self) {
        self.terminal.let_go();
        if !left_out(c"end of the terminal") {
            self.end_input(); // what is typed from now on is the caller's own
        }
        let output = self.relays.as_mut_slice().get_mut(self.terminal.output);
        if let Some(output) = output.and_then(Option::take) {
            if self.end_all {
                for directory in self.cgroups.as_slice() {
                    end_all(directory.own);
                }
            }
            // It may take long if nobody reads it: now Ctrl-C is thimble's.
            let _ = self.terminal.restore(false);
            self.terminal.failed = !drain(output, self.terminal.master);
            let _ = self.terminal.restore(true);
        }
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
        self.end_input();
        if let Some(master) = self.terminal.master.take() {
            kernel::close(master);
        }
        // At the end once more.
        let _ = self.terminal.restore(true);
    }

    fn end_input(&mut self) {
        let place = self.terminal.output.wrapping_sub(1);
        if let Some(input) = self.relays.as_mut_slice().get_mut(place) {
            end(input.take());
        }
    }

    /// Takes the rest back, the last first. Which cgroup could not be removed and why, if
    /// there is such a one: somebody is still in it, or below it.
    pub fn run(&self) -> Option<(&'a CStr, Errno)> {
        let mut left = None;
        for directory in self.cgroups.as_slice().iter().rev() {
            if self.end_all && !left_out(c"end of all") {
                // What could not be ended shows in what comes next.
                end_all(directory.own);
            }
            let removed = remove(directory.parent, self.name);
            if let Err(errno) = removed {
                left = Some((self.name, errno));
            }
        }
        if let Some((parent, leaf)) = self.leaf {
            let back = go_back(parent, leaf);
            if let (None, Err(errno)) = (left, back) {
                left = Some((LEAF, errno));
            }
        }
        left
    }
}

impl Terminal {
    /// The program has its end, or will never have it.
    pub fn let_go(&mut self) {
        if let Some(slave) = self.slave.take() {
            kernel::close(slave);
        }
    }

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
/// there to end thimble ends the waiting. So does somebody inside who keeps the terminal open, and
/// whose output has no end. Whether nothing failed.
fn drain(output: Pid, master: Option<Fd>) -> bool {
    let mut until = kernel::after(GRACE).unwrap_or(NEVER);
    loop {
        match kernel::reap_any() {
            Ok(None) => {}
            Ok(Some((pid, _))) if pid != output => continue,
            Ok(Some((_, end))) => return end.is_success(),
            Err(_) => return true, // it goes on by itself
        }
        let kept = match kernel::wait_for_signal(until) {
            Ok(0) => master.is_some_and(|master| !kernel::is_hung_up(master)),
            Ok(libc::SIGHUP | libc::SIGINT | libc::SIGQUIT | libc::SIGTERM) => true,
            _ => continue,
        };
        if kept && !left_out(c"end of the terminal") {
            end(Some(output));
            return true;
        }
        until = NEVER;
    }
}

/// Removes the file that holds the container's pid, if it is still there, and not another
/// container's by now.
pub fn remove_pid_file(directory: Fd, path: &CStr, own: Fd) -> kernel::Result<()> {
    match kernel::open_at(directory, path, libc::O_PATH | libc::O_NOFOLLOW) {
        Err(Errno::ENOENT) => Ok(()),
        there if kernel::compare(there?, own)? == Alike::File || left_out(c"pid file check") => {
            kernel::remove_file(directory, path)
        }
        _ => Ok(()),
    }
}

/// Ends a child. It was not reaped, so it is there to be signalled and waited for. Whether
/// there was one, and is none now: one that cannot be signalled ends with this side.
fn end(child: Option<Pid>) -> bool {
    let Some(child) = child else { return false };
    let sent = kernel::send_signal(child, libc::SIGKILL);
    if sent.is_ok() {
        let _ = kernel::wait_for(child);
    }
    sent.is_ok()
}

/// What the container's side has said over the link.
#[derive(Default)]
pub struct Heard {
    /// That the program was executed. One that is pid 1 itself cannot say so: the line ends.
    pub executed: bool,
    /// The signal that ended it, if one did.
    pub signal: u8,
    /// A failure of its own, which was handed on to the standard error.
    pub failure: bool,
}

/// The message that the program was executed. One of another byte is the signal that ended
/// it, and a longer one a failure.
pub const EXECUTED: u8 = 0;

/// Takes the next message from the container's side. Whether there was one: at its end there is
/// none.
pub fn hear(link: Fd, heard: &mut Heard) -> kernel::Result<bool> {
    let mut buffer = [0; Text::SIZE];
    match kernel::read(link, &mut buffer)? {
        [] => return Ok(false),
        [EXECUTED] => heard.executed = true,
        [signal] => heard.signal = *signal,
        lines => {
            heard.failure = true;
            heard.executed = false;
            // Nobody is left to tell if the standard error is gone.
            let _ = kernel::write_all(kernel::STDERR, lines);
        }
    }
    Ok(true)
}

/// Takes all that is still to come. Asked when the container's first process is gone, so it
/// is there or never comes.
pub fn relay(link: Fd, heard: &mut Heard) {
    // If the other side ended without having read its release, the first answer is that
    // (ECONNRESET), and what it told comes next: at most its four messages.
    for _ in 0..5 {
        if let Ok(false) = hear(link, heard) {
            break;
        }
    }
}

/// Moves the processes of a cgroup to another. Only thimbles are moved: EBUSY if anybody
/// else is there.
pub fn move_all(from: Fd, to: Fd) -> kernel::Result<()> {
    let own = kernel::open(c"/proc/self/exe", libc::O_PATH)?;
    let mut list = List::new();
    for _ in 0..TRIES {
        list.clear();
        kernel::read_file(from, PROCS, &mut list)?;
        if list.as_slice().is_empty() {
            kernel::close(own);
            return Ok(());
        }
        for line in Parts::of(list.as_slice(), b'\n') {
            let path = Text::of(&[b"/proc/", line, b"/exe"]);
            match kernel::open(path.name(), libc::O_PATH) {
                // It has ended since.
                Err(Errno::ENOENT) => continue,
                Ok(exe) if kernel::compare(exe, own)? == Alike::File => kernel::close(exe),
                other => return other.and(Err(Errno::EBUSY)),
            }
            match kernel::write_file(to, PROCS, line) {
                Err(Errno::ESRCH) => {}
                moved => moved?,
            }
        }
    }
    Err(Errno::EBUSY)
}

/// Goes back from the leaf to the cgroup above, and makes that as it was: whose processes were
/// in it had no controllers enabled. If other thimbles are there, that is for the last one.
#[inline(never)]
fn go_back(parent: Fd, leaf: Fd) -> kernel::Result<()> {
    match kernel::lock(leaf, false) {
        Err(Errno::EAGAIN) => return Ok(()),
        locked => locked?,
    }
    // Nobody else's may lose a limit.
    let mut buffer = [0; 1024];
    let counts = kernel::read_start(parent, c"cgroup.stat", &mut buffer)?;
    if line_behind(counts, b"nr_descendants ") != Some(b"1") {
        return Err(Errno::EBUSY);
    }
    let enabled = kernel::read_start(parent, SUBTREE, &mut buffer)?;
    let line = Parts::of(enabled, b'\n').word();
    for word in Parts::of(line, b' ') {
        if !word.is_empty() {
            let less = Numbered::named(b"-", word);
            kernel::write_file(parent, SUBTREE, less.as_c_str().to_bytes())?;
        }
    }
    move_all(leaf, parent)?;
    remove(parent, LEAF)
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
        let read = kernel::read_file(cgroup, PROCS, &mut list);
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
