//! The program's own terminal: a pseudo-terminal of the container's own devpts, or
//! with `--bare` of the host's.
//!
//! The container's side opens it, hands the master to the host's side and puts the slave in
//! the place of the caller's descriptors, so that nobody inside has anything of the caller's
//! terminal. On the host's side one process hands the input on and another one the output:
//! neither waits for the other, so that a program that writes and does not read cannot stop
//! both. They end when nobody has the slave any more, or the container is gone in whatever
//! way. So even of a thimble that is killed the caller's terminal is given back.

use core::ffi::{CStr, c_int};

use crate::config::Config;
use crate::isolate::descriptors;
use crate::isolate::running::Running;
use crate::kernel::{
    self, CURRENT, Errno, Fd, Magic, Modes, STDIN, STDOUT, Stack, left_out, ready, wait_until_ready,
};
use crate::report::Report;
use crate::steps::Step;
use crate::text::Numbered;
use crate::undo::{Terminal, Undo};

/// The end of a terminal's input, as its user types it. Twice, for the first one only ends a
/// line that has begun.
const END_OF_INPUT: &[u8] = b"\x04\x04";

/// Host side, before the signals are blocked: notes how the caller's terminal is, if the
/// input is one. In the background this stops until the shell brings thimble to the
/// foreground: before that the modes may be the shell's.
pub fn look_at_callers(config: &Config, report: &mut Report) {
    if config.tty {
        let mut modes = Modes::NONE;
        let mut looked = kernel::copy_modes(STDIN, STDIN);
        if looked != Err(Errno::ENOTTY) {
            looked = looked.and_then(|()| kernel::modes(STDIN, &mut modes));
            report.step(Step::CallersTerminal, looked);
            report.undo.terminal.callers = Some(modes);
        }
    }
}

/// Container side, once there is a devpts: opens a terminal and lets this process, and the
/// program to come, have that in the place of the caller's descriptors. The current
/// directory is /dev, which nobody else has been in.
pub fn open(config: &Config, link: Fd, report: &mut Report) {
    if config.tty {
        report.step(Step::OpenTerminal, open_in(config.bare, link));
    }
}

/// Opens a terminal of /dev/pts, or of a /dev that is the current directory and is to have
/// a console; hands the master to the host's side, and takes the slave.
#[inline(never)]
fn open_in(outside: bool, link: Fd) -> kernel::Result<()> {
    let place = if outside { HOSTS } else { OWN };
    let mut number = 0;
    let [master, slave] = open_pair(place, &mut number)?;
    kernel::send_descriptor(link, Some(master))?;
    kernel::close(master);
    take(slave)?;
    kernel::close(slave);
    if !outside {
        kernel::make_file(CURRENT, c"console", 0)?;
        kernel::bind(Numbered::of(place.1, number).as_c_str(), c"console", false)?;
    }
    Ok(())
}

/// Where those of the host are, and what the paths of their slaves begin with. (Its
/// /dev/pts/ptmx may be root's alone.)
const HOSTS: &(&CStr, &[u8]) = &(c"/dev/ptmx", b"/dev/pts/");

/// The same of the container's own, seen from its /dev.
const OWN: &(&CStr, &[u8]) = &(c"pts/ptmx", b"pts/");

/// Opens a terminal that is as the caller's, if he has one: its master and its slave. Tells its
/// number.
#[inline(never)]
fn open_pair((ptmx, place): &(&CStr, &[u8]), number: &mut u32) -> kernel::Result<[Fd; 2]> {
    let master = kernel::open(ptmx, libc::O_RDWR | libc::O_NOCTTY)?;
    *number = kernel::unlock_terminal(master)?;
    let slave = match kernel::slave(master) {
        Err(Errno::ENOTTY) => open_by_number(Numbered::of(place, *number).as_c_str(), *number),
        slave => slave,
    }?;
    let modes = kernel::copy_modes(STDIN, slave);
    if modes != Err(Errno::ENOTTY) {
        modes?;
    }
    copy_size(slave)?;
    Ok([master, slave])
}

/// Has the slave in the place of the caller's descriptors.
fn take(slave: Fd) -> kernel::Result<()> {
    for number in 0..3 {
        kernel::duplicate(Fd::new(number), slave)?;
    }
    Ok(())
}

/// `thimble exec`, before anything of the container is joined: opens a terminal of its
/// devpts, or where it has none, as with `--bare`, of the host's, and starts the relays. They are
/// of the host's pid namespace, and so not to be seen inside.
pub fn open_inside(config: &Config, container: &Running, stack: &mut Stack, report: &mut Report) {
    if !config.tty {
        return;
    }
    let mut visit = Visit { container, opened: Err(Errno::EIO) };
    // It goes there and this process does not; and what it opens is open here.
    let visited = kernel::spawn_for_descriptors(stack, &mut visit, |visit| {
        visit.opened = visit.open();
        0
    });
    let opened = match visited.and_then(kernel::wait_for).and(visit.opened) {
        Err(Errno::ENODEV) => open_pair(HOSTS, &mut 0),
        opened => opened,
    };
    let [master, slave] = report.step(Step::OpenTerminal, opened);
    report.undo.terminal.slave = Some(slave);
    let handed_on = hand_on(config, master, stack, &mut report.undo);
    report.step(Step::RelayTerminal, handed_on);
}

/// The process that opens a terminal in a container.
struct Visit<'a> {
    container: &'a Running,
    opened: kernel::Result<[Fd; 2]>,
}

impl Visit<'_> {
    /// ENODEV where there is no devpts. What is in a devpts is what it seems to be, but for what
    /// somebody mounts over it, who may mount inside. Beside it, in /dev, the container may have
    /// put what it likes.
    fn open(&self) -> kernel::Result<[Fd; 2]> {
        self.container.visit()?;
        let directory = match kernel::open(c"/dev/pts", libc::O_PATH) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Err(Errno::ENODEV),
            directory => directory?,
        };
        let there = kernel::is_on(directory, DEVPTS)? || left_out(c"devpts check");
        let entered = kernel::change_directory_to(directory);
        kernel::close(directory);
        if !there {
            return Err(Errno::ENODEV);
        }
        entered?;
        open_pair(&(c"ptmx", b""), &mut 0)
    }
}

/// DEVPTS_SUPER_MAGIC of linux/magic.h, which libc does not have.
const DEVPTS: Magic = 0x1cd1;

/// The program's process, in a container that it has joined: takes the terminal, for the
/// program's user.
pub fn take_for(slave: Option<Fd>, config: &Config, user: u32, report: &mut Report) {
    if let Some(slave) = slave {
        report.step(Step::OpenTerminal, take(slave));
        give(config, user, report);
    }
}

/// The slave by its path, before Linux 4.13.
fn open_by_number(path: &CStr, number: u32) -> kernel::Result<Fd> {
    /// UNIX98_PTY_SLAVE_MAJOR
    const MAJOR: u32 = 136;
    let slave = kernel::open(path, libc::O_RDWR | libc::O_NOCTTY)?;
    kernel::check_device(slave, libc::makedev(MAJOR, number))?;
    Ok(slave)
}

/// Gives a terminal the size of the caller's, if he has one.
fn copy_size(to: Fd) -> kernel::Result<()> {
    for number in 0..2 {
        let copied = kernel::copy_size(Fd::new(number), to);
        if copied != Err(Errno::ENOTTY) {
            return copied;
        }
    }
    Ok(())
}

/// Container side: the terminal belongs to the program's user.
pub fn give(config: &Config, user: u32, report: &mut Report) {
    if config.tty && config.user.is_some() {
        report.step(Step::ControlTerminal, kernel::give(STDIN, user));
    }
}

/// The program's process: leads a session of its own, which the terminal controls. So what
/// is typed there as a signal reaches the program's processes and not pid 1, unless that is
/// the program. `leads`: it does so already.
pub fn control(leads: bool, report: &mut Report) {
    let led = if leads { Ok(()) } else { kernel::new_session() };
    report.step(Step::ControlTerminal, led.and_then(|()| kernel::control(STDIN)));
}

/// Host side, once the container is let go: takes the master, sets the caller's terminal up
/// for it and starts the relays. If the container's side fails before that, it has told why
/// on the same line, which is left there.
pub fn relay(config: &Config, link: Fd, stack: &mut Stack, report: &mut Report) {
    if config.tty {
        let relayed = start(config, link, stack, &mut report.undo);
        report.step(Step::RelayTerminal, relayed);
    }
}

fn start(config: &Config, link: Fd, stack: &mut Stack, undo: &mut Undo) -> kernel::Result<()> {
    let Some(Some(master)) = kernel::receive_descriptor(link, libc::MSG_PEEK)? else {
        return Ok(());
    };
    kernel::read(link, &mut [0])?;
    hand_on(config, master, stack, undo)
}

/// Sets the caller's terminal up for this one, and starts the relays.
#[inline(never)]
fn hand_on(config: &Config, master: Fd, stack: &mut Stack, undo: &mut Undo) -> kernel::Result<()> {
    undo.terminal.master = Some(master);
    make_raw(&undo.terminal)?;
    for place in 0..2 {
        let output = place == 1;
        let mut relay = Relay { config, master, output, terminal: &undo.terminal };
        let pid = kernel::clone_process(0, stack, &mut relay, |relay| relay.run())?;
        if output {
            undo.terminal.output = undo.relays.as_slice().len();
        }
        undo.relays.push(Some(pid))?;
    }
    Ok(())
}

fn make_raw(terminal: &Terminal) -> kernel::Result<()> {
    terminal.callers.map_or(Ok(()), |modes| kernel::set_modes(STDIN, &modes.raw()))
}

/// Host side: whether a signal is the terminal's business alone.
pub fn takes(signal: c_int, terminal: &Terminal) -> bool {
    let Some(master) = terminal.master else { return false };
    match signal {
        // If nothing can be copied, it stays as it is.
        libc::SIGWINCH => drop(copy_size(master)),
        libc::SIGCONT => {
            // The shell has had the terminal meanwhile. In the background this stops again. What
            // fails leaves the terminal as the shell had it, and the program goes on.
            let _ = kernel::unblock_one(libc::SIGTTOU);
            let _ = make_raw(terminal);
            let _ = kernel::block_signals();
            let _ = copy_size(master);
            return false;
        }
        // The shell has the terminal, and somebody here wants it: stopped until it is back.
        libc::SIGTTIN | libc::SIGTTOU => {
            // If it cannot be, who wants the terminal asks again, and stops as before.
            let _ = kernel::stop_self();
        }
        _ => return false,
    }
    true
}

/// Whether it is a terminal whose other end is gone, or that was hung up, and EIO so no
/// failure of a disk's. Of the caller's thimble is told by SIGHUP.
fn is_gone(fd: Fd) -> kernel::Result<bool> {
    let mut waits = [ready(fd, libc::POLLOUT)];
    wait_until_ready(&mut waits)?;
    let [wait] = waits;
    Ok(wait.revents & libc::POLLHUP != 0)
}

/// Hands bytes on, one way.
struct Relay<'a> {
    config: &'a Config<'a>,
    master: Fd,
    output: bool,
    terminal: &'a Terminal,
}

impl Relay<'_> {
    fn run(&self) -> u8 {
        let report = &mut Report::new();
        // While the shell has the terminal, a read stops this process, and with it thimble.
        report.step(Step::RelayTerminal, kernel::unblock_one(libc::SIGTTIN));
        // What others wait for the end of is not held open here.
        descriptors::close_all_but(self.master, self.config, report);
        let done = self.hand_on();
        if self.output {
            // Also for a thimble that was killed.
            let _ = self.terminal.restore(true);
        }
        report.step(Step::RelayTerminal, done);
        0
    }

    /// Until nobody has the slave, or nobody wants what it says; or until the input ends.
    fn hand_on(&self) -> kernel::Result<()> {
        let (from, to) = if self.output { (self.master, STDOUT) } else { (STDIN, self.master) };
        let mut waits = [ready(from, libc::POLLIN), ready(self.master, 0)];
        let mut buffer = [0; 2048];
        let mut again = true;
        loop {
            if !self.output {
                // Before each read, also one that would wait: what is typed while this process
                // is stopped, and the shell has the terminal, must not find a read that has begun.
                wait_until_ready(&mut waits)?;
                let [_, slave] = &waits;
                if slave.revents != 0 {
                    return Ok(());
                }
            }
            let mut bytes = match kernel::read(from, &mut buffer) {
                Err(Errno::EAGAIN) => continue,
                // What was written before the slave was closed, but after this read had looked
                // for it, comes with the next.
                Err(Errno::EIO) if again => {
                    again = false;
                    continue;
                }
                Err(Errno::EIO) if is_gone(from)? => return Ok(()),
                bytes => bytes?,
            };
            again = true;
            let end = bytes.is_empty();
            if end {
                bytes = END_OF_INPUT;
            }
            match kernel::write_all(to, bytes) {
                Ok(()) if !end => {}
                Err(Errno::EIO) if !is_gone(to)? => return Err(Errno::EIO),
                Ok(()) | Err(Errno::EIO | Errno::EPIPE) => return Ok(()),
                failed => return failed,
            }
        }
    }
}
