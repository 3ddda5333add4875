//! The same job in an initramfs, by thimble and by others: how each ends is a table in the
//! README. `make peers` writes it anew; otherwise it is made as well, and compared.
#![cfg(target_arch = "x86_64")]

mod common;
use common::machine::{Initramfs, Kind, TRY, tried};
use common::*;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// Who is asked for it, by the shell that is the machine's init. Each has what it takes for
/// namespaces of pids, mounts and the host name and for a /proc, and is asked for no more.
const COMMANDS: [&str; 7] = [
    "thimble run /image job",
    "bwrap --unshare-pid --unshare-uts --bind /image / --proc /proc job",
    "crun run --bundle /bundle c",
    "crun run --no-pivot --bundle /bundle c",
    "runc run --bundle /bundle c",
    "runc run --no-pivot --bundle /bundle c",
    "unshare --mount --uts --pid --fork --root=/image --mount-proc job",
];

/// And by the kernel, as its command line has it.
const ALONE: &str = "rdinit=/thimble -- run /image job";

/// The job: to say where it is, to try the way out that chroot(2) leaves, and to end with 7.
const JOB: &str = r#"#!/bin/sh
for kind in pid uts mnt; do readlink /proc/self/ns/$kind; done
set -- /proc/[0-9]*; echo "processes $#"
probe chroots /mark; echo "probe $?"
exit 7
"#;

/// What crun and runc are told in a file. The capability is the one that the way out takes, and
/// everybody else gives it.
const BUNDLE: &str = r#"{
    "ociVersion": "1.0.0",
    "root": { "path": "/image" },
    "process": {
        "user": { "uid": 0, "gid": 0 }, "cwd": "/", "env": [ "PATH=/bin" ], "args": [ "job" ],
        "capabilities": {
            "bounding": [ "CAP_SYS_CHROOT" ], "permitted": [ "CAP_SYS_CHROOT" ],
            "effective": [ "CAP_SYS_CHROOT" ]
        }
    },
    "mounts": [ { "destination": "/proc", "type": "proc", "source": "proc" } ],
    "linux": { "namespaces": [ { "type": "pid" }, { "type": "mount" }, { "type": "uts" } ] }
}
"#;

/// What the init mounts before it asks them, and then once more, one thing after the other, and
/// what they need if they end so for the first time as they do with everything.
const STAGES: [(&str, &str); 4] = [
    ("mkdir -p /proc /sys/fs/cgroup /dev /run /tmp", "nothing"),
    ("mount -t proc proc /proc", "/proc"),
    ("mount -t cgroup2 cgroup /sys/fs/cgroup", "/proc, cgroup2"),
    (
        "umount /sys/fs/cgroup; mount -t sysfs sys /sys; mount -t cgroup2 cgroup /sys/fs/cgroup\n\
         mount -t devtmpfs dev /dev",
        "/proc, /sys, cgroup2, /dev",
    ),
];

/// The way to a root that pivot_root(2) can leave: all of it is copied to a tmpfs, and that moved
/// over it.
const MOVE: &str = r#"
mkdir /new; mount -t tmpfs new /new
for name in /*; do
    case $name in /new|/proc|/sys|/dev) mkdir -p /new$name ;; *) cp -a $name /new ;; esac
done
for name in proc sys dev; do mount --move /$name /new/$name; done
cd /new; mount --move . /
exec chroot . /init moved
"#;

/// The machine's init.
fn init() -> String {
    let mut ask = String::from("ask() {\n");
    for command in COMMANDS {
        // What those that fail leave behind is not to be in the way of the next. By its path: this
        // busybox prefers its own unshare to any other.
        ask += &format!("rm -rf /run/*; t \"$1 {command}\" timeout 100 /usr/bin/{command}\n");
    }
    let namespaces = JOB.lines().nth(1).unwrap();
    let mut script = format!(
        "#!/bin/busybox sh\nexport PATH=/usr/bin:/bin\n{TRY}{ask}}}\n\
         if [ \"$1\" = moved ]; then ask moved; poweroff -f; fi\n\
         /bin/busybox --install -s /bin; echo \"the host's\" > /mark\n"
    );
    for (number, (mounts, _)) in STAGES.iter().enumerate() {
        script += &format!("{mounts}\nask {number}\n");
    }
    script + &format!("t host eval '{namespaces}'\n{MOVE}")
}

/// A program of this machine's, put into /usr/bin with the libraries that ldd(1) names. What it
/// is, for the table: its version, and the files that it takes.
fn add(initramfs: &Initramfs, name: &str) -> String {
    let found = command("sh", &["-c", &format!("command -v {name}")]).output().unwrap();
    let program = PathBuf::from(Ran::of(found).good().trim_end());
    let listed = Ran::of(command("ldd", &[&program]).output().unwrap()).good();
    let libraries: BTreeSet<_> =
        listed.split_whitespace().filter(|word| word.starts_with('/')).collect();
    let mut sizes = Vec::new();
    let mut add = |place: &str, from: PathBuf| {
        let bytes = fs::read(from).unwrap();
        sizes.push(bytes.len());
        initramfs.add(place, bytes);
    };
    add(&format!("usr/bin/{name}"), program);
    for library in libraries {
        add(&library[1..], library.into());
    }
    if COMMANDS.iter().any(|line| line.starts_with(name) && line.contains("/bundle")) {
        sizes.push(BUNDLE.len());
    }
    let told = Ran::of(command(name, &["--version"]).output().unwrap()).good();
    let version = told.lines().next().unwrap().rsplit(' ').next().unwrap();
    format!("{version}, {}", size(&sizes))
}

fn add_job(initramfs: &Initramfs) {
    initramfs.add("image/bin/job", JOB);
    initramfs.add("image/bin/probe", fs::read(probe()).unwrap());
}

fn size(files: &[usize]) -> String {
    let megabytes = files.iter().sum::<usize>() as f64 / 1e6;
    format!("{megabytes:.1} MB in {} file{}", files.len(), if files.len() > 1 { "s" } else { "" })
}

/// How the job ended: that it was done and whether there was a way out, or else what was said
/// last. `host` are the namespaces that it is not to be in.
fn end(status: i32, printed: &str, host: &[&str]) -> String {
    let lines: Vec<&str> = printed.lines().collect();
    let [pid, uts, mnt, processes, probe @ ..] = &lines[..] else {
        return failure(status, printed);
    };
    if status != 7 || !pid.starts_with("pid:[") {
        return failure(status, printed);
    }
    for (kind, namespace) in ["pid", "uts", "mnt"].iter().zip([pid, uts, mnt]) {
        assert!(namespace.starts_with(&format!("{kind}:[")), "{printed}");
        assert!(!host.contains(namespace), "{printed}, as {host:?}");
    }
    // thimble's init, the shell, and what makes the list.
    assert!(["processes 1", "processes 2", "processes 3"].contains(processes), "{printed}");
    match probe {
        ["/mark: No such file or directory", "probe 1"] => "7, no way out".into(),
        ["probe 0"] => "7, **and a way out**".into(),
        _ => panic!("the probe is at fault: {printed}"),
    }
}

/// The status and the last line, without its colours and the time in front.
fn failure(status: i32, printed: &str) -> String {
    let line = printed.lines().last().unwrap_or_default();
    let mut plain = String::new();
    for (number, part) in line.split('\x1b').enumerate() {
        plain += if number == 0 { part } else { part.split_once('m').unwrap().1 };
    }
    let told = ["Z: ", "] "].iter().find_map(|mark| plain.split_once(mark));
    format!("{status}: `{}`", told.map_or(plain.as_str(), |(_, told)| told).trim())
}

fn table() -> String {
    let mut table = String::from(
        "| who is asked for the job | in the initramfs | moved to a tmpfs | needs mounted | \
         version, size |\n|---|---|---|---|---|\n",
    );
    let mut row = |cells: [&str; 5]| table += &format!("| {} |\n", cells.join(" | "));

    let initramfs = Initramfs::bare(Kind::X86_64);
    initramfs.add_image();
    add_job(&initramfs);
    initramfs.add("mark", "the host's\n");
    let own = size(&[fs::read(thimble()).unwrap().len()]);
    let ran = initramfs.pack().boot(&format!("console=ttyS0 {ALONE}"), &[]);
    println!("{}", ran.out);

    let initramfs = Initramfs::new(Kind::X86_64);
    initramfs.add("init", init());
    add_job(&initramfs);
    initramfs.add("bundle/config.json", BUNDLE);
    fs::create_dir(initramfs.at("usr")).unwrap();
    let takes = ["bwrap", "crun", "runc", "unshare"].map(|name| (name, add(&initramfs, name)));
    std::os::unix::fs::symlink("/thimble", initramfs.at("usr/bin/thimble")).unwrap();
    let console = initramfs.pack().boot("console=ttyS0", &[]).out;
    println!("{console}");
    let tried = tried(&console);
    let host: Vec<&str> = tried["host"].1.lines().collect();
    assert_eq!(host.len(), 3, "{host:?}");

    // Behind the job, the result, and nothing from whoever else could turn the machine off.
    let (job, result) = ran.out.split_once("\nthimble-result: ").unwrap();
    let (_, job) = job.split_once("pid:[").unwrap();
    let ended = end(7, &format!("pid:[{job}"), &host);
    let (result, rest) = result.split_once('\n').unwrap();
    assert!(rest.contains("reboot: Power down") && ran.status == Some(0), "{rest}");
    row([
        &format!("`{ALONE}`"),
        &format!("{ended}, and `thimble-result: {result}`"),
        "not tried",
        "nothing",
        &own,
    ]);
    for command in COMMANDS {
        let at = |stage: &str| {
            let (status, printed) = &tried[&format!("{stage} {command}")];
            end(*status, printed, &host)
        };
        let last = at(&(STAGES.len() - 1).to_string());
        let needed = (0..).find(|number: &usize| at(&number.to_string()) == last).unwrap();
        let name = command.split(' ').next().unwrap();
        let takes = takes.iter().find(|(other, _)| *other == name);
        row([
            &format!("`{command}`"),
            &last,
            &at("moved"),
            STAGES[needed].1,
            takes.map_or(&own, |(_, takes)| takes),
        ]);
    }
    table
}

#[test]
fn the_same_job_by_others_ends_as_the_readme_says() {
    let table = table();
    let readme = fs::read_to_string("README.md").unwrap();
    let (before, rest) = readme.split_once("| who is asked for the job |").unwrap();
    let (shown, after) = rest.split_once("\n\n").unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write("README.md", format!("{before}{table}\n{after}")).unwrap();
        return;
    }
    // The last column is about the versions that are there.
    let lines = |table: &str| -> Vec<String> {
        let cut = |line: &str| line.rsplit_once(" | ").map_or(line, |(line, _)| line).to_string();
        table.lines().map(cut).collect()
    };
    let shown = format!("| who is asked for the job |{shown}");
    assert!(
        lines(&shown) == lines(&table),
        "`make peers` writes it anew; it should be:\n\n{table}"
    );
}
