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

    /// One that has a second, and has said in time that it is running; or more seconds, on a
    /// machine with much else to do.
    fn start_timed(&self, options: &[&str], script: &str) -> Running {
        let script = format!("{script}\n{LOOP}");
        let start = |seconds: &&str| {
            let options = [&["--timeout", *seconds], options].concat();
            let mut running = Running::new(self.command(&options, &script));
            (running.line() == "ready").then_some(running)
        };
        ["1", "5", "25"].iter().find_map(start).expect("it runs in time")
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
        let ran = caller.start_timed(&[], &trap(&["TERM"])).wait();
        assert_eq!((ran.status, ran.out.as_str(), ran.err.as_str()), (Some(124), "got TERM\n", ""));
        let options = ["--stop-signal=sigusr2"];
        let ran = caller.start_timed(&options, &trap(&["TERM", "USR2"])).wait();
        assert_eq!((ran.status, ran.out.as_str()), (Some(124), "got USR2\n"));
    }
}

#[test]
fn one_that_goes_on_after_the_stop_signal_is_killed_with_all_of_its_own() {
    for caller in callers() {
        let mark = format!("41{}", std::process::id());
        let script = format!("trap 'echo got TERM' TERM; setsid sleep {mark} &");
        let ran = caller.start_timed(&["--stop-timeout", "5"], &script).wait();
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
        let mut running = caller.start(&["--stop-timeout", "5"], "trap 'echo got TERM' TERM");
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
    let mut running = Caller::Root.start_timed(&[], &trap(&["TERM"]));
    eventually("it ends", || {
        for _ in 0..10_000 {
            running.signal(libc::SIGWINCH);
        }
        running.is_over()
    });
    assert_eq!(running.wait().status, Some(124));
}

#[test]
fn an_end_is_seen_also_where_other_signals_come_all_the_time() {
    // As from processes that the program leaves behind: each wait finds another signal first.
    let inject = format!("inject={}:retval={}", named_here("rt_sigtimedwait"), libc::SIGWINCH);
    let mut line = command("strace", &["-qq", "-o", "/dev/null", "-e", &inject]);
    line.arg(thimble()).arg("run").arg(busybox()).args(["/bin/sh", "-c", "exit 7"]);
    let ran = Running::new(line).wait();
    assert_eq!((ran.status, ran.err.as_str()), (Some(7), ""));
}

#[test]
fn what_the_caller_ignores_stops_nothing() {
    // As with nohup(1).
    for caller in callers() {
        let script = trap(&["HUP", "TERM", "WINCH"]);
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
        // The lower number goes before the higher, so the last is no sooner than the others.
        for signal in [libc::SIGHUP, libc::SIGTERM, libc::SIGWINCH] {
            running.signal(signal);
        }
        let ran = running.wait();
        assert_eq!((ran.status, ran.out.as_str()), (Some(3), "got WINCH\n"));
    }
}

/// pid 1 and the program, as the host numbers them.
fn inside(running: &Running) -> [u32; 2] {
    let first = children(running.id())[0];
    [first, children(first)[0]]
}

/// Whether a process is stopped.
fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(')').next().unwrap().starts_with(" T")
}

#[test]
fn sigtstp_stops_the_program_and_then_thimble_and_sigcont_continues_both() {
    for caller in callers() {
        let script = format!("{}\n{LOOP}", trap(&["USR1"]));
        let mut command = caller.command(&[], &script);
        // A job of a shell's: a process group whose parent is in another one.
        command.process_group(0);
        let mut running = Running::new(command);
        assert_eq!(running.line(), "ready");
        let [first, program] = inside(&running);
        for _ in 0..3 {
            running.signal(libc::SIGTSTP);
            // As a shell sees it.
            let mut status = 0;
            let (id, options) = (running.id() as i32, libc::WUNTRACED | libc::WNOHANG);
            eventually("thimble is stopped", || {
                // SAFETY: the child is the test's own.
                unsafe { libc::waitpid(id, &mut status, options) == id }
            });
            assert!(libc::WIFSTOPPED(status) && libc::WSTOPSIG(status) == libc::SIGTSTP);
            eventually("the program is stopped", || is_stopped(program));
            assert!(!is_stopped(first), "pid 1 goes on reaping");
            running.signal(libc::SIGCONT);
            eventually("both go on", || !is_stopped(program) && !is_stopped(running.id()));
        }
        running.signal(libc::SIGUSR1);
        let ran = running.wait();
        assert_eq!((ran.status, ran.out.as_str()), (Some(3), "got USR1\n"));
    }
}

#[test]
fn a_thimble_that_cannot_stop_itself_says_so_and_ends_the_container() {
    // The first is the program's. Traced by another process, so that this is thimble itself.
    let fails = "inject=kill:error=EPERM:when=2";
    let mut line = command("strace", &["-D", "-f", "-qq", "-o", "/dev/null", "-e", fails]);
    line.arg(thimble()).arg("run").arg(busybox()).args(["/bin/sh", "-c", LOOP]);
    let mut running = Running::new(line);
    assert_eq!(running.line(), "ready");
    let processes = inside(&running);
    running.signal(libc::SIGTSTP);
    let ran = running.wait();
    let line = "thimble: stop thimble itself: EPERM: Operation not permitted\n";
    assert_eq!((ran.status, ran.err.as_str()), (Some(125), line));
    for pid in processes {
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "{pid}");
    }
}

#[test]
fn a_program_that_handles_sigtstp_itself_is_not_stopped_by_it_and_thimble_is() {
    let script = format!("{} trap 'echo got TSTP' TSTP\n{LOOP}", trap(&["USR1"]));
    let mut command = Caller::Root.command(&[], &script);
    command.process_group(0);
    let mut running = Running::new(command);
    assert_eq!(running.line(), "ready");
    running.signal(libc::SIGTSTP);
    assert_eq!(running.line(), "got TSTP");
    eventually("thimble is stopped", || is_stopped(running.id()));
    // Which takes none until it goes on.
    running.signal(libc::SIGUSR1);
    running.signal(libc::SIGCONT);
    assert_eq!(running.wait().status, Some(3));
}

#[test]
fn it_ends_when_the_caller_ends_and_else_goes_on() {
    for caller in callers() {
        for (number, options) in [
            &["--die-with-parent"][..],
            &["--die-with-parent", "--as-pid-1"],
            &["--die-with-parent", "-u", "5:5", "--as-pid-1"],
            &["--die-with-parent", "-u", "5:5"],
            &[],
        ]
        .iter()
        .enumerate()
        {
            let mark = format!("42{number}{}", std::process::id());
            let command = caller.command(options, &format!("echo ready; exec sleep {mark}"));
            // A caller that ends as soon as it is told to.
            let mut between = Command::new("sh");
            between.args(["-c", "\"$@\" & read end; exit 0", "sh"]);
            between.arg(command.get_program()).args(command.get_args());
            let mut child = between
                .stdin(std::process::Stdio::piped())
                .stdout(std::process::Stdio::piped())
                .spawn()
                .unwrap();
            let mut ready = [0; 6];
            std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
            let name = format!("sleep {mark}");
            eventually("it runs", || processes_with(&name).len() >= 2);
            drop(child.stdin.take());
            child.wait().unwrap();
            if options.is_empty() {
                // The control: it goes on, and is ended by hand.
                assert!(processes_with(&name).len() >= 2);
                let ended = command_line_killed(&name);
                assert!(ended > 0);
            }
            eventually("nothing is left", || processes_with(&name).is_empty());
        }
    }
}

/// Kills every process with this text in its command line; how many there were.
fn command_line_killed(text: &str) -> usize {
    let found = processes_with(text);
    for process in &found {
        let pid = process.split(['/', ' ']).nth(2).unwrap();
        let _ = command("kill", &["-9", pid]).status();
    }
    found.len()
}

#[test]
fn a_caller_that_ends_before_the_kernel_knows_is_noticed() {
    let place = tempfile::tempdir().unwrap();
    let (log, told) = (place.path().join("log"), place.path().join("told"));
    // The tracer is not the parent (-D), and delays the call by which the kernel gets to know.
    let script = format!(
        "strace -D -o {log} -e trace=getppid,prctl -e inject=prctl:delay_enter=5s:when=1 \
         {} run --die-with-parent {} true 2>{told} &
         until grep -q getppid {log} 2>/dev/null; do sleep 0.01; done",
        thimble().display(),
        busybox().display(),
        log = log.display(),
        told = told.display(),
    );
    assert!(command("sh", &["-c", &script]).status().unwrap().success());
    let want = "thimble: set the death signal: ESRCH: No such process\n";
    eventually("it says so", || std::fs::read_to_string(&told).is_ok_and(|told| told == want));
}

#[test]
fn the_program_itself_is_pid_1_if_asked_for() {
    for caller in callers() {
        let script = "echo $$ $(cat /proc/1/comm); tr '\\0' ' ' < /proc/1/cmdline; exit 5";
        let ran = Ran::of(caller.command(&["--as-pid-1"], script).output().unwrap());
        let line = script.to_string() + " ";
        let (first, second) = ran.out.split_once('\n').unwrap();
        assert_eq!((ran.status, ran.err.as_str(), first), (Some(5), "", "1 sh"), "{ran:?}");
        assert_eq!(second, format!("/bin/sh -c {line}"));
        // Descriptors: those of the caller, and the directory that is read.
        let mut command = caller.command(&["--as-pid-1"], "ls /proc/1/fd /proc/self/fd; :");
        let listed = Ran::of(command.output().unwrap()).good().replace('\n', " ");
        assert_eq!(listed, "/proc/1/fd: 0 1 2  /proc/self/fd: 0 1 2 3 ");
    }
}

#[test]
fn as_pid_1_a_command_that_cannot_be_executed_is_told_as_ever() {
    let root = busybox();
    let run = |options: &[&str], command: &str| {
        let words = [&["run"], options, &[root.to_str().unwrap(), command]].concat();
        run(&words)
    };
    for (options, command) in [
        (&[][..], "nothing"),
        (&[], "/etc"),
        (&["-w", "/nowhere"], "true"),
        (&["--ulimit", "nofile=64:32768000000"], "true"),
        (&["-u", "nobody-knows"], "true"),
    ] {
        let usual = run(options, command);
        assert!(matches!(usual.status, Some(125..=127)) && !usual.err.is_empty(), "{usual:?}");
        assert_eq!(run(&[options, &["--as-pid-1"]].concat(), command), usual);
    }
    let ran = run(&["--as-pid-1", "--pid", "host", "--pids-limit", "-1"], "true");
    assert_eq!(
        (ran.status, ran.err.as_str()),
        (Some(125), "thimble: --as-pid-1: needs --pid private\n")
    );
}

#[test]
fn as_pid_1_a_program_has_what_the_program_has_otherwise() {
    // Its capabilities, no_new_privs, filter, signals, groups, limits: all but its numbers.
    let script = "grep -E '^(Cap|NoNew|Seccomp|Sig[BIC]|Uid|Gid|Groups)' /proc/self/status; \
                  cat /proc/self/limits /proc/self/mountinfo | cut -d' ' -f5- ; env; id";
    for caller in callers() {
        let choices: &[&[&str]] = match caller {
            Caller::Root => &[
                &["-h", "x"],
                &["-h", "x", "-u", "5:6", "--cap-add", "CHOWN"],
                &["-h", "x", "--bare"],
                &["-h", "x", "--ulimit", "nofile=64:128"],
            ],
            Caller::User(_) => &[&["-h", "x"], &["-h", "x", "-u", "5:6"]],
        };
        for options in choices {
            let out = |more: &[&str]| {
                let options = [options, more].concat();
                Ran::of(caller.command(&options, script).output().unwrap()).good()
            };
            assert_eq!(out(&["--as-pid-1"]), out(&[]), "{options:?}");
        }
    }
}

#[test]
fn as_pid_1_a_program_without_a_handler_is_stopped_by_sigkill_alone() {
    for caller in callers() {
        // pid 1 is not ended by a signal that it does not handle (pid_namespaces(7)).
        let running = caller.start(&["--as-pid-1", "--stop-timeout", "1"], "");
        running.signal(libc::SIGTERM);
        assert_eq!(running.wait().status, Some(137));
        let running = caller.start(&["--as-pid-1"], &trap(&["TERM"]));
        running.signal(libc::SIGTERM);
        let ran = running.wait();
        assert_eq!((ran.status, ran.out.as_str()), (Some(3), "got TERM\n"));
        // The host side's death is its own, whatever it runs as.
        for user in ["0:0", "5:5"] {
            let mark =
                format!("43{}{}", user.len() + user.as_bytes()[0] as usize, std::process::id());
            let script = format!("echo ready; sleep {mark} & exec sleep {mark}");
            let mut running = Running::new(caller.command(&["--as-pid-1", "-u", user], &script));
            assert_eq!(running.line(), "ready");
            eventually("it runs", || processes_with(&format!("sleep {mark}")).len() >= 3);
            running.kill();
            eventually("nothing is left", || processes_with(&format!("sleep {mark}")).is_empty());
        }
    }
}
