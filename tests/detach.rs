//! `--detach`: the caller goes on once the program runs, and knows the container by its pid;
//! and `--pidfile`, which says it to others.

mod common;
use common::*;

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// `thimble run -d OPTIONS BUSYBOX /bin/sh -c SCRIPT`, called by a user who waits for the end of
/// what it prints.
fn detached(options: &[&str], script: &str) -> Ran {
    let mut all = vec!["-d"];
    all.extend(options);
    sh(&all, script)
}

/// The pid that was printed.
fn pid(ran: Ran) -> String {
    let out = ran.good();
    let pid = out.strip_suffix('\n').expect("a whole line");
    assert!(pid.parse::<u32>().is_ok(), "{out}");
    pid.to_string()
}

/// A field of /proc/PID/status.
fn status(pid: &str, field: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{field}:")));
    line.unwrap().trim().to_string()
}

fn is_there(pid: &str) -> bool {
    Path::new("/proc").join(pid).exists()
}

fn signal(name: &str, pid: &str) {
    assert!(command("kill", &[&format!("-{name}"), pid]).status().unwrap().success());
}

/// What a process has open, by number.
fn open_files(pid: &str) -> Vec<(String, PathBuf)> {
    let place = PathBuf::from(format!("/proc/{pid}/fd"));
    let entries = fs::read_dir(place).unwrap().flatten();
    let mut open: Vec<_> = entries
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
        .map(|(number, path)| (number, fs::read_link(path).unwrap_or_default()))
        .collect();
    open.sort();
    open
}

#[test]
fn it_prints_the_pid_of_pid_1_and_returns_while_the_program_runs() {
    let (root, host) = (own_root(), mounts());
    let go = root.path().join("go");
    assert!(command("mkfifo", &[&go]).status().unwrap().success());
    let words = ["run", "-d", root.path().to_str().unwrap(), "sh", "-c", "read x </go; exit 3"];
    // Its output is a pipe, whose end this waits for.
    let pid = pid(run(&words));
    assert_eq!(status(&pid, "NSpid"), format!("{pid}\t1"));
    let monitor = status(&pid, "PPid");
    // In a session of its own, with nothing of the caller's, and where it keeps nothing busy.
    let stat = fs::read_to_string(format!("/proc/{monitor}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    assert_eq!((fields[3], fields[4]), (monitor.as_str(), "0"), "session and terminal: {stat}");
    assert_eq!(fs::read_link(format!("/proc/{monitor}/cwd")).unwrap(), Path::new("/"));
    for process in [&monitor, &pid] {
        // The caller returns before the line to him is closed.
        eventually("no more is open than the line between the two", || {
            let open = open_files(process);
            let (standard, rest) = open.split_at(3);
            standard.iter().all(|(_, file)| file == Path::new("/dev/null"))
                && matches!(rest, [(_, line)] if line.to_str().unwrap().starts_with("socket:"))
        });
    }
    fs::write(&go, "\n").unwrap();
    eventually("it ends", || !is_there(&monitor) && !is_there(&pid));
    assert_eq!(mounts(), host);
}

#[test]
fn a_program_that_is_pid_1_itself_detaches_as_well() {
    let pid = pid(detached(&["--as-pid-1"], "exec sleep 60"));
    let monitor = status(&pid, "PPid");
    assert_eq!(status(&pid, "NSpid"), format!("{pid}\t1"));
    eventually("it is the program", || status(&pid, "Name") == "sleep");
    assert!(open_files(&pid).iter().all(|(_, file)| file == Path::new("/dev/null")));
    signal("KILL", &pid);
    eventually("it ends", || !is_there(&monitor));
    let root = busybox();
    let ran = run(&["run", "-d", "--as-pid-1", root.to_str().unwrap(), "nosuch"]);
    let err = "thimble: execute nosuch: ENOENT: No such file or directory\n";
    assert_eq!((ran.status, &*ran.out, &*ran.err), (Some(127), "", err));
}

#[test]
fn an_ordinary_user_detaches_a_container_as_well() {
    let user = Ordinary::new();
    let pid = pid(user.sh(&["-d"], "sleep 60"));
    let monitor = status(&pid, "PPid");
    assert_eq!(status(&pid, "NSpid"), format!("{pid}\t1"));
    assert!(status(&pid, "Uid").starts_with(&USER.to_string()));
    signal("KILL", &pid);
    eventually("it ends", || !is_there(&monitor) && !is_there(&pid));
    assert!(processes_with(user.root().to_str().unwrap()).is_empty());
}

#[test]
fn killing_that_pid_or_the_monitor_ends_all_and_is_cleaned_up() {
    for (number, killed) in ["pid 1", "pid 1, politely", "the monitor"].iter().enumerate() {
        let (name, mark) = (unique_name(), format!("41{number}{}", std::process::id()));
        let file = std::env::temp_dir().join(&name);
        let options = ["--name", &name, "--pids-limit", "9", "--pidfile", file.to_str().unwrap()];
        // busybox's sleep has no handler, so that TERM ends it as it would outside.
        let script = format!("sleep {mark} & setsid sleep {mark} & exec sleep {mark}");
        let pid = pid(detached(&options, &script));
        let monitor = status(&pid, "PPid");
        assert_eq!(fs::read_to_string(&file).unwrap(), format!("{pid}\n"));
        assert_eq!(cgroups_with(&name).len(), 1);
        match number {
            0 => signal("KILL", &pid),
            1 => signal("TERM", &pid),
            _ => signal("TERM", &monitor),
        }
        eventually(killed, || {
            processes_with(&format!("sleep {mark}")).is_empty() && !is_there(&monitor)
        });
        assert!(cgroups_with(&name).is_empty(), "{killed}");
        assert!(!file.exists(), "{killed}");
    }
}

#[test]
fn what_keeps_the_program_from_running_reaches_the_caller() {
    let (root, name) = (own_root(), unique_name());
    let root = root.path().to_str().unwrap();
    let file = format!("{root}/pid");
    for (words, status, err) in [
        (
            &["/nowhere", "true"][..],
            125,
            "thimble: open the root file system /nowhere: ENOENT: No such file or directory\n\
             thimble: hint: ROOTFS is the directory that holds the container's files\n",
        ),
        (&[root, "nosuch"], 127, "thimble: execute nosuch: ENOENT: No such file or directory\n"),
        (&[root, "/etc"], 126, "thimble: execute /etc: EACCES: Permission denied\n"),
        (
            &["-w", "/nosuch", root, "true"],
            125,
            "thimble: change to the working directory /nosuch: ENOENT: No such file or directory\n",
        ),
        (
            &["--tmpfs", "/tmp:size=x", root, "true"],
            125,
            "thimble: mount /tmp:size=x: EINVAL: Invalid argument\n\
             thimble: hint: a tmpfs takes size= mode= nr_inodes= uid= gid= ro exec\n",
        ),
    ] {
        let mut all = vec!["run", "-d", "--name", &name, "--pids-limit", "9", "--pidfile", &file];
        all.extend(words);
        let ran = run(&all);
        assert_eq!(
            (ran.status, ran.out.as_str(), ran.err.as_str()),
            (Some(status), "", err),
            "{words:?}"
        );
        // By the time that the caller is told.
        assert!(cgroups_with(&name).is_empty() && !Path::new(&file).exists(), "{words:?}");
        assert_eq!(processes_with(&name), [""; 0]);
    }
}

#[test]
fn a_pid_that_cannot_be_printed_is_of_no_container() {
    let (name, mark) = (unique_name(), format!("42{}", std::process::id()));
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let root = busybox();
    let words = ["run", "-d", "--name", &name, "--pids-limit", "9", root.to_str().unwrap()];
    let ran = command(thimble(), &words).args(["sleep", &mark]).stdout(full).output().unwrap();
    let ran = Ran::of(ran);
    let err = "thimble: write to standard output: ENOSPC: No space left on device\n";
    assert_eq!((ran.status, ran.err.as_str()), (Some(125), err));
    assert!(cgroups_with(&name).is_empty());
    assert_eq!(processes_with(&format!("sleep {mark}")), [""; 0]);
}

#[test]
fn a_caller_that_is_killed_before_it_is_told_leaves_no_container() {
    let (name, mark) = (unique_name(), format!("43{}", std::process::id()));
    let root = busybox();
    // Every execve(2) but thimble's own, the first of each process, takes five seconds.
    let inject = ["-f", "-qq", "-o", "/dev/null", "-e", "inject=execveat,execve:delay_enter=5s"];
    let mut caller = command("strace", &inject)
        .arg(thimble())
        .args(["run", "-d", "--name", &name, "--pids-limit", "9", root.to_str().unwrap()])
        .args(["sleep", &mark])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let found = || -> Vec<String> {
        let lines = processes_with(&name).into_iter().filter(|line| !line.contains("strace"));
        lines.map(|line| line["/proc/".len()..].split(' ').next().unwrap().to_string()).collect()
    };
    let children = |pid: &str| -> Vec<String> {
        let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        list.unwrap_or_default().split_whitespace().map(String::from).collect()
    };
    let only = |list: Vec<String>| if let [one] = &*list { one.clone() } else { String::new() };
    // The caller's process, the monitor, pid 1, and the one that is to be the program.
    let mut first = String::new();
    eventually("all are there", || {
        let both = found();
        first = both
            .iter()
            .find(|pid| both.contains(&only(children(pid))))
            .cloned()
            .unwrap_or_default();
        !only(children(&only(children(&only(children(&first)))))).is_empty()
    });
    signal("KILL", &first);
    let mut out = String::new();
    caller.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    caller.wait().unwrap();
    eventually("nothing is left", || found().is_empty() && cgroups_with(&name).is_empty());
    assert_eq!(processes_with(&format!("sleep {mark}")), [""; 0]);
}

#[test]
fn the_programs_output_goes_to_a_file_and_not_where_somebody_waits_for_its_end() {
    let place = tempfile::tempdir().unwrap();
    let log = place.path().join("log");
    let script = "readlink /proc/self/fd/0; echo out; echo err >&2; cat; \
                  echo end";
    // As a shell's `>log 2>&1`.
    let root = busybox();
    let bash = |script: &str| {
        let script = script.replace("RUN", &format!("{} run -d", thimble().display()));
        let script = script.replace("ROOT", root.to_str().unwrap());
        let script = script.replace("LOG", log.to_str().unwrap());
        Ran::of(command("bash", &["-c", &script]).output().unwrap())
    };
    assert_eq!(bash(&format!("echo in | RUN ROOT sh -c '{script}' >LOG 2>&1")).good(), "");
    let logged = || fs::read_to_string(&log).unwrap();
    // The pid stands among the rest: the program runs when it is printed.
    let is_pid = |line: &&str| line.parse::<u32>().is_ok();
    eventually("it has ended", || logged().lines().count() == 5);
    let all = logged();
    let (pids, rest): (Vec<_>, Vec<_>) = all.lines().partition(is_pid);
    assert_eq!((pids.len(), rest), (1, vec!["/dev/null", "out", "err", "end"]));
    // Into a variable: nothing but the pid, whatever the program writes, and however long it runs.
    let mark = format!("44{}", std::process::id());
    let ran = bash(&format!(
        "PID=$(RUN ROOT sh -c 'echo out; echo err >&2; exec sleep {mark}' 2>&1); echo \"<$PID>\"; \
         ls -l /proc/$PID/root/bin/sh >/dev/null; kill -9 $PID"
    ));
    let out = ran.good();
    let pid = out.trim_end().strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    assert!(pid.unwrap().parse::<u32>().is_ok(), "{out}");
    // What the monitor has to tell later goes there as well.
    let words = "-m 16m ROOT sh -c 'exec dd if=/dev/zero of=/dev/null bs=64M' >LOG 2>&1";
    bash(&format!("RUN {words}")).good();
    eventually("the monitor tells", || logged().contains("used up its memory"));
}

#[test]
fn each_step_is_told_until_the_caller_is_let_go() {
    let ran = detached(&["--verbose"], "echo out; exec sleep 0.1");
    assert_eq!(ran.status, Some(0), "{ran:?}");
    for line in ["begin a session", "clone", "chroot /", "execute /bin/sh", "program pid: 2"] {
        let line = format!("thimble: {line}");
        assert!(ran.err.contains(&line), "{line}: {}", ran.err);
    }
    assert_eq!(ran.out.lines().count(), 1, "{}", ran.out);
}

#[test]
fn nothing_that_the_caller_has_open_stays_so() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let root = busybox();
    let mut thimble = command(thimble(), &["run", "-d", root.to_str().unwrap(), "sleep", "60"]);
    let number = std::os::fd::AsRawFd::as_raw_fd(&writer);
    // SAFETY: only a system call between fork(2) and execve(2).
    unsafe {
        thimble.pre_exec(move || {
            if libc::dup2(number, 77) == 77 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
        });
    }
    let ran = Ran::of(thimble.output().unwrap());
    drop((writer, thimble));
    let pid = pid(ran);
    // Its end comes, though the container lives.
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert!(is_there(&pid));
    signal("KILL", &pid);
}

#[test]
fn a_hundred_at_once() {
    let (root, host) = (own_root(), mounts());
    let mark = format!("45{}", std::process::id());
    let words = ["run", "-d", "--pids-limit", "9", root.path().to_str().unwrap(), "sleep", &mark];
    let callers: Vec<_> = (0..100)
        .map(|_| command(thimble(), &words).stdout(Stdio::piped()).spawn().unwrap())
        .collect();
    let pids: Vec<_> = callers
        .into_iter()
        .map(|caller| pid(Ran::of(caller.wait_with_output().unwrap())))
        .collect();
    let monitors: Vec<_> = pids.iter().map(|pid| status(pid, "PPid")).collect();
    for pid in &pids {
        assert_eq!(status(pid, "NSpid"), format!("{pid}\t1"));
        signal("KILL", pid);
    }
    eventually("all have ended", || !monitors.iter().any(|monitor| is_there(monitor)));
    for monitor in monitors {
        let left = cgroups_with(&format!("thimble-{monitor}"));
        assert!(left.iter().all(|path| !path.ends_with(format!("thimble-{monitor}"))), "{left:?}");
    }
    assert_eq!(processes_with(&format!("sleep {mark}")), [""; 0]);
    assert_eq!(mounts(), host);
}

/// `thimble run OPTIONS BUSYBOX /bin/sh -c SCRIPT` in a directory.
fn in_directory(place: &Path, options: &[&str], script: &str) -> Command {
    let root = busybox();
    let mut command = command(thimble(), &["run"]);
    command.args(options).arg(root).args(["/bin/sh", "-c", script]).current_dir(place);
    command
}

#[test]
fn a_pid_file_is_there_before_the_program_and_goes_after_it() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("pid");
    // Relative to where the caller is; what is there is replaced.
    fs::write(&file, "old, and much longer than a pid\n").unwrap();
    let mut child = in_directory(place.path(), &["--pidfile", "pid"], "read x; exit 5")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let text = || fs::read_to_string(&file).unwrap_or_default();
    eventually("it is written", || text().len() < 20);
    let written = text();
    let pid = written.strip_suffix('\n').unwrap();
    assert_eq!(status(pid, "NSpid"), format!("{pid}\t1"));
    assert_eq!(status(pid, "PPid"), child.id().to_string());
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o644);
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "nothing else is left there");
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(5));
    assert!(!file.exists());
    // The program of a container that detaches finds it, and it never is less than whole.
    let options = ["-d", "--pidfile", "pid", "-v", &format!("{}:/tmp", place.path().display())];
    let script = "cat /tmp/pid >/tmp/seen; read x </tmp/seen; exec sleep 60";
    let ran = Ran::of(in_directory(place.path(), &options, script).output().unwrap());
    let pid = ran.good();
    assert_eq!(text(), pid);
    eventually("it was seen", || {
        fs::read_to_string(place.path().join("seen")).is_ok_and(|seen| seen == pid)
    });
    signal("KILL", pid.trim_end());
    eventually("it is removed", || !file.exists());
}

#[test]
fn a_pid_file_that_is_another_containers_by_now_stays() {
    let place = tempfile::tempdir().unwrap();
    let start = || {
        let ran = in_directory(place.path(), &["-d", "--pidfile", "pid"], "exec sleep 60").output();
        Ran::of(ran.unwrap()).good()
    };
    let (old, new) = (start(), start());
    let monitor = status(old.trim_end(), "PPid");
    signal("KILL", old.trim_end());
    eventually("the first has ended", || !is_there(&monitor));
    let file = place.path().join("pid");
    assert_eq!(fs::read_to_string(&file).unwrap(), new);
    // One that somebody else has removed is none to be told of.
    fs::remove_file(&file).unwrap();
    signal("KILL", new.trim_end());
    let options = ["--pidfile", "pid", "-v", &format!("{}:/tmp", place.path().display())];
    let ran = in_directory(place.path(), &options, "rm /tmp/pid").output().unwrap();
    assert_eq!(Ran::of(ran).good(), "");
}

#[test]
fn a_link_in_the_place_of_a_pid_file_is_replaced_and_not_followed() {
    let place = tempfile::tempdir().unwrap();
    let (file, other) = (place.path().join("pid"), place.path().join("other"));
    fs::write(&other, "precious\n").unwrap();
    symlink("other", &file).unwrap();
    let ran = in_directory(place.path(), &["--pidfile", "pid"], "true").output().unwrap();
    assert_eq!(Ran::of(ran).good(), "");
    assert_eq!(fs::read_to_string(&other).unwrap(), "precious\n");
    assert!(fs::symlink_metadata(&file).is_err());
    // The name that it is written under first cannot be taken in advance either.
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let mut child = in_directory(place.path(), &["--pidfile", "pid"], "read x; true")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    eventually("it is there", || file.exists());
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}

#[test]
fn a_pid_file_that_cannot_be_written_ends_the_container_before_its_program() {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("directory")).unwrap();
    let made = command("mknod", &["null", "c", "1", "3"]).current_dir(place.path()).status();
    assert!(made.unwrap().success());
    for (path, errno) in [
        ("null", "EEXIST: File exists"),
        ("nosuch/pid", "ENOENT: No such file or directory"),
        ("directory", "EISDIR: Is a directory"),
        ("/proc/pid", "ENOENT: No such file or directory"),
    ] {
        for detach in [&[][..], &["-d"]] {
            let mut options = vec!["--pidfile", path];
            options.extend(detach);
            let ran = Ran::of(in_directory(place.path(), &options, "echo ran").output().unwrap());
            let err = format!("thimble: write the pid file {path}: {errno}\n");
            assert_eq!((ran.status, ran.out.as_str(), ran.err), (Some(125), "", err));
        }
    }
    assert!(place.path().join("null").exists());
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 2);
    let ran = run(&["run", "--pidfile", "", "/nowhere"]);
    assert_eq!(ran.err, "thimble: --pidfile: must be a path\n");
}
