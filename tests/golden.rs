//! What a program finds in a default container, as a whole: compared with a
//! description that lies in tests/golden and is meant to be read.
//!
//! A change of posture shows there as a change of lines. `UPDATE_GOLDEN=1
//! cargo test --test golden` writes the files anew; the diff of the commit then
//! says what has changed.

mod common;
use common::*;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

const HEADER: &str = "\
# What a program finds in a container of CALLER's, with nothing asked for but a name.
# A line with ? holds where the kernel has such a file. What is the caller's or
# the host's is said to be so. Written by tests/golden.rs, which says how.
";

/// The lines of /proc/PID/status beside those about rights.
const MORE: &[&str] = &["Umask", "TracerPid", "Threads"];

/// And about signals, which pid 1 waits for and does not have delivered.
const SIGNALS: &[&str] = &["SigBlk", "SigIgn", "SigCgt"];

/// What is told inside a container of this caller's: the words `setpriv` and the like that make
/// him the caller; and the root file system and the program where he can reach them.
fn describe(user: &[&str], program: &Path, root: &Path) -> String {
    // A caller with things that must not come through: a umask, a variable, a descriptor.
    let script = "umask 077; exec 7</dev/zero; exec \"$@\"";
    let mut words = vec!["-i", "LEAKED=1", "PATH=/nowhere:/usr/bin:/bin", "TERM=dumb"];
    words.extend(["/bin/sh", "-c", script, "sh"]);
    words.extend(user);
    words.extend([program.to_str().unwrap(), "run", "--name", "golden"]);
    words.extend([root.to_str().unwrap(), "/bin/sh", "-c", include_str!("golden/describe.sh")]);
    let mut thimble = Command::new("env")
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut section = String::new();
    for line in BufReader::new(thimble.stdout.take().unwrap()).lines().map(Result::unwrap) {
        match line.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            Some("end") => break,
            Some(name) => section = name.into(),
            None => told.entry(section.clone()).or_default().push(line),
        }
    }
    let host = host_view(thimble.id());
    drop(thimble.stdin.take());
    let status = thimble.wait().unwrap();
    assert!(status.success() || status.code() == Some(1), "{status}: {told:?}");
    text(&told, &host)
}

/// pid 1, as the host sees it: the status, and the descriptors.
fn host_view(thimble: u32) -> (Vec<String>, Vec<String>) {
    let is_child = |pid: &str| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split(' ').nth(2));
        parent == Some(&thimble.to_string())
    };
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let pid = processes
        .filter_map(|entry| entry.file_name().into_string().ok())
        .find(|name| is_child(name))
        .expect("pid 1 is a child of thimble's");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .flatten()
        .map(|entry| {
            let mode = entry.metadata().unwrap().permissions();
            let mode = std::os::unix::fs::PermissionsExt::mode(&mode);
            let may = |bit, letter| if mode & bit == 0 { '-' } else { letter };
            let target = fs::read_link(entry.path()).unwrap();
            let (read, write) = (may(0o400, 'r'), may(0o200, 'w'));
            format!("l{read}{write} {:?} -> {target:?}", entry.path()).replace('"', "'")
        })
        .collect();
    (status.lines().map(String::from).collect(), descriptors)
}

/// The description, without what differs from host to host.
fn text(told: &BTreeMap<String, Vec<String>>, host: &(Vec<String>, Vec<String>)) -> String {
    let mut text = HEADER.to_string();
    let mut part = |title: &str, lines: Vec<String>| {
        write!(text, "\n{title}\n").unwrap();
        lines.iter().for_each(|line| writeln!(text, "  {line}").unwrap());
    };
    part(
        "rights and signals of the program:",
        status(&told["status"], &[RIGHTS, MORE, SIGNALS].concat()),
    );
    part("of pid 1:", status(&host.0, &[RIGHTS, MORE].concat()));
    part("mounts (where, what of it, flags, propagation, type, options):", {
        told["mountinfo"].iter().map(|line| mount(line)).collect()
    });
    part("/dev:", told["devices"].iter().filter_map(|line| device(line)).collect());
    part("descriptors of the program:", descriptors(&told["descriptors"]));
    part("of pid 1:", descriptors(&host.1));
    part("environment:", told["environment"].clone());
    part("process:", process(told));
    part("limits:", limits(&told["limits"]));
    part("namespaces:", namespaces(&told["namespaces"]));
    part("cgroups:", {
        let own = |line: &String| line.ends_with(":/");
        vec![if told["cgroup"].iter().all(own) { "all seen as /" } else { "others seen" }.into()]
    });
    part("pid 1, looked at by the program:", told["pid 1"].clone());
    text
}

/// Lines as of `stat -c '%A %N'`, without the numbers of pipes and sockets.
fn descriptors(lines: &[String]) -> Vec<String> {
    let show = |line: &String| {
        let words: Vec<_> = line.split('\'').collect();
        let number = words[1].rsplit('/').next().unwrap();
        format!("{number} {} {}", &words[0][1..3], words[3].split(":[").next().unwrap())
    };
    let mut shown: Vec<_> = lines.iter().map(show).collect();
    shown.sort();
    shown
}

/// These fields of a status.
fn status(lines: &[String], fields: &[&str]) -> Vec<String> {
    let field = |status: &str, name: &str| -> Option<String> {
        let found = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(found.trim().replace('\t', " "))
    };
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let show = |name: &&str| {
        let mut value = field(&lines.join("\n"), name)?;
        if *name == "Seccomp_filters" {
            // On top of those that the tests themselves run under.
            let outside: u32 = field(&own, name)?.parse().ok()?;
            value = (value.parse::<u32>().ok()? - outside).to_string();
        }
        Some(format!("{name}: {value}").trim_end().into())
    };
    fields.iter().filter_map(show).collect()
}

/// A line of mountinfo: proc_pid_mountinfo(5).
fn mount(line: &str) -> String {
    let (left, right) = line.split_once(" - ").unwrap();
    let left: Vec<_> = left.split(' ').collect();
    let right: Vec<_> = right.split(' ').collect();
    let (point, propagation) = (left[4], if left.len() > 6 { left[6] } else { "private" });
    if point == "/" {
        // Where it comes from and what type it is, the image and the host decide.
        let chosen = |flag: &&str| ["rw", "ro", "nosuid", "nodev", "noexec"].contains(flag);
        let flags: Vec<_> = left[5].split(',').filter(chosen).collect();
        return format!("/ ROOTFS {} {propagation} the image's", flags.join(","));
    }
    if point.starts_with("/dev/") && left[3] != "/" {
        // A device of the host's, bound: its flags are those of the host's /dev.
        return format!("{point} the host's {propagation}");
    }
    let mark = if is_optional(point) { "? " } else { "" };
    // What some kernels add by themselves.
    let own = |option: &&str| !["inode64", "inode32", "seclabel"].contains(option);
    let options: Vec<_> = right[2].split(',').filter(own).collect();
    let options = options.join(",");
    format!("{mark}{point} {} {} {propagation} {} {options}", left[3], left[5], right[0])
}

/// Whether it depends on the kernel that something is mounted there.
fn is_optional(point: &str) -> bool {
    point.starts_with("/proc/") || point.starts_with("/sys/") || point == "/dev/mqueue"
}

/// Whether this kernel has what an optional mount goes over.
fn is_there(point: &str) -> bool {
    match point {
        "/dev/mqueue" => fs::read_to_string("/proc/filesystems").unwrap().contains("\tmqueue\n"),
        point => Path::new(point).exists(),
    }
}

/// A line of the list of devices, unless it is a place that nothing was mounted on.
fn device(line: &str) -> Option<String> {
    match line.split(' ').next() {
        Some(path) if is_optional(path) => is_there(path).then(|| format!("? {line}")),
        _ => Some(line.into()),
    }
}

fn process(told: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let (_, stat) = told["stat"][0].rsplit_once(") ").unwrap();
    let stat: Vec<_> = stat.split(' ').collect();
    let pid = told["stat"][0].split(' ').next().unwrap();
    let mut lines = vec![format!(
        "pid {pid} parent {} process group {} session {} terminal {} nice {}",
        stat[1], stat[2], stat[3], stat[4], stat[16]
    )];
    for line in &told["names"] {
        let (name, value) = line.split_once(' ').unwrap();
        let words: Vec<_> = value.split_whitespace().collect();
        let outside = match name {
            "uids" => fs::read_to_string("/proc/self/uid_map").unwrap(),
            "gids" => fs::read_to_string("/proc/self/gid_map").unwrap(),
            "oom_score_adj" => fs::read_to_string("/proc/self/oom_score_adj").unwrap(),
            _ => String::new(),
        };
        let same = outside.split_whitespace().eq(words.iter().copied());
        let value = if same { "the caller's".into() } else { words.join(" ") };
        lines.push(format!("{name} {value}"));
    }
    lines
}

fn limits(lines: &[String]) -> Vec<String> {
    let own = fs::read_to_string("/proc/self/limits").unwrap();
    let own: Vec<_> = own.lines().collect();
    let differing: Vec<_> =
        lines.iter().filter(|line| !own.contains(&line.as_str())).cloned().collect();
    if differing.is_empty() { vec!["the caller's".into()] } else { differing }
}

fn namespaces(lines: &[String]) -> Vec<String> {
    let whose = |line: &String| {
        let (kind, link) = line.split_once(' ').unwrap();
        let outside = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        let whose = if outside == Path::new(link) { "the host's" } else { "its own" };
        match kind.starts_with("time") {
            true => format!("? /proc/self/ns/{kind} {whose}"), // CONFIG_TIME_NS
            false => format!("{kind} {whose}"),
        }
    };
    lines.iter().map(whose).collect()
}

/// The lines that this host should show: optional ones only where it has such a file.
fn for_this_host(golden: &str) -> String {
    let holds = |line: &&str| match line.trim_start().strip_prefix("? ") {
        Some(rest) => is_there(rest.split(' ').next().unwrap()),
        None => true,
    };
    golden.lines().filter(holds).fold(String::new(), |text, line| text + line + "\n")
}

/// What is to be written: this description, with the optional lines of the old one for which this
/// host has no file, behind the line that they followed.
fn renewed(golden: &str, now: &str) -> String {
    let mut lines: Vec<&str> = now.lines().collect();
    let mut before = "";
    for line in golden.lines() {
        let mark = line.trim_start().strip_prefix("? ");
        let missing = mark.is_some_and(|rest| !is_there(rest.split(' ').next().unwrap()));
        if missing && let Some(at) = lines.iter().position(|other| *other == before) {
            lines.insert(at + 1, line);
        }
        before = line;
    }
    lines.join("\n") + "\n"
}

fn compare(file: &str, caller: &str, now: &str) {
    let now = &now.replacen("CALLER", caller, 1);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    let golden = fs::read_to_string(&path).unwrap_or_default();
    if std::env::var_os("UPDATE_GOLDEN").is_some() && !OLD_KERNEL {
        fs::write(&path, renewed(&golden, now)).unwrap();
        return;
    }
    let mut want = for_this_host(&golden);
    if OLD_KERNEL {
        // The filter around thimble, and what an ordinary user has it by.
        want = want.replace("Seccomp_filters: 1", "Seccomp_filters: 2");
        if caller != "root" {
            want = want.replace("NoNewPrivs: 0", "NoNewPrivs: 1");
        }
    }
    if want != *now {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("golden"), want).unwrap();
        fs::write(place.path().join("now"), now).unwrap();
        let mut diff = command("diff", &["-U1", "golden", "now"]);
        let diff = Ran::of(diff.current_dir(place.path()).output().unwrap()).out;
        panic!(
            "a container is not what tests/golden/{file} says:\n{diff}\
             if it is to be so: UPDATE_GOLDEN=1 cargo test --test golden"
        );
    }
}

#[test]
fn a_default_container_is_as_described() {
    compare("root.txt", "root", &describe(&[], &thimble(), &busybox()));
}

#[test]
fn a_default_container_of_an_ordinary_user_is_as_described() {
    let ordinary = Ordinary::of(65534);
    let user = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
    compare("rootless.txt", "user 65534", &describe(&user, &ordinary.program(), &ordinary.root()));
}

#[test]
fn an_optional_line_counts_where_the_kernel_has_such_a_file() {
    let golden = "a\n  ? /proc/no-such-file x\n  ? /proc/version y\nb\n";
    assert_eq!(for_this_host(golden), "a\n  ? /proc/version y\nb\n");
    // And stays when the file is written anew.
    assert_eq!(renewed(golden, "a\n  ? /proc/version z\nb\n"), golden.replace('y', "z"));
}
