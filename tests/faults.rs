//! Every system call of thimble's own fails once, in every process of it, and is
//! missed by nobody: the program runs in the same container as ever, or thimble says
//! what it could not do, and the host is as before.
//!
//! The calls are those of an unfailed run of the same mode, which is recorded first,
//! from thimble's own execve(2) to the program's in each process, and through to the
//! end in those that execute nothing. Each fails by itself, with an errno that it may
//! well have, and with EINTR where it can; and each as it fails on a kernel that does
//! not have it. The tracer is tests/tools/fault.c, which says why it is not strace.
//!
//! `FAULTS_MODE=root` tries that mode alone, and `FAULTS_ALL=1` tells every case and
//! what thimble said of it.

mod common;
use common::*;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many cases at once. Most of a case's time is the kernel's, with its own locks.
const WORKERS: usize = 3;

/// What the program ends with, and thimble then too.
const STATUS: i32 = 7;

/// One way of calling thimble. In its options `{place}` is a directory of the test's
/// own, and `{parent}` a cgroup of its own.
struct Mode {
    name: &'static str,
    options: &'static [&'static str],
    /// An ordinary user's.
    user: bool,
    /// With a file as standard input, which takes a process to hand it on.
    input: bool,
    /// With a terminal as standard input.
    terminal: bool,
    /// With something mounted below ROOTFS.
    below: bool,
    /// In a cgroup of the caller's own, of cgroup v2.
    delegated: bool,
    /// Where no cgroup is mounted.
    unmounted: bool,
    /// With `--detach`, `--pidfile={place}/pid` and `--json-status-fd=4`.
    detach: bool,
    /// With a process that the program leaves behind.
    leaves: bool,
    /// `exec`, with these options, in a container that was run with the others.
    exec: Option<&'static [&'static str]>,
    /// With a program that does not end by itself. Of the host side alone, since each takes
    /// its time.
    stays: bool,
    /// With the program as pid 1.
    as_pid_1: bool,
    /// What thimble makes in ROOTFS, and leaves there: the innermost first.
    makes: &'static [&'static str],
}

const PLAIN: Mode = Mode {
    name: "",
    options: &[],
    user: false,
    input: false,
    terminal: false,
    below: false,
    delegated: false,
    unmounted: false,
    detach: false,
    leaves: false,
    exec: None,
    stays: false,
    as_pid_1: false,
    makes: &[],
};

const MODES: &[Mode] = &[
    Mode { name: "root", options: &["--name", "faults"], ..PLAIN },
    Mode {
        name: "root, everything",
        options: &[
            "--name=faults",
            "--cgroup-parent={parent}",
            "--pids-limit=20",
            "--memory=64m",
            "--memory-swap=64m",
            "--cpus=1.5",
            "--cpu-shares=512",
            "--cpuset-cpus=0",
            "--cgroup-conf=memory.soft_limit_in_bytes=33554432",
            "-v{place}/source:/volume",
            "-v{place}/source/link:/made/file:ro",
            "--tmpfs=/tmp:size=1m,mode=700",
            "--tmpfs=/made/deep/memory:ro",
            "--device=/dev/fuse:/dev/mine",
            "--read-only",
            "--shm-size=1m",
            "--ulimit=nofile=64:128",
            "--ulimit=core=0",
            "--oom-score-adj=10",
            "-u5:6",
            "--group-add=8",
            "--cap-add=NET_RAW",
            "--cap-drop=FOWNER",
            "--security-opt=seccomp={place}/filter",
            "--security-opt=no-new-privileges=false",
            "--preserve-fds=1",
            "-w/volume",
            "-eA=1",
            "--env-file={place}/variables",
        ],
        input: true,
        makes: &["made/deep/memory", "made/deep", "made/file", "made", "volume"],
        ..PLAIN
    },
    Mode { name: "root, -x", options: &["--name", "faults", "-x"], below: true, ..PLAIN },
    Mode {
        name: "root, --bare",
        options: &["--bare", "--hostname=h", "--pids-limit=5", "--cgroup-parent={parent}"],
        ..PLAIN
    },
    Mode { name: "root, --no-pivot", options: &["--name=faults", "--no-pivot"], ..PLAIN },
    Mode {
        name: "root, --pid host",
        options: &["--name=faults", "--pid=host", "--cgroup-parent={parent}"],
        leaves: true,
        ..PLAIN
    },
    Mode {
        name: "root, --uidmap",
        options: &["--name=faults", "--uidmap=0:100000:65536"],
        ..PLAIN
    },
    Mode { name: "root, -t", options: &["--name=faults", "-t", "-u5"], terminal: true, ..PLAIN },
    Mode { name: "root, --bare -t", options: &["--bare", "--hostname=h", "-tu0"], ..PLAIN },
    Mode {
        name: "root, ends",
        options: &["--name=faults", "--timeout=60", "--die-with-parent"],
        ..PLAIN
    },
    Mode {
        name: "root, time is up",
        options: &["--name=faults", "--timeout=1", "--stop-timeout=0"],
        stays: true,
        ..PLAIN
    },
    Mode {
        name: "root, --as-pid-1",
        options: &["--name=faults", "--as-pid-1", "-u5:6", "--cap-add=NET_RAW"],
        as_pid_1: true,
        ..PLAIN
    },
    Mode {
        name: "user, --as-pid-1",
        options: &["--name=faults", "--as-pid-1"],
        user: true,
        as_pid_1: true,
        ..PLAIN
    },
    Mode {
        name: "root, -d",
        options: &[
            "-d",
            "--name=faults",
            "--pidfile={place}/pid",
            "--json-status-fd=4",
            "--cgroup-parent={parent}",
            "--memory=64m",
            "--cpus=1.5",
        ],
        detach: true,
        ..PLAIN
    },
    Mode { name: "user", options: &["--name", "faults"], user: true, ..PLAIN },
    Mode {
        name: "user, -t",
        options: &["--name=faults", "-t"],
        user: true,
        terminal: true,
        ..PLAIN
    },
    Mode {
        name: "root, no cgroups",
        options: &[
            "--name=faults",
            "--cgroup-parent={parent}",
            "--pids-limit=20",
            "--cgroup-conf=hugetlb.2MB.max=0",
        ],
        unmounted: true,
        ..PLAIN
    },
    Mode {
        name: "user, delegated",
        options: &["--name=faults", "--cgroup-conf=hugetlb.2MB.max=0"],
        user: true,
        delegated: true,
        ..PLAIN
    },
    Mode { name: "user, -x", options: &["--name=faults", "-x"], user: true, ..PLAIN },
    Mode {
        name: "root, exec",
        options: &[
            "--name=faults",
            "--cgroup-parent={parent}",
            "--pids-limit=20",
            "--security-opt=seccomp={place}/filter",
        ],
        exec: Some(&[
            "-u5:6",
            "--group-add=8",
            "--security-opt=seccomp={place}/filter",
            "--preserve-fds=1",
            "-w/tmp",
            "-eA=1",
            "--env-file={place}/variables",
        ]),
        input: true,
        ..PLAIN
    },
    Mode {
        name: "root, exec, --uidmap",
        options: &["--hostname=faults", "--uidmap=0:100000:65536"],
        exec: Some(&[]),
        ..PLAIN
    },
    Mode {
        name: "root, exec -t",
        options: &["--hostname=faults", "--uidmap=0:100000:65536"],
        exec: Some(&["-tu5"]),
        terminal: true,
        ..PLAIN
    },
    Mode {
        name: "user, exec",
        options: &["--hostname=faults"],
        exec: Some(&[]),
        user: true,
        ..PLAIN
    },
];

/// A failed call that need not be told, since nothing of the container hangs on it.
struct Unnoticed {
    call: &'static str,
    errnos: &'static [i32],
    /// What is in the mode's name, the process, and `NUMBER`, or `last`, of such calls in that process; any
    /// if empty.
    mode: &'static str,
    process: &'static str,
    at: &'static str,
    /// What its path, or other text that it is given, has in it; anything if empty.
    text: &'static str,
    /// What is then different all the same: these words are there or not.
    differs: &'static [&'static str],
    why: &'static str,
}

const ANY: &[i32] = &[];

const fn unnoticed(call: &'static str, errnos: &'static [i32], why: &'static str) -> Unnoticed {
    Unnoticed { call, errnos, mode: "", process: "", at: "", text: "", differs: &[], why }
}

/// Of the host side, which has nothing to do with what the container is.
const fn first(
    call: &'static str,
    errnos: &'static [i32],
    at: &'static str,
    why: &'static str,
) -> Unnoticed {
    Unnoticed { process: "0", at, ..unnoticed(call, errnos, why) }
}

/// Of the host side at the end of a terminal.
const fn on_terminal(call: &'static str, errnos: &'static [i32], why: &'static str) -> Unnoticed {
    Unnoticed { mode: "-t", ..first(call, errnos, "", why) }
}

/// Where a cgroup is swept that has this name.
const fn sweep(call: &'static str, text: &'static str) -> Unnoticed {
    let why = "what cannot be swept stays, and the next thimble tries again";
    Unnoticed { mode: "root, --bare", text, ..first(call, ANY, "", why) }
}

/// At the end of a container of the host's pid namespace.
const fn ending(call: &'static str, text: &'static str) -> Unnoticed {
    let why = "tried again; what could not be ended shows in the removal, which is told";
    Unnoticed { mode: "root, --pid host", text, ..first(call, ANY, "", why) }
}

/// ROOTFS as a mount of the container's users.
const fn mapped(call: &'static str, process: &'static str, at: &'static str) -> Unnoticed {
    let why = "the files stay the host's users', which is less";
    let differs = &[",idmapped"];
    Unnoticed { mode: "root, --uidmap", process, at, differs, ..unnoticed(call, ANY, why) }
}

/// Those that no case needs are told at the end.
const UNNOTICED: &[Unnoticed] = &[
    unnoticed("write", &[libc::EINTR], "done again"),
    unnoticed("wait4", &[libc::EINTR], "done again"),
    unnoticed("rt_sigtimedwait", &[libc::EINTR], "done again"),
    #[cfg(target_pointer_width = "32")]
    unnoticed("rt_sigtimedwait", &[libc::ENOSYS], "before Linux 5.1: with a time of 32 bits"),
    #[cfg(target_pointer_width = "32")]
    unnoticed("clock_gettime", &[libc::ENOSYS], "likewise"),
    #[cfg(target_pointer_width = "32")]
    unnoticed("nanosleep", &[libc::ENOSYS], "likewise"),
    unnoticed("unlinkat", &[libc::EBUSY], "done again"),
    unnoticed("flock", &[libc::EAGAIN], "done again, since another thimble is there"),
    unnoticed("close", ANY, "the descriptor is closed, whatever the answer"),
    unnoticed("munmap", ANY, "memory of a process that soon executes something or ends"),
    unnoticed("madvise", ANY, "a few pages are kept that nobody needs"),
    mapped("open_tree", "0", ""),
    mapped("mount_setattr", "0", ""),
    mapped("move_mount", "0", ""),
    Unnoticed {
        mode: "root, --bare -t",
        // How the host's devpts is called where it is still to be seen from.
        differs: &["a terminal of the host's", "/dev/pts/0", "/dev/pts/1", "/dev/pts/2"],
        ..unnoticed("pivot_root", &[libc::EINVAL], "likewise")
    },
    unnoticed("pivot_root", &[libc::EINVAL], "as in an initramfs: moved to the top instead"),
    unnoticed("close_range", &[libc::ENOSYS], "before Linux 5.9: one by one"),
    unnoticed("mount_setattr", &[libc::ENOSYS], "before Linux 5.12: by remounts"),
    Unnoticed {
        differs: &["callers", "_ses", "3f130000", "3f030000"],
        ..unnoticed("keyctl", &[libc::ENOSYS], "a kernel without keys")
    },
    unnoticed("keyctl", &[libc::EDQUOT], "no room for another; the filter refuses those calls"),
    Unnoticed {
        mode: "exec",
        differs: &["refused", "allowed", "HOSTNAME=faults", "HOSTNAME="],
        ..unnoticed("uname", ANY, "likewise; it never fails, and the variable is empty then")
    },
    Unnoticed {
        differs: &["refused", "allowed"],
        ..unnoticed("uname", ANY, "a kernel of no known version counts as one before Linux 4.8")
    },
    first("ioctl", ANY, "5", "the caller's terminal is given back at the end once more"),
    first("ioctl", ANY, "6", "likewise"),
    Unnoticed {
        process: "0.3",
        ..unnoticed("ioctl", ANY, "the caller's terminal is given back by the host side too")
    },
    Unnoticed { mode: "-t", ..unnoticed("read", &[libc::EIO], "done again") },
    on_terminal("wait4", &[libc::ECHILD], "the output goes on by itself"),
    on_terminal("rt_sigtimedwait", ANY, "tried again"),
    on_terminal("clock_gettime", ANY, "who keeps the terminal open is then waited for"),
    Unnoticed {
        process: "0.2",
        at: "last",
        ..on_terminal("ppoll", ANY, "the program has ended, and this is killed before it tells")
    },
    on_terminal("kill", ANY, "without a terminal inside there is no input any more"),
    first("mmap", &[libc::ENOMEM], "1", "a larger stack, in whose place the first serves"),
    first("mprotect", &[libc::ENOMEM], "1", "likewise"),
    first("read", ANY, "last", "what the container's side tells of a failure: there was none"),
    Unnoticed {
        mode: "root, everything",
        ..first("wait4", &[libc::ECHILD], "last", "for what hands input on, and was killed")
    },
    Unnoticed {
        mode: "root, everything",
        ..first("kill", ANY, "", "what hands input on ends by itself where nobody reads")
    },
    Unnoticed {
        mode: "exec",
        ..first("wait4", &[libc::ECHILD], "last", "for what hands input on, and was killed")
    },
    Unnoticed {
        mode: "exec",
        ..first("kill", ANY, "", "what hands input on ends by itself where nobody reads")
    },
    Unnoticed {
        mode: "exec",
        text: "exe",
        ..first("openat", &[libc::EACCES], "", "who may not see it is refused by the namespaces")
    },
    Unnoticed {
        mode: "exec",
        text: "ns/mnt",
        ..first("openat", &[libc::EACCES], "", "the program's namespaces, which are those of pid 1")
    },
    Unnoticed {
        mode: "root, time is up",
        ..first("kill", ANY, "1", "the stop signal: whoever does not end by it is killed")
    },
    Unnoticed {
        mode: "root, time is up",
        ..first("rt_sigaction", ANY, "2", "a signal counts as one that the caller does not ignore")
    },
    Unnoticed { mode: "root, time is up", ..first("rt_sigaction", ANY, "3", "likewise") },
    Unnoticed {
        mode: "root, time is up",
        process: "",
        ..first("kill", &[libc::ENOSYS], "0", "likewise")
    },
    Unnoticed {
        mode: "root, -d",
        process: "0.1",
        at: "6",
        ..unnoticed("fstat", ANY, "the caller is gone; what is not let go ends with the container")
    },
    Unnoticed {
        mode: "root, -d",
        process: "0.1",
        at: "7",
        ..unnoticed("fstat", ANY, "likewise, of the standard error")
    },
    Unnoticed {
        mode: "root, -d",
        process: "0.1",
        at: "5",
        ..unnoticed("read", ANY, "done again: what is told before the end")
    },
    sweep("openat", LEFT),
    sweep("unlinkat", LEFT),
    sweep("getdents64", ""),
    sweep("lseek", ""),
    sweep("kill", ""),
    Unnoticed { at: "1", ..sweep("flock", "") },
    ending("openat", "cgroup.kill"),
    ending("openat", "pids.max"),
    ending("openat", "cgroup.procs"),
    ending("write", "0"),
    ending("read", ""),
    ending("mmap", ""),
    ending("nanosleep", ""),
    ending("kill", ""),
];

/// Without these nothing goes: what is told then, if anything can be.
const BROKEN: &[(&str, &str)] = &[
    ("write", ""),                          // nothing can be written, so nothing told
    ("read", ""),                           // what the container's side told cannot be read
    ("kill", "thimble: remove the cgroup"), // no process can be ended
];

macro_rules! errnos {
    ($($name:ident)*) => { [$((libc::$name, stringify!($name))),*] };
}

/// By what name thimble tells an errno.
fn name_of(errno: i32) -> &'static str {
    let known = errnos!(EPERM ENOENT EINTR EIO ENOMEM EACCES EBUSY ENOTDIR EINVAL EMFILE ENOSPC
        EAGAIN ENOSYS ENOBUFS ESRCH ECHILD EBADF EDQUOT EROFS);
    known.iter().find(|(number, _)| *number == errno).unwrap().1
}

/// How a call may well fail.
fn errnos_of(call: &str) -> &'static [i32] {
    use libc::*;
    match call {
        "mmap" | "mprotect" | "mremap" | "munmap" => &[ENOMEM],
        "openat" => &[EACCES, EMFILE],
        "read" | "readlinkat" | "lseek" | "fstat" | "fstatfs" | "getdents64" => &[EIO],
        "write" => &[EIO, EPERM],
        "close" => &[EIO],
        "mount" => &[EPERM, ENOMEM],
        "mount_setattr" | "open_tree" | "move_mount" => &[EPERM, EINVAL],
        "umount2" => &[EPERM, EBUSY],
        "prctl" => &[EPERM, EINVAL],
        "setxattr" => &[ENOSPC],
        "clone" => &[EAGAIN, ENOSPC],
        "socketpair" | "socket" | "pipe2" | "dup3" => &[EMFILE],
        "mkdirat" | "mknodat" | "symlinkat" => &[ENOSPC, EACCES],
        "unlinkat" => &[EBUSY, EIO],
        "sendmsg" | "recvmsg" | "recvfrom" => &[ENOMEM],
        "seccomp" => &[ENOMEM, EINVAL],
        "execve" => &[EACCES, ENOMEM],
        "wait4" => &[ECHILD],
        "kill" => &[EPERM],
        "flock" => &[EAGAIN],
        "keyctl" => &[EDQUOT],
        "pivot_root" | "unshare" | "rt_sigtimedwait" => &[EINVAL],
        "fcntl" => &[EBADF],
        "chdir" | "fchdir" | "chroot" => &[EACCES],
        _ => &[EPERM],
    }
}

/// Calls that a signal may interrupt, on some file or other.
const INTERRUPTIBLE: &[&str] = &[
    "close",
    "dup3",
    "flock",
    "ioctl",
    "nanosleep",
    "openat",
    "read",
    "recvfrom",
    "recvmsg",
    "rt_sigtimedwait",
    "sendmsg",
    "wait4",
    "write",
];

/// Calls that give no answer, or an answer and never an error (their manual pages).
const SURE: &[&str] = &["exit_group", "getpid", "getppid", "geteuid", "getegid", "umask"];

fn name_of_call(number: usize) -> &'static str {
    syscalls::Sysno::new(number).map_or("?", |call| named_widely(call.name()))
}

/// A call of a recorded run: the process, the call, and which of that process's it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Call {
    process: String,
    number: usize,
    /// 0 for always.
    at: usize,
    /// Whether it is the last of that kind in that process.
    last: bool,
}

/// One failure.
#[derive(Clone, Debug)]
struct Case {
    mode: usize,
    call: Call,
    errno: i32,
}

/// What a mode needs on this host, for one worker.
struct Place {
    mode: &'static Mode,
    directory: tempfile::TempDir,
    parent: String,
    program: PathBuf,
}

/// A cgroup as of a thimble that was killed. No process has so high a number.
const LEFT: &str = "thimble-2000000000";

/// The hierarchies in which a mode may make cgroups.
const CONTROLLERS: &[&str] = &["pids", "memory", "cpu", "cpuset", "unified"];

impl Mode {
    /// What thimble ends with.
    fn status(&self) -> i32 {
        if self.stays {
            124
        } else if self.detach {
            0
        } else {
            STATUS
        }
    }
}

impl Place {
    fn new(mode: &'static Mode, inside: &Path) -> Place {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let root = path.join("root");
        for made in ["root", "source"] {
            fs::create_dir(path.join(made)).unwrap();
        }
        for made in ["bin", "proc", "sys", "dev", "tmp", "etc", "below"] {
            fs::create_dir(root.join(made)).unwrap();
        }
        copy(inside, root.join("bin/inside"));
        fs::write(path.join("source/file"), "content\n").unwrap();
        symlink("file", path.join("source/link")).unwrap();
        fs::write(path.join("variables"), "B=2\n").unwrap();
        fs::write(path.join("filter"), [6, 0, 0, 0, 0, 0, 0xff, 0x7f]).unwrap(); // allow
        copy(thimble(), path.join("thimble"));
        for entry in [path, &root] {
            fs::set_permissions(entry, fs::Permissions::from_mode(0o755)).unwrap();
        }
        if mode.user {
            let all = Command::new("chown").args(["-R", &USER.to_string()]).arg(path).status();
            assert!(all.unwrap().success());
        }
        let parent = unique_name();
        let program = path.join("thimble");
        if mode.delegated || mode.options.iter().any(|option| option.contains("{parent}")) {
            for controller in CONTROLLERS {
                let own = cgroup_v1(controller).join(&parent);
                fs::create_dir_all(&own).unwrap();
                // An empty one takes no processes.
                for file in ["cpuset.cpus", "cpuset.mems"] {
                    if *controller == "cpuset" {
                        let above = fs::read(own.join("..").join(file)).unwrap();
                        fs::write(own.join(file), above).unwrap();
                    }
                }
            }
        }
        if mode.delegated {
            let own = cgroup_v1("unified").join(&parent);
            for file in ["", "cgroup.procs", "cgroup.subtree_control"] {
                chown(own.join(file), Some(USER), Some(USER)).unwrap();
            }
        }
        // As thimble leaves it, so that the first run is like the others; or as who delegates does.
        let all = cgroup_v1("unified");
        let enable = |place: &Path| {
            fs::write(place.join("cgroup.subtree_control"), "+hugetlb").unwrap();
        };
        if mode.delegated || mode.unmounted {
            enable(&all);
        }
        if mode.unmounted {
            enable(&all.join(&parent));
        }
        Place { mode, directory, parent, program }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The cgroups below this place's own, but for what was left there for thimble to remove.
    fn cgroups(&self) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        for controller in CONTROLLERS {
            let own = cgroup_v1(controller).join(&self.parent);
            for entry in fs::read_dir(own).into_iter().flatten().flatten() {
                let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_directory && entry.file_name() != LEFT {
                    found.insert(entry.path());
                }
            }
        }
        // Of his own nothing is to be different.
        let enabled = cgroup_v1("unified").join(&self.parent).join("cgroup.subtree_control");
        if self.mode.delegated
            && fs::read_to_string(&enabled).is_ok_and(|list| !list.trim().is_empty())
        {
            found.insert(enabled);
        }
        found
    }

    fn left(&self) -> PathBuf {
        cgroup_v1("pids").join(&self.parent).join(LEFT)
    }

    /// What a thimble that was killed has left, for the next one to remove.
    fn leave_a_cgroup(&self) {
        if self.mode.name == "root, --bare" {
            fs::create_dir_all(self.left()).unwrap();
        }
    }

    /// ROOTFS, without what the mode may make there.
    fn listing(&self) -> String {
        let mut lines = Vec::new();
        tree(&self.path().join("root"), Path::new(""), &mut lines);
        let made = |line: &String| {
            let path = line.split(' ').next().unwrap();
            self.mode.makes.contains(&path)
        };
        lines.retain(|line| !made(line));
        lines.join("\n")
    }

    /// Options of the mode's.
    fn options(&self, options: &[&str]) -> impl Iterator<Item = String> {
        let options = options.iter().map(|option| {
            option
                .replace("{place}", self.path().to_str().unwrap())
                .replace("{parent}", &self.parent)
        });
        options.collect::<Vec<_>>().into_iter()
    }

    /// A container to execute something in, until its input ends.
    fn container(&self) -> std::process::Child {
        let mut run = command("setpriv", &["--clear-groups"]);
        if self.mode.user {
            let user = USER.to_string();
            run.args(["--reuid", &user, "--regid", &user]);
        }
        run.arg(&self.program).arg("run").args(self.options(self.mode.options));
        run.arg(self.path().join("root")).args(["/bin/inside", "wait"]);
        let mut child = run.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "{}", self.mode.name);
        child
    }

    /// Runs thimble, and fails this. Once more, if its time was up before its program was done,
    /// as on a machine with much else to do.
    fn run(&self, fault: &Path, call: Option<&Call>, errno: i32) -> Told {
        for _ in 0..4 {
            let told = self.run_once(fault, call, errno);
            let done = !told.out.is_empty() && !told.seen.is_empty();
            if !self.mode.stays || done || told.status.code() != Some(self.mode.status()) {
                return told;
            }
            self.clean();
        }
        self.run_once(fault, call, errno)
    }

    fn run_once(&self, fault: &Path, call: Option<&Call>, errno: i32) -> Told {
        self.leave_a_cgroup();
        let path = self.path();
        let mut words: Vec<OsString> = Vec::new();
        let mut entered = self.mode.exec.map(|_| self.container());
        if self.mode.user {
            words.extend(["-u".into(), USER.to_string().into()]);
        }
        if self.mode.terminal {
            words.push("-t".into());
        }
        words.extend(entered.is_some().then(|| "-e".into()));
        if self.mode.as_pid_1 {
            words.push("-p".into());
        }
        if self.mode.below {
            words.extend(["-m".into(), path.join("root/below").into()]);
        }
        if self.mode.unmounted {
            words.extend(["-n", "/sys/fs/cgroup"].map(Into::into));
        }
        if self.mode.delegated {
            let file = cgroup_v1("unified").join(&self.parent).join("cgroup.procs");
            words.extend(["-c".into(), file.into()]);
        }
        let _ = fs::remove_file(path.join("status"));
        if self.mode.detach {
            words.extend(["-s".into(), path.join("status").into()]);
        }
        let (process, number, at) = match call {
            Some(call) => (call.process.as_str(), call.number as i64, call.at),
            None => ("0", -1, 0),
        };
        words.push(process.into());
        words.extend([number, at as i64, i64::from(errno)].map(|word| word.to_string().into()));
        let input = if self.mode.input { path.join("source/file") } else { "/dev/null".into() };
        words.extend(
            [input, path.join("out"), path.join("err"), self.program.clone()].map(Into::into),
        );
        match (&entered, self.mode.exec) {
            (Some(container), Some(options)) => {
                words.push("exec".into());
                words.extend(self.options(options).map(OsString::from));
                let first = container.id();
                let children = fs::read_to_string(format!("/proc/{first}/task/{first}/children"));
                words.push(children.unwrap().trim().into());
            }
            _ => {
                words.push("run".into());
                words.extend(self.options(self.mode.options).map(OsString::from));
                words.push(path.join("root").into());
            }
        }
        words.push("/bin/inside".into());
        words.extend(self.mode.leaves.then(|| "leave".into()));
        words.extend(self.mode.stays.then(|| "stay".into()));
        let mut tracer = Command::new(fault)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = Told::default();
        let mut go = tracer.stdin.take().unwrap();
        let mut pids = Vec::new();
        let mut waiting = BTreeMap::new();
        for line in BufReader::new(tracer.stdout.take().unwrap()).lines().map(Result::unwrap) {
            let (what, rest) = line.split_once(' ').unwrap();
            let number = |word: &str| word.parse::<usize>().unwrap();
            match what {
                "call" | "error" | "hit" => {
                    let mut words = rest.splitn(3, ' ');
                    let process = words.next().unwrap().to_string();
                    let number = number(words.next().unwrap());
                    let text = words.next().unwrap_or("").to_string();
                    if what == "call" {
                        told.calls.push((process, number));
                        told.errors.push(0);
                    } else if what == "error" {
                        let call = (process, number);
                        let last = told.calls.iter().rposition(|known| *known == call).unwrap();
                        told.errors[last] = text.parse().unwrap();
                    } else {
                        told.hits.push((process, number, text));
                    }
                }
                "program" => {
                    pids = rest.split(' ').map(number).collect();
                    told.seen = self.look(pids[0], pids[2]);
                    go.write_all(b"\n").unwrap();
                }
                "waits" => {
                    let (pid, first) = rest.split_once(' ').unwrap();
                    let seen = waiting.entry(number(pid)).or_default();
                    Place::look_at(number(pid), number(first), seen);
                    go.write_all(b"\n").unwrap();
                }
                "left" => told.left.push(rest.to_string()),
                _ => told.status = ExitStatusExt::from_raw(number(rest) as i32),
            }
        }
        let ended = tracer.wait().unwrap();
        told.hung = ended.signal() == Some(libc::SIGALRM);
        assert!(told.hung || ended.success(), "the tracer: {ended}");
        told.waiting = waiting.into_values().collect();
        told.waiting.sort();
        if let Some(container) = &mut entered {
            drop(container.stdin.take());
            container.wait().unwrap();
        }
        let text = |name: &str| fs::read_to_string(path.join(name)).unwrap_or_default();
        // What differs from run to run is only how much.
        let figures = |line: &str| {
            line.replace("\"exit-code\": 7", "the program's")
                .replace(|c: char| c.is_ascii_digit(), "")
        };
        told.told.extend(text("status").lines().map(figures));
        // Where the container has the host's pids.
        let known = |word: &str| {
            let at = pids.iter().position(|pid| word == pid.to_string())?;
            ["program", "pid 1", "first"].get(at).copied()
        };
        for line in text("out").lines() {
            let words = line.split(' ').map(|word| known(word).unwrap_or(word));
            let line = words.collect::<Vec<_>>().join(" ");
            // Told of the container, and not by it.
            let place = if line == "pid 1" { &mut told.told } else { &mut told.out };
            place.push(line);
        }
        told.err = text("err");
        told
    }

    /// A process of the container's, or the host side, seen from outside.
    fn look_at(pid: usize, first: usize, seen: &mut Vec<String>) {
        let place = PathBuf::from(format!("/proc/{pid}"));
        let text = |name: &str| fs::read_to_string(place.join(name)).unwrap_or_default();
        // The number of a thimble without a name, which its cgroup is named after.
        let unnamed = |text: &str| text.replace(&format!("thimble-{first}"), "thimble-PID");
        let wanted = ["Umask", "NStgid", "Threads", "SigBlk", "SigIgn", "SigCgt"];
        for line in text("status").lines() {
            let (name, value) = line.split_once(':').unwrap_or_default();
            let value = match name {
                // The pid of each namespace but the host's.
                "NStgid" => value.trim().split_once('\t').map_or("", |(_, inner)| inner),
                // While it waits for them, they count as not blocked.
                "SigBlk" if pid == first => continue,
                _ => value,
            };
            if wanted.contains(&name) || RIGHTS.contains(&name) {
                seen.push(format!("{name}:{value}"));
            }
        }
        for name in ["cwd", "root"] {
            seen.push(format!("{name} {:?}", fs::read_link(place.join(name)).ok()));
        }
        for name in ["oom_score_adj", "personality", "limits", "uid_map", "gid_map", "setgroups"] {
            seen.extend(text(name).lines().map(|line| format!("{name}: {line}")));
        }
        seen.extend(unnamed(&text("cgroup")).lines().map(String::from));
        for entry in sorted(&place.join("fd")) {
            let link = fs::read_link(place.join("fd").join(&entry)).unwrap_or_default();
            let mut link = unnamed(&link.to_string_lossy());
            // Which it may not have received yet.
            if pid == first && link.ends_with("ptmx") {
                continue;
            }
            if pid == first && link.starts_with("/dev/pts/") {
                link = "the caller's terminal".into();
            }
            // Of the host's devpts, seen from where that is not.
            // (Or from where it still is: its own would be the first, and the fault tool has one.)
            let named = link.strip_suffix(" (deleted)").unwrap_or(&link);
            let number =
                named.strip_prefix('/').map(|rest| rest.strip_prefix("dev/pts/").unwrap_or(rest));
            if number.is_some_and(|rest| rest.parse::<u32>().is_ok()) && named != "/dev/pts/0" {
                link = link.replace(named, "a terminal of the host's");
            }
            let kind = link.split(":[").next().unwrap(); // and not which pipe
            let info = text(&format!("fdinfo/{entry}"));
            let flags = info.lines().find(|line| line.starts_with("flags:")).unwrap_or("");
            seen.push(format!("{entry} {kind} {flags}"));
        }
        for entry in sorted(&place.join("ns")) {
            let link = |place: &Path| fs::read_link(place.join("ns").join(&entry)).ok();
            let shared = link(&place) == link(Path::new("/proc/self"));
            seen.push(format!("{entry} {}", if shared { "the host's" } else { "its own" }));
        }
        if Place::ends(pid) {
            seen.clear();
        }
    }

    /// Whether a process is ending (PF_EXITING), and loses one thing after the other while it
    /// is looked at.
    fn ends(pid: usize) -> bool {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let flags = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(6));
        flags.is_none_or(|flags| flags.parse::<u32>().unwrap() & 4 != 0)
    }

    /// The container, seen from outside while the program is about to begin. (What pid 1 is
    /// may still change by then.)
    fn look(&self, program: usize, first: usize) -> Vec<String> {
        let mut seen = Vec::new();
        for (who, pid) in [("host", first), ("program", program)] {
            // That of a caller who is let go is nothing of the container's. That of exec goes on
            // already, and is looked at when it waits.
            if (self.mode.detach || self.mode.exec.is_some()) && who == "host" {
                continue;
            }
            seen.push(format!("[{who}]"));
            Place::look_at(pid, first, &mut seen);
        }
        let place = PathBuf::from(format!("/proc/{program}"));
        let environment = fs::read(place.join("environ")).unwrap_or_default();
        seen.extend(String::from_utf8_lossy(&environment).split('\0').map(String::from));
        seen.push("[mounts]".into());
        for line in fs::read_to_string(place.join("mountinfo")).unwrap_or_default().lines() {
            // Without the numbers of mounts, devices and peer groups.
            let fields = line.split(' ').skip(3);
            let fields = fields.map(|field| match field.split_once(':') {
                Some((kind @ ("shared" | "master"), _)) => kind,
                _ => field,
            });
            seen.push(fields.collect::<Vec<_>>().join(" "));
        }
        seen.push("[files]".into());
        tree(&place.join("root/dev"), Path::new(""), &mut seen);
        seen.extend(sorted(&place.join("root")));
        seen.push("[cgroups]".into());
        for cgroup in self.cgroups() {
            for file in [
                "pids.max",
                "hugetlb.2MB.max",
                "memory.limit_in_bytes",
                "memory.memsw.limit_in_bytes",
                "memory.soft_limit_in_bytes",
                "cpu.cfs_quota_us",
                "cpu.shares",
                "cpuset.cpus",
                "cpuset.mems",
                "notify_on_release",
            ] {
                if let Ok(value) = fs::read_to_string(cgroup.join(file)) {
                    seen.push(format!("{file} {}", value.trim()));
                }
            }
        }
        if let Ok(text) = fs::read_to_string(self.path().join("pid")) {
            let parent = fs::read_to_string(place.join("status")).unwrap_or_default();
            let parent = parent.lines().find_map(|line| line.strip_prefix("PPid:\t"));
            seen.push(format!("pid file {}", text.strip_suffix('\n') == parent));
        }
        // While others come and go, one reading of the list may miss a line.
        let locks: String = (0..5).filter_map(|_| fs::read_to_string("/proc/locks").ok()).collect();
        let own = format!(" {first} ");
        // One more while it sweeps, which may be now or over.
        seen.push(format!("locks {}", locks.lines().any(|line| line.contains(&own))));
        if Place::ends(program) {
            seen.clear();
        }
        seen
    }

    /// Takes away what the mode leaves by design, and what it should not have left.
    fn clean(&self) {
        for made in self.mode.makes {
            let made = self.path().join("root").join(made);
            let _ = fs::remove_dir(&made).or_else(|_| fs::remove_file(&made));
        }
        for name in sorted(self.path()).iter().filter(|name| name.starts_with("pid")) {
            let _ = fs::remove_file(self.path().join(name));
        }
        for cgroup in self.cgroups() {
            if cgroup.is_file() {
                continue;
            }
            let inside = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
            for pid in inside.lines() {
                let _ = command("kill", &["-9", pid]).status();
            }
            eventually("a cgroup is removed", || fs::remove_dir(&cgroup).is_ok());
        }
        for enabled in self.cgroups() {
            fs::write(enabled, "-hugetlb").unwrap();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir(self.left());
        for controller in CONTROLLERS {
            let _ = fs::remove_dir(cgroup_v1(controller).join(&self.parent));
        }
    }
}

fn sorted(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// All below a directory, on its own file system or others.
fn tree(root: &Path, below: &Path, lines: &mut Vec<String>) {
    for name in sorted(&root.join(below)) {
        let path = below.join(name);
        let place = root.join(&path);
        let Ok(entry) = fs::symlink_metadata(&place) else { continue };
        lines.push(format!(
            "{} {:o} {}:{} {} {:?}",
            path.display(),
            entry.mode(),
            entry.uid(),
            entry.gid(),
            entry.rdev(),
            fs::read_link(&place).ok()
        ));
        if entry.is_dir() {
            tree(root, &path, lines);
        }
    }
}

/// What came of a run.
#[derive(Default, Debug)]
struct Told {
    /// In a recorded run, the calls.
    calls: Vec<(String, usize)>,
    /// What each failed with by itself, or 0.
    errors: Vec<i32>,
    /// The calls that were failed, and the text in them.
    hits: Vec<(String, usize, String)>,
    /// The container, as the program begins.
    seen: Vec<String>,
    /// pid 1, as it begins to wait, and before it the host side of `--detach`.
    waiting: Vec<Vec<String>>,
    left: Vec<String>,
    hung: bool,
    status: std::process::ExitStatus,
    out: Vec<String>,
    /// What a caller of `--detach` and a reader of the status get.
    told: Vec<String>,
    err: String,
}

/// The words for each step, out of the program's own source.
fn steps() -> Vec<&'static str> {
    let source = include_str!("../src/steps.rs");
    let table = source.split_once("steps! {").unwrap().1.split_once('}').unwrap().0;
    table.lines().filter_map(|line| line.split('"').nth(1)).collect()
}

/// How a case ended well.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Good {
    /// The program ran in the same container, by these lines of the table.
    Same(BTreeSet<usize>),
    Told,
    NotFired,
}

impl Case {
    /// The line in the table that a failed call need not be told by.
    fn unnoticed(&self, (_, number, text): &(String, usize, String)) -> Option<usize> {
        let Call { process, at, last, .. } = &self.call;
        let is = |want: &str, now: &str| want.is_empty() || want == now;
        UNNOTICED.iter().position(|row| {
            row.call == name_of_call(*number)
                && (row.errnos.is_empty() || row.errnos.contains(&self.errno))
                && (MODES[self.mode].name.contains(row.mode)
                    || row.mode == "-t" && MODES[self.mode].name.ends_with("-t"))
                && is(row.process, process)
                && (is(row.at, &at.to_string()) || *last && row.at == "last")
                && text.contains(row.text)
        })
    }

    /// Judges a case: what is wrong with it, if anything is.
    fn judge(&self, told: &Told, usual: &Told, left: &[String]) -> Result<Good, String> {
        if told.hung {
            return Err("hangs".into());
        }
        if told.hits.is_empty() {
            return Ok(Good::NotFired);
        }
        let errno = name_of(self.errno);
        let named = |line: &str, step: &str| {
            line.starts_with(&format!("thimble: {step}")) && line.contains(&format!(": {errno}: "))
        };
        let tells = |step| told.err.lines().any(|line| named(line, step));
        let call = name_of_call(self.call.number);
        // What cannot be done again. The way back out of a leaf takes several calls.
        let removing = if MODES[self.mode].delegated { call } else { "" };
        let removal = tells("remove the pid file")
            || ["unlinkat", removing].contains(&call) && tells("remove the cgroup")
            || call == "ioctl" && tells("change the caller's terminal");
        let relay = self.call.process == "0.1" && tells("relay an input file through a pipe")
            || ["0.2", "0.3"].contains(&self.call.process.as_str())
                && (tells("relay the terminal") || tells("close the other descriptors"));
        // Without a pause all tries are over at once, and others' processes are still there.
        let hasty = call == "nanosleep"
            && told.err.lines().any(|line| {
                line.starts_with("thimble: remove the cgroup") && line.contains(": EBUSY: ")
            });
        let removal = removal || hasty;
        let broken = BROKEN.iter().find(|row| row.0 == call && self.errno == libc::ENOSYS);
        if broken.is_some_and(|(_, tells)| told.err.contains(tells)) {
            return Ok(Good::Told);
        }
        // Another thimble may be there, which then does it.
        let others = removing == "flock" && self.call.last && self.errno == libc::EAGAIN;
        let known =
            |what: &String| what.contains("cgroup") || *what == "pid" || what == "changed modes";
        let told_of = (removal || others) && left.iter().all(known);
        if !left.is_empty() && !told_of {
            return Err(format!("leaves {left:?}"));
        }
        let rows: Option<BTreeSet<usize>> =
            told.hits.iter().map(|hit| self.unnoticed(hit)).collect();
        let mut differs = Vec::new();
        for row in rows.iter().flatten() {
            differs.extend(UNNOTICED[*row].differs);
        }
        // Also where thimble fails in the end: a program that ran at all ran in the same container.
        let rest = |lines: &[String]| -> Vec<String> {
            let without = |line: String, word: &&&str| -> String { line.replace(**word, "") };
            lines
                .iter()
                .map(|line| differs.iter().fold(line.clone(), |l, w| without(l, &w)))
                .collect()
        };
        let waiting = |told: &Told| told.waiting.iter().map(|seen| rest(seen)).collect::<Vec<_>>();
        let known = waiting(usual);
        // The host side of a caller that is still to be told of a failure has a line to him.
        let waits_on = |seen: &Vec<String>| {
            told.status != usual.status && seen.contains(&String::from("NStgid:"))
        };
        // pid 1's terminal has no name any more where what hands it on has failed.
        let unnamed = |seen: &Vec<String>| {
            let named: Vec<_> = seen.iter().map(|l| l.replace(" (deleted)", "")).collect();
            told.status.code() == Some(125) && known.contains(&named)
        };
        let other = |seen: &&Vec<String>| {
            !seen.is_empty() && !known.contains(seen) && !waits_on(seen) && !unnamed(seen)
        };
        if let Some(now) = waiting(told).iter().find(other) {
            let usual = known.last().map_or(&[][..], |seen| seen);
            return Err(format!("another container: {}", difference(usual, now)));
        }
        for (now, usual) in [(&told.seen, &usual.seen), (&told.out, &usual.out)] {
            // The input was cut off.
            let now = if relay && now == &told.out { usual } else { now };
            // While relays are started, or the caller is let go, the program runs already, and is
            // looked at as it is killed: then pid 1 has no memory any more, whose list anybody
            // may open, and a terminal without a relay no name, also where the program was done
            // before it was killed. With the host's pids it may outlive its pid 1, and its parent
            // is then another one.
            let mode = &MODES[self.mode];
            let seen = mode.detach || ["-t", "--pid host"].iter().any(|n| mode.name.ends_with(n));
            let killed = relay || seen && told.status.code() == Some(125);
            let (known, lines) = (rest(usual), rest(now));
            let cut = lines.len() < known.len() || lines.iter().any(|l| l.contains("No such"));
            let gone = |l: &str| {
                let of_first = l.starts_with("/proc/1/");
                l.ends_with("None")
                    || of_first && (l.contains("No such") || cut && l == "/proc/1/maps opens")
                    || known.contains(&l.replace(" (deleted)", "").replace("//deleted", ""))
                    || l.strip_prefix("session ").is_some_and(|l| {
                        let (leader, rest) = l.split_once(' ').unwrap_or_default();
                        leader.parse::<u32>().is_ok()
                            && known.contains(&format!("session pid 1 {rest}"))
                    })
            };
            if killed && lines.iter().all(|l| known.contains(l) || gone(l)) {
                continue;
            }
            if !now.is_empty() && lines != known {
                return Err(format!("another container: {}", difference(usual, now)));
            }
        }
        let detach = MODES[self.mode].detach;
        // What keeps the caller's process from being told is that to the one that tells.
        let unheard = |line: &str| {
            self.call.process == "0" && line == "thimble: tell the caller: EPIPE: Broken pipe"
        };
        let step =
            |line: &str| steps().iter().any(|step| named(line, step)) || detach && unheard(line);
        let usually = MODES[self.mode].status();
        match told.status.code() {
            // The caller was let go before.
            Some(status) if status == usually && detach && told.err.lines().any(step) => {
                Ok(Good::Told)
            }
            Some(status) if status == usually && (removal || relay) => Ok(Good::Told),
            Some(status) if status == usually => {
                if told.out.is_empty() || told.seen.is_empty() || waiting(told) != known {
                    return Err("the program did not run".into());
                }
                if told.err != usual.err {
                    return Err(format!("status {status}, and says {:?}", told.err));
                }
                if told.told != usual.told {
                    return Err(format!("tells {:?}", told.told));
                }
                rows.map(Good::Same).ok_or("unnoticed".into())
            }
            Some(125..=127) => {
                // That of the command line's lists names the option.
                let list = |line: &str| line.ends_with(": there is no memory left for it");
                let mut lines = told.err.lines();
                if lines.any(|line| step(line) || list(line)) {
                    Ok(Good::Told)
                } else {
                    Err(format!("does not tell {errno}: {:?}", told.err))
                }
            }
            _ => Err(format!("{}: {:?}", told.status, told.err)),
        }
    }
}

fn difference(usual: &[String], now: &[String]) -> String {
    let (old, new): (BTreeSet<_>, BTreeSet<_>) = (usual.iter().collect(), now.iter().collect());
    let less = old.difference(&new).map(|line| format!("\n    -{line}"));
    let more = new.difference(&old).map(|line| format!("\n    +{line}"));
    less.chain(more).take(12).collect()
}

/// The cases of a mode: each call by itself, and each kind of call always.
fn cases(mode: usize, run: &Told) -> Vec<Case> {
    let recorded = &run.calls;
    let mut cases = Vec::new();
    let mut counts = BTreeMap::new();
    for call in recorded {
        *counts.entry(call).or_insert(0) += 1;
    }
    let mut done = BTreeMap::new();
    for (recorded, own) in recorded.iter().zip(&run.errors) {
        let at = done.entry(recorded).or_insert(0);
        *at += 1;
        let (process, number) = recorded.clone();
        let name = name_of_call(number);
        if SURE.contains(&name) || MODES[mode].stays && process != "0" {
            continue;
        }
        let call = Call { process, number, at: *at, last: *at == counts[recorded] };
        let mut errnos = errnos_of(name).to_vec();
        if INTERRUPTIBLE.contains(&name) {
            errnos.push(libc::EINTR);
        }
        errnos.retain(|errno| errno != own);
        cases.extend(errnos.iter().map(|errno| Case { mode, call: call.clone(), errno: *errno }));
    }
    let kinds: BTreeSet<_> = recorded.iter().map(|(_, number)| *number).collect();
    for number in kinds {
        if !SURE.contains(&name_of_call(number)) {
            let call = Call { process: "0".into(), number, at: 0, last: false };
            cases.push(Case { mode, call, errno: libc::ENOSYS });
        }
    }
    cases
}

/// Put into its place by a rename, as another run of this test may be executing it.
fn build(source: &str, name: &str) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let new = place.with_file_name(format!("{name}.{}", std::process::id()));
    cc(&Path::new(env!("CARGO_MANIFEST_DIR")).join(source), &new);
    fs::rename(&new, &place).unwrap();
    place
}

#[test]
fn a_call_that_fails_is_told_or_changes_nothing() {
    let fault = build("tests/tools/fault.c", "faults.fault");
    let inside = build("tests/probes/inside.c", "faults.inside");
    // All before the first case, so that no process ever has one of the programs open for writing.
    let places: Vec<Vec<Place>> = (0..WORKERS)
        .map(|_| MODES.iter().map(|mode| Place::new(mode, &inside)).collect())
        .collect();
    let only = std::env::var("FAULTS_MODE").ok();
    let mut all = Vec::new();
    for (mode, place) in places[0].iter().enumerate() {
        if only.as_ref().is_some_and(|only| only != place.mode.name) {
            continue;
        }
        let recorded = place.run(&fault, None, 0);
        assert_eq!(
            (recorded.status.code(), recorded.err.as_str()),
            (Some(place.mode.status()), ""),
            "{}",
            place.mode.name
        );
        assert!(recorded.left.is_empty() && !recorded.seen.is_empty(), "{recorded:?}");
        assert!(!place.left().exists(), "what was left is removed");
        place.clean();
        all.extend(cases(mode, &recorded));
    }
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for places in &places {
            let (next, results, all, fault) = (&next, &results, &all, &fault);
            scope.spawn(move || {
                let mut usual: BTreeMap<usize, (Told, String)> = BTreeMap::new();
                while let Some(case) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let place = &places[case.mode];
                    let (usual, listing) = usual.entry(case.mode).or_insert_with(|| {
                        let listing = place.listing();
                        let told = place.run(fault, None, 0);
                        place.clean();
                        (told, listing)
                    });
                    let told = place.run(fault, Some(&case.call), case.errno);
                    let mut left = told.left.clone();
                    left.extend(
                        sorted(place.path()).into_iter().filter(|name| name.starts_with("pid")),
                    );
                    left.extend(place.cgroups().iter().map(|path| path.display().to_string()));
                    if place.listing() != *listing {
                        left.push("something in ROOTFS".into());
                    }
                    place.clean();
                    let judged = case.judge(&told, usual, &left);
                    results.lock().unwrap().push((case.clone(), told, judged));
                }
            });
        }
    });
    let results = results.into_inner().unwrap();
    let mut wrong = Vec::new();
    // Told, without effect, not fired: of each mode.
    let mut counts = vec![[0; 3]; MODES.len()];
    let mut met: BTreeSet<usize> = BTreeSet::new();
    let tell = |line: String| {
        // Not through print!, which nobody sees.
        let _ = writeln!(std::io::stderr(), "faults: {line}");
    };
    for (case, told, judged) in &results {
        let Case { mode, call, errno } = case;
        let what = format!(
            "{}: {} {} of {}, {}, {}",
            MODES[*mode].name,
            name_of_call(call.number),
            if call.at == 0 { "always".into() } else { format!("number {}", call.at) },
            call.process,
            name_of(*errno),
            told.hits.first().map_or("", |hit| &hit.2),
        );
        match judged {
            Ok(Good::Told) => counts[*mode][0] += 1,
            Ok(Good::Same(rows)) => {
                counts[*mode][1] += 1;
                met.extend(rows);
            }
            Ok(Good::NotFired) => {
                counts[*mode][2] += 1;
                tell(format!("not fired: {what}"));
            }
            Err(why) => wrong.push(format!("{what}\n  {why}")),
        }
        if std::env::var_os("FAULTS_ALL").is_some() {
            let _ = writeln!(std::io::stderr(), "{what} => {:?}", told.err.lines().next());
        }
    }
    for (mode, [told, same, not_fired]) in MODES.iter().zip(&counts) {
        let name = mode.name;
        tell(format!("{name:20} {told:4} told, {same:4} without effect, {not_fired} not fired"));
    }
    for (at, row) in UNNOTICED.iter().enumerate() {
        if only.is_none() && !met.contains(&at) {
            tell(format!(
                "not needed any more: {} {} {} ({})",
                row.call, row.mode, row.text, row.why
            ));
        }
    }
    let counted = results.len() - counts.iter().map(|[_, _, not_fired]| not_fired).sum::<usize>();
    tell(format!("{counted} cases, {} wrong", wrong.len()));
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(only.is_some() || counted >= 1000, "only {counted} cases");
}
