//! `--json-status-fd`: how a container starts and ends, for programs to read.

mod common;
use common::*;

use std::fs;
use std::io::{BufRead, BufReader, PipeReader, Read};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The number that the status is asked for on.
const FD: i32 = 9;

/// `thimble run --json-status-fd 9 OPTIONS ROOT WORDS`, and where to read what it tells.
fn start(options: &[&str], root: &Path, words: &[&str]) -> (Child, BufReader<PipeReader>) {
    let mut command = command(thimble(), &["run", "--json-status-fd", &FD.to_string()]);
    command.args(options).arg(root).args(words);
    start_command(command)
}

fn start_command(mut command: Command) -> (Child, BufReader<PipeReader>) {
    let (reader, writer) = std::io::pipe().unwrap();
    let number = writer.as_raw_fd();
    // SAFETY: only a system call between fork(2) and execve(2).
    unsafe {
        command.pre_exec(move || {
            // It may have that number already, and then be closed by execve(2).
            let done = libc::dup2(number, FD) == FD && libc::fcntl(FD, libc::F_SETFD, 0) == 0;
            if done { Ok(()) } else { Err(std::io::Error::last_os_error()) }
        });
    }
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    (child, BufReader::new(reader))
}

/// The members of each line, by another's parser, which takes nothing but JSON.
fn parsed(lines: &str) -> Vec<Vec<(String, String)>> {
    let script = "import json, sys\n\
                  for line in sys.stdin.read().splitlines(keepends=True):\n\
                  \x20   assert line.endswith('\\n'), line\n\
                  \x20   for name, value in json.loads(line).items():\n\
                  \x20       assert type(value) in (int, bool), value\n\
                  \x20       print(name, json.dumps(value))\n\
                  \x20   print()";
    let mut python = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut python.stdin.take().unwrap(), lines.as_bytes()).unwrap();
    let ran = Ran::of(python.wait_with_output().unwrap());
    assert_eq!(ran.status, Some(0), "{lines}");
    let member = |line: &str| line.split_once(' ').map(|(a, b)| (a.to_string(), b.to_string()));
    let objects = ran.out.split_terminator("\n\n");
    objects.map(|object| object.lines().filter_map(member).collect()).collect()
}

/// What a container told, to its end.
fn told(options: &[&str], script: &str) -> (Ran, Vec<Vec<(String, String)>>) {
    told_in(options, &busybox(), &["/bin/sh", "-c", script])
}

fn told_in(options: &[&str], root: &Path, words: &[&str]) -> (Ran, Vec<Vec<(String, String)>>) {
    let (child, mut reader) = start(options, root, words);
    let mut lines = String::new();
    reader.read_to_string(&mut lines).unwrap();
    (Ran::of(child.wait_with_output().unwrap()), parsed(&lines))
}

fn value<'a>(object: &'a [(String, String)], name: &str) -> Option<&'a str> {
    object.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn number(object: &[(String, String)], name: &str) -> u64 {
    value(object, name).unwrap_or_else(|| panic!("{name}: {object:?}")).parse().unwrap()
}

fn names(object: &[(String, String)]) -> Vec<&str> {
    object.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn it_tells_the_pid_at_the_start_and_the_status_at_the_end() {
    let (mut child, mut reader) = {
        let root = busybox();
        let mut command = command(thimble(), &["run", "--json-status-fd", &FD.to_string()]);
        command.arg(root).args(["sh", "-c", "read x; exit 3"]).stdin(Stdio::piped());
        start_command(command)
    };
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let first = parsed(&line).remove(0);
    assert_eq!(names(&first), ["child-pid"]);
    let pid = number(&first, "child-pid");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(status.contains(&format!("NSpid:\t{pid}\t1\n")), "{status}");
    drop(child.stdin.take());
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    let last = parsed(&rest).remove(0);
    assert_eq!(child.wait().unwrap().code(), Some(3));
    // Without a cgroup there is nothing else that anybody has counted.
    assert_eq!(names(&last), ["exit-code", "cpu-usec"]);
    assert_eq!(number(&last, "exit-code"), 3);
    assert!(number(&last, "cpu-usec") > 0);
}

#[test]
fn an_ordinary_users_container_tells_the_same() {
    let user = Ordinary::new();
    let root = user.root();
    let words = ["run", "--json-status-fd", "9", root.to_str().unwrap(), "sh", "-c", "exit 4"];
    let (child, mut reader) = start_command(user.thimble(&words));
    let mut lines = String::new();
    reader.read_to_string(&mut lines).unwrap();
    assert_eq!(Ran::of(child.wait_with_output().unwrap()).status, Some(4));
    let lines = parsed(&lines);
    assert_eq!((lines.len(), number(&lines[1], "exit-code")), (2, 4));
}

#[test]
fn a_signal_is_told_from_a_status_that_looks_like_one() {
    let (ran, lines) = told(&[], "kill -TERM $$");
    assert_eq!((ran.status, number(&lines[1], "exit-code")), (Some(143), 143));
    assert_eq!(value(&lines[1], "signal"), Some("15"));
    let (ran, lines) = told(&[], "exit 143");
    assert_eq!((ran.status, number(&lines[1], "exit-code")), (Some(143), 143));
    assert_eq!(value(&lines[1], "signal"), None);
    // A status of thimble's own is the program's here.
    let (_, lines) = told(&[], "exit 127");
    assert_eq!(number(&lines[1], "exit-code"), 127);
    // Of the program as pid 1 itself.
    let (_, lines) = told(&["--as-pid-1"], "exit 143");
    assert_eq!((number(&lines[1], "exit-code"), value(&lines[1], "signal")), (143, None));
    // pid 1 itself.
    let (child, mut reader) = start(&[], &busybox(), &["sleep", "60"]);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let pid = number(&parsed(&line)[0], "child-pid") as u32;
    // It has told by then that the program runs.
    eventually("it waits for the program", || waits(pid));
    assert!(command("kill", &["-9", &pid.to_string()]).status().unwrap().success());
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    let last = parsed(&rest).remove(0);
    assert_eq!((number(&last, "exit-code"), value(&last, "signal")), (137, Some("9")));
    child.wait_with_output().unwrap();
}

#[test]
fn a_program_that_never_ran_has_no_exit_code() {
    for (options, words, status) in [
        (&[][..], &["nosuch"][..], 127),
        (&[], &["/etc"], 126),
        (&["-w", "/nosuch"], &["true"], 125),
        (&["-d"], &["nosuch"], 127),
        (&["--as-pid-1"], &["nosuch"], 127),
    ] {
        let (ran, lines) = told_in(options, &busybox(), words);
        assert_eq!(ran.status, Some(status));
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(names(&lines[0]), ["child-pid"]);
    }
}

#[test]
fn the_figures_are_those_of_the_cgroup() {
    // While its last process is still in it, the cgroup shows what the status then tells.
    let name = unique_name();
    let use_up = "my $x = 'x' x 40e6; my $i = 0; $i++ while $i < 3e6; $| = 1; print 'go'; <STDIN>";
    let words = ["run", "--json-status-fd", "9", "-m", "128m", "--cpus", "2", "--name", &name];
    let mut thimble = command(thimble(), &words);
    thimble.arg(debian()).args(["perl", "-e", use_up]).stdin(Stdio::piped());
    let (mut child, mut reader) = start_command(thimble);
    let mut go = [0; 2];
    child.stdout.as_mut().unwrap().read_exact(&mut go).unwrap();
    let figure = |names: &[&str]| -> Option<u64> {
        cgroups_with(&name).iter().find_map(|place| {
            names.iter().find_map(|file| {
                let text = fs::read_to_string(place.join(file)).ok()?;
                let line = text.lines().next()?;
                line.rsplit(' ').next()?.parse().ok()
            })
        })
    };
    let peak = figure(&["memory.max_usage_in_bytes", "memory.peak"]);
    let time = figure(&["cpuacct.usage"]).map(|ns| ns / 1000).or_else(|| figure(&["cpu.stat"]));
    drop(child.stdin.take());
    let mut lines = String::new();
    reader.read_to_string(&mut lines).unwrap();
    assert_eq!(Ran::of(child.wait_with_output().unwrap()).status, Some(0));
    let lines = parsed(&lines);
    let last = &lines[1];
    assert!(peak.unwrap() > 40_000_000, "{peak:?}");
    let told = number(last, "memory-peak");
    assert!((peak.unwrap()..128 << 20).contains(&told), "{told} of {peak:?}");
    let told = number(last, "cpu-usec");
    if let Some(time) = time {
        assert!(told >= time && told < time + 1_000_000, "{told} of {time}");
    }
    assert!(told > 10_000, "{told}");
    assert_eq!(value(last, "oom-killed"), Some("false"));
    assert_eq!(value(last, "signal"), None);
}

#[test]
fn processors_time_is_that_of_all_processes_that_were_in_it() {
    // Without a cgroup: of the program's children, those that it waited for and those that it
    // did not.
    let spin = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
    let (_, lines) = told(&[], &format!("sh -c '{spin}'"));
    assert!(number(&lines[1], "cpu-usec") > 50_000, "{lines:?}");
    let (_, idle) = told(&[], "sleep 0.3");
    assert!(number(&idle[1], "cpu-usec") < number(&lines[1], "cpu-usec"), "{idle:?} {lines:?}");
}

#[test]
fn memory_that_ran_out_is_told_of_the_program_and_of_its_children() {
    let grow = "my @a; push @a, 'x' x 1e6 while 1";
    let fork = format!("if (!fork) {{ {grow} }} wait; exit 3");
    let perl = |script: &str| told_in(&["-m", "32m"], &debian(), &["perl", "-e", script]);
    let (ran, lines) = perl(grow);
    assert_eq!(ran.err, "thimble: the program used up its memory and was killed\n");
    assert_eq!((ran.status, number(&lines[1], "exit-code")), (Some(137), 137));
    assert_eq!(value(&lines[1], "signal"), Some("9"));
    assert_eq!(value(&lines[1], "oom-killed"), Some("true"));
    assert!(number(&lines[1], "memory-peak") > 30 << 20);
    // A descendant's.
    let (ran, lines) = perl(&fork);
    assert_eq!((ran.status, ran.err.as_str()), (Some(3), ""));
    assert_eq!(number(&lines[1], "exit-code"), 3);
    assert_eq!(value(&lines[1], "oom-killed"), Some("true"));
    assert_eq!(value(&lines[1], "signal"), None);
    // The same, with a program that makes it look like its own.
    let (ran, lines) = perl(&fork.replace("exit 3", "exit 137"));
    assert_eq!((ran.status, ran.err.as_str()), (Some(137), ""));
    assert_eq!(value(&lines[1], "signal"), None);
    // Another's SIGKILL.
    let (_, lines) = perl("kill 9, $$");
    assert_eq!(value(&lines[1], "oom-killed"), Some("false"));
}

#[test]
fn a_detached_containers_end_is_told_when_it_comes() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("pid");
    let options = ["-d", "--pidfile", file.to_str().unwrap()];
    let (child, mut reader) = start(&options, &busybox(), &["sh", "-c", "sleep 0.2; exit 6"]);
    let ran = Ran::of(child.wait_with_output().unwrap());
    let mut lines = String::new();
    reader.read_to_string(&mut lines).unwrap();
    // With the end of what is told, all is taken back.
    assert!(!file.exists());
    let lines = parsed(&lines);
    assert_eq!(ran.good(), format!("{}\n", number(&lines[0], "child-pid")));
    assert_eq!(number(&lines[1], "exit-code"), 6);
}

#[test]
fn nobody_in_the_container_can_write_to_it() {
    let script = "cd /proc/self/fd; for n in *; do test -e $n && echo $n; done; true";
    for options in [&[][..], &["--bare"], &["--privileged"], &["--preserve-fds", "0"]] {
        let (ran, lines) = told(options, script);
        assert_eq!(ran.good(), "0\n1\n2\n", "{options:?}");
        assert_eq!(lines.len(), 2);
        // pid 1 has it no more than the program.
        let (ran, _) = told(options, "readlink /proc/1/fd/9; ls /proc/1/fd");
        assert!(!ran.out.contains('9') && !ran.out.contains("pipe"), "{options:?}: {ran:?}");
    }
}

#[test]
fn a_descriptor_that_cannot_be_written_to_is_refused() {
    let bash = |script: &str| {
        let script = script
            .replace("RUN", &format!("{} run", thimble().display()))
            .replace("ROOT", busybox().to_str().unwrap());
        Ran::of(command("bash", &["-c", &script]).output().unwrap())
    };
    let refused = "thimble: write to --json-status-fd: EBADF: Bad file descriptor\n\
                   thimble: hint: it must be open for writing\n";
    for (script, err) in [
        ("RUN --json-status-fd 9 ROOT echo ran", refused),
        ("RUN -d --json-status-fd 9 ROOT echo ran", refused),
        // The numbers that thimble's own would be the first to have.
        ("RUN -d --json-status-fd 3 ROOT echo ran", refused),
        ("RUN --json-status-fd 4 ROOT echo ran", refused),
        ("RUN --json-status-fd 9 ROOT echo ran 9</dev/null", refused),
        ("RUN --json-status-fd 9 ROOT echo ran 9</", refused),
        (
            "RUN --json-status-fd 1 ROOT echo ran",
            "thimble: --json-status-fd 1: must be a whole number from 3 on\n",
        ),
        (
            "RUN --preserve-fds 2 --json-status-fd 4 ROOT echo ran 3>&1 4>&1",
            "thimble: --json-status-fd: is the program's, given --preserve-fds\n",
        ),
        // A reader that is gone ends nothing by SIGPIPE, and is told while nothing has begun.
        (
            "exec 9> >(exit 0); wait $!; RUN --json-status-fd 9 ROOT echo ran",
            "thimble: write to --json-status-fd: EPIPE: Broken pipe\n",
        ),
    ] {
        let ran = bash(script);
        assert_eq!((ran.status, &*ran.out, &*ran.err), (Some(125), "", err), "{script}");
    }
    // Behind those that are handed on it is thimble's.
    let ran = bash("RUN --preserve-fds 1 --json-status-fd 4 ROOT sh -c 'echo ran >&3' 3>&1 4>&2");
    assert_eq!((ran.status, ran.out.as_str()), (Some(0), "ran\n"));
    assert_eq!(parsed(&ran.err).len(), 2);
}

#[test]
fn a_reader_that_goes_away_is_told_of_and_the_programs_status_stays() {
    let mut command = command(thimble(), &["run", "--json-status-fd", &FD.to_string()]);
    command.arg(busybox()).args(["sh", "-c", "read x; exit 6"]).stdin(Stdio::piped());
    let (mut child, mut reader) = start_command(command);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    drop(reader);
    drop(child.stdin.take());
    let ran = Ran::of(child.wait_with_output().unwrap());
    let err = "thimble: write to --json-status-fd: EPIPE: Broken pipe\n";
    assert_eq!((ran.status, ran.err.as_str()), (Some(6), err));
}
