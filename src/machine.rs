//! pid 1 of a machine, as in an initramfs: a frame around whatever was asked for.
//!
//! If pid 1 of a machine ends, the kernel panics. So it does as little as can be: it
//! starts a process that does everything else, passes signals on, reaps, and turns the
//! machine off when that process has ended, however that was. What fails in that
//! process, a panic included, is an exit status to pid 1.

use core::ffi::CStr;

use crate::config::Config;
use crate::init::{self, Stop};
use crate::isolate::mounts::INERT;
use crate::isolate::{environment, program};
use crate::kernel::{self, Argv, CURRENT, Errno, Fd, List, Modes, STDERR, Strings, Word};
use crate::off;
use crate::report::{self, Report, TIMED_OUT};
use crate::steps::Step;

/// What the machine is to have mounted: where, of which type, and options behind a letter
/// for the flags. First cgroup v2, and in its place, where the kernel lacks it, the
/// controllers of v1.
const MOUNTS: Strings = Strings::new(concat!(
    "/proc\0proc\0i\0",
    "/sys\0sysfs\0i\0",
    "/dev\0devtmpfs\0d\0",
    "/dev/pts\0devpts\0p\0",
    "/dev/shm\0tmpfs\0mmode=1777\0",
    "/tmp\0tmpfs\0mmode=1777\0",
    "/run\0tmpfs\0mmode=755\0",
    "/sys/fs/cgroup\0cgroup2\0i\0",
    "/sys/fs/cgroup\0tmpfs\0imode=755\0",
    "/sys/fs/cgroup/pids\0cgroup\0ipids\0",
    "/sys/fs/cgroup/memory\0cgroup\0imemory\0",
    "/sys/fs/cgroup/cpu\0cgroup\0icpu\0",
    "/sys/fs/cgroup/cpuset\0cgroup\0icpuset\0",
    "\0"
));

/// The inode of the first pid namespace (PROC_PID_INIT_INO of linux/proc_ns.h).
const FIRST_NAMESPACE: u64 = 0xefff_fffc;

/// Whether this process, which is pid 1, is that of the machine and not of a container.
/// A machine has no /proc before somebody mounts one; but it has a second process, of the
/// kernel's own, which belongs to no group.
pub fn is_own() -> bool {
    match kernel::open(c"/proc/self/ns/pid", libc::O_PATH) {
        Ok(namespace) => {
            let identity = kernel::identity(namespace);
            kernel::close(namespace);
            identity.is_ok_and(|identity| identity.inode == FIRST_NAMESPACE)
        }
        Err(_) => kernel::second_is_of_the_kernel(),
    }
}

/// Puts the frame around what is to come: returns in a process of its own, and in pid 1
/// never. With `stop`, the options that stop it are meant for pid 1.
#[inline(never)]
pub fn frame(config: &Config, stop: bool, report: &mut Report) {
    report.undo.ending = Some(config.ending);
    report.step(Step::BlockSignals, kernel::block_signals());
    report.step(Step::ResetChild, kernel::default_action(libc::SIGCHLD));
    kernel::panic_if_asked();
    // A terminal to stop what runs on it by Ctrl-C. The console need not be one. It is pid 1's:
    // where the leader of a session ends, what its terminal has not sent yet is thrown away.
    kernel::take_terminal();
    let mut modes = Modes::NONE;
    let console = kernel::modes(STDERR, &mut modes).is_ok().then_some(&modes);
    let child = report.step(Step::Clone, kernel::fork());
    if let Some(child) = child {
        let mut stop = stop.then(|| Stop::new(config, report));
        let end = init::attend(child, stop.as_mut(), report);
        let timed_out = stop.is_some_and(|stop| stop.timed_out);
        let status = if timed_out { TIMED_OUT } else { end.status() };
        off::turn_off(config.ending, status, end.signal(), console);
    }
    report.undo.ending = None;
    kernel::lead_foreground();
    prepare();
}

/// Mounts what is not there yet, and opens the console where the kernel had none to open. A
/// machine without one of these may do without, so that is told and no more.
fn prepare() {
    let mut mounts = MOUNTS;
    while let (Some(place), Some(kind), Some(data)) = (mounts.next(), mounts.next(), mounts.next())
    {
        let mounted = mount(place, kind, data);
        if let Err(errno) = mounted {
            report::warn(Step::MountSystem, Some(place), errno);
        }
        if kind == c"cgroup2" && mounted != Err(Errno::ENODEV) {
            break;
        }
    }
    for number in 0..3 {
        if kernel::file_type(Fd::new(number)) == Err(Errno::EBADF) {
            let opened = kernel::open_standard(c"/dev/console");
            // The program's own calls will tell it.
            let _ = opened.or_else(|_| kernel::open_standard(c"/dev/null"));
        }
    }
}

/// Mounts a file system, unless that would cover something: but in /dev there may be devices
/// that the initramfs came with, and the kernel knows all of them.
fn mount(place: &CStr, kind: &CStr, data: &CStr) -> kernel::Result<()> {
    let made = kernel::make_directory(CURRENT, place);
    if made != Err(Errno::EEXIST) {
        made?;
    }
    let here = kernel::open(place, libc::O_RDONLY | libc::O_DIRECTORY)?;
    let mut buffer = [0; 1024];
    let entries = kernel::read_directory(here, &mut buffer)?.len();
    kernel::close(here);
    // Of those for itself and what it is in, each takes 24 bytes (struct linux_dirent64). What is
    // further down the list of these is not mounted over anything else.
    let flags = match data.to_bytes() {
        [b'd', ..] => libc::MS_NOSUID,
        _ if entries > 2 * 24 => return Ok(()),
        [b'p', ..] => libc::MS_NOSUID,
        [b'm', ..] => libc::MS_NOSUID | libc::MS_NODEV,
        _ => INERT,
    };
    let mounted = kernel::mount(kind, place, flags, kernel::tail(data, 1));
    if mounted == Err(Errno::EBUSY) { Ok(()) } else { mounted } // there it is
}

/// In the process inside the frame, for `thimble init`: the modules, and the command,
/// which takes this process's place.
pub fn start(config: &Config, caller: Argv, report: &mut Report) -> u8 {
    for file in config.modules.as_slice() {
        report.step_on(Step::LoadModule, file, load(file));
    }
    let mut words = List::new();
    let environment = collect(caller, &mut words);
    report.step(Step::CollectEnvironment, environment);
    report.step(Step::ResetSignals, program::reset_signals(program::ALL_SIGNALS));
    let command = config.command.unwrap_or(Argv::SHELL);
    let environment = Argv::new(words.as_slice()).unwrap_or(Argv::EMPTY);
    program::execute(command, environment, report)
}

/// What the kernel gives, which is what its command line has that it does not know, and
/// a PATH.
fn collect<'a>(mut caller: Argv<'a>, words: &mut List<Option<Word<'a>>>) -> kernel::Result<()> {
    if caller.variable(b"PATH").is_none() {
        words.push(Some(Word::new(environment::PATH)))?;
    }
    while let Some(word) = caller.shift() {
        words.push(Some(Word::new(word)))?;
    }
    words.push(None)
}

/// Loads a module, compressed or not, if the kernel has it not yet.
fn load(file: &CStr) -> kernel::Result<()> {
    let module = kernel::open(file, libc::O_RDONLY)?;
    let mut loaded = kernel::load_module(module, 0);
    if loaded == Err(Errno::ENOEXEC) {
        loaded = kernel::load_module(module, kernel::COMPRESSED_MODULE);
    }
    kernel::close(module);
    if loaded == Err(Errno::EEXIST) { Ok(()) } else { loaded }
}
