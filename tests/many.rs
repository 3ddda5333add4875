//! Many containers at once, and many that are killed: what is left is nothing,
//! and nobody takes what is somebody else's.

mod common;
use common::*;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A cgroup of the test's own in the pids hierarchy, below which containers get
/// theirs; it goes with the test.
struct Parent(PathBuf);

impl Parent {
    fn new() -> Parent {
        let parent = cgroup_v1("pids").join(unique_name());
        fs::create_dir(&parent).unwrap();
        Parent(parent)
    }

    fn name(&self) -> &str {
        self.0.file_name().unwrap().to_str().unwrap()
    }

    /// `thimble run --pids-limit 9 --cgroup-parent PARENT ROOT WORDS`
    fn run(&self, root: &Path, words: &[&str]) -> Command {
        let mut all = vec!["run", "--pids-limit", "9", "--cgroup-parent", self.name()];
        all.push(root.to_str().unwrap());
        all.extend(words);
        command(thimble(), &all)
    }

    fn cgroups(&self) -> usize {
        fs::read_dir(&self.0).unwrap().flatten().filter(|entry| entry.path().is_dir()).count()
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn killed_at_any_moment_it_leaves_nothing_after_the_next_run() {
    let (parent, root, host) = (Parent::new(), own_root(), mounts());
    let listed = listing(root.path());
    let mark = format!("36{}", std::process::id());
    // How long one takes, to spread the moments over all of it.
    let start = Instant::now();
    assert!(parent.run(root.path(), &["sleep", "0.01"]).status().unwrap().success());
    let whole = start.elapsed().as_micros() as u64;
    let mut seed = 0x2545_f491_4f6c_dd1du64;
    for _ in 0..100 {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let script = format!("sleep {mark} & sleep 0.01");
        let mut child =
            parent.run(root.path(), &["sh", "-c", &script]).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(seed % whole));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    eventually("no process is left", || processes_with(root.path().to_str().unwrap()).is_empty());
    eventually("no process of theirs is left", || processes_with(&mark).is_empty());
    eventually("the next run sweeps what is left", || {
        parent.run(root.path(), &["true"]).status().unwrap().success() && parent.cgroups() == 0
    });
    assert_eq!(mounts(), host);
    assert_eq!(listing(root.path()), listed);
}

#[test]
fn a_thousand_at_once_have_their_own_statuses_and_leave_nothing() {
    const MANY: usize = 1000;
    let (parent, root, host) = (Parent::new(), own_root(), mounts());
    let gate = root.path().join("gate");
    assert!(command("mkfifo", &[&gate]).status().unwrap().success());
    // As long as somebody has the gate open for writing, who reads from it waits.
    let open = fs::File::options().read(true).write(true).open(&gate).unwrap();
    let start = |number: usize| -> Child {
        let script = format!("read x < /gate; exit {}", number % 256);
        parent.run(root.path(), &["sh", "-c", &script]).spawn().unwrap()
    };
    let alive = |count: usize| parent.cgroups() == count;
    let mut children = Vec::new();
    let (mut times, mut spends) = (Vec::new(), Vec::new());
    for number in 0..MANY {
        let begun = Instant::now();
        children.push(start(number));
        let place = parent.0.join(format!("thimble-{}/cgroup.procs", children[number].id()));
        // pid 1 and the program.
        eventually("it runs", || {
            fs::read_to_string(&place).is_ok_and(|list| list.lines().count() == 2)
        });
        times.push(begun.elapsed());
        // What its processes have been on a processor, in nanoseconds, whatever else goes on.
        let own = children[number].id().to_string();
        let inside = fs::read_to_string(&place).unwrap();
        let spent = inside.lines().chain([own.as_str()]).map(|pid| {
            let line = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
            line.split(' ').next().unwrap().parse::<u64>().unwrap_or(0)
        });
        spends.push(Duration::from_nanos(spent.sum()));
    }
    assert!(alive(MANY), "none swept another one's");
    assert!(children.iter_mut().all(|child| child.try_wait().unwrap().is_none()));
    let median = |times: &[Duration]| {
        let mut times = times.to_vec();
        times.sort();
        times[times.len() / 2]
    };
    for (what, times) in [("time until it runs", times), ("on a processor", spends)] {
        let (first, last) = (median(&times[..100]), median(&times[MANY - 100..]));
        println!("{what}: {first:?} for the first hundred, {last:?} for the last");
    }
    drop(open);
    for (number, child) in children.iter_mut().enumerate() {
        assert_eq!(child.wait().unwrap().code(), Some((number % 256) as i32), "the {number}th");
    }
    assert!(alive(0), "{} are left", parent.cgroups());
    assert_eq!(mounts(), host);
    assert_eq!(processes_with(root.path().to_str().unwrap()), [""; 0]);
}
