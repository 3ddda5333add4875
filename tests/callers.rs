//! Which option works for which caller: a table that is made by trying, and
//! compared with `tests/golden/callers.md`. `UPDATE_GOLDEN=1` writes it anew.

mod common;
use common::*;

use std::fs;
use std::process::Command;

/// An option, what else it needs, a script that shows that it took effect, and
/// what that prints.
const SAMPLES: &[(&str, &[&str], &str, &str)] = &[
    ("--env", &["A=1"], "echo $A", "1"),
    ("--env-file", &["SOURCE/variables"], "echo $B", "2"),
    ("--workdir", &["/tmp"], "pwd", "/tmp"),
    ("--user", &["0:0"], "id -u", "0"),
    ("--group-add", &["7"], "grep Groups: /proc/self/status", "Groups:\t0 7 "),
    ("--as-pid-1", &[], "echo $$", "1"),
    ("--ulimit", &["nofile=99"], "ulimit -n", "99"),
    ("--oom-score-adj", &["500"], "cat /proc/self/oom_score_adj", "500"),
    ("--preserve-fds", &["0"], "ls /proc/self/fd | wc -l", "4"),
    ("--volume", &["SOURCE:/mnt"], "cat /mnt/file", "content"),
    ("--tmpfs", &["/mnt:size=1m"], "df -k /mnt | tail -n 1 | tr -s ' ' | cut -d' ' -f2", "1024"),
    ("--shm-size", &["1m"], "df -k /dev/shm | tail -n 1 | tr -s ' ' | cut -d' ' -f2", "1024"),
    ("--device", &["/dev/zero:/dev/x"], "head -c 3 /dev/x | wc -c", "3"),
    ("--ephemeral", &[], "echo x > /made && cat /made", "x"),
    ("--read-only", &[], "touch /x 2>/dev/null || echo no", "no"),
    ("--no-pivot", &[], "echo well", "well"),
    ("--network", &["host"], "readlink /proc/self/ns/net", "SAME net"),
    ("--pid", &["host", "--pids-limit", "-1"], "readlink /proc/self/ns/pid", "SAME pid"),
    ("--ipc", &["host"], "readlink /proc/self/ns/ipc", "SAME ipc"),
    ("--uts", &["host"], "readlink /proc/self/ns/uts", "SAME uts"),
    ("--cgroupns", &["host"], "readlink /proc/self/ns/cgroup", "SAME cgroup"),
    ("--userns", &["host"], "readlink /proc/self/ns/user", "SAME user"),
    ("--uidmap", &["0:OWN:1"], "cat /proc/self/uid_map | tr -s ' ' | head -n 1", " 0 OWN 1"),
    ("--gidmap", &["0:OWN:1"], "cat /proc/self/gid_map | tr -s ' ' | head -n 1", " 0 OWN 1"),
    ("--hostname", &["here"], "hostname", "here"),
    ("--cap-add", &["SYS_ADMIN"], "grep CapEff /proc/self/status", "CapEff:\t00000000802405fb"),
    ("--cap-drop", &["ALL"], "grep CapEff /proc/self/status", "CapEff:\t0000000000000000"),
    ("--security-opt", &["seccomp=unconfined"], "grep Seccomp: /proc/self/status", "Seccomp:\t0"),
    ("--privileged", &[], "grep Seccomp: /proc/self/status", "Seccomp:\t0"),
    ("--bare", &[], "readlink /proc/self/ns/net", "SAME net"),
    ("--pids-limit", &["5"], "echo well", "well"),
    ("--memory", &["64m"], "echo well", "well"),
    ("--memory-swap", &["64m", "--memory", "64m"], "echo well", "well"),
    ("--cpus", &["1"], "echo well", "well"),
    ("--cpu-shares", &["512"], "echo well", "well"),
    ("--cpuset-cpus", &["0"], "grep Cpus_allowed_list /proc/self/status", "Cpus_allowed_list:\t0"),
    ("--cgroup-conf", &["pids.max=5"], "echo well", "well"),
    ("--cgroup-parent", &["/"], "echo well", "well"),
    ("--name", &["test-callers-NUMBER"], "hostname", "test-callers-NUMBER"),
    ("--detach", &[], "echo the output is nobody's", "a number"),
    ("--pidfile", &["/tmp/test-callers-NUMBER"], "echo well", "well"),
    ("--json-status-fd", &["9"], "ls /proc/self/fd | wc -l", "4"),
    ("--timeout", &["60"], "echo well", "well"),
    ("--stop-signal", &["INT"], "echo well", "well"),
    ("--stop-timeout", &["1"], "echo well", "well"),
    ("--die-with-parent", &[], "echo well", "well"),
    ("--verbose", &[], "echo well", "well"),
];

/// The callers, in the order of the columns.
const CALLERS: &[&str] = &["root", "one id", "subordinate ids", "covered /proc"];

/// The uid of Debian's `nobody`, who has a name, as newuidmap(1) wants it.
const NOBODY: u32 = 65534;

struct Table {
    ordinary: Ordinary,
    source: tempfile::TempDir,
}

impl Table {
    fn new() -> Table {
        let (ordinary, source) = (Ordinary::of(NOBODY), tempfile::tempdir().unwrap());
        fs::set_permissions(source.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        for (file, text) in [
            ("file", "content\n"),
            ("variables", "B=2\n"),
            ("subordinate", "nobody:100000:65536\n"),
        ] {
            fs::write(source.path().join(file), text).unwrap();
        }
        Table { ordinary, source }
    }

    /// What a cell says: that it works, or the line that refuses it.
    fn cell(&self, caller: &str, number: usize) -> String {
        let (option, values, script, want) = SAMPLES[number];
        let own = if caller == "root" { 100000 } else { NOBODY };
        let fill = |text: &str| {
            text.replace("SOURCE", self.source.path().to_str().unwrap())
                .replace("OWN", &own.to_string())
                .replace("NUMBER", &format!("{}-{number}", std::process::id()))
        };
        let mut words = vec![option.to_string()];
        words.extend(values.iter().map(|value| fill(value)));
        let maps = ["--uidmap", "--gidmap"].contains(&option)
            || values == ["host"] && option == "--userns";
        if caller == "subordinate ids" && option != "--userns" {
            if !maps {
                words.extend(["--uidmap".into(), format!("0:{NOBODY}:1")]);
            }
            words.extend([
                if option == "--gidmap" { "--gidmap" } else { "--uidmap" }.into(),
                "1:100000:1000".into(),
            ]);
        }
        let mut command = self.caller(caller);
        command.arg(self.ordinary.program()).arg("run").args(words);
        command.arg(self.ordinary.root()).args(["/bin/sh", "-c", &fill(script)]);
        let ran = Ran::of(command.stdin(std::process::Stdio::null()).output().unwrap());
        let want = match want.strip_prefix("SAME ") {
            Some(kind) => fs::read_link(format!("/proc/self/ns/{kind}"))
                .unwrap()
                .to_str()
                .unwrap()
                .to_string(),
            None => fill(want),
        };
        let out = ran.out.trim_end_matches('\n');
        let right = out == want || want == "a number" && out.parse::<u32>().is_ok();
        if ran.status == Some(0) && right {
            return "works".to_string();
        }
        // The last that is no hint: with --verbose there are others before it.
        let line = ran.err.lines().rfind(|line| !line.starts_with("thimble: hint: "));
        assert_eq!(ran.status, Some(125), "{caller}, {option}: {ran:?}, not {want}");
        let line = line.unwrap_or_else(|| panic!("{caller}, {option}: {ran:?}"));
        // Only what differs from run to run.
        let line = match line.find("thimble-") {
            Some(at) => {
                let rest = line[at + 8..].trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{}thimble-PID{rest}", &line[..at])
            }
            None => line.to_string(),
        };
        let mut line = line.replace(&fill("NUMBER"), "NUMBER");
        // The cgroups that this process happens to be in, and so its children.
        for own in fs::read_to_string("/proc/self/cgroup").unwrap().lines() {
            let own = own.splitn(3, ':').nth(2).unwrap();
            if own != "/" {
                line = line.replace(&format!("{own}/thimble-PID"), "/thimble-PID");
            }
        }
        format!("`{line}`")
    }

    /// A command that runs what follows as this caller.
    fn caller(&self, caller: &str) -> Command {
        let user = NOBODY.to_string();
        let become_user =
            format!("exec setpriv --reuid {user} --regid {user} --clear-groups \"$@\"");
        let file = self.source.path().join("subordinate");
        let script = match caller {
            "root" => "exec \"$@\"".to_string(),
            "one id" => become_user,
            // In a mount namespace of its own, so that the host's files stay as they are.
            "subordinate ids" => format!(
                "for f in /etc/subuid /etc/subgid; do mount --bind {} $f || exit; done; {become_user}",
                file.display()
            ),
            _ => format!(
                "mount -t tmpfs none /proc/fs; mount -t tmpfs none /proc/irq; {become_user}"
            ),
        };
        let mut command = Command::new("unshare");
        let script = format!("exec 9>/dev/null; {script}");
        command.args(["--mount", "sh", "-c", &script, "sh"]);
        command
    }
}

#[test]
fn each_option_works_for_each_caller_or_says_why_not() {
    // Every option of the help has a sample, and no sample is of anything else.
    let help = run(&["run", "--help"]).good();
    let options: Vec<_> = help
        .lines()
        .filter(|line| line.starts_with("  -") || line.starts_with("      --"))
        .map(|line| line[6..].split(' ').next().unwrap())
        .collect();
    let samples: Vec<_> = SAMPLES.iter().map(|sample| sample.0).collect();
    assert_eq!(options, samples);

    let table = Table::new();
    let mut text = String::from(
        "Which option works for whom. Made by tests/callers.rs, which tried each cell:\n\
         `UPDATE_GOLDEN=1 cargo test --test callers` writes it anew. \"One id\" is an\n\
         ordinary user; \"subordinate ids\" is one with ranges in /etc/subuid and\n\
         /etc/subgid, who maps them with `--uidmap`; \"covered /proc\" is one on a host\n\
         that is itself a container, with parts of its /proc masked.\n\n",
    );
    text +=
        &format!("| option | {} |\n|---|{}\n", CALLERS.join(" | "), "---|".repeat(CALLERS.len()));
    for (number, (option, values, ..)) in SAMPLES.iter().enumerate() {
        let row: Vec<_> = CALLERS.iter().map(|caller| table.cell(caller, number)).collect();
        assert!(row.iter().all(|cell| !cell.is_empty()));
        let sample = format!("{option} {}", values.join(" "));
        text += &format!("| `{}` | {} |\n", sample.trim_end(), row.join(" | "));
    }
    golden("callers.md", &text);
}
