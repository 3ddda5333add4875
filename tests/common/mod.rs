//! What the tests share: the program under test, root file systems, and looks
//! at the host before and after.

#![allow(dead_code)]

pub mod machine;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Whether the tests are those of tests/old_kernel.rs.
pub const OLD_KERNEL: bool = matches!(env!("CARGO_CRATE_NAME").as_bytes(), b"old_kernel");
/// Whether the tests are of i686, which x86_64 machines run besides their own.
const I686: bool = cfg!(target_arch = "x86");

/// How the C compiler is told to build for that. The kernel's headers are the machine's own.
const M32: &[&str] =
    if I686 { &["-m32", "-idirafter", "/usr/include/x86_64-linux-gnu"] } else { &[] };

/// Builds a static program of C, to run in a container.
pub fn cc(source: &Path, out: &Path) {
    compiled("cc", M32, source, out);
}

/// The same, by a compiler of this name that is told this besides.
fn compiled(compiler: &str, words: &[&str], source: &Path, out: &Path) {
    let mut cc = command(compiler, &["-static", "-O1", "-Wall", "-Wextra", "-Werror", "-o"]);
    let built = cc.arg(out).arg(source).args(words).status();
    assert!(built.unwrap().success(), "cannot build {}", source.display());
}

/// What programs of the machine's own take, which the default filter ends where the tests are
/// of the other architecture.
pub const OF_THE_HOST: &[&str] = if I686 { &["--security-opt", "seccomp=unconfined"] } else { &[] };

/// The calls in whose place thimble makes another where words have 32 bits, and that one.
const NAMED_ANEW: &[(&str, &str)] = &[
    ("clock_gettime", "clock_gettime64"),
    ("fstat", "fstat64"),
    ("fstatfs", "fstatfs64"),
    ("mmap", "mmap2"),
    ("nanosleep", "clock_nanosleep_time64"),
    ("rt_sigtimedwait", "rt_sigtimedwait_time64"),
    ("setgroups", "setgroups32"),
    ("setresgid", "setresgid32"),
    ("setresuid", "setresuid32"),
];

/// The name that a call of thimble's has here, by the one where words have 64 bits.
pub fn named_here(name: &str) -> &str {
    let other = NAMED_ANEW.iter().find(|(wide, _)| *wide == name);
    other.filter(|_| cfg!(target_pointer_width = "32")).map_or(name, |(_, narrow)| narrow)
}

/// And the other way round.
pub fn named_widely(name: &str) -> &str {
    NAMED_ANEW.iter().find(|(_, narrow)| *narrow == name).map_or(name, |(wide, _)| wide)
}

/// The program under test: what `make test` built, or else cargo's debug build.
pub fn thimble() -> PathBuf {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    let make = || hiding(&hidden(), "thimble", &program());
    if OLD_KERNEL { MADE.get_or_init(make).clone() } else { program() }
}

/// The executable itself.
pub fn program() -> PathBuf {
    match std::env::var_os("THIMBLE") {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(env!("CARGO_BIN_EXE_thimble")),
    }
}

/// The newer calls (Linux 5.1 and later) that thimble makes, or might.
const NEWER: &[(&str, libc::c_long)] = &[
    ("open_tree", libc::SYS_open_tree),
    ("move_mount", libc::SYS_move_mount),
    ("fsopen", libc::SYS_fsopen),
    ("fsmount", libc::SYS_fsmount),
    ("pidfd_send_signal", libc::SYS_pidfd_send_signal),
    ("pidfd_open", libc::SYS_pidfd_open),
    ("clone3", libc::SYS_clone3),
    ("openat2", libc::SYS_openat2),
    ("close_range", libc::SYS_close_range),
    ("mount_setattr", libc::SYS_mount_setattr),
    ("open_tree_attr", 467),
];

/// Which of them tests/old_kernel.rs hides: all, or one alone.
fn hidden() -> String {
    std::env::var("THIMBLE_HIDE").unwrap_or("all".into())
}

/// Whether the files of ROOTFS can be those of the container's users.
pub fn maps_files() -> bool {
    !OLD_KERNEL || hidden() == "close_range"
}

/// A program as on a kernel without one of the newer calls, or `all` of them, in form of a
/// script: a filter answers ENOSYS.
pub fn hiding(call: &str, name: &str, program: &Path) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let calls = NEWER.iter().filter(|(name, _)| call == "all" || call == *name);
    let calls: Vec<_> = calls.map(|(_, number)| number.to_string()).collect();
    assert!(!calls.is_empty(), "no newer call: {call}");
    // This file may be part of one test program more than once, and that run more than once. By a
    // shell, so that no process that a test starts has the script open for writing.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let own = module_path!().replace("::", ".");
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let script = place.join(format!("{own}.{name}.{call}.sh"));
    let make = format!(
        "cc {m32} -static -O1 -o {new} tests/tools/without.c && mv {new} {without} && \
         printf '#!/bin/sh\\nexec {without} {} {} \"$@\"\\n' > {new} && chmod 755 {without} {new} && \
         mv {new} {script}",
        calls.join(","),
        fs::canonicalize(program).unwrap().display(),
        m32 = M32.join(" "),
        new = place.join(format!("{own}.{}.{number}", std::process::id())).display(),
        without = place.join("without").display(),
        script = script.display(),
    );
    assert!(Command::new("sh").args(["-c", &make]).status().unwrap().success());
    script
}

/// An image that `tests/tools/image.sh` makes, made if it is not there.
pub fn image(kind: &str) -> PathBuf {
    let images = if I686 { "target/images-i386" } else { "target/images" };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(images).join(kind);
    if !root.join(".complete").exists() {
        static MAKING: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let _one = MAKING.lock().unwrap();
        let made = Command::new("tests/tools/image.sh")
            .arg(kind)
            .arg(&root)
            .args(I686.then_some("i386"))
            .status()
            .unwrap();
        assert!(made.success(), "cannot make the image {kind}");
    }
    root
}

/// A small root file system with busybox. Shared: not to be written to.
pub fn busybox() -> PathBuf {
    image("busybox")
}

/// Debian, as debootstrap makes it. Shared: not to be written to.
pub fn debian() -> PathBuf {
    image("debian")
}

/// A root file system of a test's own, empty but for busybox and its links.
pub fn own_root() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-a").arg(busybox().join(".")).arg(root.path()).status();
    assert!(copied.unwrap().success());
    root
}

/// Copies a program, by another process: none that a test starts meanwhile has the copy open for
/// writing, as which it could not be executed.
pub fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) {
    let copied = command("cp", &[from.as_ref(), to.as_ref()]).status();
    assert!(copied.unwrap().success(), "cannot copy {}", from.as_ref().display());
}

/// The ids of an ordinary user, whom no file of the host's knows.
pub const USER: u32 = 54321;

/// What an ordinary user needs for a container: a root file system that belongs
/// to him, and the program where he can reach it.
pub struct Ordinary {
    place: tempfile::TempDir,
    user: u32,
}

impl Ordinary {
    pub fn new() -> Ordinary {
        Ordinary::of(USER)
    }

    /// The same for another user.
    pub fn of(user: u32) -> Ordinary {
        let place = tempfile::tempdir().unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(place.path(), mode).unwrap();
        copy(thimble(), place.path().join("thimble"));
        let ordinary = Ordinary { place, user };
        let from = busybox().join("."); // and not a link of that name
        let copied = Command::new("cp").arg("-a").arg(from).arg(ordinary.root()).status();
        assert!(copied.unwrap().success());
        let owner = format!("{user}:{user}");
        let given = Command::new("chown").args(["-R", &owner]).arg(ordinary.root()).status();
        assert!(given.unwrap().success());
        ordinary
    }

    /// His root file system.
    pub fn root(&self) -> PathBuf {
        self.place.path().join("root")
    }

    /// His copy of the program.
    pub fn program(&self) -> PathBuf {
        self.place.path().join("thimble")
    }

    /// A command of his, without a group besides his own.
    pub fn command<S: AsRef<OsStr>>(&self, program: impl AsRef<OsStr>, words: &[S]) -> Command {
        let user = self.user.to_string();
        let mut command = command("setpriv", &["--reuid", &user, "--regid", &user]);
        command.arg("--clear-groups").arg(program.as_ref()).args(words);
        command
    }

    /// His `thimble` with these words.
    pub fn thimble<S: AsRef<OsStr>>(&self, words: &[S]) -> Command {
        self.command(self.program(), words)
    }

    /// His `thimble run OPTIONS ROOT /bin/sh -c SCRIPT`, to its end.
    pub fn sh(&self, options: &[&str], script: &str) -> Ran {
        let mut command = self.thimble(&["run"]);
        command.args(options).arg(self.root()).args(["/bin/sh", "-c", script]);
        Ran::of(command.output().unwrap())
    }
}

/// A name that no other container of these tests has.
pub fn unique_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // This file may be part of one test program more than once.
    let own = module_path!().replace("::", ".");
    format!("test-{}-{}-{own}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What a command printed, and how it ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ran {
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn of(output: Output) -> Ran {
        Ran {
            status: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The standard output, of a command that must have gone well and quietly.
    pub fn good(self) -> String {
        assert_eq!((self.status, self.err.as_str()), (Some(0), ""), "{}", self.out);
        self.out
    }
}

/// A command with nothing on its standard input.
pub fn command<S: AsRef<OsStr>>(program: impl AsRef<OsStr>, arguments: &[S]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    // For `processes_with`.
    let mut words = Vec::new();
    for argument in arguments {
        words.extend(argument.as_ref().as_bytes());
        words.push(b' ');
    }
    words.truncate(4096);
    command.env("TEST_WORDS", OsStr::from_bytes(&words));
    command
}

/// Runs thimble with these arguments to its end.
pub fn run<S: AsRef<OsStr>>(arguments: &[S]) -> Ran {
    Ran::of(command(thimble(), arguments).output().unwrap())
}

/// Runs `thimble run OPTIONS BUSYBOX /bin/sh -c SCRIPT`.
pub fn sh(options: &[&str], script: &str) -> Ran {
    let root = busybox();
    let mut words = vec!["run"];
    words.extend(options);
    words.extend([root.to_str().unwrap(), "/bin/sh", "-c", script]);
    run(&words)
}

/// A running thimble, ended with the test whatever becomes of it.
pub struct Running(Option<Child>);

impl Running {
    /// What this command starts, with its output for the test to read.
    pub fn new(mut command: Command) -> Running {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::at(command)
    }

    /// What this command starts, as it is.
    pub fn at(mut command: Command) -> Running {
        Running(Some(command.spawn().unwrap()))
    }

    pub fn id(&self) -> u32 {
        self.0.as_ref().unwrap().id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        // SAFETY: a process of the test's own, which it has not waited for.
        assert_eq!(unsafe { libc::kill(self.id() as i32, signal) }, 0);
    }

    /// The next line that it prints, within thirty seconds.
    pub fn line(&mut self) -> String {
        let output = self.0.as_mut().unwrap().stdout.as_mut().unwrap();
        let (mut line, mut byte) = (Vec::new(), [0]);
        let mut there = libc::pollfd { fd: output.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // Byte by byte: what follows is for who waits.
        loop {
            // SAFETY: one entry, for the length of the call.
            assert_eq!(unsafe { libc::poll(&mut there, 1, 30_000) }, 1, "no line comes");
            if output.read(&mut byte).unwrap() == 0 || byte == *b"\n" {
                break;
            }
            line.extend(byte);
        }
        String::from_utf8(line).unwrap()
    }

    pub fn kill(mut self) {
        let mut child = self.0.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Whether it has ended.
    pub fn is_over(&mut self) -> bool {
        self.0.as_mut().unwrap().try_wait().unwrap().is_some()
    }

    /// What it printed and how it ended, within thirty seconds.
    pub fn wait(mut self) -> Ran {
        eventually("it ends", || self.is_over());
        Ran::of(self.0.take().unwrap().wait_with_output().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Starts `thimble run OPTIONS BUSYBOX /bin/sh -c SCRIPT`.
pub fn start(options: &[&str], script: &str) -> Running {
    let root = busybox();
    let mut words = vec!["run"];
    words.extend(options);
    words.extend([root.to_str().unwrap(), "/bin/sh", "-c", script]);
    Running::new(command(thimble(), &words))
}

/// The host's mount table.
pub fn mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").unwrap()
}

/// The processes of the host whose command line has this text in it, other
/// than the tests' own.
pub fn processes_with(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let path = entry.path();
        let Ok(mut words) = fs::read(path.join("cmdline")) else { continue };
        // pid 1 of a container does not show its own.
        if words.iter().all(|byte| *byte == 0) {
            words = fs::read(path.join("environ")).unwrap_or_default();
        }
        let line = String::from_utf8_lossy(&words).replace('\0', " ");
        if line.contains(text)
            && entry.file_name().to_str() != Some(&std::process::id().to_string())
        {
            found.push(format!("{} {line}", path.display()));
        }
    }
    found
}

/// The processes that have executed just this, and not those that have been told to.
pub fn processes_of(words: &str) -> Vec<u32> {
    let words = format!(" {words} ");
    let found = processes_with(words.trim());
    let own = found.iter().filter_map(|process| process.strip_suffix(&words));
    own.filter_map(|place| place["/proc/".len()..].parse().ok()).collect()
}

/// Whether a process is in rt_sigtimedwait(2), or what that is of 64 bits' time on a machine of 32.
pub fn waits(pid: u32) -> bool {
    let call = fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap();
    let number = call.split(' ').next().unwrap();
    let wide = cfg!(target_pointer_width = "32") && number == "421";
    wide || number == libc::SYS_rt_sigtimedwait.to_string()
}

/// The directory of a hierarchy of cgroup v1, where this host has one.
pub fn cgroup_v1(controller: &str) -> PathBuf {
    let place = Path::new("/sys/fs/cgroup").join(controller);
    assert!(place.join("cgroup.procs").exists(), "this host has no cgroup v1 {controller}");
    place
}

/// The children of a process, the oldest first, as the host numbers them.
pub fn children(pid: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

/// The cgroups of the host whose name has this text in it.
pub fn cgroups_with(text: &str) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut places = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(place) = places.pop() {
        for entry in fs::read_dir(&place).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if entry.file_name().to_string_lossy().contains(text) {
                    found.insert(entry.path());
                }
                places.push(entry.path());
            }
        }
    }
    found
}

/// The entries below a directory, with what tells whether they changed.
pub fn listing(root: &Path) -> String {
    let listed = command("find", &[root.as_os_str()])
        .args(["-printf", "%P %y %m %u %g %s %l\n"])
        .output()
        .unwrap();
    let mut lines: Vec<_> =
        String::from_utf8_lossy(&listed.stdout).lines().map(String::from).collect();
    lines.sort();
    lines.join("\n")
}

/// Compares a text with a file of `tests/golden`, or writes that file if
/// `UPDATE_GOLDEN` asks for it.
pub fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, text).unwrap();
        return;
    }
    let known = fs::read_to_string(&path).unwrap_or_default();
    let lines = |text: &str| text.lines().map(String::from).collect::<BTreeSet<_>>();
    let (old, new) = (lines(&known), lines(text));
    let show = |lines: &BTreeSet<String>, other: &BTreeSet<String>, mark: &str| -> String {
        lines.difference(other).map(|line| format!("{mark}{line}\n")).collect()
    };
    assert!(
        known == text,
        "tests/golden/{name} says otherwise (UPDATE_GOLDEN=1 writes it anew):\n{}{}",
        show(&old, &new, "-"),
        show(&new, &old, "+")
    );
}

/// Waits until something holds, thirty seconds at most.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(30), "not within thirty seconds: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The program in which a defence can be left out by name, in THIMBLE_LEAVE_OUT: built once, by
/// cargo, which lets one test's build wait for another's.
pub fn thimble_without() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/leave-out");
        let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
        let built = command(cargo, &["build", "--quiet", "--locked", "--features", "leave-out"])
            .args(["--bin", "thimble", "--target-dir"])
            .arg(&target)
            .args(I686.then_some("--target=i686-unknown-linux-gnu"))
            .status();
        assert!(built.unwrap().success(), "cannot build the program with the feature leave-out");
        target.join(if I686 { "i686-unknown-linux-gnu/debug" } else { "debug" }).join("thimble")
    };
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    let program = BUILT.get_or_init(build);
    let make = || hiding(&hidden(), "leave-out", program);
    if OLD_KERNEL { MADE.get_or_init(make).clone() } else { program.clone() }
}

/// What tests/probes/probe.c becomes: a static program to run in a container. Built once for each
/// run of a test program.
pub fn probe() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || built_probe("cc", M32, if I686 { "target/probe-i386" } else { "target/probe" });
    BUILT.get_or_init(build).clone()
}

/// Builds the probe by a compiler, into a place of the project's, where it is put by a rename.
fn built_probe(compiler: &str, words: &[&str], name: &str) -> PathBuf {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let new = project.join(format!("{name}.{}", std::process::id()));
    compiled(compiler, words, &project.join("tests/probes/probe.c"), &new);
    fs::rename(new, project.join(name)).unwrap();
    project.join(name)
}

/// A root file system of a test's own that holds nothing but the probe and mount points.
pub fn probe_root() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for directory in ["bin", "proc", "sys", "dev", "tmp", "etc"] {
        fs::create_dir(root.path().join(directory)).unwrap();
    }
    copy(probe(), root.path().join("bin/probe"));
    root
}

/// A tree that Debian's python comes from, by volumes: source in the image `python`, and place.
pub fn python() -> Vec<(PathBuf, String)> {
    let image = image("python");
    let only = |directory: &str, is_it: &dyn Fn(&str) -> bool| {
        let entries = fs::read_dir(image.join(directory)).unwrap().flatten();
        let mut names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        names.find(|name| is_it(name)).unwrap()
    };
    let version = only("usr/lib", &|name| name.starts_with("python3."));
    let libraries = only("usr/lib", &|name| name.contains("-linux-"));
    vec![
        (image.join("usr/lib").join(&version), format!("/usr/lib/{version}")),
        (image.join("usr/bin").join(&version), "/usr/bin/python3".into()),
        (image.join("usr/lib").join(&libraries), "/opt/usr-lib".into()),
        (image.join("lib").join(&libraries), "/opt/lib".into()),
        (image.join("etc/services"), "/etc/services".into()),
    ]
}

/// What proc_pid_status(5) says of a process's rights.
pub const RIGHTS: &[&str] = &[
    "Uid",
    "Gid",
    "Groups",
    "CapInh",
    "CapPrm",
    "CapEff",
    "CapBnd",
    "CapAmb",
    "NoNewPrivs",
    "Seccomp",
    "Seccomp_filters",
];

/// A new pseudo-terminal: the master, and the slave, which lives as long as that.
pub fn terminal() -> (File, File) {
    let master = File::options().read(true).write(true).open("/dev/ptmx").unwrap();
    let (mut number, unlock) = (0, 0);
    // SAFETY: both requests take a pointer to an int.
    let done = unsafe {
        [
            libc::ioctl(master.as_raw_fd(), libc::TIOCGPTN, &mut number),
            libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &unlock),
        ]
    };
    assert_eq!(done, [0, 0]);
    let path = format!("/dev/pts/{number}");
    let slave = File::options().read(true).write(true).custom_flags(libc::O_NOCTTY).open(path);
    (master, slave.unwrap())
}
