//! `--tty`: the container's own terminal, the caller's beside it, and what passes between
//! the two. Each test drives a real pseudo-terminal as the caller's.

mod common;
use common::*;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// What a caller's terminal is told to be.
const SIZE: libc::winsize = libc::winsize { ws_row: 31, ws_col: 101, ws_xpixel: 0, ws_ypixel: 0 };

/// A caller's terminal, with a command in its foreground.
struct Caller {
    master: File,
    /// Kept open, so that what the command has done to the terminal stays to be seen.
    slave: Option<File>,
    child: Child,
    /// What was shown so far, and how much of it was expected.
    shown: Arc<Mutex<Vec<u8>>>,
    seen: usize,
}

fn set_size(master: &File, size: libc::winsize) {
    // SAFETY: the request takes a pointer to a winsize.
    assert_eq!(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSWINSZ, &size) }, 0);
}

/// How a terminal is set, as stty(1) would tell it.
fn modes(terminal: &File) -> (u32, u32, u32, u32, Vec<u8>) {
    // SAFETY: an all-zero termios is valid, and is filled.
    unsafe {
        let mut modes: libc::termios = std::mem::zeroed();
        assert_eq!(libc::tcgetattr(terminal.as_raw_fd(), &mut modes), 0);
        (modes.c_iflag, modes.c_oflag, modes.c_cflag, modes.c_lflag, modes.c_cc[..19].to_vec())
    }
}

fn is_raw(terminal: &File) -> bool {
    let (input, output, _, local, _) = modes(terminal);
    let raw = local & (libc::ICANON | libc::ECHO | libc::ISIG) == 0;
    assert_eq!(raw, output & libc::OPOST == 0);
    assert_eq!(raw, input & libc::ICRNL == 0);
    raw
}

impl Caller {
    /// Starts a command on a terminal of its own; what of its descriptors was set before,
    /// stays.
    fn start(mut command: Command, ours: &[i32]) -> Caller {
        let (master, slave) = terminal();
        set_size(&master, SIZE);
        for fd in ours {
            let own = slave.try_clone().unwrap();
            match fd {
                0 => command.stdin(own),
                1 => command.stdout(own),
                _ => command.stderr(own),
            };
        }
        let controlling = slave.as_raw_fd();
        let begin = move || {
            // SAFETY: only system calls, between fork and exec.
            unsafe {
                if libc::setsid() < 0 || libc::ioctl(controlling, libc::TIOCSCTTY, 0) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
                libc::close(controlling);
            }
            Ok(())
        };
        // SAFETY: likewise.
        unsafe { command.pre_exec(begin) };
        let child = command.spawn().unwrap();
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (mut from, into) = (master.try_clone().unwrap(), shown.clone());
        std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            while let Ok(length @ 1..) = from.read(&mut buffer) {
                into.lock().unwrap().extend(&buffer[..length]);
            }
        });
        Caller { master, slave: Some(slave), child, shown, seen: 0 }
    }

    /// `thimble run -t OPTIONS BUSYBOX COMMAND`, all of whose descriptors are the terminal.
    fn run(options: &[&str], words: &[&str]) -> Caller {
        let root = busybox();
        let mut all = vec!["run", "-t"];
        all.extend(options);
        all.push(root.to_str().unwrap());
        all.extend(words);
        Caller::start(command(thimble(), &all), &[0, 1, 2])
    }

    /// The same of a shell that says when it is ready for the next line.
    fn shell(options: &[&str]) -> Caller {
        let options = [&["-e", "PS1=ready> "], options].concat();
        let mut caller = Caller::run(&options, &["/bin/sh"]);
        caller.expect("ready> ");
        caller
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    /// Waits until this is shown, behind what was expected before. Gives what is between.
    fn expect(&mut self, text: &str) -> String {
        let mut found = None;
        let (shown, seen) = (self.shown.clone(), self.seen);
        let mut look = || {
            let shown = shown.lock().unwrap();
            let new = &shown[seen..];
            found = new.windows(text.len()).position(|window| window == text.as_bytes());
            found.is_some()
        };
        let start = std::time::Instant::now();
        while !look() {
            let late = start.elapsed() > std::time::Duration::from_secs(30);
            assert!(!late, "{text:?} is not shown: {:?}", self.text());
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let at = seen + found.unwrap();
        self.seen = at + text.len();
        String::from_utf8_lossy(&self.shown.lock().unwrap()[seen..at]).into_owned()
    }

    /// Types something.
    fn types(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }

    /// Types a line into a shell, and gives what it shows up to when it is ready again.
    fn line(&mut self, line: &str) -> String {
        let echo = format!("{line}\r\n");
        self.types(&format!("{line}\r"));
        self.expect(&echo);
        let shown = self.expect("ready> ");
        // The shell says that it is ready before it is: then the terminal shows the line as well.
        shown.rsplit(&echo).next().unwrap().into()
    }

    /// Types a command into a shell, and Ctrl-Z once it runs.
    fn stops(&mut self, command: &str) {
        self.types(&format!("{command}\r"));
        self.expect(&format!("{command}\r\n"));
        // Its process group has the terminal before it is executed.
        eventually("it runs", || !processes_of(command).is_empty());
        self.types("\x1a");
        self.expect("Stopped");
        self.expect("ready> ");
    }

    fn slave(&self) -> &File {
        self.slave.as_ref().unwrap()
    }

    /// Its exit status, or 1000 and the signal that ended it; and all that was shown.
    fn end(&mut self) -> (i32, String) {
        use std::os::unix::process::ExitStatusExt;
        let mut ended = None;
        let start = std::time::Instant::now();
        while ended.is_none() {
            ended = self.child.try_wait().unwrap();
            let late = start.elapsed() > std::time::Duration::from_secs(30);
            assert!(!late, "it does not end: {:?}", self.text());
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let ended = ended.unwrap();
        // What is still to be read: all of it comes before this.
        const MARK: &str = "<end>";
        self.slave().write_all(MARK.as_bytes()).unwrap();
        self.expect(MARK);
        let text = self.text().replace(MARK, "");
        (ended.code().unwrap_or(1000 + ended.signal().unwrap_or(0)), text)
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn kill(signal: &str, pid: u32) {
    assert!(command("kill", &[signal, &pid.to_string()]).status().unwrap().success());
}

/// The processes that this one has started, in that order.
fn children(pid: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let parent = stat.rsplit(')').next().unwrap().split(' ').nth(2).unwrap();
        if parent == pid.to_string() {
            let started: u64 = stat.rsplit(' ').nth(30).unwrap().parse().unwrap_or(0);
            found.push((started, entry.file_name().to_str().unwrap().parse::<u32>().unwrap()));
        }
    }
    found.sort();
    found.into_iter().map(|(_, pid)| pid).collect()
}

const INSIDE: &str = "tty; stty size; test -t 0 && test -t 1 && test -t 2 && echo three; \
    echo to tty >/dev/tty; stat -c '%u %t %T' /dev/pts/0 /dev/console; echo to console >/dev/console; \
    ps -o pid,tty,comm; ls /dev/pts";

#[test]
fn the_program_has_a_terminal_of_the_containers_own() {
    for (options, owner) in [
        (&[][..], "0"),
        (&["-u", "1000:100"], "1000"),
        (&["--as-pid-1", "-u", "8"], "8"),
        (&["--read-only"], "0"),
        (&["-x"], "0"),
        (&["--no-pivot"], "0"),
        (&["--privileged"], "0"),
        (&["--cap-drop=ALL"], "0"),
        (&["--uidmap=0:100000:65536", "-u", "7"], "7"),
        (&["-i", "--rm", "--init", "--pids-limit=20"], "0"),
    ] {
        let mut caller = Caller::run(options, &["/bin/sh", "-c", INSIDE]);
        let (status, text) = caller.end();
        assert_eq!(status, 0, "{options:?}: {text}");
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        let node = format!("{owner} 88 0");
        let want = ["/dev/pts/0", "31 101", "three", "to tty", &node, &node, "to console"];
        assert_eq!(lines[..7], want, "{options:?}");
        let processes = if options.contains(&"--as-pid-1") {
            ["1 136,0  sh"; 2]
        } else {
            ["1 ?      thimble", "2 136,0  sh"]
        };
        assert!(processes.iter().all(|process| lines.contains(process)), "{text}");
        assert_eq!(lines[lines.len() - 1], "0     ptmx", "no other terminal: {text}");
    }
}

#[test]
fn an_ordinary_user_has_one_too() {
    let ordinary = Ordinary::new();
    for (options, owner) in [(&[][..], "0"), (&["-u", "5:6"], "5"), (&["-x"], "0")] {
        let mut command = ordinary.thimble(&["run", "-t"]);
        command.args(options).arg(ordinary.root()).args(["/bin/sh", "-c", INSIDE]);
        let (status, text) = Caller::start(command, &[0, 1, 2]).end();
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        let node = format!("{owner} 88 0");
        let want = ["/dev/pts/0", "31 101", "three", "to tty", &node, &node, "to console"];
        assert_eq!((status, &lines[..7]), (0, &want[..]), "{options:?}");
    }
    let mut command = ordinary.thimble(&["run", "-t", "--bare"]);
    command.arg(ordinary.root()).args(["/bin/sh", "-c", "stty size; test -t 1 && echo good"]);
    assert_eq!(Caller::start(command, &[0, 1, 2]).end(), (0, "31 101\r\ngood\r\n".into()));
}

#[test]
fn make_run_opens_a_shell_on_one() {
    let mut line = command("tests/tools/run.sh", &[busybox()]);
    line.env("THIMBLE", thimble());
    let mut caller = Caller::start(line, &[0, 1, 2]);
    caller.expect("/ # ");
    // The shell says that it is ready before it is.
    caller.types("echo first; hostname; tty; exit 3\r");
    caller.expect("first\r\n");
    let (status, text) = caller.end();
    let says = "my-container\r\n/dev/pts/0\r\nThe shell ended with status 3.\r\n";
    assert!(status == 0 && text.ends_with(says), "{status}: {text}");
}

#[test]
fn with_bare_it_is_of_the_hosts_devpts() {
    let before = fs::read_dir("/dev/pts").unwrap().count();
    let script = "stty size; test -t 1 && echo good; readlink /proc/self/fd/0; exit 9";
    for options in [&["--bare"][..], &["--bare", "-u", "1000"]] {
        let (status, text) = Caller::run(options, &["/bin/sh", "-c", script]).end();
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        assert_eq!((status, &lines[..2]), (9, &["31 101", "good"][..]), "{text}");
        // A number of the host's, where there are others.
        assert!(lines[2].trim_start_matches(|c| "/devpts".contains(c)).parse::<u32>().is_ok());
    }
    eventually("it is gone", || fs::read_dir("/dev/pts").unwrap().count() <= before + 2);
}

#[test]
fn a_shell_has_job_control() {
    for options in
        [&[][..], &["-u", "1000:100"], &["--bare"], &["-x", "--privileged"], &["--as-pid-1"]]
    {
        let mut caller = Caller::shell(options);
        assert!(!caller.text().contains("can't access tty"), "{:?}", caller.text());
        assert!(is_raw(caller.slave()));
        let mark = format!("sleep 64{}", std::process::id());
        caller.stops(&mark);
        let jobs = caller.line("jobs");
        assert!(jobs.contains("Stopped") && jobs.contains(&mark), "{jobs}");
        caller.line("bg >/dev/null");
        assert!(!caller.line("jobs").contains("Stopped"));
        caller.types("fg\r");
        caller.expect(&format!("{mark}\r\n"));
        caller.types("\x03");
        caller.expect("ready> ");
        assert_eq!(caller.line("echo status $?"), "status 130\r\n");
        // What is typed while the shell edits its line would come without its end.
        caller.types("echo run; cat\r");
        caller.expect("run\r\n");
        caller.types("some text\r");
        caller.expect("some text\r\nsome text\r\n");
        caller.types("\x04");
        caller.expect("ready> ");
        caller.types("\x04");
        assert_eq!(caller.end().0, 0, "the end of input ends the shell");
    }
}

#[test]
fn the_window_size_follows_the_callers() {
    let script = "trap 'stty size; exit 4' WINCH; echo on; while :; do sleep 0.02; done";
    let mut caller = Caller::run(&[], &["/bin/sh", "-c", script]);
    caller.expect("on\r\n");
    set_size(&caller.master, libc::winsize { ws_row: 12, ws_col: 345, ws_xpixel: 0, ws_ypixel: 0 });
    assert_eq!(caller.end(), (4, "on\r\n12 345\r\n".into()));
}

#[test]
fn it_begins_with_the_modes_of_the_callers() {
    let mut caller = Caller::start(
        {
            let mut command =
                command("sh", &["-c", "stty erase x iutf8 -echoctl && exec \"$@\"", "sh"]);
            command.arg(thimble()).args(["run", "-t"]).arg(busybox()).args(["stty", "-a"]);
            command
        },
        &[0, 1, 2],
    );
    let (status, text) = caller.end();
    for mode in ["erase = x;", " iutf8", " -echoctl", " icanon", "\nopost"] {
        assert!(status == 0 && text.contains(mode), "{mode}: {text}");
    }
}

/// Runs something on a terminal, raw while it runs, and ends it. The modes of the terminal
/// are then as before, and nothing of the container is left.
fn given_back(way: &str, options: &[&str], script: &str, act: impl Fn(&mut Caller), want: i32) {
    let (_master, slave) = terminal();
    let before = modes(&slave);
    let mark = format!("sleep 5{}{}", std::process::id(), way.len());
    let script = script.replace("SLEEP", &mark);
    let mut caller = Caller::run(options, &["/bin/sh", "-c", &script]);
    assert_eq!(modes(&slave), before);
    act(&mut caller);
    let (status, text) = caller.end();
    assert_eq!(status, want, "{way}: {text}");
    // Where thimble itself was killed it is its relay that does so.
    eventually("as before", || modes(caller.slave()) == before);
    eventually("no process is left", || processes_with(&mark).is_empty());
}

#[test]
fn the_callers_terminal_is_given_back_in_each_way_out() {
    const WAITS: &str = "echo on; trap '' HUP; exec SLEEP";
    const FRAGILE: &str = "echo on; exec SLEEP";
    let on = |caller: &mut Caller| {
        caller.expect("on\r\n");
        assert!(is_raw(caller.slave()));
    };
    let program = |caller: &Caller| children(children(caller.child.id())[0])[0];
    given_back("its end", &[], "echo on", |_| {}, 0);
    given_back("a status", &[], "exit 77", |_| {}, 77);
    given_back("an end with raw modes", &[], "stty raw -echo; exit 3", |_| {}, 3);
    given_back("a missing directory", &["-w", "/missing"], "", |_| {}, 125);
    given_back("a failure before there is a terminal", &["-v/nowhere:/x"], "", |_| {}, 125);
    given_back(
        "SIGKILL of the program",
        &[],
        FRAGILE,
        |c| {
            on(c);
            kill("-KILL", program(c));
        },
        137,
    );
    given_back(
        "SIGKILL of pid 1",
        &[],
        FRAGILE,
        |c| {
            on(c);
            kill("-KILL", children(c.child.id())[0]);
        },
        137,
    );
    for (signal, status) in [("-TERM", 143), ("-HUP", 143), ("-INT", 130), ("-USR1", 138)] {
        let act = |c: &mut Caller| {
            on(c);
            kill(signal, c.child.id());
        };
        given_back(signal, &[], FRAGILE, act, status);
    }
    given_back(
        "SIGKILL of thimble",
        &[],
        WAITS,
        |c| {
            on(c);
            kill("-KILL", c.child.id());
        },
        1009,
    );
    for relay in [1, 2] {
        let act = |c: &mut Caller| {
            on(c);
            kill("-KILL", children(c.child.id())[relay]);
        };
        given_back("SIGKILL of a relay", &[], WAITS, act, 125);
    }
}

#[test]
fn a_command_that_does_not_exist_is_told_on_a_terminal_that_is_itself_again() {
    let (status, text) = Caller::run(&[], &["frobnicate"]).end();
    let want = "thimble: execute frobnicate: ENOENT: No such file or directory\r\n";
    assert_eq!((status, text.as_str()), (127, want));
}

#[test]
fn a_terminal_that_goes_away_ends_the_program() {
    let mark = format!("sleep 61{}", std::process::id());
    let mut caller = Caller::run(&[], &["/bin/sh", "-c", &format!("echo on; {mark}; {mark}")]);
    caller.expect("on\r\n");
    eventually("it runs", || !processes_with(&mark).is_empty());
    // The reader's copy of the master goes with the last slave, and so does this one.
    caller.slave = None;
    let hung_up = Command::new("python3")
        .args(["-c", "import fcntl,sys; fcntl.ioctl(int(sys.argv[1]), 0x5437)"])
        .arg("0")
        .stdin(File::open(format!("/proc/{}/fd/0", caller.child.id())).unwrap())
        .status();
    assert!(hung_up.unwrap().success());
    let mut status = None;
    eventually("it ends", || {
        status = caller.child.try_wait().unwrap();
        status.is_some()
    });
    // By the signal that stops it, or because there was somebody to tell that nobody listens.
    assert!([Some(143), Some(129)].contains(&status.unwrap().code()));
    eventually("nothing is left", || processes_with(&mark).is_empty());
}

/// Asks the shell until its job is.
fn stopped_by_itself(caller: &mut Caller) {
    eventually("the job is stopped", || {
        caller.types("jobs\n");
        caller.expect("jobs\r\n");
        caller.expect("outer> ").contains("Stopped")
    });
}

#[test]
fn stopped_and_continued_it_leaves_the_terminal_to_the_shell_meanwhile() {
    let mut caller = Caller::start(
        {
            let mut command = command("bash", &["--norc", "--noprofile", "--noediting", "-i"]);
            command.env("PS1", "outer> ").env("TERM", "dumb");
            command
        },
        &[0, 1, 2],
    );
    caller.expect("outer> ");
    let before = modes(caller.slave());
    let run = format!("{} run -t -e PS1='in> ' {} sh", thimble().display(), busybox().display());
    caller.types(&format!("{run}\n"));
    caller.expect("commands.");
    caller.expect("in> ");
    assert!(is_raw(caller.slave()));
    let thimble = children(caller.child.id())[0];
    for (number, signal) in [(1, "-STOP"), (2, "-TSTP"), (3, "-STOP")] {
        kill(signal, thimble);
        caller.expect("Stopped");
        caller.expect("outer> ");
        assert!(!is_raw(caller.slave()));
        // No relay takes what the shell is told.
        for word in ["one", "two", "three"] {
            caller.types(&format!("echo {word}-$((1+{number}))\n"));
            caller.expect(&format!("\n{word}-{}", 1 + number));
            caller.expect("outer> ");
        }
        set_size(&caller.master, libc::winsize { ws_row: 20 + number, ..SIZE });
        caller.types("fg\n");
        caller.expect("sh\r\n");
        eventually("raw again", || is_raw(caller.slave()));
        let size = format!("{} 101\r\n", 20 + number);
        eventually("it has the caller's size", || {
            caller.types("stty size\r");
            caller.expect("stty size\r\n");
            caller.expect("in> ").contains(&size)
        });
        caller.types("echo inside-$((3+4))\r");
        caller.expect("\ninside-7\r\n");
        caller.expect("in> ");
    }
    caller.types("exit 3\r");
    caller.expect("outer> ");
    assert_eq!(modes(caller.slave()), before);
    caller.types("echo status-$?\n");
    caller.expect("status-3");
    // In the background it waits for the foreground before it touches the terminal.
    caller.expect("outer> ");
    caller.types(&format!("{run} -c 'echo begun; read x; echo got $x' &\n"));
    caller.expect("outer> ");
    stopped_by_itself(&mut caller);
    caller.types("fg\n");
    caller.expect("begun\r\n");
    caller.types("this\r");
    caller.expect("this\r\ngot this\r\n");
    caller.expect("outer> ");
    assert_eq!(modes(caller.slave()), before);
    // The same when it is continued in the background.
    caller.types(&format!("{run}\n"));
    caller.expect("commands.");
    caller.expect("in> ");
    kill("-STOP", children(caller.child.id())[0]);
    caller.expect("Stopped");
    caller.expect("outer> ");
    caller.types("bg\n");
    caller.expect("outer> ");
    stopped_by_itself(&mut caller);
    assert!(!is_raw(caller.slave()));
    caller.types("fg\n");
    eventually("raw again", || is_raw(caller.slave()));
    caller.types("exit 5\r");
    caller.expect("outer> ");
    caller.types("echo status-$?; exit\n");
    caller.expect("status-5");
}

/// What `seq 1 N` prints, by way of a terminal.
fn numbers(last: u32) -> String {
    (1..=last).map(|number| format!("{number}\r\n")).collect()
}

#[test]
fn a_megabyte_of_output_arrives_whole() {
    let want = numbers(160_000);
    assert!(want.len() > 1 << 20);
    let (status, text) = Caller::run(&[], &["seq", "1", "160000"]).end();
    assert!(status == 0 && text == want, "{} of {} bytes", text.len(), want.len());
    // In a pipe whose reader is slow and which does not wait (O_NONBLOCK), and in a file.
    let script = "RUN -t ROOT seq 1 160000 </dev/null";
    let slow = "python3 -c 'import os,sys,time; os.set_blocking(1, False); os.execvp(sys.argv[1], sys.argv[1:])'";
    for script in [
        format!("{script} >DIR/out"),
        format!("{slow} {script} | (sleep 0.5; dd bs=1000 2>/dev/null >DIR/out)"),
        format!("{script} | cat >DIR/out"),
    ] {
        let (ran, place) = sh(&script);
        assert_eq!(ran.good(), "", "{script}");
        let out = fs::read_to_string(place.path().join("out")).unwrap();
        assert!(out.strip_prefix("^D\x08\x08").unwrap_or(&out) == want, "{script}: {}", out.len());
    }
}

/// A bash script in which `RUN` is `thimble run`, `ROOT` a root file system and `DIR` a
/// directory of the test's own. It has no terminal.
fn sh(script: &str) -> (Ran, tempfile::TempDir) {
    let place = tempfile::tempdir().unwrap();
    let script = script
        .replace("RUN", &format!("{} run", thimble().display()))
        .replace("ROOT", busybox().to_str().unwrap())
        .replace("DIR", place.path().to_str().unwrap());
    (
        Ran::of(
            command("timeout", &["--signal=KILL", "60", "bash", "-c", &script]).output().unwrap(),
        ),
        place,
    )
}

#[test]
fn input_that_is_no_terminal_is_handed_on_with_its_end() {
    for (script, status, want) in [
        ("echo hello | RUN -t ROOT cat", 0, "hello\nhello\n"),
        ("printf hello | RUN -it ROOT cat", 0, "hellohello"),
        ("RUN -t ROOT cat </dev/null", 0, ""),
        ("RUN -t ROOT cat <&-", 0, ""),
        ("echo file >DIR/in; RUN -t ROOT cat <DIR/in", 0, "file\nfile\n"),
        ("echo one | RUN -t ROOT sh -c 'read a; echo $a; read b || exit 6'", 6, "one\none\n"),
        ("echo one | RUN -t ROOT sh -c 'cat; cat; echo two'", 0, "one\none\ntwo\n"),
        ("yes | RUN -t ROOT true", 0, ""),
        ("seq 1 20000 | RUN -t ROOT sh -c 'stty -echo; echo on; sleep 0.3; wc -l'", 0, "20000"),
        ("RUN -t ROOT sh -c 'tty; exit 4' </dev/null", 4, "/dev/pts/0\n"),
    ] {
        let (ran, _place) = sh(script);
        let out = ran.out.replace("^D\x08\x08", "").replace('\r', "");
        assert_eq!((ran.status, ran.err.as_str()), (Some(status), ""), "{script}: {out}");
        let good =
            if want.is_empty() || want.ends_with('\n') { out == want } else { out.contains(want) };
        assert!(good || script.starts_with("yes"), "{script}: {out:?}");
    }
    // The window is that of the output then.
    let words = ["run", "-t", busybox().to_str().unwrap(), "stty", "size"].map(String::from);
    let mut caller = Caller::start(command(thimble(), &words), &[1, 2]);
    let text = caller.end().1;
    assert!(text.contains("31 101\r"), "{text:?}");
}

#[test]
fn output_that_nobody_takes_hangs_nothing() {
    let mark = format!("62{}", std::process::id());
    for (script, want) in [
        // The reader is gone: the program is told by SIGHUP.
        ("RUN -t ROOT yes </dev/null | head -n 1 >/dev/null; echo ${PIPESTATUS[0]}", "129\n"),
        ("RUN -t ROOT sh -c 'echo on; echo off; exit 3' </dev/null >&-; echo $?", "3\n"),
        // A reader that does not read does not keep a signal from ending it.
        (
            "mkfifo DIR/end; (RUN -t ROOT sh -c 'seq 1 20000; exec sleep MARK' </dev/null & pid=$!; \
          sleep 0.5; kill $pid; sleep 0.5; kill $pid 2>/dev/null; wait $pid; echo $? >&2; \
          echo >DIR/end) | read x <DIR/end",
            "",
        ),
    ] {
        let (ran, _place) = sh(&script.replace("MARK", &mark));
        assert_eq!((ran.status, ran.out.as_str()), (Some(0), want), "{script}: {ran:?}");
        assert_eq!(ran.err, if script.contains("kill") { "143\n" } else { "" }, "{ran:?}");
    }
    let (ran, _place) = sh("RUN -t ROOT sh -c 'while echo x; do :; done' </dev/null >/dev/full");
    let want = "thimble: relay the terminal: ENOSPC: No space left on device\n";
    assert_eq!((ran.status, ran.err.as_str()), (Some(125), want));
    assert_eq!(processes_with(&format!("sleep {mark}")), [""; 0]);
}

#[test]
fn what_keeps_the_terminal_open_does_not_keep_thimble() {
    let name = unique_name();
    let mark = format!("sleep 63{}", std::process::id());
    let script = format!(
        "setsid {mark} & {mark} & (trap '' HUP; exec {mark}) & \
         until [ $(ps -o args | grep -c '^{mark}') = 3 ]; do :; done; echo said; exit 3"
    );
    for options in [&[][..], &["--bare"], &["--pid=host", "--pids-limit=-1", "--name", &name]] {
        let ended = Caller::run(options, &["/bin/sh", "-c", &script]).end();
        assert_eq!(ended, (3, "said\r\n".into()), "{options:?}");
        assert_eq!(processes_with(&mark), [""; 0]);
    }
}

#[test]
fn ctrl_c_reaches_the_program_with_a_terminal_of_its_own_and_without() {
    let script = "trap 'echo caught; exit 8' INT; echo on; while :; do sleep 0.02; done";
    let root = busybox();
    for words in [&["run"][..], &["run", "-t"], &["run", "--bare"]] {
        let words = [words, &[root.to_str().unwrap(), "/bin/sh", "-c", script]].concat();
        let mut caller = Caller::start(command(thimble(), &words), &[0, 1, 2]);
        caller.expect("on\r\n");
        caller.types("\x03");
        assert_eq!(caller.end(), (8, "on\r\n^Ccaught\r\n".into()), "{words:?}");
    }
}

#[test]
fn a_python_prompt_survives_ctrl_c() {
    let debian = debian();
    for option in ["-i", "-t"] {
        let mut words: Vec<String> = vec!["run".into(), option.into(), "-eTERM=dumb".into()];
        words.push("-eLD_LIBRARY_PATH=/opt/usr-lib:/opt/lib".into());
        for (from, to) in python() {
            words.extend(["-v".into(), format!("{}:{to}:ro", from.display())]);
        }
        words.extend(["-x".into(), debian.to_str().unwrap().into(), "python3".into(), "-q".into()]);
        let mut caller = Caller::start(command(thimble(), &words), &[0, 1, 2]);
        caller.expect(">>> ");
        caller.types("import time; print('a' + 'b'); time.sleep(1000)\r");
        caller.expect("ab\r\n");
        caller.types("\x03");
        caller.expect("KeyboardInterrupt");
        caller.expect(">>> ");
        caller.types("\x03");
        caller.expect("KeyboardInterrupt");
        caller.expect(">>> ");
        caller.types("print(6 * 7)\r");
        caller.expect("42\r\n");
        caller.types("exit(5)\r");
        assert_eq!(caller.end().0, 5, "{option}");
    }
}

/// A container that runs `sleep` until this is dropped, and its pid 1.
struct Container(Child, String);

impl Container {
    fn start(mut command: Command) -> Container {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut container = Container(child, String::new());
        let mut begun = [0; 3];
        container.0.stdout.as_mut().unwrap().read_exact(&mut begun).unwrap();
        container.1 = children(container.0.id())[0].to_string();
        container
    }

    fn of(options: &[&str], root: &std::path::Path) -> Container {
        let mut line = command(thimble(), &["run"]);
        line.args(options).arg(root).args(["sh", "-c", "echo on; exec sleep 900"]);
        Container::start(line)
    }

    /// `thimble exec -t OPTIONS PID COMMAND`, all of whose descriptors are the terminal.
    fn exec(&self, options: &[&str], words: &[&str]) -> Caller {
        self.exec_by(thimble(), options, words)
    }

    /// The same by a copy of thimble, which the container runs.
    fn exec_by(&self, program: impl AsRef<OsStr>, options: &[&str], words: &[&str]) -> Caller {
        let words = [&["exec", "-t"], options, &[self.1.as_str()], words].concat();
        Caller::start(command(program, &words), &[0, 1, 2])
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const ENTERED: &str = "tty; stty size; test -t 0 && test -t 1 && test -t 2 && echo three; \
    echo to tty >/dev/tty; stat -c '%u %t %T' /dev/pts/0; ps -o pid,tty,comm; ls /dev/pts";

#[test]
fn what_is_executed_in_a_container_has_one_of_that_container() {
    let ordinary = Ordinary::new();
    let his = || {
        let mut line = ordinary.thimble(&["run"]);
        line.arg(ordinary.root()).args(["sh", "-c", "echo on; exec sleep 900"]);
        Container::start(line)
    };
    let roots = |options| Container::of(options, &busybox());
    for (what, container, options, owner) in [
        ("default", roots(&[]), &[][..], "0"),
        ("of another user", roots(&[]), &["-u", "1000:100"], "1000"),
        ("-i", roots(&["-u", "7"]), &["-i"], "0"),
        ("--privileged", roots(&["--privileged"]), &[], "0"),
        ("--pids-limit", roots(&["--pids-limit=9", "--read-only"]), &[], "0"),
        ("--uidmap", roots(&["--uidmap=0:100000:65536"]), &[], "0"),
        ("--uidmap, a user", roots(&["--uidmap=0:100000:65536"]), &["-u5"], "5"),
        ("--cap-drop", roots(&["--cap-drop=ALL"]), &[], "0"),
        ("root in a user's", his(), &[], "0"),
    ] {
        let program = if what == "root in a user's" { ordinary.program() } else { thimble() };
        let (status, text) = container.exec_by(program, options, &["sh", "-c", ENTERED]).end();
        assert_eq!(status, 0, "{what}: {text}");
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        let node = format!("{owner} 88 0");
        assert_eq!(lines[..5], ["/dev/pts/0", "31 101", "three", "to tty", &node], "{what}");
        // Neither of the relays is in there.
        let processes = lines[5..].iter().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let names: Vec<_> = processes.filter_map(|words| words.get(2).copied()).collect();
        assert_eq!(names[..4], ["COMMAND", "thimble", "sleep", "sh"], "{what}: {text}");
        assert!(names[4..].iter().all(|name| *name == "ps"), "{what}: {text}");
        assert!(lines.iter().any(|line| line.contains("136,0  sh")), "{what}: {text}");
        assert_eq!(lines[lines.len() - 1], "0     ptmx", "{what}: no other terminal: {text}");
    }
    // Where there is no devpts, one of the host's; and an ordinary user in his own.
    for options in [&["--bare"][..], &["--bare", "--as-pid-1"]] {
        let container = roots(options);
        let mut caller =
            container.exec(&[], &["sh", "-c", "stty size; test -t 1 && echo good; exit 9"]);
        assert_eq!(caller.end(), (9, "31 101\r\ngood\r\n".into()), "{options:?}");
    }
    let container = his();
    let mut line = ordinary.thimble(&["exec", "-t", &container.1]);
    line.args(["sh", "-c", "tty; stty size; exit 6"]);
    let mut caller = Caller::start(line, &[0, 1, 2]);
    assert_eq!(caller.end(), (6, "/dev/pts/0\r\n31 101\r\n".into()));
}

#[test]
fn a_shell_that_is_executed_in_a_container_has_job_control() {
    for options in [&[][..], &["--bare"], &["--uidmap=0:100000:65536"]] {
        let container = Container::of(options, &busybox());
        let mut caller = container.exec(&["-e", "PS1=ready> "], &["sh"]);
        caller.expect("ready> ");
        assert!(!caller.text().contains("can't access tty"), "{:?}", caller.text());
        assert!(is_raw(caller.slave()));
        let mark = format!("sleep 65{}", std::process::id());
        caller.stops(&mark);
        caller.types("fg\r");
        caller.expect(&format!("{mark}\r\n"));
        caller.types("\x03");
        caller.expect("ready> ");
        assert_eq!(caller.line("echo status $?"), "status 130\r\n");
        let size = libc::winsize { ws_row: 12, ws_col: 345, ws_xpixel: 0, ws_ypixel: 0 };
        set_size(&caller.master, size);
        eventually("it has the caller's size", || caller.line("stty size").contains("12 345"));
        caller.types("exit 5\r");
        assert_eq!(caller.end().0, 5, "{options:?}");
    }
}

#[test]
fn the_terminal_of_who_executes_something_is_given_back_in_each_way_out() {
    let inside = |name: &str| {
        let mut found = Vec::new();
        eventually("it is there", || {
            found = processes_of(&format!("sleep {name}"));
            found.len() == 1
        });
        found[0]
    };
    let name = format!("3{}", std::process::id());
    let sleeps = format!("echo on; trap '' HUP; exec sleep {name}");
    for (way, want) in [
        ("the program is killed", 137),
        ("thimble is killed", 1009),
        ("the container ends", 137),
        ("thimble is told to end", 143),
    ] {
        let (_master, slave) = terminal();
        let before = modes(&slave);
        let mut container = Container::of(&[], &busybox());
        let mut caller = container.exec(&[], &["sh", "-c", &sleeps]);
        caller.expect("on\r\n");
        assert!(is_raw(caller.slave()), "{way}");
        match way {
            "the program is killed" => kill("-KILL", inside(&name)),
            "thimble is killed" => kill("-KILL", caller.child.id()),
            "the container ends" => container.0.kill().unwrap(),
            _ => kill("-TERM", caller.child.id()),
        }
        assert_eq!(caller.end().0, want, "{way}");
        eventually("as before", || modes(caller.slave()) == before);
        eventually("no process is left", || processes_with(&format!("sleep {name}")).is_empty());
    }
    // A command that does not exist.
    let container = Container::of(&[], &busybox());
    let mut caller = container.exec(&[], &["frobnicate"]);
    let want = "thimble: execute frobnicate: ENOENT: No such file or directory\r\n";
    assert_eq!(caller.end(), (127, want.into()));
    assert!(!is_raw(caller.slave()));
}

#[test]
fn what_a_container_has_in_the_place_of_its_terminals_is_not_used() {
    let root = own_root();
    let pts = root.path().join("dev/pts");
    let _ = fs::remove_dir_all(&pts);
    fs::create_dir_all(&pts).unwrap();
    let place = |made: &dyn Fn(&std::path::Path)| {
        let _ = fs::remove_file(pts.join("ptmx"));
        made(&pts.join("ptmx"));
        // By root inside, in a /dev that is not thimble's: that of the image.
        let container = Container::of(&["--bare"], root.path());
        let mut caller = container.exec(&[], &["sh", "-c", "stty size; echo good"]);
        let good = caller.end();
        // The control: whoever does not look what it is opens it.
        let words = ["exec", "-t", &container.1, "true"];
        let mut line = command(thimble_without(), &words);
        line.env("THIMBLE_LEAVE_OUT", "devpts check,own copy");
        (good, Caller::start(line, &[0, 1, 2]).end())
    };
    fs::write(pts.join("file"), "the image's\n").unwrap();
    let made: [&dyn Fn(&std::path::Path); 3] = [
        &|path| fs::write(path, "the image's\n").unwrap(),
        &|path| assert!(command("mkfifo", &[path.to_str().unwrap()]).status().unwrap().success()),
        &|path| symlink("/dev/pts/file", path).unwrap(),
    ];
    for made in made {
        let (good, without) = place(made);
        assert_eq!(good, (0, "31 101\r\ngood\r\n".into()));
        assert_eq!(without.0, 125, "{without:?}");
        let told = "thimble: open the container's terminal: ENOTTY";
        assert!(without.1.starts_with(told), "{without:?}");
    }
}

/// The terminals that a process has open, as numbers of the host's or of the container's.
fn open_terminals(pid: u32) -> Vec<(u64, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
        if let Ok(file) = fs::metadata(entry.path())
            && libc::major(file.rdev()) == 136
        {
            found.push((file.dev(), file.rdev()));
        }
    }
    found.sort();
    found.dedup();
    found
}

#[test]
fn nobody_inside_has_anything_of_the_callers_terminal() {
    for (option, shared) in [("-t", false), ("-i", true)] {
        let root = busybox();
        let words = ["run", option, root.to_str().unwrap(), "sh", "-c", "echo on; read x"];
        let mut caller = Caller::start(command(thimble(), &words), &[0, 1, 2]);
        caller.expect("on\r\n");
        let pid_1 = children(caller.child.id())[0];
        let slave = caller.slave().metadata().unwrap();
        let callers = (slave.dev(), slave.rdev());
        for pid in [pid_1, children(pid_1)[0]] {
            let open = open_terminals(pid);
            assert_eq!((open.len(), open.contains(&callers)), (1, shared), "{option}: {open:?}");
        }
        // Each process of the host's side has what it needs, and no more.
        let relays = &children(caller.child.id())[1..];
        assert_eq!(relays.len(), if shared { 0 } else { 2 });
        for relay in relays {
            let open = || fs::read_dir(format!("/proc/{relay}/fd")).unwrap().count();
            eventually("the others are closed", || open() == 4);
        }
        caller.types("\r");
        assert_eq!(caller.end().0, 0);
    }
}

#[test]
fn input_is_pushed_into_neither_terminal() {
    let root = probe_root();
    // The probe's status is 0 if it works.
    for (options, status) in [(&[][..], 1), (&["--security-opt=seccomp=unconfined"], 0)] {
        let mut words = vec!["run", "-t"];
        words.extend(options);
        words.extend([root.path().to_str().unwrap(), "probe", "terminal", "0x5412"]);
        let (_other, slave) = terminal();
        let mut caller = Caller::start(command(thimble(), &words), &[0, 1, 2]);
        let before = modes(&slave);
        assert_eq!(caller.end().0, status, "{options:?}: {}", caller.text());
        assert_eq!(modes(caller.slave()), before);
        // Nothing waits to be read on the caller's.
        let mut waiting = -1;
        // SAFETY: the request takes a pointer to an int.
        unsafe { libc::ioctl(caller.slave().as_raw_fd(), libc::FIONREAD, &mut waiting) };
        assert_eq!(waiting, 0);
    }
}

#[test]
fn what_the_image_has_in_the_place_of_terminals_is_not_used() {
    let outside = tempfile::tempdir().unwrap();
    for name in ["console", "ptmx", "0"] {
        fs::write(outside.path().join(name), "the host's\n").unwrap();
    }
    let listed = listing(outside.path());
    let root = own_root();
    for (name, to) in [("console", "console"), ("ptmx", "ptmx"), ("pts", ""), ("tty", "0")] {
        let _ = fs::remove_file(root.path().join("dev").join(name));
        let _ = fs::remove_dir_all(root.path().join("dev").join(name));
        symlink(outside.path().join(to), root.path().join("dev").join(name)).unwrap();
    }
    for options in [&[][..], &["--privileged"], &["--read-only"], &["--bare"]] {
        let mut words = vec!["run", "-t"];
        words.extend(options);
        words.extend([root.path().to_str().unwrap(), "sh", "-c", "stty size; echo good"]);
        let mut caller = Caller::start(command(thimble(), &words), &[0, 1, 2]);
        assert_eq!(caller.end(), (0, "31 101\r\ngood\r\n".into()), "{options:?}");
        assert_eq!(listing(outside.path()), listed);
        assert_eq!(fs::read(outside.path().join("console")).unwrap(), b"the host's\n");
    }
}

#[test]
fn before_linux_4_13_the_terminal_is_found_by_its_number() {
    for options in [&[][..], &["--bare"]] {
        let calls = tempfile::NamedTempFile::new().unwrap();
        let mut words = vec!["-f", "-qq", "-o", calls.path().to_str().unwrap()];
        // Unlock, number, slave: the third of the container's side.
        words.extend(["-e", "trace=ioctl", "-e", "inject=ioctl:error=ENOTTY:when=3"]);
        let (program, root) = (thimble(), busybox());
        words.extend([program.to_str().unwrap(), "run", "-t"]);
        words.extend(options);
        words.extend([root.to_str().unwrap(), "sh", "-c", "tty; stty <&1"]);
        let ran = Ran::of(command("strace", &words).output().unwrap());
        assert_eq!((ran.status, ran.err.as_str()), (Some(0), ""));
        assert!(ran.out.contains("speed 38400"), "{ran:?}");
        let calls = fs::read_to_string(calls.path()).unwrap();
        assert!(calls.contains("TIOCGPTPEER") && calls.contains("(INJECTED)"), "{calls}");
        let line = calls.lines().find(|line| line.contains("TIOCGPTPEER")).unwrap();
        assert!(line.contains("ENOTTY"), "{line}");
    }
}

#[test]
fn a_terminal_takes_calls_only_where_it_is_asked_for() {
    // A run without it has not one ioctl of a terminal's, and no process more.
    let calls = tempfile::NamedTempFile::new().unwrap();
    let words = ["-f", "-qq", "-e", "trace=ioctl,ppoll,clone", "-o"];
    let ran = command("strace", &words)
        .arg(calls.path())
        .arg(thimble())
        .arg("run")
        .arg(busybox())
        .args(["/bin/true"])
        .stdout(Stdio::piped())
        .output();
    Ran::of(ran.unwrap()).good();
    let calls = fs::read_to_string(calls.path()).unwrap();
    assert_eq!(
        (calls.matches("clone(").count(), calls.matches("ppoll").count()),
        (2, 0),
        "{calls}"
    );
    assert_eq!(calls.matches(" TC").count() + calls.matches(" TIOC").count(), 0, "{calls}");
}
