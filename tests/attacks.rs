//! Ways out of a container, most of them found in other runners. Each is tried
//! against the default posture, where it has to fail, and then, as a control,
//! by the same probe against a build in which the one defence that is there
//! against it is left out by name: there it has to succeed. What `--privileged`
//! and `--bare` give up is tried by the same list, and compared with the table
//! in the README.

mod common;
use common::*;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Who runs thimble.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Caller {
    Root,
    /// An ordinary user, whom no file of the host's knows.
    User,
}

/// Everybody for whom the attacks are tried.
const CALLERS: &[Caller] = &[Caller::Root, Caller::User];

struct Attack {
    name: &'static str,
    /// The same in words, for the README's table.
    words: &'static str,
    /// The defences that the control leaves out: two, where either is enough. As root and as an
    /// ordinary user, whom the kernel refuses some of it whatever thimble does.
    defences: [&'static str; 2],
    /// Whether it works.
    attempt: fn(&Scene) -> bool,
}

/// What stands in the place of a defence that is the kernel's.
const KERNEL: &str = "";

/// What there is no defence against, and the README says so.
const STAYS: &str = "-";

/// A root file system with the probe in it, and next to it a file of the caller's
/// and a directory: what an attack is after.
struct Scene {
    place: tempfile::TempDir,
    caller: Caller,
    options: Vec<String>,
    left_out: &'static str,
    /// By how much races are shorter than they should be.
    haste: u32,
}

impl Scene {
    fn new(caller: Caller, options: &[&str], left_out: &'static str) -> Scene {
        let place = tempfile::tempdir().unwrap();
        let program = if left_out.is_empty() { thimble() } else { thimble_without() };
        copy(program, place.path().join("thimble"));
        fs::rename(probe_root().keep(), place.path().join("root")).unwrap();
        fs::create_dir(place.path().join("outside")).unwrap();
        fs::write(place.path().join("mark"), "the caller's\n").unwrap();
        if caller == Caller::User {
            let owner = format!("{USER}:{USER}");
            let given = command("chown", &["-R", &owner]).arg(place.path()).status();
            assert!(given.unwrap().success());
        }
        let options = options.iter().map(|option| option.to_string()).collect();
        Scene { place, caller, options, left_out, haste: 1 }
    }

    /// The user who runs thimble.
    fn owner(&self) -> u32 {
        if self.caller == Caller::User { USER } else { 0 }
    }

    /// A path below the scene's directory.
    fn at(&self, path: &str) -> PathBuf {
        self.place.path().join(path)
    }

    fn text(&self, path: &str) -> String {
        self.at(path).to_str().unwrap().into()
    }

    /// thimble, with these options besides those of the posture, and words inside.
    fn thimble(&self, options: &[&str], words: &[&str]) -> Command {
        self.thimble_under(&[], options, words)
    }

    /// The same by way of another program, which executes what its last arguments are.
    fn thimble_under(&self, by: &[&str], options: &[&str], words: &[&str]) -> Command {
        let (program, root) = (self.text("thimble"), self.text("root"));
        let user = self.owner().to_string();
        let mut line: Vec<&str> = by.to_vec();
        if self.caller == Caller::User {
            let groups = if by.contains(&"--groups") { "--keep-groups" } else { "--clear-groups" };
            line.extend(["setpriv", "--reuid", &user, "--regid", &user, groups]);
        }
        line.extend([program.as_str(), "run"]);
        line.extend(self.options.iter().map(String::as_str));
        line.extend(options);
        line.push(&root);
        line.extend(words);
        let mut command = command(line[0], &line[1..]);
        command.env("THIMBLE_LEAVE_OUT", self.left_out);
        command
    }

    /// `thimble exec`, with these options and words.
    fn exec(&self, pid: &str, options: &[&str], words: &[&str]) -> Command {
        let (program, user) = (self.text("thimble"), self.owner().to_string());
        let mut line = vec!["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups"];
        line.extend([program.as_str(), "exec"]);
        line.extend(options);
        line.push(pid);
        line.extend(words);
        let mut command = command(line[0], &line[1..]);
        command.env("THIMBLE_LEAVE_OUT", self.left_out);
        command
    }

    /// The probe inside, with these words. Whether what it tries works.
    fn probe(&self, words: &[&str]) -> bool {
        self.probe_with(&[], words)
    }

    /// The same with further options of thimble's.
    fn probe_with(&self, options: &[&str], words: &[&str]) -> bool {
        worked(&mut self.thimble(options, &[&["probe"], words].concat()))
    }

    /// The same by way of another program.
    fn probe_under(&self, by: &[&str], words: &[&str]) -> bool {
        worked(&mut self.thimble_under(by, &[], &[&["probe"], words].concat()))
    }
}

/// Whether the probe's attack worked, or was refused by thimble or the kernel.
fn worked(command: &mut Command) -> bool {
    let ran = Ran::of(command.output().unwrap());
    println!("{ran:?}");
    match ran.status {
        Some(0) => true,
        Some(1 | 125) => false,
        _ => panic!("the probe is at fault: {ran:?}"),
    }
}

/// What the probe prints outside of any container.
fn outside(words: &[&str]) -> String {
    Ran::of(command(probe(), words).output().unwrap()).good()
}

/// A process that is ended with the test.
struct Running(Child);

impl Running {
    fn new(mut command: Command) -> Running {
        Running(command.spawn().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A container whose program has said that it runs.
struct Container {
    child: Child,
    /// Its pid 1.
    pid: String,
}

impl Container {
    fn start(mut command: Command) -> Container {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "it did not start");
        Container { pid: children(child.id())[0].to_string(), child }
    }

    /// The status of its end.
    fn end(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lets a command run on a terminal that is its session's.
fn on_terminal(command: &mut Command, slave: File) -> &mut Command {
    command.stdin(slave);
    let begin = || {
        // SAFETY: only system calls, between fork and exec.
        if unsafe { libc::setsid() < 0 || libc::ioctl(0, libc::TIOCSCTTY, 0) < 0 } {
            return Err(std::io::Error::last_os_error());
        }
        Ok(())
    };
    // SAFETY: likewise.
    unsafe { command.pre_exec(begin) }
}

/// An ioctl on the caller's terminal, spelled in two ways.
fn on_a_terminal(scene: &Scene, requests: [&str; 2]) -> bool {
    let [one, other] = requests.map(|request| {
        let (_master, slave) = terminal();
        let mut command = scene.thimble(&[], &["probe", "terminal", request]);
        worked(on_terminal(&mut command, slave))
    });
    assert_eq!(one, other, "{requests:?}");
    one
}

/// Lets a command inherit a directory as descriptor 7.
fn with_descriptor(command: &mut Command, directory: PathBuf) -> &mut Command {
    with_file(command, File::open(directory).unwrap())
}

/// The same with a file that is open.
fn with_file(command: &mut Command, file: File) -> &mut Command {
    // SAFETY: only system calls, between fork and exec. (One that is 7 already stays as it is.)
    unsafe {
        command.pre_exec(move || {
            if libc::dup2(file.as_raw_fd(), 7) != 7 || libc::fcntl(7, libc::F_SETFD, 0) != 0 {
                return Err(std::io::Error::last_os_error());
            }
            Ok(())
        })
    }
}

/// Links that an image may have in the place of a directory, to one of the host's.
fn hostile_links(target: &str) -> [String; 5] {
    [
        target.into(),
        format!("../../../../../../../..{target}"),
        format!("/proc/self/root{target}"),
        format!("/proc/1/cwd{target}"),
        format!("/proc/self/cwd/../../../../../../..{target}"),
    ]
}

/// Swaps two names until it is dropped, while a container is started up to so many times: until
/// one of them `falls`.
fn race(scene: &Scene, names: [&str; 2], times: u32, mut falls: impl FnMut() -> bool) -> bool {
    let root = scene.text("root");
    let _racer = Running::new(command(probe(), &["exchange", &root, names[0], names[1]]));
    (0..times / scene.haste).any(|_| falls())
}

/// One of the three that thimble mounts on, as a link to a directory of the host's that the image
/// has too, with what a /proc needs in it.
fn images_link(scene: &Scene, name: &str, step: &str) -> bool {
    let (place, target) = (scene.at("root").join(name), scene.text("outside"));
    fs::remove_dir(&place).unwrap();
    symlink(&target, &place).unwrap();
    let fake = scene.at("root").join(&target[1..]).join("self");
    fs::create_dir_all(&fake).unwrap();
    fs::write(fake.join("status"), "FDSize:\t64\nSigIgn:\t0000000000000000\n").unwrap();
    let words = ["probe", "open", "r", "/bin/probe"];
    let ran = Ran::of(scene.thimble(&["--verbose"], &words).output().unwrap());
    println!("{ran:?}");
    assert_eq!(fs::read_dir(scene.at("outside")).unwrap().count(), 0, "made on the host");
    ran.status == Some(0) && ran.err.contains(step)
}

/// Whether a container's program gets hold of the terminal of who executes another one there, with
/// these options.
fn terminal_of_who_executes(scene: &Scene, options: &[&str]) -> bool {
    let (_master, slave) = terminal();
    std::os::unix::fs::fchown(&slave, Some(scene.owner()), None).unwrap();
    let status = slave.metadata().unwrap();
    let (device, number) = (status.dev().to_string(), status.rdev().to_string());
    let words = ["probe", "takes", "/tmp/offered", &device, &number];
    let mut container = Container::start(scene.thimble(&[], &words));
    let mut exec = scene.exec(&container.pid, options, &["probe", "offers", "/tmp/offered"]);
    on_terminal(&mut exec, slave);
    let mut exec = Running::new(exec);
    eventually("it is offered", || {
        let failed = exec.0.try_wait().unwrap().is_some_and(|status| status.code() == Some(125));
        assert!(!failed, "it was not executed");
        scene.at("root/tmp/offered").exists()
    });
    match container.end() {
        Some(0) => true,
        Some(1) => false,
        other => panic!("the probe is at fault: {other:?}"),
    }
}

/// Lets a command be in a cgroup of the caller's own, by way of other words.
fn in_a_cgroup(scene: &Scene, act: impl Fn(&[&str], &Path) -> bool) -> bool {
    let place = cgroup_v1("pids").join(unique_name());
    fs::create_dir(&place).unwrap();
    for file in ["", "cgroup.procs"] {
        let owner = Some(scene.owner());
        std::os::unix::fs::chown(place.join(file), owner, owner).unwrap();
    }
    let enter = "echo $$ > $1/cgroup.procs && shift && exec \"$@\"";
    let done = act(&["sh", "-c", enter, "sh", place.to_str().unwrap()], &place);
    eventually("it is empty", || fs::remove_dir(&place).is_ok());
    done
}

/// A device node in a directory.
fn node(path: &Path, numbers: [&str; 2]) {
    let path = path.to_str().unwrap();
    let made = command("mknod", &["-m", "666", path, "c", numbers[0], numbers[1]]).status();
    assert!(made.unwrap().success());
}

macro_rules! attacks {
    ($($name:ident: $words:literal, without $root:tt $(as user $user:expr)?, $attempt:expr;)*) => {
        /// All of them, in the order of the README's table.
        const ATTACKS: &[Attack] = &[$(Attack {
            name: stringify!($name),
            words: $words,
            defences: { let _both = [$root; 2]; $(let _both = [$root, $user];)? _both },
            attempt: $attempt,
        }),*];
        $(
            #[test]
            fn $name() {
                fails_and_its_control_does_not(stringify!($name));
            }
        )*
    };
}

fn fails_and_its_control_does_not(name: &str) {
    let attack = ATTACKS.iter().find(|attack| attack.name == name).unwrap();
    for (caller, defences) in CALLERS.iter().zip(attack.defences) {
        let tried = |left_out| (attack.attempt)(&Scene::new(*caller, &[], left_out));
        assert_eq!(tried(""), defences == STAYS, "{name} as {caller:?}");
        if defences == KERNEL {
            // Then also without what stands in its way for root.
            assert!(!tried(attack.defences[0]), "{name} as {caller:?}: not the kernel's to refuse");
        } else if defences != STAYS {
            assert!(tried(defences), "{name} as {caller:?}, the control: refused");
        }
    }
}

attacks! {
    // What the caller hands over.
    a_directory_as_descriptor:
        "a directory given as descriptor (`</`)",
        without "directory check",
        |scene| {
            let mut command = scene.thimble(&[], &["probe", "descriptor", &scene.text("mark")]);
            worked(command.stdin(File::open(scene.place.path()).unwrap()))
        };
    an_input_file_written_to:
        "writing to a file given as input, by `/proc/self/fd/0`",
        without "input protection",
        |scene| {
            let words = ["probe", "write", "/proc/self/fd/0", "changed"];
            let input = File::open(scene.at("mark")).unwrap();
            scene.thimble(&[], &words).stdin(input).output().unwrap();
            fs::read_to_string(scene.at("mark")).unwrap().contains("changed")
        };
    a_leaked_descriptor:
        "a descriptor of the caller's (CVE-2024-21626)",
        without "closed descriptors",
        |scene| {
            let mut command = scene.thimble(&[], &["probe", "descriptor", &scene.text("mark")]);
            worked(with_descriptor(&mut command, scene.at("outside")))
        };
    a_leaked_working_directory:
        "such a descriptor as the working directory (CVE-2024-21626)",
        without "closed descriptors",
        |scene| {
            let words = ["probe", "here", &scene.text("mark")];
            let mut command = scene.thimble(&["-w", "/proc/self/fd/7"], &words);
            worked(with_descriptor(&mut command, scene.at("outside")))
        };
    the_callers_groups:
        "the caller's supplementary groups (CVE-2022-36109)",
        without "groups" as user STAYS,
        |scene| {
            let file = scene.text("root/secret");
            fs::write(&file, "").unwrap();
            std::os::unix::fs::chown(&file, Some(0), Some(27)).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o040)).unwrap();
            let by = ["setpriv", "--groups", "4,27"];
            let words = ["probe", "open", "r", "/secret"];
            worked(&mut scene.thimble_under(&by, &["-u", "1000:1000"], &words))
        };
    inheritable_capabilities:
        "inheritable capabilities (CVE-2022-29162)",
        without "empty inheritable set",
        |scene| scene.probe_under(&["setpriv", "--inh-caps", "+chown"], &["inheritable"]);
    the_callers_keyring:
        "keys of the caller's session",
        without "keyring,seccomp",
        |scene| scene.probe_under(&[&scene.text("root/bin/probe"), "with-key"], &["key"]);
    the_callers_terminal:
        "opening the terminal of the caller's session",
        without "session",
        |scene| {
            let (_master, slave) = terminal();
            node(&scene.at("root/dev/tty"), ["5", "0"]);
            let mut command = scene.thimble(&[], &["probe", "open", "r", "/dev/tty"]);
            worked(on_terminal(&mut command, slave))
        };
    input_pushed_into_a_terminal:
        "TIOCSTI (CVE-2017-5226), also with high bits (CVE-2019-10063)",
        without "seccomp,session,capabilities",
        |scene| on_a_terminal(scene, ["0x5412", "0x100005412"]);
    a_consoles_selection_pasted:
        "TIOCLINUX (CVE-2023-1523), also with high bits",
        without "seccomp,session,capabilities",
        |scene| on_a_terminal(scene, ["0x541c", "0xffffffff0000541c"]);
    input_pushed_into_its_own_terminal:
        "TIOCSTI on the terminal that `-t` gives",
        without "seccomp",
        |scene| scene.probe_with(&["-t"], &["terminal", "0x5412"]);
    the_status_forged:
        "writing to what `--json-status-fd` tells the end on",
        without "closed descriptors",
        |scene| {
            let status = scene.at("status");
            fs::write(&status, "").unwrap();
            if scene.caller == Caller::User {
                std::os::unix::fs::chown(&status, Some(USER), Some(USER)).unwrap();
            }
            let words = ["probe", "write", "/proc/self/fd/7", "forged"];
            let mut command = scene.thimble(&["--json-status-fd", "7"], &words);
            let file = fs::OpenOptions::new().append(true).open(&status).unwrap();
            println!("{:?}", with_file(&mut command, file).output().unwrap());
            let told = fs::read_to_string(&status).unwrap();
            assert!(told.contains("exit-code"), "{told}");
            told.contains("forged")
        };

    the_pid_forged:
        "writing to where `--detach` tells the pid",
        without "output let go",
        |scene| {
            let ran = Ran::of(scene.thimble(&["-d"], &["probe", "root"]).output().unwrap());
            println!("{ran:?}");
            assert_eq!(ran.status, Some(0));
            ran.out.lines().count() > 1
        };
    a_descriptor_leaked_to_exec:
        "a descriptor of who calls `exec`, also as the working directory",
        without "closed descriptors",
        |scene| {
            let container = Container::start(scene.thimble(&[], &["probe", "told"]));
            let tried = [(&[][..], "descriptor"), (&["-w", "/proc/self/fd/7"], "here")];
            let tried = tried.map(|(options, probe)| {
                let words = ["probe", probe, &scene.text("mark")];
                let mut command = scene.exec(&container.pid, options, &words);
                worked(with_descriptor(&mut command, scene.at("outside")))
            });
            assert_eq!(tried[0], tried[1]);
            tried[0]
        };
    a_terminal_of_its_own:
        "the caller's terminal, where `-t` gives another",
        without "own terminal",
        |scene| {
            let (_master, slave) = terminal();
            let own = slave.try_clone().unwrap();
            worked(on_terminal(&mut scene.thimble(&["-t"], &["probe", "resizes"]), slave));
            // SAFETY: an all-zero winsize is valid, and is filled.
            let size = unsafe {
                let mut size: libc::winsize = std::mem::zeroed();
                assert_eq!(libc::ioctl(own.as_raw_fd(), libc::TIOCGWINSZ, &mut size), 0);
                size
            };
            size.ws_row == 7
        };
    the_terminal_of_who_executes:
        "the terminal of who calls `exec -t`, for a program that was there before",
        without "own terminal",
        |scene| terminal_of_who_executes(scene, &["-t"]);
    the_terminal_of_who_executes_without_one:
        "the same without `-t`, for as long as the container lives",
        without STAYS,
        |scene| terminal_of_who_executes(scene, &[]);
    a_terminal_that_is_kept:
        "holding up the end of `exec -t`, and reading what is typed from then on",
        without "end of the terminal",
        |scene| {
            let container = Container::start(scene.thimble(&[], &["probe", "told"]));
            let (mut master, slave) = terminal();
            let mut exec = scene.exec(&container.pid, &["-t"], &["probe", "keeps", "/tmp/typed"]);
            on_terminal(exec.stdout(Stdio::null()), slave);
            let mut exec = Running::new(exec);
            let typed = || fs::read_to_string(scene.at("root/tmp/typed")).unwrap_or_default();
            eventually("the program has ended", || typed().starts_with("gone"));
            // Its number is that of a zombie until exec has seen its end: two relays are left.
            eventually("its end is known", || children(exec.0.id()).len() < 3);
            for number in 0..3000 {
                if exec.0.try_wait().unwrap().is_some() {
                    return false;
                }
                // For two seconds, as the end is on its way.
                if typed().contains("secret 100") {
                    return true;
                }
                master.write_all(format!("secret {number}\n").as_bytes()).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            panic!("it does not end");
        };
    another_line_discipline:
        "another line discipline (TIOCSETD) for the terminal that `-t` gives",
        without "seccomp",
        |scene| scene.probe_with(&["-t"], &["discipline"]);
    a_link_as_pid_file:
        "a link in the place of `--pidfile`, to have another file written",
        without "new pid file",
        |scene| {
            symlink(scene.at("mark"), scene.at("outside/pid")).unwrap();
            let ran = scene.probe_with(&["--pidfile", &scene.text("outside/pid")], &["root"]);
            assert!(ran);
            fs::read_to_string(scene.at("mark")).unwrap() != "the caller's\n"
        };
    a_pid_file_exchanged:
        "another file in the place of `--pidfile` meanwhile, to have that removed",
        without "pid file check",
        |scene| {
            let (file, place) = (scene.text("outside/pid"), scene.text("outside"));
            fs::write(scene.at("outside/other"), "another's\n").unwrap();
            let options = ["--pidfile", &file, "-v", &format!("{place}:/tmp")];
            assert!(scene.probe_with(&options, &["renames", "/tmp/other", "/tmp/pid"]));
            !Path::new(&file).exists()
        };
    outliving_its_time:
        "outliving `--timeout`, with every signal blocked",
        without "kill",
        |scene| {
            for seconds in ["1", "5", "25"] {
                let options = ["--timeout", seconds, "--stop-timeout", seconds];
                let ran = scene.thimble(&options, &["probe", "outlives"]).output().unwrap();
                let ran = Ran::of(ran);
                println!("{ran:?}");
                assert_eq!(ran.status, Some(124));
                // Else there were fewer than two signals, on a machine with much else to do.
                let outlived = ran.out.ends_with("outlived\n");
                if outlived || scene.left_out.is_empty() && !ran.out.is_empty() {
                    return outlived;
                }
            }
            panic!("it does not run in time");
        };
    outliving_by_forking:
        "outliving the end with `--pid host`, by forking all the time",
        without "end of all",
        |scene| {
            let go = scene.at("root/tmp/go");
            in_a_cgroup(scene, |by, _| {
                fs::write(&go, "").unwrap();
                let name = unique_name();
                let options = ["--pid=host", "--pids-limit=500", "--name", &name];
                let words = ["probe", "forks", "/tmp/go"];
                let status = scene.thimble_under(by, &options, &words).status().unwrap().code();
                let left = cgroups_with(&name);
                fs::remove_file(&go).unwrap();
                for path in &left {
                    eventually("it is empty", || fs::remove_dir(path).is_ok());
                }
                assert_eq!(status, Some(0), "{left:?}");
                !left.is_empty()
            })
        };
    the_result_forged:
        "the last `thimble-result:` on the console, which then takes nothing more",
        without "console",
        |scene| {
            let (mut master, slave) = terminal();
            // Of an old kernel's, it is what the script executes, under the same filter.
            let script = fs::read_to_string(scene.at("thimble")).unwrap_or_default();
            let words: Vec<_> = script.split_whitespace().collect();
            let (filter, program) = match words[..] {
                [_, _, filter, calls, program, _] => (vec![filter, calls], program.into()),
                _ => (vec![], scene.at("thimble")),
            };
            copy(program, scene.at("root/thimble"));
            let (root, user) = (scene.text("root"), scene.owner().to_string());
            let mut line = vec!["--reuid", &user, "--regid", &user, "--clear-groups", "unshare"];
            if scene.caller == Caller::User {
                line.extend(["--user", "--map-root-user"]);
            }
            line.extend(["--pid", "--fork", "--mount", "--cgroup"]);
            line.extend(filter);
            line.extend(["chroot", &root, "/thimble"]);
            line.extend(["init", "/bin/probe", "silences", "thimble-result: exit=0 signal=0"]);
            let mut init = command("setpriv", &line);
            init.stdout(slave.try_clone().unwrap()).stderr(slave.try_clone().unwrap());
            let status = init.env("THIMBLE_LEAVE_OUT", scene.left_out).status().unwrap();
            println!("{status:?}");
            // SAFETY: only a flag of the file's.
            unsafe { libc::fcntl(master.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
            let mut text = Vec::new();
            let end = master.read_to_end(&mut text).unwrap_err();
            assert_eq!(end.kind(), std::io::ErrorKind::WouldBlock);
            let text = String::from_utf8(text).unwrap();
            println!("{text}");
            let last = text.lines().rfind(|line| line.starts_with("thimble-result: ")).unwrap();
            match last {
                "thimble-result: exit=0 signal=0" => true,
                "thimble-result: exit=1 signal=0" => false,
                _ => panic!("the probe is at fault: {last}"),
            }
        };

    // What the image brings along.
    images_proc_a_link:
        "the image's `/proc` as a link to a host directory (CVE-2025-52881)",
        without "O_NOFOLLOW",
        |scene| images_link(scene, "proc", "mount proc on /proc");
    images_dev_a_link:
        "the same with `/dev` (CVE-2026-41579)",
        without "O_NOFOLLOW",
        |scene| images_link(scene, "dev", "mount in /dev pts");
    images_sys_a_link:
        "the same with `/sys`",
        without "O_NOFOLLOW",
        |scene| images_link(scene, "sys", "mount sysfs on /sys");
    images_dev_exchanged:
        "another directory put in the place of `/dev` while it is mounted, to be filled instead",
        without "check of mounts",
        |scene| {
            fs::create_dir(scene.at("root/other")).unwrap();
            let filled = |name: &str| fs::read_dir(scene.at(name)).unwrap().count() > 0;
            race(scene, ["dev", "other"], 500, || {
                scene.thimble(&[], &["probe", "root"]).output().unwrap();
                filled("root/dev") || filled("root/other")
            })
        };
    images_dev_null:
        "the image's `/dev/null` as a link to what is masked or read-only (CVE-2025-31133)",
        without "own mask",
        |scene| {
            symlink("/proc/sys/kernel/osrelease", scene.at("root/dev/null")).unwrap();
            let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
            scene.probe(&["text", "/proc/timer_list", release.trim()])
        };
    images_dev_console:
        "the image's `/dev/console` as a link (CVE-2025-52565)",
        without "own /dev,own mask",
        |scene| {
            fs::write(scene.at("root/dev/null"), "").unwrap();
            symlink(scene.at("mark"), scene.at("root/dev/console")).unwrap();
            scene.probe(&["link", "/dev/console"])
        };
    images_device:
        "a device node of the image's",
        without "nodev",
        |scene| {
            node(&scene.at("root/zero"), ["1", "5"]);
            scene.probe(&["open", "r", "/zero"])
        };
    volumes_device:
        "a device node in a volume",
        without "nodev",
        |scene| {
            node(&scene.at("outside/zero"), ["1", "5"]);
            let volume = format!("{}:/volume", scene.text("outside"));
            scene.probe_with(&["-v", &volume], &["open", "r", "/volume/zero"])
        };
    a_set_user_id_file:
        "a set-user-id program of the image's, for another user",
        without "nosuid,no_new_privs" as user KERNEL,
        |scene| {
            let path = scene.at("root/bin/probe");
            fs::set_permissions(path, fs::Permissions::from_mode(0o4755)).unwrap();
            scene.probe_with(&["-u", "1000"], &["root"])
        };
    volume_target_through_a_link:
        "a volume's target through links of the image's, absolute or relative",
        without "in the root",
        |scene| {
            let reached = hostile_links(&scene.text("outside")).map(|link| {
                let _ = fs::remove_file(scene.at("root/link"));
                symlink(link, scene.at("root/link")).unwrap();
                let volume = format!("{}:/link/made", scene.text("root/etc"));
                // Refused or not: what counts is what was made where.
                scene.probe_with(&["-v", &volume], &["open", "r", "/bin/probe"]);
                fs::remove_dir(scene.at("outside/made")).is_ok()
            });
            reached.contains(&true)
        };
    volume_target_exchanged:
        "the same, exchanged in a loop meanwhile (CVE-2021-30465, CVE-2024-45310)",
        without "in the root",
        |scene| {
            fs::create_dir(scene.at("root/target")).unwrap();
            symlink(scene.at("outside"), scene.at("root/link")).unwrap();
            let volume = format!("{}:/target/made", scene.text("root/etc"));
            race(scene, ["target", "link"], 1000, || {
                scene.thimble(&["-v", &volume], &["probe", "root"]).output().unwrap();
                scene.at("outside/made").exists()
            })
        };
    volume_below_proc:
        "a volume over a part of `/proc`, through a link",
        without "not below /proc",
        |scene| {
            symlink("/proc/sys", scene.at("root/link")).unwrap();
            fs::write(scene.at("outside/file"), "").unwrap();
            let volume = format!("{}:/link", scene.text("outside"));
            scene.probe_with(&["-v", &volume], &["open", "r", "/proc/sys/file"])
        };

    // Ways out of the root.
    a_second_chroot:
        "a second chroot and fchdir, with pivot_root or without",
        without "over /,pivot",
        |scene| {
            let tried = [&[][..], &["--no-pivot"]];
            tried.iter().any(|way| scene.probe_with(way, &["chroots", &scene.text("mark")]))
        };
    a_file_by_its_handle:
        "open_by_handle_at",
        without "seccomp,capabilities" as user KERNEL,
        |scene| scene.probe(&["by-handle", &outside(&["handle", &scene.text("mark")])]);
    a_mount_that_propagates:
        "a mount that appears on a host whose mounts are shared",
        without "private mounts,pivot" as user KERNEL,
        |scene| {
            // In a mount namespace that has nothing but its sharing from the host's.
            let compare = "mount --make-rshared / && list() { cut -d' ' -f5 /proc/self/mountinfo; }; \
                before=$(list); \"$@\" >&2; test \"$before\" != \"$(list)\"";
            let by = ["unshare", "--mount", "bash", "-c", compare, "bash"];
            scene.probe_under(&by, &["open", "r", "/bin/probe"])
        };
    a_device_made_inside:
        "mknod",
        without "capabilities" as user KERNEL,
        |scene| scene.probe(&["node", "/dev/made", "1", "5"]);
    a_new_mount:
        "a mount made inside",
        without "seccomp,capabilities",
        |scene| scene.probe(&["mounts", "tmpfs", ""]);
    a_capability_that_is_not_kept:
        "what takes CAP_SYS_ADMIN, as sethostname",
        without "capabilities",
        |scene| scene.probe(&["rename-host"]);

    // The kernel's switches.
    core_pattern:
        "writing `/proc/sys/kernel/core_pattern`",
        without "sys" as user KERNEL,
        |scene| scene.probe(&["open", "w", "/proc/sys/kernel/core_pattern"]);
    other_switches_of_proc:
        "writing `/proc/sysrq-trigger`, `/proc/irq`, `/proc/bus`, `/proc/fs`",
        without "sysrq-trigger,irq,bus,fs" as user KERNEL,
        |scene| scene.probe(&[
            "open", "w", "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity",
            "/proc/bus/pci/00/00.0", "/proc/fs/nfsd/threads",
        ]);
    switches_of_sys:
        "writing in `/sys` (uevent_helper and others)",
        without "read-only /sys" as user KERNEL,
        |scene| scene.probe(&[
            "open", "w", "/sys/kernel/uevent_helper", "/sys/kernel/profiling", "/sys/power/state",
            "/sys/kernel/mm/transparent_hugepage/enabled", "/sys/bus/cpu/uevent",
        ]);
    binfmt_misc:
        "registering a binary format (binfmt_misc)",
        without "seccomp,capabilities",
        |scene| scene.probe(&["mounts", "binfmt_misc", "", "register"]);
    release_agent:
        "a cgroup's release_agent (CVE-2022-0492)",
        without "seccomp,capabilities" as user KERNEL,
        |scene| scene.probe(&["mounts", "cgroup", "pids", "release_agent"]);
    release_agent_in_a_user_namespace:
        "the same in a nested user namespace",
        without "seccomp" as user KERNEL,
        |scene| scene.probe(&["nested", "mounts", "cgroup", "pids", "release_agent"]);
    its_own_limit_raised:
        "writing its own limit, in a cgroup hierarchy mounted inside",
        without "seccomp,capabilities",
        |scene| {
            // A user has limits where a cgroup is his.
            in_a_cgroup(scene, |by, place| {
                let name = unique_name();
                let above = place.file_name().unwrap().to_str().unwrap();
                // Where it is without a cgroup namespace: root's is made below that of the
                // hierarchy.
                let user = scene.caller == Caller::User;
                let below = if user { format!("{above}/") } else { String::new() };
                let files = ["pids.max".into(), format!("{below}{name}/pids.max")];
                let raised = files.map(|file| {
                    let options = ["--pids-limit", "9", "--name", &name];
                    let words = ["probe", "mounts", "cgroup", "pids", &file];
                    let ran = scene.thimble_under(by, &options, &words).output().unwrap();
                    println!("{ran:?}");
                    // It is the attack that is refused, and not the limit.
                    assert!([Some(0), Some(1)].contains(&ran.status.code()), "{ran:?}");
                    ran.status.success()
                });
                raised.contains(&true)
            })
        };
    what_is_masked:
        "reading what tells about the host (kcore, keys, timer_list, interrupts and others)",
        without "kcore,keys,latency_stats,timer_list,timer_stats,sched_debug,interrupts,\
            acpi,asound,scsi,firmware,devices/virtual/powercap",
        |scene| scene.probe(&[
            "filled", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug",
            "/proc/interrupts", "/proc/acpi", "/proc/scsi", "/sys/firmware",
        ]);

    // Processes and namespaces.
    ptrace_of_pid_1:
        "ptrace of pid 1",
        without "undumpable",
        |scene| scene.probe(&["seize"]);
    pid_1_looked_into:
        "reading pid 1's memory, root, descriptors or namespaces",
        without "undumpable",
        |scene| {
            let entries = ["mem", "maps", "environ", "root/.", "cwd/.", "fd/0", "ns/mnt"];
            let paths = entries.map(|entry| format!("/proc/1/{entry}"));
            let words = ["open", "r"].into_iter().chain(paths.iter().map(String::as_str));
            scene.probe(&words.collect::<Vec<_>>())
        };
    the_runner_overwritten:
        "opening the runner by `/proc/1/exe`, to overwrite it (CVE-2019-5736)",
        without "undumpable",
        |scene| scene.probe(&["runner"]);
    the_runners_words:
        "paths of the host and values of variables in `/proc/1/cmdline`",
        without "command line",
        |scene| scene.probe(&["text", "/proc/1/cmdline", &scene.text("root")]);
    signals_to_pid_1:
        "ending pid 1 by a signal",
        without "pid namespace",
        |scene| {
            let ran = scene.thimble(&[], &["probe", "signals"]).output().unwrap();
            println!("{ran:?}");
            assert!([Some(1), Some(137)].contains(&ran.status.code()), "{ran:?}");
            ran.status.code() == Some(137)
        };
    a_process_of_the_host:
        "seeing and signalling processes of the host",
        without "pid namespace",
        |scene| {
            let user = scene.owner().to_string();
            let words = ["--reuid", &user, "--regid", &user, "--clear-groups", "sleep", "60"];
            let other = Running::new(command("setpriv", &words));
            let exe = format!("/proc/{}/exe", other.0.id());
            eventually("it is his", || fs::read_link(&exe).is_ok_and(|exe| exe.ends_with("sleep")));
            scene.probe(&["process", &other.0.id().to_string()])
        };
    the_hosts_network:
        "connecting to a server on the host's loopback interface",
        without "network namespace",
        |scene| {
            let server = TcpListener::bind("127.0.0.1:0").unwrap();
            scene.probe(&["connect", &server.local_addr().unwrap().port().to_string()])
        };
    the_hosts_queues:
        "System V message queues of the host",
        without "ipc namespace",
        |scene| {
            let name = unique_name();
            let key = name.bytes().fold(7u32, |key, byte| key.wrapping_mul(31) + u32::from(byte));
            let key = (key >> 1).to_string();
            outside(&["make-queue", &key]);
            let found = scene.probe(&["queue", &key]);
            outside(&["remove-queue", &key]);
            found
        };
    the_hosts_name:
        "changing the host's name",
        without "uts namespace" as user KERNEL,
        |scene| {
            // The host's name is that of a namespace of the test's own.
            let compare = "before=$(hostname); \"$@\" >&2; test \"$before\" != \"$(hostname)\"";
            let by = ["unshare", "--uts", "bash", "-c", compare, "bash"];
            let words = ["probe", "rename-host"];
            worked(&mut scene.thimble_under(&by, &["--cap-add", "SYS_ADMIN"], &words))
        };
    the_hosts_cgroups:
        "the names of the host's cgroups",
        without "cgroup namespace",
        |scene| {
            let name = unique_name();
            let place = cgroup_v1("pids").join(&name);
            fs::create_dir(&place).unwrap();
            let enter = "echo $$ > $1/cgroup.procs && shift && exec \"$@\"";
            let by = ["sh", "-c", enter, "sh", place.to_str().unwrap()];
            let seen = scene.probe_under(&by, &["text", "/proc/self/cgroup", &name]);
            eventually("it is empty", || fs::remove_dir(&place).is_ok());
            seen
        };
    a_user_namespace:
        "a user namespace inside, with all capabilities in it",
        without "seccomp",
        |scene| scene.probe(&["namespaces", "0x10000000"]);
    other_namespaces:
        "a mount, cgroup, uts, ipc, pid, net or time namespace inside",
        without "seccomp,capabilities",
        |scene| {
            let bits = ["0x20000", "0x2000000", "0x4000000", "0x8000000", "0x20000000",
                "0x40000000", "0x80"];
            let made = bits.map(|bit| scene.probe(&["namespaces", bit]));
            assert!(made.iter().all(|one| *one == made[0]), "{made:?}");
            made[0]
        };
}

#[test]
fn an_ordinary_user_cannot_give_up_a_group_that_keeps_him_out() {
    // CVE-2014-8989: a file's group may be the one that has no rights to it. The kernel asks for
    // `deny` before it takes the map of a user's own group, and so setgroups(2) is refused.
    let drops = |scene: &Scene| scene.probe(&["drop-groups"]);
    let scene = Scene::new(Caller::User, &["--privileged"], "");
    assert!(!drops(&scene));
    assert!(scene.probe(&["text", "/proc/self/setgroups", "deny"]));
    // The control: with ids that are nobody's, there is nothing to give up.
    assert!(drops(&Scene::new(Caller::Root, &["--uidmap", "0:100000:65536"], "")));
}

#[test]
fn a_program_that_is_run_by_the_runner_itself_gets_no_hold_of_it() {
    // CVE-2019-5736 begins with `#!/proc/self/exe`: thimble as the image's program. It is alone
    // inside, reads one word, and ends.
    for caller in CALLERS {
        let scene = Scene::new(*caller, &[], "");
        let path = scene.at("root/bin/trap");
        fs::write(&path, "#!/proc/self/exe\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        for options in [&[][..], &["--as-pid-1"]] {
            let ran = Ran::of(scene.thimble(options, &["trap", "run"]).output().unwrap());
            let line = "thimble: unknown command /bin/trap\n";
            assert_eq!((ran.status, ran.err.as_str()), (Some(125), line), "{caller:?}");
        }
        assert_eq!(fs::read(scene.at("thimble")).unwrap(), fs::read(thimble()).unwrap());
    }
}

#[test]
fn each_path_of_proc_and_sys_is_masked_or_read_only_by_its_own_name() {
    // One left out at a time: only that one can then be read, or written to.
    let hidden = |path: &str| fs::metadata(path).is_ok();
    for path in ["kcore", "keys", "timer_list", "sched_debug", "interrupts", "acpi", "scsi"] {
        let place = format!("/proc/{path}");
        if !hidden(&place) {
            continue;
        }
        let tried = |left_out: &'static str| {
            Scene::new(Caller::Root, &["--cap-add", "ALL"], left_out).probe(&["filled", &place])
        };
        assert!(!tried(""), "{place}");
        assert!(!tried("sys"), "{place}");
        let any = Ran::of(command(probe(), &["filled", &place]).output().unwrap()).status;
        assert_eq!(tried(path), any == Some(0), "{place}, the control");
    }
    for (path, file) in [
        ("sys", "/proc/sys/kernel/modprobe"),
        ("sys", "/proc/sys/vm/swappiness"),
        ("irq", "/proc/irq/default_smp_affinity"),
        ("bus", "/proc/bus/pci/00/00.0"),
        ("sysrq-trigger", "/proc/sysrq-trigger"),
    ] {
        if !hidden(file) {
            continue;
        }
        let tried = |left_out: &'static str| {
            Scene::new(Caller::Root, &["--cap-add", "ALL"], left_out).probe(&["open", "w", file])
        };
        assert!(!tried(""), "{file}");
        assert!(!tried("kcore"), "{file}");
        assert!(tried(path), "{file}, the control");
    }
}

#[test]
fn what_the_postures_give_up_is_what_the_readme_says() {
    if OLD_KERNEL {
        return; // the default one has been tried by then, by each attack's own test
    }
    let postures: [(Caller, &[&str]); 6] = [
        (Caller::Root, &[]),
        (Caller::Root, &["--privileged"]),
        (Caller::Root, &["--bare"]),
        (Caller::User, &[]),
        (Caller::User, &["--privileged"]),
        (Caller::User, &["--bare"]),
    ];
    let mut table = String::from(
        "| attack | root | `--privileged` | `--bare` | a user | `--privileged` | `--bare` |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for attack in ATTACKS {
        let cells = postures.map(|(caller, options)| {
            let mut scene = Scene::new(caller, options, "");
            scene.haste = 10; // each was run at full length by its own test
            if (attack.attempt)(&scene) { "possible" } else { "refused" }
        });
        table += &format!("| {} | {} |\n", attack.words, cells.join(" | "));
    }
    let readme = fs::read_to_string("README.md").unwrap();
    let (before, rest) = readme.split_once("| attack |").unwrap();
    let (_, after) = rest.split_once("\n\n").unwrap();
    let anew = format!("{before}{table}\n{after}");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write("README.md", &anew).unwrap();
    } else {
        assert!(readme == anew, "UPDATE_GOLDEN=1 writes it anew; it should be:\n\n{table}");
    }
}
