//! What an init has to do, case by case as tini's own tests ask it: orphans, statuses,
//! process groups, terminals, signals.

mod common;
use common::*;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// Who is pid 1.
const INITS: &[&[&str]] = &[&[], &["--as-pid-1"]];

fn number(pid: u32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("{name} in {status}")).trim().to_string()
}

/// The processes below one.
fn below(pid: u32) -> Vec<u32> {
    let children = children(pid).into_iter();
    children.flat_map(|child| [vec![child], below(child)].concat()).collect()
}

#[test]
fn orphans_become_children_of_pid_1_and_are_reaped() {
    // A hundred that end when they have become its children. The program ends when they are no
    // longer: as zombies they would be.
    let script = "i=0; while [ $i -lt 100 ]; do i=$((i+1)); (sh -c '\
                      until [ \"$(cut -d\" \" -f4 /proc/$$/stat)\" = 1 ]; do :; done; echo orphan' &); \
                  done; \
                  while [ $(wc -w < /proc/1/task/1/children) -gt 1 ]; do sleep 0.02; done; exit 6";
    let ran = start(&[], script).wait();
    assert_eq!((ran.status, ran.out), (Some(6), "orphan\n".repeat(100)));
}

#[test]
fn all_256_exit_statuses_pass_through_whoever_is_pid_1() {
    for options in INITS {
        for status in 0..256 {
            assert_eq!(sh(options, &format!("exit {status}")).status, Some(status), "{options:?}");
        }
    }
}

#[test]
fn the_program_leads_a_process_group_in_the_session_of_pid_1() {
    let line = |options: &[&str]| {
        let script = "cut -d' ' -f1,5,6 /proc/$$/stat /proc/1/stat | tr '\\n' ' '";
        sh(options, script).good()
    };
    assert_eq!(line(&[]), "2 2 1 1 1 1 ");
    assert_eq!(line(&["--as-pid-1"]), "1 1 1 1 1 1 ");
    assert_eq!(line(&["--bare"]), "2 2 1 1 1 1 ");
}

#[test]
fn what_the_program_sends_to_its_group_does_not_come_back_through_pid_1() {
    // Real-time signals, of which each counts, the lower number first: 40 to the group, and
    // then 41 to pid 1, which passes on what it is sent by those inside as well.
    let root = probe_root();
    let words = ["run", root.path().to_str().unwrap(), "probe", "told", "40", "41"];
    assert_eq!(run(&words).good(), "ready\n40\n");
}

#[test]
fn a_signal_goes_to_the_program_and_not_to_what_it_runs() {
    // Its child would say so too, being of the same group.
    let script = "trap 'echo program; exit 3' USR1; \
                  (trap 'echo child' USR1; echo ready; while :; do sleep 0.02; done) & \
                  echo ready; while :; do sleep 0.02; done";
    let mut running = start(&[], script);
    assert_eq!([running.line(), running.line()], ["ready"; 2]);
    running.signal(libc::SIGUSR1);
    assert_eq!(running.wait().out, "program\n");
}

/// What all signals do, and which are blocked, as a command begins. By system calls: a C library
/// keeps some signals to itself, and posix_spawn(3) has them ignored.
fn dispositions(command: &mut Command, handler: libc::sighandler_t, blocked: u64) {
    // SAFETY: only system calls between fork and exec.
    unsafe {
        command.pre_exec(move || {
            let (action, none) = ([handler as u64, 0, 0, 0], std::ptr::null::<u64>());
            for signal in 1..=64 {
                libc::syscall(libc::SYS_rt_sigaction, signal, &action, none, 8);
            }
            libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &blocked, none, 8);
            Ok(())
        });
    }
}

#[test]
fn every_signal_reaches_the_program_with_its_own_number() {
    let root = probe_root();
    for options in INITS.iter().copied() {
        let own = ["--stop-timeout=-1", root.path().to_str().unwrap(), "probe", "told"];
        let words = [&["run"], options, &own].concat();
        let mut command = command(thimble(), &words);
        command.process_group(0);
        dispositions(&mut command, libc::SIG_DFL, 0);
        let mut running = Running::new(command);
        assert_eq!(running.line(), "ready");
        for signal in 1..=64 {
            let arrives = match signal {
                libc::SIGKILL | libc::SIGSTOP | libc::SIGCHLD => continue,
                libc::SIGHUP => libc::SIGTERM, // stops
                other => other,
            };
            running.signal(signal);
            if signal == 64 {
                break;
            }
            // SIGCONT comes by itself as well, where something was stopped.
            let line = loop {
                let line = running.line();
                if line != "18" || signal == libc::SIGCONT {
                    break line;
                }
            };
            assert_eq!(line, arrives.to_string(), "{options:?} {:?}", running.wait());
            if signal == libc::SIGTSTP {
                // Which throws away a SIGCONT that comes before it, as a shell's never does.
                let is_stopped = || number(running.id(), "State:").starts_with('T');
                eventually("it stops as well", is_stopped);
                running.signal(libc::SIGCONT);
                assert_eq!(running.line(), "18");
            }
        }
        assert_eq!(running.wait().status, Some(0), "{options:?}");
    }
}

#[test]
fn the_program_begins_with_no_signal_ignored_or_blocked_whatever_the_caller_has() {
    for options in INITS {
        let root = busybox();
        let script = "grep '^Sig[BIC]' /proc/self/status; exit 9";
        let words = [&["run"], *options, &[root.to_str().unwrap(), "/bin/sh", "-c", script]];
        let mut command = command(thimble(), &words.concat());
        dispositions(&mut command, libc::SIG_IGN, u64::MAX);
        let ran = Ran::of(command.output().unwrap());
        let zero = "0000000000000000";
        assert_eq!(ran.out, format!("SigBlk:\t{zero}\nSigIgn:\t{zero}\nSigCgt:\t{zero}\n"));
        // With SIGCHLD ignored the kernel would have thrown it away.
        assert_eq!((ran.status, ran.err.as_str()), (Some(9), ""), "{options:?}");
    }
}

/// A terminal: the end of whoever sits at it, and a command whose own it is.
fn at_a_terminal(command: &mut Command) -> File {
    let (mut outer, mut inner) = (0, 0);
    let none = std::ptr::null_mut();
    // SAFETY: two descriptors are written; no name, no settings, no size are asked for.
    let opened = unsafe { libc::openpty(&mut outer, &mut inner, none, none.cast(), none.cast()) };
    assert_eq!(opened, 0);
    // SAFETY: they were just opened, and are nobody else's.
    let (outer, inner) = unsafe { (File::from_raw_fd(outer), File::from_raw_fd(inner)) };
    let own = outer.as_raw_fd();
    // SAFETY: no memory is passed.
    unsafe { libc::fcntl(own, libc::F_SETFL, libc::O_NONBLOCK) };
    for stream in [Command::stdin, Command::stdout, Command::stderr] {
        stream(command, Stdio::from(inner.try_clone().unwrap()));
    }
    // SAFETY: only system calls between fork and exec.
    unsafe {
        command.pre_exec(move || {
            libc::close(own);
            libc::setsid();
            libc::ioctl(0, libc::TIOCSCTTY, 0);
            Ok(())
        });
    }
    outer
}

#[test]
fn the_callers_terminal_can_be_read_and_ctrl_c_and_ctrl_backslash_reach_the_program() {
    for options in INITS {
        for (typed, signal) in [(b"\x03", "INT"), (b"\x1c", "QUIT")] {
            let root = busybox();
            let script = format!(
                "trap 'echo got {signal}; exit 3' {signal}; read line; echo read $line; \
                 while :; do sleep 0.02; done"
            );
            let words = [&["run"], *options, &[root.to_str().unwrap(), "sh", "-c", &script]];
            let mut command = command(thimble(), &words.concat());
            let mut terminal = at_a_terminal(&mut command);
            let running = Running::at(command);
            let mut shown = String::new();
            let mut until = |text: &str, terminal: &mut File| {
                eventually(text, || {
                    let mut bytes = [0; 64];
                    // Nothing yet, or nobody has the other end open any more.
                    let length = terminal.read(&mut bytes).unwrap_or(0);
                    shown += &String::from_utf8_lossy(&bytes[..length]);
                    shown.contains(text)
                });
            };
            terminal.write_all(b"hello\n").unwrap();
            until("read hello", &mut terminal);
            // Nobody could continue thimble, which has no shell above it: nothing is stopped.
            terminal.write_all(b"\x1a").unwrap();
            terminal.write_all(typed).unwrap();
            until(&format!("got {signal}"), &mut terminal);
            assert_eq!(running.wait().status, Some(3), "{options:?}");
        }
    }
}

#[test]
fn whoever_is_pid_1_its_end_is_the_end_of_all_others() {
    for (at, options) in INITS.iter().enumerate() {
        let mark = format!("51{at}{}", std::process::id());
        let script =
            format!("sleep {mark} & setsid sleep {mark} & (setsid sleep {mark} &); exit 5");
        assert_eq!(sh(options, &script).status, Some(5));
        assert_eq!(processes_with(&format!("sleep {mark}")), [""; 0]);
    }
}

/// What both processes of a waiting container have of memory, by /proc/PID/smaps_rollup, in KiB:
/// what no other process has, and their share of everything.
fn memory(options: &[&str]) -> (u64, u64) {
    let mut running = start(options, "echo ready; exec sleep 60");
    assert_eq!(running.line(), "ready");
    let inside = below(running.id());
    eventually("the program sleeps", || number(inside[1], "Name:") == "sleep");
    let sum = |name: &str| {
        [running.id(), inside[0]]
            .iter()
            .map(|pid| {
                let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
                let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
                line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
            })
            .sum()
    };
    eventually("both wait", || waits(running.id()) && waits(inside[0]));
    (sum("Private_Dirty:"), sum("Pss:"))
}

#[test]
fn a_container_that_waits_takes_24_kib_of_memory_for_itself() {
    if thimble().to_str().unwrap().contains("debug") {
        return; // a debug build takes more
    }
    for options in [
        &[][..],
        &["--bare"],
        &["--read-only", "-e", "A=B", "--timeout", "3600"],
        &["--pids-limit", "9", "--memory", "64m"],
    ] {
        let (own, share) = memory(options);
        println!("{options:?}: {own} KiB of their own, {share} KiB as their share of all");
        assert!(own <= 24, "{options:?}: {own} KiB");
    }
}

#[test]
fn while_nothing_happens_nothing_is_done_for_ten_seconds() {
    let ordinary = Ordinary::new();
    let his = |options: &[&str]| {
        let mut command = ordinary.thimble(&["run"]);
        command.args(options).arg(ordinary.root());
        command.args(["/bin/sh", "-c", "echo ready; exec sleep 60"]);
        Running::new(command)
    };
    let mut all = vec![
        start(&[], "echo ready; exec sleep 60"),
        start(&["--timeout", "3600"], "echo ready; exec sleep 60"),
        start(&["--pids-limit", "9", "--die-with-parent"], "echo ready; exec sleep 60"),
        his(&[]),
        his(&["--timeout", "3600"]),
    ];
    let mut processes = Vec::new();
    for running in &mut all {
        assert_eq!(running.line(), "ready");
        let inside = below(running.id());
        processes.extend([running.id(), inside[0]]);
        let program = inside[1];
        eventually("the program sleeps", || number(program, "Name:") == "sleep");
    }
    // A process that makes a system call runs, and each time it does is counted.
    let counts = |pid: &u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap();
        (number(*pid, "voluntary_ctxt_switches:"), text)
    };
    eventually("all of them wait", || processes.iter().all(|pid| waits(*pid)));
    std::thread::sleep(std::time::Duration::from_millis(200));
    let before: Vec<_> = processes.iter().map(counts).collect();
    std::thread::sleep(std::time::Duration::from_secs(10));
    let after: Vec<_> = processes.iter().map(counts).collect();
    assert_eq!(before, after);
    // The control: a signal is something.
    all[0].signal(libc::SIGWINCH);
    eventually("it is passed on", || {
        counts(&processes[0]) != before[0] && counts(&processes[1]) != before[1]
    });
}
