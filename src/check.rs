//! `thimble check`: what this kernel and host give, and what does without the rest.
//!
//! Each line is found out by trying, in a process of its own that has namespaces of
//! its own, as a container would, and all of it ends with that process. The last is
//! an ordinary run, of thimble itself.

use core::ffi::{CStr, c_int};

use crate::config::Config;
use crate::kernel::{
    self, Argv, CURRENT, Errno, Given, Instruction, STDOUT, Stack, Strings, Word, tail,
};
use crate::report::{FAILED, Report};
use crate::run::run;
use crate::steps::Step;
use crate::text::{PackedList, Text, pack_list, push_capabilities, push_error};

/// Exit status where a default run does not work.
const LACKING: u8 = 1;

/// Where the second column begins.
const COLUMN: usize = 18;

macro_rules! lines {
    ($($what:expr, $name:literal $without:literal,)*) => {
        /// What each line is about, from the first to the last.
        const LINES: &[u8] = &[$($what as u8),*];

        /// The name of each, and what is to be said where it is not there.
        const TEXTS: PackedList = pack_list!(concat!($($name, "\0", $without, "\0"),*));
    };
}

/// The number of the bit that clone(2) has for a namespace.
macro_rules! namespace {
    ($flag:ident) => {
        libc::$flag.trailing_zeros()
    };
}

/// What is no namespace has another number than those.
const NAMESPACES: u8 = 32;
const PLAIN: u8 = CAPABILITIES;
const USERS: u8 = namespace!(CLONE_NEWUSER) as u8;
const CGROUPS: u8 = namespace!(CLONE_NEWCGROUP) as u8;
const FILTER: u8 = 32;
const PIVOT: u8 = 33;
const TREES: u8 = 34;
const ATTRIBUTES: u8 = 35;
const CLOSE_RANGE: u8 = 36;
/// A type of file systems, of the name of the line.
const TYPE: u8 = 37;
const RUN: u8 = 38;
/// Nothing is tried for these.
const KERNEL: u8 = 0;
const PROCESS: u8 = 1;
const CAPABILITIES: u8 = 2;

lines! {
    KERNEL, "kernel" "",
    PROCESS, "pid" "",
    CAPABILITIES, "capabilities" "",
    USERS, "user namespace" "CONFIG_USER_NS; root does without",
    namespace!(CLONE_NEWNS), "mount namespace" "there is no doing without",
    namespace!(CLONE_NEWPID), "pid namespace" "CONFIG_PID_NS; --pid host",
    namespace!(CLONE_NEWUTS), "uts namespace" "CONFIG_UTS_NS; --uts host",
    namespace!(CLONE_NEWIPC), "ipc namespace" "CONFIG_IPC_NS; --ipc host",
    namespace!(CLONE_NEWNET), "network namespace" "CONFIG_NET_NS; --network host",
    CGROUPS, "cgroup namespace" "CONFIG_CGROUPS; --cgroupns host",
    FILTER, "seccomp filter" "CONFIG_SECCOMP_FILTER; --security-opt seccomp=unconfined",
    PIVOT, "pivot_root" "an initramfs or a chroot; --no-pivot",
    TYPE, "overlay" "CONFIG_OVERLAY_FS; only -x needs it",
    TYPE, "squashfs" "CONFIG_SQUASHFS and root; unpack the image",
    TYPE, "erofs" "CONFIG_EROFS_FS and root; unpack the image",
    TREES, "move_mount" "Linux 5.2; --uidmap leaves the owners of files",
    ATTRIBUTES, "mount_setattr" "Linux 5.12; replaced by mount",
    CLOSE_RANGE, "close_range" "Linux 5.9; replaced by close",
    RUN, "default run" "see what it says",
}

/// What forbids user namespaces if it begins with this digit.
const SWITCHES: Strings = Strings::new(
    "0/proc/sys/kernel/unprivileged_userns_clone\0\
     0/proc/sys/user/max_user_namespaces\0\
     1/proc/sys/kernel/apparmor_restrict_unprivileged_userns\0\0",
);

/// What runs in a default run: thimble itself, wherever it lies.
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
pub fn check(config: &mut Config, given: &mut Given) -> u8 {
    let report = &mut Report::new();
    report.step(Step::ResetChild, kernel::default_action(libc::SIGCHLD));
    let [.., mut stack] = report.step(Step::MapStacks, Stack::map());
    config.command = Argv::new(COMMAND);
    let [user, _] = given.caller;
    let own = libc::CLONE_NEWNS | if user == 0 { 0 } else { libc::CLONE_NEWUSER };
    let mut names = kernel::Names::none();
    let mut probe = Probe { what: 0, line: Text::new(), config, given };
    let mut errno = 0;
    for (place, what) in LINES.iter().enumerate() {
        probe.what = *what;
        probe.line = Text::new();
        probe.line.push_part(TEXTS, 2 * place);
        if *what > PLAIN {
            let flags = match *what {
                RUN => 0,
                what if what < NAMESPACES => own | 1 << what,
                _ => own,
            };
            let child = kernel::clone_process(flags, &mut stack, &mut probe, |probe| probe.run());
            errno = child.map_or_else(Errno::number, |child| {
                let end = report.step(Step::Wait, kernel::wait_for(child));
                end.map_or(0, |(_, end)| u32::from(end.status()))
            });
        }
        let line = &mut probe.line;
        while line.as_bytes().len() < COLUMN {
            line.push_byte(b' ');
        }
        match *what {
            KERNEL => {
                // The call cannot fail.
                line.push(names.release().unwrap_or(c"").to_bytes());
                line.push_byte(b' ');
                line.push(names.machine().unwrap_or(c"").to_bytes());
            }
            PROCESS => line.push_number(kernel::own_pid().number() as u64),
            CAPABILITIES => {
                let set = report.step(Step::Capabilities, kernel::capabilities());
                push_capabilities(set, line);
            }
            _ if errno == 0 => line.push(b"yes"),
            _ => {
                line.push(b"no: ");
                if *what != RUN {
                    push_error(errno, line);
                    line.push(b": ");
                }
                line.push_part(TEXTS, 2 * place + 1);
                if *what == USERS {
                    SWITCHES.for_each(|switch| push_switch(switch, line));
                }
            }
        }
        line.push_byte(b'\n');
        report.step(Step::WriteOut, kernel::write_all(STDOUT, line.as_bytes()));
    }
    if errno == 0 { 0 } else { LACKING }
}

/// Adds what forbids user namespaces, if this does.
fn push_switch(switch: &CStr, line: &mut Text) {
    let mut buffer = [0; 16];
    let path = tail(switch, 1);
    // Where it is not there, it forbids nothing.
    let value = kernel::read_start(CURRENT, path, &mut buffer).unwrap_or(&[]);
    if let (Some(now), Some(forbids)) = (value.first(), switch.to_bytes().first())
        && now == forbids
    {
        line.push(b"; ");
        line.push(path.to_bytes());
        line.push(b" is ");
        line.push_byte(*now);
    }
}

impl Probe<'_, '_, '_> {
    /// Gives the errno, or 0; of a run the exit status.
    fn run(&mut self) -> u8 {
        if self.what == RUN {
            // Into a pipe.
            let out = kernel::pipe().and_then(|(_, to)| kernel::replace(STDOUT, to));
            return match out {
                Ok(()) => run(self.config, self.given),
                Err(_) => FAILED,
            };
        }
        self.attempt().map_or_else(|errno| errno.number() as u8, |()| 0)
    }

    fn attempt(&self) -> kernel::Result<()> {
        kernel::make_private()?;
        match self.what {
            CGROUPS => kernel::unshare(libc::CLONE_NEWCGROUP),
            FILTER => {
                kernel::set_no_new_privileges()?;
                kernel::set_filter(&[Instruction {
                    code: 6,
                    if_true: 0,
                    if_false: 0,
                    operand: 0x7fff_0000,
                }])
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
                // Without a layer or a device it complains of that, if it is there.
                match kernel::mount(name, c"/", 0, c"") {
                    Err(errno @ (Errno::ENODEV | Errno::EPERM)) => Err(errno),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}
