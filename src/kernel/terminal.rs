//! Terminals: ioctl_tty(2), termios(3), pty(7).

use syscalls::Sysno;

use super::{Fd, Result, call, perform};

/// ioctl(2) that gives nothing but success.
///
/// # Safety
/// `argument` is what the request takes: a number, or the address of what it reads or writes.
#[inline(never)]
unsafe fn ioctl(fd: Fd, request: u32, argument: usize) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe { perform!(Sysno::ioctl, fd.number(), request, argument) }
}

/// How a terminal treats what passes through it: the kernel's `struct termios`
/// (asm-generic/termbits.h), which is shorter than that of the C libraries.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Modes {
    input: u32,
    output: u32,
    control: u32,
    local: u32,
    line: u8,
    characters: [u8; 19],
}

impl Modes {
    /// With nothing done to what passes, either way: no echo, no lines, no signals, no
    /// line ends translated.
    pub fn raw(mut self) -> Modes {
        self.input &= !(libc::IGNBRK
            | libc::BRKINT
            | libc::PARMRK
            | libc::ISTRIP
            | libc::INLCR
            | libc::IGNCR
            | libc::ICRNL
            | libc::IXON);
        self.show_as_it_is();
        self.local &= !(libc::ECHO | libc::ECHONL | libc::ICANON | libc::ISIG | libc::IEXTEN);
        // A read waits for one byte, and for no longer than that.
        let [.., time, least, _, _, _, _, _, _, _, _, _, _, _, _] = &mut self.characters;
        (*time, *least) = (0, 1);
        self
    }

    /// With nothing done to what is shown.
    pub fn show_as_it_is(&mut self) {
        self.output &= !libc::OPOST;
    }
}

impl Modes {
    /// Those of nothing yet.
    pub const NONE: Modes =
        Modes { input: 0, output: 0, control: 0, local: 0, line: 0, characters: [0; 19] };
}

/// TCGETS. ENOTTY for what is no terminal, EIO for one that is gone.
pub fn modes(terminal: Fd, modes: &mut Modes) -> Result<()> {
    // SAFETY: the kernel fills the structure.
    unsafe { ioctl(terminal, libc::TCGETS as u32, &raw mut *modes as usize) }
}

/// TCSETS. From the background it comes with SIGTTOU, unless that is blocked or ignored.
pub fn set_modes(terminal: Fd, modes: &Modes) -> Result<()> {
    // SAFETY: the kernel reads the structure.
    unsafe { ioctl(terminal, libc::TCSETS as u32, &raw const *modes as usize) }
}

/// Lets a terminal show what is written to it, as in these modes, also where somebody has stopped
/// it: TCSETS, and TCXONC, as tcflow(3). From the background SIGTTOU has to be blocked.
pub fn show_again(terminal: Fd, modes: Option<&Modes>) {
    if let Some(modes) = modes {
        // Where they cannot be set, it may still show what is written.
        let _ = set_modes(terminal, modes);
    }
    // SAFETY: the argument is a number. What is no terminal cannot be stopped.
    let _ = unsafe { ioctl(terminal, libc::TCXONC as u32, libc::TCOON as usize) };
}

/// Gives a terminal the modes of another. ENOTTY where there are none to copy.
pub fn copy_modes(from: Fd, to: Fd) -> Result<()> {
    copy(from, to, libc::TCGETS as u32, libc::TCSETS as u32)
}

/// Gives a terminal the rows and columns of another: TIOCGWINSZ and TIOCSWINSZ, which
/// sends SIGWINCH to who is in the foreground there. ENOTTY where there are none to copy.
pub fn copy_size(from: Fd, to: Fd) -> Result<()> {
    copy(from, to, libc::TIOCGWINSZ as u32, libc::TIOCSWINSZ as u32)
}

fn copy(from: Fd, to: Fd, get: u32, set: u32) -> Result<()> {
    let mut found = Modes::NONE;
    let place = &raw mut found as usize;
    // SAFETY: the kernel writes and then reads a structure, which is not larger than this one.
    unsafe {
        ioctl(from, get, place)?;
        ioctl(to, set, place)
    }
}

/// Unlocks the slave of a new pseudo-terminal and gives its number: TIOCSPTLCK, TIOCGPTN.
pub fn unlock_terminal(master: Fd) -> Result<u32> {
    let mut number = 0u32;
    let place = &raw mut number as usize;
    // SAFETY: the kernel reads an int, which is 0, and then writes one.
    unsafe {
        ioctl(master, libc::TIOCSPTLCK as u32, place)?;
        ioctl(master, libc::TIOCGPTN as u32, place)?;
    }
    Ok(number)
}

/// The slave of a pseudo-terminal, whatever lies at its path: TIOCGPTPEER. ENOTTY before
/// Linux 4.13.
pub fn slave(master: Fd) -> Result<Fd> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: the argument is a number.
    unsafe { call!(Sysno::ioctl, master.number(), libc::TIOCGPTPEER, flags) }.map(Fd::new)
}

/// Makes a terminal that is nobody's the controlling one of this session, which this
/// process leads: TIOCSCTTY.
pub fn control(terminal: Fd) -> Result<()> {
    // SAFETY: the argument is a number.
    unsafe { ioctl(terminal, libc::TIOCSCTTY as u32, 0) }
}
