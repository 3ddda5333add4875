//! Limits that bite, wherever the host has the controller; and cgroups that are
//! taken back whatever happens.

mod common;
use common::*;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The mount point of a hierarchy of this host: cgroup v1 with this controller,
/// or the one of cgroup v2.
fn hierarchy(controller: &str) -> PathBuf {
    let table = mounts();
    let point = |line: &str| PathBuf::from(line.split(' ').nth(4).unwrap());
    let v1 = table.lines().find(|line| {
        line.split_once(" - cgroup cgroup ")
            .is_some_and(|(_, o)| o.split(',').any(|o| o == controller))
    });
    let v2 = || table.lines().find(|line| line.contains(" - cgroup2 "));
    point(v1.or_else(v2).expect("a cgroup file system"))
}

#[test]
fn a_fork_bomb_stays_within_its_limit() {
    let ran = sh(&["--pids-limit", "6"], "f() { sleep 1 & f; }; f; exit 9");
    assert_ne!(ran.status, Some(0));
    assert!(ran.err.contains("can't fork"), "{ran:?}");
}

#[test]
fn a_program_that_uses_up_its_memory_is_killed_and_that_is_told() {
    let grow = "my @a; push @a, 'x' x 1e6 while 1";
    let root = debian();
    let run_perl = |options: &[&str], script: &str| {
        let mut words = vec!["run"];
        words.extend(options);
        words.extend([root.to_str().unwrap(), "perl", "-e", script]);
        run(&words)
    };
    let ran = run_perl(&["--memory", "32m"], grow);
    assert_eq!(ran.status, Some(137), "{ran:?}");
    assert_eq!(ran.err, "thimble: the program used up its memory and was killed\n");
    // A descendant's end is the descendant's: the program's own status counts.
    let ran =
        run_perl(&["-m", "32m"], "if (!fork) { my @a; push @a, 'x' x 1e6 while 1 } wait; exit 3");
    assert_eq!((ran.status, ran.err.as_str()), (Some(3), ""));
    // Another's SIGKILL is no lack of memory.
    let ran = run_perl(&["-m", "32m"], "kill 9, $$");
    assert_eq!((ran.status, ran.err.as_str()), (Some(137), ""));
}

#[test]
fn the_files_hold_what_was_asked_for() {
    let name = unique_name();
    let words = |file: &str| {
        let place = hierarchy(file.split('.').next().unwrap()).join(&name).join(file);
        fs::read_to_string(&place)
            .unwrap_or_else(|_| panic!("{}", place.display()))
            .trim()
            .to_string()
    };
    let root = busybox();
    let child = command(
        thimble(),
        &[
            "run",
            "--name",
            &name,
            "-m",
            "64m",
            "--cpus",
            "0.5",
            "--cpu-shares",
            "512",
            "--cpuset-cpus",
            "0",
            "--pids-limit",
            "7",
            root.to_str().unwrap(),
            "sleep",
            "1",
        ],
    )
    .spawn()
    .unwrap();
    eventually("it runs", || {
        fs::read_to_string(hierarchy("pids").join(&name).join("cgroup.procs"))
            .is_ok_and(|list| list.lines().count() == 2)
    });
    let v1 = hierarchy("memory").join(&name).join("memory.limit_in_bytes").exists();
    if v1 {
        assert_eq!(words("memory.limit_in_bytes"), "67108864");
        assert_eq!(words("cpu.cfs_quota_us"), "50000");
        assert_eq!(words("cpu.shares"), "512");
    } else {
        assert_eq!(words("memory.max"), "67108864");
        assert_eq!(words("cpu.max"), "50000 100000");
        assert_eq!(words("cpu.weight"), "20");
    }
    assert_eq!(words("cpuset.cpus"), "0");
    assert_eq!(words("pids.max"), "7");
    assert_eq!(Ran::of(child.wait_with_output().unwrap()).status, Some(0));
    assert!(cgroups_with(&name).is_empty());
}

#[test]
fn a_spinning_program_is_held_to_its_share_of_a_processor() {
    let name = unique_name();
    let root = busybox();
    let spin = "while :; do :; done";
    let start = Instant::now();
    let mut child = command(
        thimble(),
        &["run", "--name", &name, "--cpus", "0.2", root.to_str().unwrap(), "sh", "-c", spin],
    )
    .spawn()
    .unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    let place = hierarchy("cpu").join(&name);
    let procs = fs::read_to_string(place.join("cgroup.procs")).unwrap();
    // Fields 14 and 15 of proc_pid_stat(5), in hundredths of a second.
    let used: u64 = procs
        .lines()
        .map(|pid| fs::read_to_string(format!("/proc/{pid}/stat")).unwrap())
        .map(|stat| {
            stat.rsplit(')')
                .next()
                .unwrap()
                .split(' ')
                .skip(12)
                .take(2)
                .map(|n| n.parse::<u64>().unwrap())
                .sum::<u64>()
        })
        .sum();
    let passed = start.elapsed().as_millis() as u64 / 10;
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("the cgroup can go", || fs::remove_dir(&place).is_ok());
    assert!(used > 0 && used < passed / 3, "{used} of {passed}");
}

#[test]
fn a_cpuset_is_all_that_the_program_may_run_on() {
    let out = sh(&["--cpuset-cpus", "0"], "grep Cpus_allowed_list /proc/self/status").good();
    assert_eq!(out, "Cpus_allowed_list:\t0\n");
}

#[test]
fn a_limit_that_makes_no_sense_is_refused_before_anything_is_made() {
    let root = busybox();
    let root = root.to_str().unwrap();
    let size = "must be a number of bytes above 0, or with k, m or g behind it, or -1 for no limit";
    let list = "must be a list of numbers and ranges, as 0-2,5";
    for (options, why) in [
        (&["--memory", "0"][..], format!("--memory 0: {size}")),
        (&["--memory", "1.5g"], format!("--memory 1.5g: {size}")),
        (&["-m", "-2"], format!("-m -2: {size}")),
        (&["--memory-swap", "1g"], "--memory-swap: needs --memory".into()),
        (
            &["-m", "1g", "--memory-swap", "1m"],
            "--memory-swap: must not be less than --memory".into(),
        ),
        (
            &["-m", "-1", "--memory-swap", "1m"],
            "--memory-swap: must not be less than --memory".into(),
        ),
        (&["--cpus", "0"], "--cpus 0: must be a number from 0.01 on, as 2 or 1.5".into()),
        (&["--cpus", "1,5"], "--cpus 1,5: must be a number from 0.01 on, as 2 or 1.5".into()),
        (&["--cpu-shares", "1"], "--cpu-shares 1: must be a whole number from 2 to 262144".into()),
        (&["--cpuset-cpus", "2-1"], format!("--cpuset-cpus 2-1: {list}")),
        (&["--cpuset-cpus", "0,"], format!("--cpuset-cpus 0,: {list}")),
        (&["--cpuset-cpus", "0-1-2"], format!("--cpuset-cpus 0-1-2: {list}")),
    ] {
        let mut words = vec!["run"];
        words.extend(options);
        words.extend([root, "true"]);
        let ran = run(&words);
        assert_eq!(
            (ran.status, ran.err.as_str()),
            (Some(125), format!("thimble: {why}\n").as_str())
        );
    }
    // A processor that there is none of is for the kernel to refuse.
    let ran = sh(&["--cpuset-cpus", "4000"], "true");
    assert_eq!(ran.status, Some(125));
    assert!(ran.err.starts_with("thimble: write the cgroup's cpuset.cpus: "), "{ran:?}");
}

#[test]
fn cgroup_v2_beside_v1_is_found_for_the_controllers_that_it_has() {
    let unified = hierarchy("none of v1");
    let offered = fs::read_to_string(unified.join("cgroup.controllers")).unwrap();
    let Some(controller) =
        offered.split_whitespace().find(|name| ["hugetlb", "pids"].contains(name))
    else {
        panic!("cgroup v2 offers nothing here to try: {offered}");
    };
    let setting = if controller == "pids" { "pids.max=9" } else { "hugetlb.2MB.max=0" };
    let name = unique_name();
    let file = setting.split('=').next().unwrap();
    let place = unified.join(&name);
    let root = busybox();
    let child = command(
        thimble(),
        &["run", "--name", &name, "--cgroup-conf", setting, root.to_str().unwrap(), "sleep", "0.5"],
    )
    .spawn()
    .unwrap();
    eventually("it runs in it", || {
        fs::read_to_string(place.join("cgroup.procs")).is_ok_and(|list| list.lines().count() == 2)
    });
    assert_eq!(
        fs::read_to_string(place.join(file)).unwrap().trim(),
        setting.split('=').nth(1).unwrap()
    );
    assert_eq!(Ran::of(child.wait_with_output().unwrap()).status, Some(0));
    assert!(!place.exists());
}

#[test]
fn a_file_that_every_cgroup_has_is_written_also_where_no_other_setting_is() {
    let (name, root) = (unique_name(), busybox());
    let place = hierarchy("pids").join(&name);
    let v1 = hierarchy("pids").join("cgroup.clone_children").exists();
    let (file, value) = if v1 { ("cgroup.clone_children", "1") } else { ("cgroup.max.depth", "5") };
    let setting = format!("{file}={value}");
    let words =
        ["run", "--name", &name, "--cgroup-conf", &setting, root.to_str().unwrap(), "sleep", "0.5"];
    let child = command(thimble(), &words).spawn().unwrap();
    eventually("it runs in it", || {
        fs::read_to_string(place.join("cgroup.procs")).is_ok_and(|list| list.lines().count() == 2)
    });
    assert_eq!(fs::read_to_string(place.join(file)).unwrap().trim(), value);
    assert_eq!(Ran::of(child.wait_with_output().unwrap()).status, Some(0));
}

#[test]
fn what_a_killed_thimble_leaves_the_next_one_sweeps_and_the_living_stay() {
    // A parent of the test's own, so that no other test's are in the way.
    let parent = hierarchy("pids").join(unique_name());
    fs::create_dir(&parent).unwrap();
    let under = parent.file_name().unwrap().to_str().unwrap().to_string();
    let root = busybox();
    let start = |seconds: &str| {
        command(
            thimble(),
            &[
                "run",
                "--cgroup-parent",
                &under,
                "--pids-limit",
                "5",
                root.to_str().unwrap(),
                "sleep",
                seconds,
            ],
        )
        .spawn()
        .unwrap()
    };
    let directories =
        || fs::read_dir(&parent).unwrap().flatten().filter(|entry| entry.path().is_dir()).count();
    let mut killed = start("60");
    let mut living = start("60");
    eventually("both run", || directories() == 2);
    std::thread::sleep(Duration::from_millis(100));
    killed.kill().unwrap();
    killed.wait().unwrap();
    let left = parent.join(format!("thimble-{}", killed.id()));
    eventually("its processes are gone", || {
        fs::read_to_string(left.join("cgroup.procs")).is_ok_and(|list| list.is_empty())
    });
    // One that is named like a dead one, and locked: of a thimble in another pid namespace.
    let locked = parent.join("thimble-4194303");
    fs::create_dir(&locked).unwrap();
    let lock = fs::File::open(&locked).unwrap();
    lock.lock().unwrap();
    // And one that nobody of thimble's made.
    fs::create_dir(parent.join("thimble-other")).unwrap();
    assert!(left.exists());
    assert_eq!(start("0").wait().unwrap().code(), Some(0));
    let (swept, kept) = (!left.exists(), locked.exists() && parent.join("thimble-other").exists());
    let alive = parent.join(format!("thimble-{}", living.id())).exists()
        && living.try_wait().unwrap().is_none();
    living.kill().unwrap();
    living.wait().unwrap();
    drop(lock);
    assert_eq!(start("0").wait().unwrap().code(), Some(0));
    let gone = !locked.exists();
    fs::remove_dir(parent.join("thimble-other")).unwrap();
    eventually("nothing is left", || start("0").wait().is_ok() && directories() == 0);
    fs::remove_dir(&parent).unwrap();
    assert!(swept && kept && alive && gone, "{swept} {kept} {alive} {gone}");
}
