//! `thimble exec`: a program in a container that runs already is under all that the
//! container's own program is under, and nothing in there gets hold of its runner.

mod common;
use common::*;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// A container that runs `COMMAND` until this is dropped, with a pipe as its input.
struct Container {
    child: Child,
    output: BufReader<ChildStdout>,
    first: u32,
}

/// The process's oldest child.
fn child_of(pid: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split(' ').next()?.parse().ok()
}

impl Container {
    /// Starts one whose program prints a line once it runs.
    fn start(mut command: Command) -> Container {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        assert!(output.read_line(&mut String::new()).unwrap() > 0, "it did not start");
        let first = child_of(child.id()).unwrap();
        Container { child, output, first }
    }

    fn program(&self) -> u32 {
        child_of(self.first).unwrap_or(self.first)
    }

    fn pid(&self) -> String {
        self.first.to_string()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // A thimble that is killed leaves its cgroup, if that has a name. (Whom it waits for may have
        // become the machine's child, which is reaped when that finds the time.)
        drop(self.child.stdin.take());
        for _ in 0..500 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `thimble run OPTIONS BUSYBOX /bin/sh -c SCRIPT`
fn container(options: &[&str], script: &str) -> Container {
    let root = busybox();
    let mut line = command(thimble(), &["run"]);
    line.args(options).arg(root).args(["/bin/sh", "-c", script]);
    Container::start(line)
}

const READY: &str = "echo ready; exec cat";

fn exec(container: &Container, options: &[&str], words: &[&str]) -> Ran {
    let pid = container.pid();
    run(&[&["exec"], options, &[pid.as_str()], words].concat())
}

/// What tests/golden/describe.sh tells, by its sections.
type Told = BTreeMap<String, Vec<String>>;

fn told(reader: &mut dyn BufRead) -> Told {
    const SAME: &[&str] =
        &["Umask", "SigBlk", "SigIgn", "SigCgt", "Threads", "Cpus_allowed", "Mems_allowed"];
    let (mut told, mut section) = (Told::new(), String::new());
    for line in reader.lines().map(Result::unwrap) {
        if line == "[end]" {
            return told;
        }
        if line.starts_with('[') {
            section = line;
        } else if section != "[status]"
            || [RIGHTS, SAME].concat().contains(&line.split(':').next().unwrap())
        {
            // Without the numbers of processes and pipes.
            let digits = |word: &str| word.chars().all(|c| c.is_ascii_digit());
            let line = match section.as_str() {
                "[descriptors]" | "[names]" => line
                    .split(['/', '['])
                    .filter(|word| !digits(word.trim_end_matches("]'")))
                    .collect(),
                _ => line,
            };
            told.entry(section.clone()).or_default().push(line);
        }
    }
    panic!("no end: {told:?}");
}

/// Compares a container's own program with one that is executed in it, by the same script.
fn compare(run: Command, exec: impl Fn(&str) -> Command, what: &str, but: &[&str]) {
    let mut container = Container::start(run);
    let mut own = told(&mut container.output);
    let mut line = exec(&container.pid());
    let mut child = line.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut String::new()).unwrap();
    let mut other = told(&mut output);
    // Seen from outside, too.
    for (told, pid) in
        [(&mut own, container.program()), (&mut other, child_of(child.id()).unwrap())]
    {
        let mut seen = vec![];
        for name in ["cgroup", "oom_score_adj"] {
            seen.push(fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap());
        }
        let entries = fs::read_dir(format!("/proc/{pid}/ns")).unwrap();
        let mut links: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        links.extend(["cwd", "root", "exe"].map(|name| format!("/proc/{pid}/{name}").into()));
        links.sort();
        seen.extend(links.iter().map(|link| format!("{:?}", fs::read_link(link).unwrap())));
        let root = fs::metadata(format!("/proc/{pid}/root/.")).unwrap();
        seen.push(format!("{} {}", root.dev(), root.ino()));
        told.insert("outside".into(), seen);
    }
    drop(child.stdin.take());
    child.wait().unwrap();
    assert!(own.len() > 10, "{own:?}");
    for (section, lines) in &own {
        let kept = |lines: &Vec<String>| {
            let mut lines: Vec<_> = lines
                .iter()
                .filter(|line| !but.iter().any(|but| line.starts_with(but)))
                .cloned()
                .collect();
            if section == "[environment]" {
                lines.sort();
            }
            lines
        };
        if section != "[stat]" {
            assert_eq!(kept(lines_of(&other, section)), kept(lines), "{what}: {section}");
        }
    }
}

fn lines_of<'a>(told: &'a Told, section: &str) -> &'a Vec<String> {
    told.get(section).unwrap()
}

const DESCRIBE: &str = concat!("echo ready\n", include_str!("golden/describe.sh"));

#[test]
fn it_is_under_all_that_the_containers_own_program_is_under() {
    let name = unique_name();
    for options in [
        &[][..],
        &["--privileged"],
        &["--bare"],
        &["--no-pivot"],
        &["-x"],
        &["--read-only", "-v", "/etc:/tmp:ro"],
        &["--network", "host"],
        &["--as-pid-1"],
        &["--ipc", "host", "--uts", "host", "--cgroupns", "host"],
        &["--uidmap", "0:100000:65536"],
        &["--uidmap", "5:100000:10"],
        &["--cap-add", "NET_RAW", "--cap-drop", "CHOWN"],
        &["--security-opt", "no-new-privileges=false"],
        &["--security-opt", "seccomp=unconfined"],
        &[
            "--name",
            &name,
            "--pids-limit",
            "30",
            "-m",
            "64m",
            "--cpus",
            "1.5",
            "--cpuset-cpus",
            "0",
        ],
    ] {
        let mut run = command(thimble(), &["run"]);
        run.args(options).arg(busybox()).args(["/bin/sh", "-c", DESCRIBE]);
        let exec = |pid: &str| command(thimble(), &["exec", pid, "/bin/sh", "-c", DESCRIBE]);
        // `--bare` leaves the caller's groups.
        let but = if options == ["--bare"] { &["Groups:"][..] } else { &[] };
        compare(run, exec, &format!("{options:?}"), but);
    }
}

#[test]
fn an_ordinary_user_enters_his_own_container() {
    let ordinary = Ordinary::new();
    for options in [
        &[][..],
        &["--privileged"],
        &["--bare"],
        &["--no-pivot"],
        &["-x"],
        &["--network", "host", "--ipc", "host", "--uts", "host", "--cgroupns", "host"],
        &["-u", "5:6"],
        &["--as-pid-1"],
        &["--cap-add", "SYS_PTRACE"],
        &["--security-opt", "seccomp=unconfined"],
    ] {
        let mut run = ordinary.thimble(&["run"]);
        run.args(options).arg(ordinary.root()).args(["/bin/sh", "-c", DESCRIBE]);
        let exec = |pid: &str| {
            let mut words = vec!["exec"];
            // There is no other user.
            words.extend(
                options.first().filter(|word| **word == "-u").map(|_| options).unwrap_or(&[]),
            );
            words.extend([pid, "/bin/sh", "-c", DESCRIBE]);
            ordinary.thimble(&words)
        };
        compare(run, exec, &format!("{options:?}"), &[]);
    }
}

#[test]
fn root_enters_the_container_of_an_ordinary_user() {
    let ordinary = Ordinary::new();
    let mut run = ordinary.thimble(&["run"]);
    run.arg(ordinary.root()).args(["/bin/sh", "-c", DESCRIBE]);
    let program = ordinary.program();
    let exec = |pid: &str| command(&program, &["exec", pid, "/bin/sh", "-c", DESCRIBE]);
    compare(run, exec, "as root", &[]);
}

#[test]
fn the_groups_of_root_do_not_come_along() {
    // Where nobody may set groups, they would stay, as those of an ordinary user do.
    let ordinary = Ordinary::new();
    let mut run = ordinary.thimble(&["run"]);
    run.arg(ordinary.root()).args(["/bin/sh", "-c", READY]);
    let container = Container::start(run);
    let program = ordinary.program();
    let words = ["--groups", "4,27", program.to_str().unwrap(), "exec", &container.pid()];
    let mut line = command("setpriv", &words);
    line.args(["grep", "Groups", "/proc/self/status"]);
    assert_eq!(Ran::of(line.output().unwrap()).good().trim_end(), "Groups:");
}

/// What a line says to somebody whom it does not let in.
fn refused(ran: Ran, want: &str) {
    assert_eq!((ran.status, ran.err.as_str(), ran.out.as_str()), (Some(125), want, ""));
}

#[test]
fn only_pid_1_of_a_container_of_this_program_is_entered() {
    let container = container(&[], READY);
    let try_pid = |pid: &str| run(&["exec", pid, "/bin/true"]);
    for word in ["", "x", "0", "-1", "1 ", "99999999999"] {
        if word == "-1" {
            refused(try_pid(word), "thimble: unknown option -1\n");
        } else {
            let line = format!(
                "thimble: PID{}{word}: must be the number of a process\n",
                if word.is_empty() { "" } else { " " }
            );
            refused(try_pid(word), &line);
        }
    }
    // No process has so high a number.
    let none = "thimble: look at process 2000000000: ENOENT: No such file or directory\n\
        thimble: hint: PID is that of the container's pid 1, as the host's /proc shows it\n";
    refused(try_pid("2000000000"), none);
    // This test, the host's pid 1, the host side, and the program.
    let (host, program) = (container.child.id(), container.program());
    for pid in [std::process::id(), 1, host, program] {
        let line = format!(
            "thimble: PID {pid}: is not pid 1 of a container (with --pid host there is none)\n"
        );
        refused(try_pid(&pid.to_string()), &line);
    }
    // A limit on the size of files is one on the copy in memory, too.
    let words = ["-c", "ulimit -f 0; exec \"$0\" \"$@\"", thimble().to_str().unwrap(), "exec"]
        .map(str::to_string);
    let mut line = command("sh", &words);
    let ran = Ran::of(line.args([&container.pid(), "/bin/true"]).output().unwrap());
    refused(ran, "thimble: run from a copy in memory: EFBIG: File too large\n");
    // Somebody else's, and another copy of this program's.
    let other = tempfile::tempdir().unwrap();
    let copy = other.path().join("thimble");
    common::copy(thimble(), &copy);
    let mut theirs = command("unshare", &["--pid", "--fork", "--mount-proc", "sh", "-c", READY]);
    theirs.stderr(Stdio::null());
    let mut run = command(&copy, &["run"]);
    run.arg(busybox()).args(["/bin/sh", "-c", READY]);
    for line in [theirs, run] {
        let container = Container::start(line);
        let line = format!(
            "thimble: PID {}: is not of a container that this thimble runs\n",
            container.pid()
        );
        refused(try_pid(&container.pid()), &line);
    }
    // An ordinary user at the door of root's.
    let ordinary = Ordinary::new();
    let line = "thimble: join the container's ns/user: EACCES: Permission denied\n\
        thimble: hint: a container is entered by its own user, or by root\n";
    let ran = ordinary.thimble(&["exec", &container.pid(), "/bin/true"]).output().unwrap();
    refused(Ran::of(ran), line);
    // And the control.
    assert_eq!(exec(&container, &[], &["echo", "in"]).good(), "in\n");
}

#[test]
fn a_container_that_is_not_set_up_yet_is_not_entered() {
    // Its pid 1 lies still in a cgroup that is frozen before it takes its first step.
    let (name, freezer) = (unique_name(), cgroup_v1("freezer"));
    let frozen = "freezer.state=FROZEN";
    let mut line = command(thimble(), &["run", "--name", &name, "--cgroup-conf", frozen]);
    let mut child = line.arg(busybox()).arg("/bin/true").spawn().unwrap();
    let inside = freezer.join(&name).join("cgroup.procs");
    let mut first = String::new();
    eventually("pid 1 is frozen", || {
        first = fs::read_to_string(&inside).unwrap_or_default().trim().into();
        let state = fs::read_to_string(freezer.join(&name).join("freezer.state"));
        !first.is_empty() && state.is_ok_and(|state| state == "FROZEN\n")
    });
    let line = format!(
        "thimble: find the program of process {first}: EAGAIN: Resource temporarily unavailable\n\
         thimble: hint: the container is still being set up, or at its end\n"
    );
    refused(run(&["exec", &first, "/bin/true"]), &line);
    fs::write(freezer.join(&name).join("freezer.state"), "THAWED").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_container_that_ends_while_it_is_looked_at_is_not_entered() {
    let container = container(&[], READY);
    let pid = container.pid();
    // What a file of a process that is gone, and was there when it was opened, says.
    for (file, line) in [
        (
            "status",
            "look at process {}: ESRCH: No such process\n\
             thimble: hint: PID is that of the container's pid 1, as the host's /proc shows it\n",
        ),
        (
            "children",
            "find the program of process {}: ESRCH: No such process\n\
             thimble: hint: the container is still being set up, or at its end\n",
        ),
    ] {
        let path = match file {
            "children" => format!("/proc/{pid}/task/{pid}/children"),
            file => format!("/proc/{pid}/{file}"),
        };
        let words = ["-f", "-qq", "-o", "/dev/null", "-P", &path, "-e", "inject=read:error=ESRCH"];
        let mut traced = command("strace", &words);
        let traced = traced.arg(thimble()).args(["exec", &pid, "/bin/true"]).output();
        refused(Ran::of(traced.unwrap()), &format!("thimble: {}", line.replace("{}", &pid)));
    }
}

#[test]
fn root_without_the_right_to_enter_is_told_what_it_takes() {
    let container = container(&[], READY);
    let mut line = command("setpriv", &["--bounding-set=-sys_admin", "--inh-caps=-all"]);
    let ran = line.arg(thimble()).args(["exec", &container.pid(), "/bin/true"]).output();
    let want = "thimble: join the container's ns/mnt: EPERM: Operation not permitted\n\
        thimble: hint: a container is entered by its own user, or by root\n";
    refused(Ran::of(ran.unwrap()), want);
}

#[test]
fn on_a_kernel_without_lists_of_children_no_container_is_entered() {
    let container = container(&[], READY);
    let pid = container.pid();
    // CONFIG_PROC_CHILDREN, as it looks without.
    let script = format!(
        "mount -t tmpfs none /proc/{pid}/task/{pid} && exec {} exec {pid} /bin/true",
        thimble().display()
    );
    let line = format!(
        "thimble: find the program of process {pid}: ENOENT: No such file or directory\n\
         thimble: hint: it has just ended, or the kernel lacks CONFIG_PROC_CHILDREN\n"
    );
    refused(Ran::of(command("unshare", &["-m", "sh", "-c", &script]).output().unwrap()), &line);
}

#[test]
fn it_takes_the_options_of_run_that_are_about_a_program() {
    let root = own_root();
    fs::write(root.path().join("etc/passwd"), "web:x:33:44::/w:/bin/sh\n").unwrap();
    fs::write(root.path().join("etc/group"), "web:x:44:\nmore:x:45:web\nbin:x:7:\n").unwrap();
    let variables = root.path().join("etc/variables");
    fs::write(&variables, "B=2\nC=3\n").unwrap();
    let file = format!("--env-file={}", variables.display());
    let mut line = command(thimble(), &["run", "-h", "name"]);
    line.arg(root.path()).args(["/bin/sh", "-c", READY]);
    let container = Container::start(line);
    let sh = |options: &[&str], script: &str| exec(&container, options, &["/bin/sh", "-c", script]);
    assert_eq!(sh(&["-w", "/tmp"], "pwd").good(), "/tmp\n");
    let out = sh(&["-e", "A=1", &file, "-eC=4"], "echo $A $B $C $HOME $HOSTNAME $TERM").good();
    assert_eq!(out, "1 2 4 /root name xterm-256color\n");
    assert_eq!(sh(&["-eHOSTNAME=other"], "echo $HOSTNAME").good(), "other\n");
    let ids = "id -u; id -g; id -G; echo $HOME; grep CapEff /proc/self/status | tr '\t' ' '";
    assert_eq!(sh(&["-u", "web"], ids).good(), "33\n44\n44 45\n/w\nCapEff: 0000000000000000\n");
    let out = sh(&["-u", "5:6", "--group-add", "bin"], ids).good();
    assert_eq!(out, "5\n6\n6 7\n/\nCapEff: 0000000000000000\n");
    // /bin/sh, as with run.
    let mut shell = command(thimble(), &["exec", &container.pid()]);
    let input = fs::File::open(variables).unwrap();
    assert_eq!(Ran::of(shell.stdin(input).output().unwrap()).good(), "");
    let script = format!(
        "exec {} exec --preserve-fds 1 {} sh -c 'cat <&3; ls /proc/self/fd' 3<{}/etc/group 4<&1",
        thimble().display(),
        container.pid(),
        root.path().display()
    );
    // The last is that of ls itself.
    let out = "web:x:44:\nmore:x:45:web\nbin:x:7:\n0\n1\n2\n3\n4\n";
    assert_eq!(Ran::of(command("sh", &["-c", &script]).output().unwrap()).good(), out);
    for (options, line) in [
        (
            &["-w", "/none"][..],
            "change to the working directory /none: ENOENT: No such file or directory",
        ),
        (&["-u", "nobody"], "--user nobody: no such user in the container's /etc/passwd"),
        (
            &["--security-opt", "no-new-privileges=false"],
            "--security-opt no-new-privileges=false: must be seccomp=FILE, an absolute path",
        ),
    ] {
        let ran = sh(options, "true");
        assert_eq!((ran.status, ran.err), (Some(125), format!("thimble: {line}\n")), "{options:?}");
    }
}

#[test]
fn what_a_file_is_given_for_input_is_not_written_to() {
    let container = container(&[], READY);
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("in"), "input\n").unwrap();
    let script = "cat; echo no 2>/dev/null >/proc/self/fd/0";
    let mut line = command(thimble(), &["exec", &container.pid(), "sh", "-c", script]);
    let ran =
        Ran::of(line.stdin(fs::File::open(place.path().join("in")).unwrap()).output().unwrap());
    assert_eq!((ran.status, ran.out.as_str()), (Some(0), "input\n"));
    assert_eq!(fs::read_to_string(place.path().join("in")).unwrap(), "input\n");
    let mut line = command(thimble(), &["exec", &container.pid(), "true"]);
    let ran = Ran::of(line.stdin(fs::File::open("/").unwrap()).output().unwrap());
    refused(
        ran,
        "thimble: take over the standard descriptors: EISDIR: Is a directory\n\
        thimble: hint: one of them is a directory, which would lead out of the container\n",
    );
}

#[test]
fn its_status_is_the_programs() {
    let container = container(&[], READY);
    for (words, status) in [
        (&["true"][..], 0),
        (&["sh", "-c", "exit 9"], 9),
        (&["sh", "-c", "exit 125"], 125),
        (&["sh", "-c", "kill -9 $$"], 137),
        (&["sh", "-c", "kill -TERM $$"], 143),
        (&["none"], 127),
        (&["/etc"], 126),
    ] {
        assert_eq!(exec(&container, &[], words).status, Some(status), "{words:?}");
    }
}

/// `thimble exec` of a shell's script that prints a line when it runs.
fn start(container: &Container, script: &str) -> (Child, BufReader<ChildStdout>) {
    let mut line = command(thimble(), &["exec", &container.pid(), "/bin/sh", "-c", script]);
    let mut child = line.stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    assert!(output.read_line(&mut String::new()).unwrap() > 0, "it did not start");
    (child, output)
}

fn signal(pid: u32, number: i32) {
    // SAFETY: no memory is passed.
    assert_eq!(unsafe { libc::kill(pid as i32, number) }, 0);
}

#[test]
fn a_signal_reaches_the_program() {
    let container = container(&[], READY);
    for number in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGUSR1] {
        let script =
            format!("trap 'exit {number}' {number}; echo ready; while :; do sleep 0.01; done");
        let (mut child, _) = start(&container, &script);
        signal(child.id(), number);
        assert_eq!(child.wait().unwrap().code(), Some(number));
    }
}

#[test]
fn a_signal_that_the_caller_ignores_does_not_reach_it() {
    let container = container(&[], READY);
    let script = format!(
        "trap '' HUP; exec {} exec {} sh -c 'trap \"echo told\" HUP; echo ready; read -r _; echo end'",
        thimble().display(),
        container.pid()
    );
    let mut line = command("sh", &["-c", &script]);
    let mut child = line.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut String::new()).unwrap();
    signal(child.id(), libc::SIGHUP);
    drop(child.stdin.take());
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!((rest.as_str(), child.wait().unwrap().code()), ("end\n", Some(0)));
}

#[test]
fn it_ends_with_the_container_and_with_its_own_runner() {
    let mut container = container(&[], READY);
    let (mut child, mut output) = start(&container, "echo ready; exec sleep 1000");
    let program = child_of(child.id()).unwrap();
    signal(child.id(), libc::SIGKILL);
    child.wait().unwrap();
    eventually("the program is gone", || !Path::new(&format!("/proc/{program}")).exists());
    output.read_to_string(&mut String::new()).unwrap();
    let (mut child, _output) = start(&container, "echo ready; exec sleep 1000");
    drop(container.child.stdin.take());
    assert_eq!(container.child.wait().unwrap().code(), Some(0));
    assert_eq!(child.wait().unwrap().code(), Some(137));
}

#[test]
fn it_is_under_the_containers_limits() {
    let name = unique_name();
    let container = container(&["--name", &name, "--pids-limit", "8"], READY);
    let pids = || fs::read_to_string(cgroup_v1("pids").join(&name).join("cgroup.procs")).unwrap();
    // pid 1 and the program.
    assert_eq!(pids().lines().count(), 2);
    let (mut child, _) = start(&container, "echo ready; exec sleep 1000");
    let own = child_of(child.id()).unwrap().to_string();
    assert_eq!(pids().lines().count(), 3, "and not the one that waits outside");
    assert!(pids().lines().any(|pid| pid == own));
    let bomb = "for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 >/dev/null 2>&1 & done; true";
    let ran = exec(&container, &[], &["sh", "-c", bomb]);
    assert_ne!(ran.status, Some(0));
    // Its shell made the eighth.
    assert_eq!(pids().lines().count(), 7);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_filter_of_a_file_is_to_be_named_again() {
    let place = tempfile::tempdir().unwrap();
    // Of the errno with number 38, for sethostname(2).
    let filter: [(u16, u8, u8, u32); 4] = [
        (0x20, 0, 0, 0),
        (0x15, 0, 1, libc::SYS_sethostname as u32),
        (6, 0, 0, 0x0005_0026),
        (6, 0, 0, 0x7fff_0000),
    ];
    let mut bytes = vec![];
    for (code, yes, no, operand) in filter {
        bytes.extend(code.to_ne_bytes());
        bytes.extend([yes, no]);
        bytes.extend(operand.to_ne_bytes());
    }
    let file = place.path().join("filter");
    fs::write(&file, bytes).unwrap();
    let option = format!("seccomp={}", file.display());
    let named = ["--security-opt", option.as_str()];
    let line = "thimble: --security-opt seccomp=FILE: is to be given as to thimble run, and only if it was\n";
    for further in [&[][..], &["--security-opt=no-new-privileges=false"], &["--privileged"]] {
        let container = container(&[&named[..], further].concat(), READY);
        refused(exec(&container, &[], &["true"]), line);
        let ran = exec(&container, &named, &["hostname", "x"]);
        assert_eq!(
            (ran.status, ran.err.as_str()),
            (Some(1), "hostname: sethostname: Function not implemented\n")
        );
    }
    for options in [&[][..], &["--privileged"], &["--bare"]] {
        let container = container(options, READY);
        refused(exec(&container, &named, &["true"]), line);
        exec(&container, &[], &["true"]).good();
    }
    // What a container is under besides does not count: the caller's own.
    let mut run = command("setpriv", &["--no-new-privs"]);
    run.arg(thimble()).args(["run", "--privileged"]).arg(busybox()).args(["sh", "-c", READY]);
    let container = Container::start(run);
    exec(&container, &[], &["true"]).good();
}

#[test]
fn it_needs_no_proc_inside() {
    let container = container(&["--privileged"], "umount -l /proc && echo ready; exec cat");
    assert_eq!(exec(&container, &["-u", "5"], &["sh", "-c", "ls /proc; id -u"]).good(), "5\n");
}

#[test]
fn signals_that_the_caller_ignores_or_blocks_are_reset() {
    let container = container(&[], READY);
    let script = format!(
        "trap '' HUP INT USR1; exec {} exec {} grep -E 'Sig(Blk|Ign)' /proc/self/status",
        thimble().display(),
        container.pid()
    );
    let out = Ran::of(command("bash", &["-c", &script]).output().unwrap()).good();
    assert_eq!(out, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

/// What there is to look into: a process, the program that makes it, and how it is looked into.
struct Watched {
    place: tempfile::TempDir,
    user: bool,
    left_out: &'static str,
}

impl Watched {
    fn new(user: bool, left_out: &'static str) -> Watched {
        let place = tempfile::tempdir().unwrap();
        let program = if left_out.is_empty() { thimble() } else { thimble_without() };
        copy(program, place.path().join("thimble"));
        fs::rename(probe_root().keep(), place.path().join("root")).unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let trap = place.path().join("root/bin/trap");
        fs::write(&trap, "#!/proc/self/exe\n").unwrap();
        fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).unwrap();
        if user {
            let owner = format!("{USER}:{USER}");
            let given = command("chown", &["-R", &owner]).arg(place.path()).status();
            assert!(given.unwrap().success());
        }
        Watched { place, user, left_out }
    }

    fn thimble(&self, words: &[&str]) -> Command {
        let program = self.place.path().join("thimble");
        let mut line = if self.user {
            let user = USER.to_string();
            let mut line = command("setpriv", &["--reuid", &user, "--regid", &user]);
            line.arg("--clear-groups").arg(program);
            line
        } else {
            command(program, &[""; 0])
        };
        line.args(words).env("THIMBLE_LEAVE_OUT", self.left_out);
        line
    }

    /// What a process inside has opened of those that were executed meanwhile, up to so many
    /// times.
    fn opened(&self, options: &[&str], words: &[&str], status: i32, times: u32) -> String {
        let file = fs::metadata(self.place.path().join("thimble")).unwrap();
        let (device, inode) = (file.dev().to_string(), file.ino().to_string());
        let mut run = self.thimble(&["run"]);
        run.args(options).arg(self.place.path().join("root"));
        run.args(["probe", "spin", &device, &inode]);
        let mut container = Container::start(run);
        let pid = container.pid();
        for _ in 0..times {
            let ran = self.thimble(&[&["exec", pid.as_str()], words].concat()).output().unwrap();
            assert_eq!(ran.status.code(), Some(status), "{ran:?}");
        }
        signal(container.child.id(), libc::SIGTERM);
        let mut opened = String::new();
        container.output.read_to_string(&mut opened).unwrap();
        let status = container.child.wait().unwrap().code();
        assert!(status == Some(0) || opened.trim().is_empty() && status == Some(1));
        opened.trim_end().into()
    }
}

/// What is executed, and the status of that: the probe, and what makes the kernel execute thimble
/// itself, which says that it does not know the word.
const EXECUTED: [(&[&str], i32); 2] = [(&["probe", "root"], 0), (&["trap"], 125)];

fn nobody_gets_hold_of_the_runner(user: bool) {
    for (words, status) in EXECUTED {
        assert_eq!(Watched::new(user, "").opened(&[], words, status, 500), "", "{words:?}");
        // The control.
        let without = if words[0] == "probe" { "undumpable,command line" } else { "own copy" };
        let watched = Watched::new(user, without);
        let want = if words[0] == "probe" { &["mem", "cmdline"][..] } else { &["host"] };
        // Each is a matter of luck, so some more if there was none.
        let mut opened = String::new();
        let all = (0..20).any(|_| {
            opened.push_str(&watched.opened(&[], words, status, 60));
            want.iter().all(|word| opened.contains(word))
        });
        assert!(all, "{words:?}, the control: {opened}");
    }
}

#[test]
fn nobody_inside_gets_hold_of_the_runner_of_root() {
    nobody_gets_hold_of_the_runner(false);
}

#[test]
fn nobody_inside_gets_hold_of_the_runner_of_an_ordinary_user() {
    nobody_gets_hold_of_the_runner(true);
    // Nor where the program may trace: whose pid 1 and runner it is not.
    let watched = Watched::new(true, "");
    let opened = watched.opened(&["--privileged"], &["probe", "root"], 0, 100);
    assert_eq!(opened, "");
}

#[test]
fn of_root_a_privileged_program_can_look_into_all_but_the_file_of_the_runner_stays() {
    // As the README says of pid 1: root on the host. The file of thimble is pid 1's.
    let opened = Watched::new(false, "").opened(&["--privileged"], &["probe", "root"], 0, 100);
    assert_eq!(opened, "exe mem root/. cwd/. fd maps host ptrace");
}
