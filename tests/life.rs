//! How a container ends: statuses, signals, and what is left.

mod common;
use common::*;

use std::collections::BTreeMap;
use std::io::Read;
use std::process::Stdio;

#[test]
fn all_256_exit_statuses_pass_through() {
    for status in 0..256 {
        assert_eq!(sh(&["--bare"], &format!("exit {status}")).status, Some(status));
    }
}

#[test]
fn death_by_a_signal_is_128_and_its_number() {
    // Signals that end a process by default, caught or not.
    for signal in (1..=64).filter(|signal| ![17, 18, 19, 20, 21, 22, 23, 28].contains(signal)) {
        // Not by a shell, which ignores some.
        let root = debian();
        let script = format!(
            "sigaction({signal}, POSIX::SigAction->new('DEFAULT')); kill {signal}, $$; sleep 5; exit 1"
        );
        let ran = run(&["run", "--bare", root.to_str().unwrap(), "perl", "-MPOSIX", "-e", &script]);
        assert_eq!(ran.status, Some(128 + signal), "signal {signal}: {ran:?}");
    }
}

#[test]
fn what_the_program_leaves_running_ends_with_it() {
    let mark = format!("31{}", std::process::id());
    let ran = sh(&[], &format!("sleep {mark} & setsid sleep {mark} & exit 5"));
    assert_eq!(ran.status, Some(5));
    assert_eq!(processes_with(&format!("sleep {mark}")), [""; 0]);
}

#[test]
fn with_the_hosts_pid_namespace_it_ends_by_the_cgroup() {
    let mark = format!("32{}", std::process::id());
    let name = unique_name();
    let options = ["--pid", "host", "--pids-limit", "-1", "--name", &name];
    let ran = sh(&options, &format!("sleep {mark} & setsid sleep {mark} & exit 5"));
    assert_eq!(ran.status, Some(5), "{ran:?}");
    assert_eq!(processes_with(&format!("sleep {mark}")), [""; 0]);
    assert!(cgroups_with(&name).is_empty());
}

#[test]
fn orphans_are_reaped() {
    // Ten orphans that end while the program lives: none stays as a zombie.
    let script = "for i in 1 2 3 4 5 6 7 8 9 10; do (sleep 0.1 &); done; \
                  while [ $(wc -w </proc/1/task/1/children) -gt 1 ]; do sleep 0.02; done; \
                  ps -o stat,comm; exit 6";
    let ran = start(&[], script).wait();
    // The program lived on, and saw no zombie.
    assert_eq!(ran.status, Some(6));
    assert!(ran.out.contains("ps\n") && !ran.out.contains('Z'), "{ran:?}");
}

#[test]
fn signals_reach_the_program() {
    for signal in ["TERM", "INT", "QUIT", "USR1", "USR2", "WINCH"] {
        let script = format!(
            "trap 'echo got {signal}; exit 3' {signal}; echo ready; while :; do sleep 0.02; done"
        );
        let mut child = start(&["--bare"], &script);
        let pid = child.id().to_string();
        assert_eq!(child.line(), "ready");
        let sent = command("kill", &[&format!("-{signal}"), &pid]).status().unwrap();
        assert!(sent.success());
        let ran = child.wait();
        assert_eq!((ran.status, ran.out), (Some(3), format!("got {signal}\n")), "{signal}");
    }
}

#[test]
fn with_verbose_and_nobody_who_reads_it_it_ends_all_the_same() {
    // A reader that goes, as `head` does: each further line that is told is a SIGPIPE.
    let root = busybox();
    let script = "read x; exit 3";
    let words = ["run", "--verbose", root.to_str().unwrap(), "/bin/sh", "-c", script];
    let mut running =
        command(thimble(), &words).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut reader = running.stderr.take().unwrap();
    let (mut told, mut byte) = (Vec::new(), [0]);
    while !told.ends_with(b"thimble: program pid: 2\n") {
        reader.read_exact(&mut byte).unwrap();
        told.extend(byte);
    }
    drop(reader);
    // To be told of, on both sides.
    assert!(command("kill", &["-WINCH", &running.id().to_string()]).status().unwrap().success());
    drop(running.stdin.take());
    let start = std::time::Instant::now();
    while running.try_wait().unwrap().is_none() && start.elapsed().as_secs() < 30 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let _ = running.kill(); // if it has not ended
    assert_eq!(running.wait().unwrap().code(), Some(3));
}

#[test]
fn a_killed_host_side_leaves_no_process_and_no_mount() {
    let before = mounts();
    let mark = format!("33{}", std::process::id());
    let child = start(&[], &format!("sleep {mark} & sleep {mark}"));
    eventually("it runs", || processes_with(&format!("sleep {mark}")).len() >= 4);
    child.kill();
    eventually("nothing is left", || processes_with(&format!("sleep {mark}")).is_empty());
    assert_eq!(mounts(), before);
}

#[test]
fn with_the_hosts_pid_namespace_a_killed_host_side_takes_the_program_along() {
    let mark = format!("34{}", std::process::id());
    // Also one of another user: a change of ids clears the death signal.
    for user in ["0", "1000:100"] {
        let name = unique_name();
        let options = ["--pid", "host", "--pids-limit", "-1", "--name", &name, "-u", user];
        let child = start(&options, &format!("exec sleep {mark}"));
        eventually("it runs", || !processes_of(&format!("sleep {mark}")).is_empty());
        child.kill();
        eventually("the program is gone", || processes_with(&format!("sleep {mark}")).is_empty());
        // The cgroup stays, as the README says.
        for place in cgroups_with(&name) {
            eventually("it is empty", || std::fs::remove_dir(&place).is_ok());
        }
    }
}

#[test]
fn ignored_and_blocked_signals_are_reset_and_sigchld_may_be_ignored() {
    let root = busybox();
    let words = ["run", root.to_str().unwrap(), "/bin/grep", "^Sig[BIC]", "/proc/self/status"];
    let mut command = command(thimble(), &words);
    use std::os::unix::process::CommandExt;
    // SAFETY: only signal calls between fork and exec.
    unsafe {
        command.pre_exec(|| {
            for signal in [libc::SIGCHLD, libc::SIGPIPE, libc::SIGTERM, libc::SIGRTMAX()] {
                libc::signal(signal, libc::SIG_IGN);
            }
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&mut set);
            libc::sigaddset(&mut set, libc::SIGUSR1);
            libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
            Ok(())
        });
    }
    let out = Ran::of(command.output().unwrap()).good();
    let zero = "0000000000000000";
    assert_eq!(out, format!("SigBlk:\t{zero}\nSigIgn:\t{zero}\nSigCgt:\t{zero}\n"));
}

#[test]
fn two_hundred_in_a_row_and_fifty_at_once_leave_nothing() {
    let own = unique_name();
    let root = own_root();
    let host = mounts();
    let listed = listing(root.path());
    let run = |number: usize| {
        let name = format!("{own}-{number}");
        let words = [
            "run",
            "--pids-limit",
            "9",
            "--name",
            &name,
            root.path().to_str().unwrap(),
            "sh",
            "-c",
        ];
        let mut command = command(thimble(), &words);
        command.arg(format!("sleep 0.05 & exit {}", number % 256));
        command.stdout(Stdio::null());
        command
    };
    for number in 0..200 {
        let ran = Ran::of(run(number).output().unwrap());
        assert_eq!((ran.status, ran.err.as_str()), (Some(number as i32), ""));
    }
    let children: BTreeMap<_, _> =
        (0..50).map(|number| (number, run(number).spawn().unwrap())).collect();
    for (number, mut child) in children {
        assert_eq!(child.wait().unwrap().code(), Some(number as i32));
    }
    assert!(cgroups_with(&own).is_empty(), "cgroups: {:?}", cgroups_with(&own));
    assert_eq!(processes_with(root.path().to_str().unwrap()), [""; 0]);
    assert_eq!(mounts(), host);
    assert_eq!(listing(root.path()), listed);
}
