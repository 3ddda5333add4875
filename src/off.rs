//! How a machine ends: a line that says how, the status to whoever runs the machine, and
//! the power off. No step of this hangs on another: what fails is left out.

use crate::config::Ending;
use crate::kernel::{self, Errno, Fd, Modes, NEVER, STDERR, left_out};
use crate::text::Text;

/// How many seconds a step is waited for: a console or a port may hold a writer up.
const PATIENCE: u64 = 10;

/// How it went.
struct Outcome<'a> {
    status: u8,
    signal: u8,
    device: u32,
    modules: bool,
    console: Option<&'a Modes>,
}

/// Says how it went, and turns the machine off. In a pid namespace of its own, that ends
/// and no machine does (reboot(2)); where even that is refused, this process does. `console` is
/// how that was before anybody wrote to it, if it is a terminal.
#[cold]
#[inline(never)]
pub fn turn_off(ending: Ending, status: u8, signal: u8, console: Option<&Modes>) -> ! {
    let Ending { device, modules, .. } = ending;
    let outcome = Outcome { status, signal, device, modules, console };
    // What still runs could write on, and keeps files open.
    kernel::end_all();
    // Without its process the line would be lost: should that be killed, another does it.
    if aside(&outcome, tell) {
        aside(&outcome, tell);
    }
    kernel::sync();
    if outcome.device != 0 {
        // An instruction that this machine may not have, which is then the end of the process.
        aside(&outcome, |outcome| kernel::leave_machine(outcome.device, outcome.status));
    }
    kernel::reboot(ending.reboot);
    kernel::reboot(libc::LINUX_REBOOT_CMD_HALT as u32);
    if !ending.own {
        kernel::exit(status);
    }
    loop {
        kernel::sleep(u32::MAX);
    }
}

/// Does something in a process of its own, and gives it up if that takes too long. Whether
/// that process was killed.
#[inline(never)]
fn aside(outcome: &Outcome, act: fn(&Outcome)) -> bool {
    let child = kernel::fork();
    let Ok(Some(child)) = child else {
        act(outcome);
        if child.is_ok() {
            kernel::exit(0)
        }
        return false;
    };
    let until = kernel::after(PATIENCE).unwrap_or(NEVER);
    loop {
        let mut ended = kernel::reap_any();
        if !matches!(ended, Ok(Some(_))) {
            // An error may have nothing to say of that process, which ends with a signal.
            match kernel::wait_for_signal(until) {
                Ok(0) => return false,
                Ok(_) => continue,
                Err(_) => ended = kernel::wait_for(child),
            }
        }
        match ended {
            Ok(Some((pid, end))) if pid == child => return end.signal() != 0,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

/// Writes the line to the console, and to the port, if there is one.
fn tell(outcome: &Outcome) {
    let mut line = Text::of(&[b"\nthimble-result: exit="]);
    line.push_number(outcome.status.into());
    line.push(b" signal=");
    line.push_number(outcome.signal.into());
    line.push_byte(b'\n');
    // Who wrote there may have stopped it, or have it show capital letters for small ones.
    if !left_out(c"console") {
        kernel::show_again(STDERR, outcome.console);
    }
    // At the beginning of a line.
    let bytes = line.as_bytes();
    if write_to(STDERR, bytes).is_err() {
        let flags = libc::O_WRONLY | libc::O_NOCTTY | libc::O_NONBLOCK;
        let _ = kernel::open(c"/dev/console", flags).and_then(|fd| write_to(fd, bytes));
    }
    // A port appears a moment after its module.
    let mut found = port();
    for _ in 0..if outcome.modules { 50 } else { 0 } {
        if found.as_ref().err() != Some(&Errno::ENODEV) {
            break;
        }
        kernel::sleep(10);
        found = port();
    }
    let _ = found.and_then(|port| kernel::write_all(port, bytes.get(1..).unwrap_or(&[])));
}

/// Writes to a terminal, and waits until all of it has left.
fn write_to(console: Fd, line: &[u8]) -> kernel::Result<()> {
    kernel::write_all(console, line).map(|()| kernel::drain(console))
}

/// The virtio port of the name `result`. ENODEV where there are ports, but not that. What is open is closed with the process.
fn port() -> kernel::Result<Fd> {
    let ports = kernel::open(c"/sys/class/virtio-ports", libc::O_RDONLY | libc::O_DIRECTORY)?;
    let devices = kernel::open(c"/dev", libc::O_PATH)?;
    let mut buffer = [0; 2048];
    while let entries @ [_, ..] = kernel::read_directory(ports, &mut buffer)? {
        for entry in kernel::Entries::of(entries) {
            let mut name = [0; 16];
            let port = kernel::open_at(ports, entry, libc::O_PATH)?;
            if kernel::read_start(port, c"name", &mut name) == Ok(b"result\n") {
                return kernel::open_at(devices, entry, libc::O_WRONLY);
            }
        }
    }
    Err(Errno::ENODEV)
}
