//! `thimble check`: what this kernel and host give, and what does without the rest.
//!
//! Each line is found out by trying, in a process of its own that has namespaces of
//! its own, as a container would, and all of it ends with that process. The last is
//! an ordinary run, of thimble itself.

use core::ffi::c_int;

use crate::config::Config;
use crate::isolate::{hierarchy, seccomp};
use crate::kernel::{self, Argv, CURRENT, Given, STDOUT, Word};
use crate::report::{self, Report};
use crate::run::run;
use crate::steps::Step;
use crate::text::{Packed, Text, joined, pack, push_capabilities, push_error};

/// Exit status where a default run does not work.
const LACKING: u8 = 1;

/// No errno is so high: the version of cgroups, counted from here.
const VERSION: u32 = 200;

/// Where the second column begins.
const COLUMN: usize = 18;

macro_rules! lines {
    ($($what:expr, $name:literal $without:literal,)*) => {
        /// What each line is about, from the first to the last.
        const LINES: &[u8] = &[$($what as u8),*];

        /// The name of each, and what is to be said where it is not there.
        const TEXTS: Packed = pack!(joined!($($name $without)*));
    };
}

/// The number of the bit that clone(2) has for a namespace.
macro_rules! namespace {
    ($flag:ident) => {
        libc::$flag.trailing_zeros()
    };
}

const USERS: u8 = namespace!(CLONE_NEWUSER) as u8;
const CGROUPS: u8 = namespace!(CLONE_NEWCGROUP) as u8;
const FILTER: u8 = 32;
const PIVOT: u8 = 33;
const TREES: u8 = 34;
const ATTRIBUTES: u8 = 35;
const CLOSE_RANGE: u8 = 36;
/// A type of file systems, of the name of the line.
const TYPE: u8 = 37;
/// These want no namespaces.
const RUN: u8 = 38;
/// A controller of cgroups, whose name is behind that word.
const CONTROLLER: u8 = 39;
/// Nothing is tried for these.
const KERNEL: u8 = b'2';
const PROCESS: u8 = b'3';
const CAPABILITIES: u8 = b'4';
/// Nor for a file that forbids something if it begins with this digit.
const FILE: u8 = b'0';

lines! {
    RUN, "default run" "see what it says",
    KERNEL, "kernel" "",
    PROCESS, "pid" "",
    CAPABILITIES, "capabilities" "",
    USERS, "user namespace" "CONFIG_USER_NS, or as this says; root does without",
    b'0', "/proc/sys/kernel/unprivileged_userns_clone" " is 0",
    b'0', "/proc/sys/user/max_user_namespaces" " is 0",
    b'1', "/proc/sys/kernel/apparmor_restrict_unprivileged_userns" " is 1",
    namespace!(CLONE_NEWNS), "mount namespace" "there is no doing without",
    namespace!(CLONE_NEWPID), "pid namespace" "CONFIG_PID_NS; --pid host",
    namespace!(CLONE_NEWUTS), "uts namespace" "CONFIG_UTS_NS; --uts host",
    namespace!(CLONE_NEWIPC), "ipc namespace" "CONFIG_IPC_NS; --ipc host",
    namespace!(CLONE_NEWNET), "network namespace" "CONFIG_NET_NS; --network host",
    CGROUPS, "cgroup namespace" "CONFIG_CGROUPS; --cgroupns host",
    FILTER, "seccomp filter" "CONFIG_SECCOMP_FILTER; --security-opt seccomp=unconfined",
    PIVOT, "pivot_root" "an initramfs or a chroot, left in another way",
    CONTROLLER, "cgroup pids" "CONFIG_CGROUP_PIDS, and yours; no --pids-limit",
    CONTROLLER, "cgroup memory" "CONFIG_MEMCG, and yours; no -m",
    CONTROLLER, "cgroup cpu" "CONFIG_CGROUP_SCHED, and yours; no --cpus",
    CONTROLLER, "cgroup cpuset" "CONFIG_CPUSETS, and yours; no --cpuset-cpus",
    TYPE, "overlay" "CONFIG_OVERLAY_FS; only -x needs it",
    TYPE, "squashfs" "CONFIG_SQUASHFS and root; unpack the image",
    TYPE, "erofs" "CONFIG_EROFS_FS and root; unpack the image",
    TREES, "move_mount" "Linux 5.2; --uidmap leaves the owners of files",
    ATTRIBUTES, "mount_setattr" "Linux 5.12; replaced by mount",
    CLOSE_RANGE, "close_range" "Linux 5.9; replaced by close",
}

/// How mount(2) of a type that is there fails without a layer or a device: the name is that of
/// no file, or of one that is no device.
const COMPLAINS: [c_int; 3] = [libc::EINVAL, libc::ENOENT, libc::ENOTBLK];

/// What runs in a default run: thimble itself, wherever it lies. What it prints is the first
/// line.
const COMMAND: &[Option<Word>] =
    &[Some(Word::new(c"/proc/self/exe")), Some(Word::new(c"--version")), None];

/// Something to be tried in a process of its own.
struct Probe<'a, 'c, 'g> {
    what: u8,
    /// Its line, which begins with its name.
    line: Text,
    config: &'c Config<'a>,
    given: &'c mut Given<'g>,
}

/// Prints a line for each fact. The exit status says whether a default run of ROOTFS works.
#[inline(never)]
pub fn check(config: &mut Config, given: &mut Given, report: &mut Report) -> u8 {
    report.step(Step::ResetChild, kernel::default_action(libc::SIGCHLD));
    config.command = config.command.or(Argv::new(COMMAND));
    let [user, _] = given.caller;
    let own = libc::CLONE_NEWNS | if user == 0 { 0 } else { libc::CLONE_NEWUSER };
    let mut probe = Probe { what: 0, line: Text::new(), config, given };
    let mut works = LACKING;
    for (place, what) in LINES.iter().enumerate() {
        probe.what = *what;
        probe.line = Text::new();
        probe.line.push_packed_part(TEXTS, 2 * place);
        // What is no namespace's number is a bit that is left out.
        let flags = if *what >= RUN { 0 } else { own | 1i32.wrapping_shl((*what).into()) };
        let mut errno = 0;
        if *what < FILE {
            errno = match kernel::clone_copy(flags, &mut probe, |probe| probe.run()) {
                Ok(child) => {
                    let ended = report.step(Step::Wait, kernel::wait_for(child));
                    ended.map_or(0, |(_, end)| end.status().into())
                }
                Err(errno) => {
                    if *what == RUN {
                        report::warn(Step::Clone, None, errno);
                    }
                    errno.number()
                }
            };
        }
        let line = &mut probe.line;
        while line.as_bytes().len() < COLUMN {
            line.push_byte(b' ');
        }
        match *what {
            KERNEL => {
                let mut names = kernel::Names::none();
                line.push(names.release().to_bytes());
                line.push_byte(b' ');
                line.push(names.machine().to_bytes());
            }
            PROCESS => line.push_number(kernel::own_pid().number() as u64),
            CAPABILITIES => {
                let set = report.step(Step::Capabilities, kernel::capabilities());
                push_capabilities(set, line);
            }
            b'0' | b'1' => {
                let mut buffer = [0; 8];
                let path = line.as_c_str().unwrap_or(c"");
                match kernel::read_start(CURRENT, path, &mut buffer) {
                    Ok([now, ..]) if now == what => line.push_packed_part(TEXTS, 2 * place + 1),
                    _ => continue,
                }
            }
            CONTROLLER if errno >= VERSION => {
                line.push_byte(b'v');
                line.push_number((errno - VERSION).into());
            }
            _ if errno == 0 => {
                if *what == RUN {
                    works = 0;
                }
                line.push(b"yes");
            }
            _ => {
                line.push(b"no: ");
                if *what != RUN {
                    push_error(errno, line);
                    line.push(b": ");
                }
                line.push_packed_part(TEXTS, 2 * place + 1);
            }
        }
        line.push_byte(b'\n');
        report.step(Step::WriteOut, kernel::write_all(STDOUT, line.as_bytes()));
    }
    works
}

impl Probe<'_, '_, '_> {
    /// Gives the errno, or 0; of a run the exit status.
    fn run(&mut self) -> u8 {
        if self.what == RUN {
            return run(self.config, self.given);
        }
        if self.what == CONTROLLER {
            let [user, _] = self.given.caller;
            let name = self.line.as_bytes().get("cgroup ".len()..).unwrap_or(&[]);
            let found = match &mut self.given.stacks {
                Ok([stack, _]) => hierarchy::look(self.config, name, user, stack),
                Err(errno) => Err(*errno),
            };
            return found
                .map_or_else(|errno| errno.number() as u8, |v2| VERSION as u8 + 1 + u8::from(v2));
        }
        self.attempt().map_or_else(|errno| errno.number() as u8, |()| 0)
    }

    fn attempt(&self) -> kernel::Result<()> {
        kernel::make_private()?;
        match self.what {
            CGROUPS => kernel::unshare(libc::CLONE_NEWCGROUP),
            FILTER => {
                kernel::set_no_new_privileges()?;
                kernel::set_filter(&[seccomp::ALLOW_ALL])
            }
            PIVOT => {
                kernel::bind(c"/", c"/", true)?;
                kernel::change_directory(c"/..")?;
                kernel::pivot_root()
            }
            TREES => kernel::move_mount(kernel::open_tree(c"/")?, CURRENT, c"/"),
            ATTRIBUTES => kernel::change_attributes(CURRENT, 0, 0, false),
            CLOSE_RANGE => kernel::close_range(c_int::MAX, c_int::MAX),
            TYPE => {
                let name = self.line.as_c_str().unwrap_or(c"");
                match kernel::mount(name, c"/", 0, c"") {
                    Err(errno) if COMPLAINS.contains(&(errno.number() as c_int)) => Ok(()),
                    other => other,
                }
            }
            _ => Ok(()),
        }
    }
}
