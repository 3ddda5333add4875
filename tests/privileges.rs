//! What the program may do: ids, groups, capabilities, no_new_privs, seccomp.

mod common;
use common::*;

use std::collections::BTreeMap;

/// Fields of /proc/self/status inside a container.
fn status(options: &[&str]) -> BTreeMap<String, String> {
    let out = sh(options, "cat /proc/self/status").good();
    out.lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(field, value)| (field.to_string(), value.trim().replace('\t', " ")))
        .collect()
}

/// Bits of capabilities, as the status shows them.
fn bits(numbers: &[u32]) -> String {
    format!("{:016x}", numbers.iter().fold(0u64, |set, number| set | 1 << number))
}

const ELEVEN: [u32; 11] = [0, 1, 3, 4, 5, 6, 7, 8, 10, 18, 31];
const NONE: &str = "0000000000000000";

#[test]
fn the_status_of_a_default_container_is_this() {
    let status = status(&[]);
    let eleven = bits(&ELEVEN);
    for (field, want) in [
        ("Uid", "0 0 0 0"),
        ("Gid", "0 0 0 0"),
        ("Groups", ""),
        ("CapInh", NONE),
        ("CapPrm", &eleven),
        ("CapEff", &eleven),
        ("CapBnd", &eleven),
        ("CapAmb", NONE),
        ("NoNewPrivs", "1"),
        ("Seccomp", "2"),
        // The one around thimble.
        ("Seccomp_filters", if OLD_KERNEL { "2" } else { "1" }),
        ("SigBlk", NONE),
        ("Umask", "0022"),
        ("TracerPid", "0"),
    ] {
        assert_eq!(status[field], want, "{field}");
    }
}

#[test]
fn capabilities_are_added_and_dropped_by_name() {
    for (options, want) in [
        (vec!["--cap-drop", "ALL"], vec![]),
        (vec!["--cap-drop", "all", "--cap-add", "CAP_NET_ADMIN"], vec![12]),
        (
            vec!["--cap-add", "sys_admin", "--cap-drop=CHOWN"],
            vec![1, 3, 4, 5, 6, 7, 8, 10, 18, 21, 31],
        ),
        (vec!["--cap-drop", "KILL", "--cap-drop", "SETUID"], vec![0, 1, 3, 4, 6, 8, 10, 18, 31]),
        (vec!["--bare", "--cap-drop", "ALL"], vec![]),
    ] {
        let status = status(&options);
        let want = bits(&want);
        assert_eq!(
            [&status["CapPrm"], &status["CapEff"], &status["CapBnd"]],
            [&want; 3],
            "{options:?}"
        );
        assert_eq!([&status["CapInh"], &status["CapAmb"]], [NONE; 2], "{options:?}");
    }
    // ALL is all that this host has.
    let host = std::fs::read_to_string("/proc/self/status").unwrap();
    let host = host.lines().find_map(|line| line.strip_prefix("CapPrm:\t")).unwrap();
    assert_eq!(status(&["--cap-add", "ALL"])["CapEff"], host);
    assert_eq!(status(&["--privileged"])["CapEff"], host);
    assert_eq!(status(&["--bare"])["CapEff"], host);
}

#[test]
fn a_capability_that_the_host_does_not_have_is_an_error() {
    // One that a caller with less does not have to give.
    let (root, program) = (busybox(), thimble());
    let words = [
        "--bounding-set",
        "-sys_time",
        program.to_str().unwrap(),
        "run",
        "--cap-add",
        "SYS_TIME",
        root.to_str().unwrap(),
        "true",
    ];
    let ran = Ran::of(command("setpriv", &words).output().unwrap());
    let want = "thimble: set the capabilities: EPERM: Operation not permitted\n";
    assert_eq!((ran.status, ran.err.as_str()), (Some(125), want));
}

#[test]
fn another_user_has_no_capability_and_no_group_of_the_callers() {
    let status = status(&["-u", "1000:100"]);
    assert_eq!(
        (status["Uid"].as_str(), status["Gid"].as_str()),
        ("1000 1000 1000 1000", "100 100 100 100")
    );
    assert_eq!(status["Groups"], "100");
    for field in ["CapPrm", "CapEff", "CapInh", "CapAmb"] {
        assert_eq!(status[field], NONE, "{field}");
    }
    assert_eq!(status["CapBnd"], bits(&ELEVEN));
    assert_eq!(
        sh(&["-u", "65534"], "id; echo $HOME").good(),
        "uid=65534 gid=0(root) groups=0(root)\n/\n"
    );
    // Also with the article's container, and with groups that the caller has.
    let (root, program) = (busybox(), thimble());
    let words = [
        "--groups",
        "4,27",
        program.to_str().unwrap(),
        "run",
        "--bare",
        "-u",
        "7:8",
        root.to_str().unwrap(),
        "id",
    ];
    assert_eq!(
        Ran::of(command("setpriv", &words).output().unwrap()).good(),
        "uid=7 gid=8 groups=8\n"
    );
    let words = [
        "--groups",
        "4,27",
        program.to_str().unwrap(),
        "run",
        root.to_str().unwrap(),
        "grep",
        "Groups",
        "/proc/1/status",
        "/proc/self/status",
    ];
    let out = Ran::of(command("setpriv", &words).output().unwrap()).good();
    assert!(out.lines().all(|line| line.trim_end().ends_with("Groups:")), "{out}");
}

#[test]
fn what_cap_add_names_another_user_has_too_and_nothing_else() {
    let host = std::fs::read_to_string("/proc/self/status").unwrap();
    let host = host.lines().find_map(|line| line.strip_prefix("CapPrm:\t")).unwrap();
    for (options, want) in [
        (&["--cap-add", "NET_RAW"][..], bits(&[13])),
        (&["--cap-add", "NET_RAW", "--cap-add", "kill"], bits(&[5, 13])),
        (&["--cap-add", "NET_RAW", "--cap-add", "KILL", "--cap-drop", "KILL"], bits(&[13])),
        (&["--cap-add", "NET_RAW", "--cap-drop", "ALL"], bits(&[13])),
        (&["--cap-add", "NET_RAW", "--cap-drop", "NET_RAW"], bits(&[])),
        (&["--cap-add", "ALL", "--cap-drop", "ALL"], bits(&[])),
        (&["--cap-add", "ALL"], host.to_string()),
        (&["--cap-add", "NET_RAW", "--security-opt", "no-new-privileges=false"], bits(&[13])),
        (&["--cap-add", "NET_RAW", "--security-opt", "seccomp=unconfined"], bits(&[13])),
        (&["--bare", "--cap-add", "NET_RAW"], bits(&[13])),
        (&["--privileged", "--cap-add", "NET_RAW"], bits(&[13])),
        (&["--privileged"], bits(&[])),
        (&["--bare"], bits(&[])),
        (&[], bits(&[])),
    ] {
        let status = status(&[&["-u", "1000:100"], options].concat());
        for field in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(status[field], want, "{options:?} {field}");
        }
        assert_eq!(status["Uid"], "1000 1000 1000 1000", "{options:?}");
    }
    // Root has it by being root; nothing of it is inheritable (CVE-2022-29162).
    let status = status(&["-u", "0", "--cap-add", "NET_RAW"]);
    assert_eq!([&status["CapInh"], &status["CapAmb"]], [NONE; 2]);
}

#[test]
fn a_capability_of_another_user_works() {
    let root = own_root();
    let file = root.path().join("secret");
    std::fs::write(&file, "read\n").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let cat = |options: &[&str]| {
        let mut words = vec!["run", "-u", "1000"];
        words.extend(options);
        // By a shell, so that it passes through two execve(2).
        words.extend([root.path().to_str().unwrap(), "sh", "-c", "cat /secret; true"]);
        run(&words)
    };
    assert_eq!(cat(&["--cap-add", "DAC_OVERRIDE"]).good(), "read\n");
    assert_eq!(cat(&[]).err, "cat: can't open '/secret': Permission denied\n");
}

#[test]
fn signals_reach_a_program_of_another_user() {
    // pid 1 is root without most of its rights; the program is not root.
    let ran = sh(&["-u", "1000", "--cap-drop", "ALL"], "kill -TERM $$; sleep 1");
    assert_eq!(ran.status, Some(143));
    let script = "trap 'exit 3' USR1; echo ready; while :; do sleep 0.02; done";
    let mut running = start(&["-u", "1000", "--cap-drop", "ALL"], script);
    assert_eq!(running.line(), "ready");
    running.signal(libc::SIGUSR1);
    assert_eq!(running.wait().status, Some(3));
}

#[test]
fn no_new_privileges_can_be_given_up_and_set() {
    for (options, privileges, seccomp) in [
        (&["--security-opt", "no-new-privileges=false"][..], "0", "2"),
        (&["--security-opt", "seccomp=unconfined"], "1", "0"),
        (
            &["--security-opt=seccomp=unconfined", "--security-opt=no-new-privileges=false"],
            "0",
            "0",
        ),
        (&["--privileged"], "1", "0"),
        (&["--privileged", "--security-opt", "seccomp=default"], "1", "2"),
        (&["--bare"], "0", "0"),
        (
            &["--bare", "--security-opt", "no-new-privileges", "--security-opt", "seccomp=default"],
            "1",
            "2",
        ),
        (&["-u", "1000", "--security-opt", "no-new-privileges=false"], "0", "2"),
    ] {
        let status = status(options);
        let seccomp = if OLD_KERNEL { "2" } else { seccomp };
        assert_eq!(
            (status["NoNewPrivs"].as_str(), status["Seccomp"].as_str()),
            (privileges, seccomp),
            "{options:?}"
        );
    }
}

#[test]
fn pid_1_has_no_more_than_the_program_and_is_under_the_same_filter() {
    for options in
        [&[][..], &["--security-opt", "no-new-privileges=false"], &["--cap-add", "SYS_PTRACE"]]
    {
        let out = sh(options, "grep -hE 'Cap|Seccomp:' /proc/1/status; echo; grep -hE 'Cap|Seccomp:' /proc/self/status").good();
        let (first, program) = out.split_once("\n\n").unwrap();
        assert_eq!(first, program.trim_end(), "{options:?}");
        assert!(first.ends_with("Seccomp:\t2"), "{first}");
    }
    // For a program of another user, only what it takes to signal it and to become it.
    let own = sh(&["-u", "1000", "--cap-drop", "ALL"], "grep CapPrm /proc/1/status").good();
    assert_eq!(own, format!("CapPrm:\t{}\n", bits(&[5, 6, 7])));
}

#[test]
fn a_set_user_id_program_gains_nothing() {
    // Debian's perl, set-user-id root, asked for its effective user.
    let root = tempfile::tempdir().unwrap();
    let copied = command("cp", &["-a"]).arg(debian().join(".")).arg(root.path()).status().unwrap();
    assert!(copied.success());
    let perl = root.path().join("usr/bin/perl");
    std::fs::set_permissions(&perl, std::os::unix::fs::PermissionsExt::from_mode(0o4755)).unwrap();
    let path = root.path().to_str().unwrap();
    let effective = |options: &[&str]| {
        let mut words = vec!["run", "-u", "1000"];
        words.extend(options);
        words.extend([path, "perl", "-e", "print $>"]);
        run(&words).good()
    };
    assert_eq!(effective(&[]), "1000");
    // Either of the two defences is enough by itself: the root's nosuid, and no_new_privs.
    assert_eq!(effective(&["--security-opt", "no-new-privileges=false"]), "1000");
    assert_eq!(effective(&["--bare", "--security-opt", "no-new-privileges"]), "1000");
    // The control: with neither, it is root.
    assert_eq!(effective(&["--bare"]), "0");
}
