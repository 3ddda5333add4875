//! What belongs to pid 1 of a machine: its modules, its console, and its end.

use core::ffi::c_int;

use syscalls::Sysno;

use super::{Fd, Result, STDIN, arch, call, new_process_group, new_session, own_pid, perform};

/// Of `load_module`: the kernel is to decompress it (MODULE_INIT_COMPRESSED_FILE, Linux 5.17).
pub const COMPRESSED_MODULE: c_int = 4;

/// finit_module(2), without parameters. EEXIST for one that is loaded or built in, ENOEXEC
/// for what is no module.
pub fn load_module(file: Fd, flags: c_int) -> Result<()> {
    // SAFETY: the parameters are NUL-terminated and only read.
    unsafe { perform!(Sysno::finit_module, file.number(), c"".as_ptr(), flags) }
}

/// Begins a session, whose terminal is to be the standard input (TIOCSCTTY), taken from another
/// if need be. What is no terminal is none.
pub fn take_terminal() {
    let _ = new_session();
    // SAFETY: no memory is passed.
    let _ = unsafe { perform!(Sysno::ioctl, STDIN.number(), libc::TIOCSCTTY, 1) };
}

/// Puts this process into a group of its own, and that into the foreground of this terminal, if
/// it is one (TIOCSPGRP). SIGTTOU has to be blocked.
pub fn lead_foreground() {
    let _ = new_process_group();
    let group = own_pid();
    // SAFETY: one pid_t is read.
    let _ = unsafe { perform!(Sysno::ioctl, STDIN.number(), libc::TIOCSPGRP, &raw const group) };
}

/// Waits until what was written to a terminal has left (TCSBRK, as tcdrain(3)).
pub fn drain(terminal: Fd) {
    // SAFETY: no memory is passed. What is no terminal has nothing to wait for.
    let _ = unsafe { perform!(Sysno::ioctl, terminal.number(), libc::TCSBRK, 1) };
}

/// Whether process 2 belongs to no group (getpgid(2)), as the threads of the kernel's.
pub fn second_is_of_the_kernel() -> bool {
    // SAFETY: no memory is passed.
    let group = unsafe { call!(Sysno::getpgid, 2) };
    group == Ok(0)
}

/// kill(2) with SIGKILL of every other process that this one sees.
pub fn end_all() {
    // SAFETY: no memory is passed. There may be none.
    let _ = unsafe { perform!(Sysno::kill, usize::MAX, libc::SIGKILL) };
}

/// sync(2)
pub fn sync() {
    // SAFETY: no memory is passed; the call always succeeds.
    let _ = unsafe { call!(Sysno::sync) };
}

/// reboot(2): returns only if it is refused.
pub fn reboot(command: u32) {
    let (first, second) = (libc::LINUX_REBOOT_MAGIC1, libc::LINUX_REBOOT_MAGIC2);
    // SAFETY: no memory is passed.
    let _ = unsafe { perform!(Sysno::reboot, first, second, command, 0) };
}

/// The device of a virtual machine that ends it with a status, as `--exit-device` names it.
pub use arch::EXIT_DEVICE;

/// Ends a virtual machine by that device: returns if there is none. The number is that of
/// its port, where it has one.
pub fn leave_machine(number: u32, status: u8) {
    // SAFETY: nothing of this process is touched.
    unsafe { arch::leave_machine(number, status) }
}
