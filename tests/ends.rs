//! How a container is ended: by its time, by a signal, with its caller.

mod common;
use common::*;

use std::os::unix::process::CommandExt;
use std::process::Command;

/// Whoever runs a container.
enum Caller {
    Root,
    User(Ordinary),
}

/// All of them.
fn callers() -> [Caller; 2] {
    [Caller::Root, Caller::User(Ordinary::new())]
}

impl Caller {
    fn command(&self, options: &[&str], script: &str) -> Command {
        let (mut command, root) = match self {
            Caller::Root => (command(thimble(), &["run"]), busybox()),
            Caller::User(ordinary) => (ordinary.thimble(&["run"]), ordinary.root()),
        };
        command.args(options).arg(root).args(["/bin/sh", "-c", script]);
        command
    }

    /// One that is running, and has said so.
    fn start(&self, options: &[&str], script: &str) -> Running {
        let mut running = Running::new(self.command(options, &format!("{script}\n{LOOP}")));
        assert_eq!(running.line(), "ready", "{:?}", running.wait());
        running
    }
}

const LOOP: &str = "echo ready; while :; do sleep 0.02; done";

/// Ends with status 3, and says by which signal.
fn trap(signals: &[&str]) -> String {
    signals.iter().map(|name| format!("trap 'echo got {name}; exit 3' {name};")).collect()
}

#[test]
fn a_program_whose_time_is_up_is_stopped_and_its_status_is_124() {
    for caller in callers() {
        let ran = caller.start(&["--timeout", "1"], &trap(&["TERM"])).wait();
        assert_eq!((ran.status, ran.out.as_str(), ran.err.as_str()), (Some(124), "got TERM\n", ""));
        let options = ["--timeout=1", "--stop-signal=sigusr2"];
        let ran = caller.start(&options, &trap(&["TERM", "USR2"])).wait();
        assert_eq!((ran.status, ran.out.as_str()), (Some(124), "got USR2\n"));
    }
}

#[test]
fn one_that_goes_on_after_the_stop_signal_is_killed_with_all_of_its_own() {
    for caller in callers() {
        let mark = format!("41{}", std::process::id());
        let script = format!("trap 'echo got TERM' TERM; setsid sleep {mark} &");
        let ran = caller.start(&["--timeout", "1", "--stop-timeout", "1"], &script).wait();
        assert_eq!((ran.status, ran.out.as_str(), ran.err.as_str()), (Some(124), "got TERM\n", ""));
        assert_eq!(processes_with(&format!("sleep {mark}")), [""; 0]);
    }
}

#[test]
fn one_that_ends_in_time_has_its_own_status() {
    for caller in callers() {
        for time in ["0", "-1", "3600", "9223372036854775807", "18446744073709551615"] {
            let ran = Ran::of(caller.command(&["--timeout", time], "exit 7").output().unwrap());
            assert_eq!((ran.status, ran.err.as_str()), (Some(7), ""), "{time}");
        }
    }
}

#[test]
fn sigterm_and_sighup_become_the_stop_signal_and_others_stay_what_they_are() {
    for caller in callers() {
        for (signal, becomes) in [
            (libc::SIGTERM, "USR1"),
            (libc::SIGHUP, "USR1"),
            (libc::SIGINT, "INT"),
            (libc::SIGQUIT, "QUIT"),
            (libc::SIGUSR2, "USR2"),
        ] {
            let script = trap(&["TERM", "HUP", "INT", "QUIT", "USR1", "USR2"]);
            let running = caller.start(&["--stop-signal", "USR1"], &script);
            running.signal(signal);
            let ran = running.wait();
            assert_eq!((ran.status, ran.out), (Some(3), format!("got {becomes}\n")), "{signal}");
        }
    }
}

#[test]
fn a_real_time_signal_stops_as_well() {
    let root = debian();
    let script =
        "$SIG{NUM37} = sub { print \"got 37\\n\"; exit 3 }; $| = 1; print \"ready\\n\"; sleep 9";
    let words = ["run", "--stop-signal=RTMIN+3", root.to_str().unwrap(), "perl", "-e", script];
    let mut running = Running::new(command(thimble(), &words));
    assert_eq!(running.line(), "ready");
    running.signal(libc::SIGTERM);
    let ran = running.wait();
    assert_eq!((ran.status, ran.out.as_str()), (Some(3), "got 37\n"), "{ran:?}");
}

#[test]
fn a_second_stop_reaches_the_program_too_and_does_not_lengthen_its_grace() {
    for caller in callers() {
        let mut running = caller.start(&["--stop-timeout", "1"], "trap 'echo got TERM' TERM");
        // As long as it takes, and more often than once a second.
        for _ in 0..2 {
            running.signal(libc::SIGTERM);
            assert_eq!(running.line(), "got TERM");
        }
        eventually("it is killed", || {
            if !running.is_over() {
                running.signal(libc::SIGHUP);
            }
            running.is_over()
        });
        assert_eq!(running.wait().status, Some(137));
    }
}

#[test]
fn a_program_that_has_no_grace_is_killed_at_once() {
    // The signal and the kill come together.
    let running = Caller::Root.start(&["--stop-timeout=0"], "trap '' TERM");
    running.signal(libc::SIGTERM);
    assert_eq!(running.wait().status, Some(137));
    let running = Caller::Root.start(&["--stop-signal=KILL", "--stop-timeout=-1"], "trap '' TERM");
    running.signal(libc::SIGTERM);
    assert_eq!(running.wait().status, Some(137));
}

#[test]
fn time_is_up_also_where_signals_come_all_the_time() {
    let mut running = Caller::Root.start(&["--timeout", "1"], &trap(&["TERM"]));
    eventually("it ends", || {
        for _ in 0..10_000 {
            running.signal(libc::SIGWINCH);
        }
        running.is_over()
    });
    assert_eq!(running.wait().status, Some(124));
}

#[test]
fn what_the_caller_ignores_stops_nothing() {
    // As with nohup(1).
    for caller in callers() {
        let script = trap(&["HUP", "TERM", "USR1"]);
        let mut command = caller.command(&[], &format!("{script}\n{LOOP}"));
        // SAFETY: only signal calls between fork and exec.
        unsafe {
            command.pre_exec(|| {
                libc::signal(libc::SIGHUP, libc::SIG_IGN);
                libc::signal(libc::SIGTERM, libc::SIG_IGN);
                Ok(())
            });
        }
        let mut running = Running::new(command);
        assert_eq!(running.line(), "ready");
        for signal in [libc::SIGHUP, libc::SIGTERM, libc::SIGUSR1] {
            running.signal(signal);
        }
        let ran = running.wait();
        assert_eq!((ran.status, ran.out.as_str()), (Some(3), "got USR1\n"));
    }
}
