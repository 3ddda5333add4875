//! The limits of the program's process: `--ulimit` and `--oom-score-adj`.

mod common;
use common::*;

/// A line of /proc/self/limits: soft and hard.
fn limits(of: &str, title: &str) -> [String; 2] {
    let line = of.lines().find(|line| line.starts_with(title)).unwrap_or_else(|| panic!("{of}"));
    let mut fields = line[title.len()..].split_whitespace();
    [fields.next().unwrap().to_string(), fields.next().unwrap().to_string()]
}

/// By docker's names: the kernel's title, and a value that any host allows.
const ALL: &[(&str, &str, &str)] = &[
    ("core", "Max core file size", "4096"),
    ("cpu", "Max cpu time", "3600"),
    ("data", "Max data size", "1073741824"),
    ("fsize", "Max file size", "1048576"),
    ("locks", "Max file locks", "77"),
    ("memlock", "Max locked memory", "4096"),
    ("msgqueue", "Max msgqueue size", "4096"),
    ("nice", "Max nice priority", "0"),
    ("nofile", "Max open files", "64"),
    ("nproc", "Max processes", "500"),
    ("rss", "Max resident set", "1073741824"),
    ("rtprio", "Max realtime priority", "0"),
    ("rttime", "Max realtime timeout", "1000000"),
    ("sigpending", "Max pending signals", "99"),
    ("stack", "Max stack size", "1048576"),
];

fn has_resource() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let set = status.lines().find_map(|line| line.strip_prefix("CapEff:\t")).unwrap();
    u64::from_str_radix(set, 16).unwrap() >> 24 & 1 == 1
}

#[test]
fn every_limit_is_the_programs_and_not_pid_1s() {
    let host = std::fs::read_to_string("/proc/self/limits").unwrap();
    let words: Vec<String> = ALL.iter().map(|(name, _, value)| format!("{name}={value}")).collect();
    for more in [&[][..], &["-u", "1000"], &["--bare"], &["--privileged"]] {
        let mut options = more.to_vec();
        options.extend(words.iter().flat_map(|word| ["--ulimit", word]));
        let own = sh(&options, "cat /proc/self/limits").good();
        let first = sh(&options, "cat /proc/1/limits").good();
        for (name, title, value) in ALL {
            assert_eq!(limits(&own, title), [*value; 2], "{name}, {more:?}");
            assert_eq!(limits(&first, title), limits(&host, title), "{name} of pid 1, {more:?}");
        }
    }
}

#[test]
fn soft_and_hard_are_given_apart_and_the_last_of_a_name_counts() {
    for (options, want) in [
        (&["--ulimit", "nofile=20:30"][..], ["20", "30"]),
        (&["--ulimit=nofile=20"], ["20", "20"]),
        (&["--ulimit", "nofile=20", "--ulimit", "nofile=40:50"], ["40", "50"]),
        (&["--ulimit", "nofile=40", "--ulimit", "core=0", "--ulimit", "nofile=20"], ["20", "20"]),
    ] {
        let out = sh(options, "cat /proc/self/limits").good();
        assert_eq!(limits(&out, "Max open files"), want, "{options:?}");
    }
    // Infinity, which every hard limit of a test's caller need not be.
    let out = sh(&["--ulimit", "rttime=5:unlimited"], "cat /proc/self/limits").good();
    assert_eq!(limits(&out, "Max realtime timeout"), ["5", "unlimited"]);
    let out = sh(&["--ulimit", "rttime=-1"], "cat /proc/self/limits").good();
    assert_eq!(limits(&out, "Max realtime timeout"), ["unlimited"; 2]);
}

#[test]
fn a_limit_limits() {
    let ran = sh(&["--ulimit", "fsize=1024"], "cd /dev/shm && head -c 5000 /dev/zero >x");
    assert_eq!(ran.status, Some(128 + libc::SIGXFSZ), "{ran:?}");
    let ran = sh(&["--ulimit", "nofile=3"], "echo </dev/null 3</dev/null 2>&1");
    assert!(ran.status != Some(0), "{ran:?}");
    // It is the program's before it runs, and does not keep thimble from starting it, not even
    // if thimble tells its steps to a file that is too long already.
    let told = tempfile::NamedTempFile::new().unwrap();
    let root = busybox();
    let path = root.to_str().unwrap();
    let words = ["run", "--verbose", "--ulimit", "fsize=0", "--ulimit", "nofile=0", path, "true"];
    let mut case = command(thimble(), &words);
    case.stderr(told.reopen().unwrap());
    assert_eq!(case.status().unwrap().code(), Some(0));
    let told = std::fs::read_to_string(told.path()).unwrap();
    for line in ["thimble: set the limit on fsize\n", "thimble: set the limit on nofile\n"] {
        assert!(told.contains(line), "{told}");
    }
}

#[test]
fn a_hard_limit_is_raised_or_the_error_says_what_it_takes() {
    let (root, program) = (busybox(), thimble());
    let script = format!(
        "ulimit -n 100 && exec {} run --ulimit nofile=50:200 {} cat /proc/self/limits",
        program.display(),
        root.display()
    );
    let ran = Ran::of(command("sh", &["-c", &script]).output().unwrap());
    if has_resource() {
        assert_eq!(limits(&ran.good(), "Max open files"), ["50", "200"]);
    } else {
        let lines = "thimble: set the limit on nofile: EPERM: Operation not permitted\n\
            thimble: hint: a hard limit is raised with the host's CAP_SYS_RESOURCE; nofile ends at fs.nr_open\n";
        assert_eq!((ran.status, ran.err.as_str(), ran.out.as_str()), (Some(125), lines, ""));
    }
    // The program's process needs no capability for it: with the kernel's consent pretended for
    // pid 1, it fails only where the program's own call comes.
    let calls = tempfile::NamedTempFile::new().unwrap();
    let script = format!(
        "ulimit -n 100 && exec strace -f -qq -o {} -e trace=prlimit64 -e inject=prlimit64:retval=0:when=2 {} run --ulimit nofile=50:200 {} true",
        calls.path().display(),
        program.display(),
        root.display()
    );
    let ran = Ran::of(command("sh", &["-c", &script]).output().unwrap());
    assert_eq!(ran.status, Some(125), "{ran:?}");
    let calls = std::fs::read_to_string(calls.path()).unwrap();
    let lines: Vec<_> = calls.lines().filter(|line| line.contains("prlimit64")).collect();
    for (line, call) in lines.iter().zip([
        "prlimit64(0, RLIMIT_NOFILE, NULL, {rlim_cur=100, rlim_max=100}) = 0",
        "prlimit64(0, RLIMIT_NOFILE, {rlim_cur=100, rlim_max=200}, NULL) = 0",
        "prlimit64(0, RLIMIT_NOFILE, {rlim_cur=50, rlim_max=200}, NULL) = ",
    ]) {
        assert!(line.contains(call), "{calls}");
    }
    assert_eq!(lines.len(), 3, "{calls}");
}

#[test]
fn an_ordinary_user_lowers_his_limits_and_raises_none() {
    let ordinary = Ordinary::new();
    let out = ordinary.sh(&["--ulimit", "nofile=50:60"], "cat /proc/self/limits").good();
    assert_eq!(limits(&out, "Max open files"), ["50", "60"]);
    let ran = ordinary.sh(&["--ulimit", "nofile=50:1000000000"], "true");
    let lines = "thimble: set the limit on nofile: EPERM: Operation not permitted\n\
        thimble: hint: a hard limit is raised with the host's CAP_SYS_RESOURCE; nofile ends at fs.nr_open\n";
    assert_eq!((ran.status, ran.err.as_str()), (Some(125), lines));
    let ran = ordinary.sh(&["--oom-score-adj", "-1"], "true");
    let lines = "thimble: set oom_score_adj to -1: EACCES: Permission denied\n\
        thimble: hint: it is lowered with the host's CAP_SYS_RESOURCE\n";
    assert_eq!((ran.status, ran.err.as_str()), (Some(125), lines));
}

#[test]
fn the_oom_score_is_that_of_pid_1_and_the_program_and_not_of_the_host_side() {
    let host = std::fs::read_to_string("/proc/self/oom_score_adj").unwrap();
    let script = "cat /proc/1/oom_score_adj /proc/self/oom_score_adj";
    assert_eq!(sh(&[], script).good(), host.repeat(2));
    for options in [&[][..], &["--bare"], &["-u", "1000"], &["--pids-limit", "9"]] {
        let options = [&["--oom-score-adj", "900"], options].concat();
        assert_eq!(sh(&options, script).good(), "900\n900\n");
    }
    let words = ["--verbose", "--oom-score-adj=1000"];
    assert!(sh(&words, "true").err.contains("\nthimble: set oom_score_adj to 1000\n"));
    if !has_resource() {
        let lines = "thimble: set oom_score_adj to -1000: EACCES: Permission denied\n\
            thimble: hint: it is lowered with the host's CAP_SYS_RESOURCE\n";
        let ran = sh(&["--oom-score-adj", "-1000"], "true");
        assert_eq!((ran.status, ran.err.as_str()), (Some(125), lines));
    }
}

#[test]
fn the_callers_own_stack_may_be_small() {
    let (root, program) = (busybox(), thimble());
    let path = "x".repeat(3000);
    for kilobytes in [16, 24, 64] {
        for (words, want) in [
            (
                format!("--version >/dev/null; {} run --help >/dev/null; echo", program.display()),
                "\n",
            ),
            (
                format!(
                    "run -u 0 --memory 64m -v /etc:/tmp:ro --ulimit core=0 {} echo well",
                    root.display()
                ),
                "well\n",
            ),
            (format!("run --verbose {} echo well", root.display()), "well\n"),
            (format!("run --bare {} /{path} 2>/dev/null; echo $?", root.display()), "126\n"),
        ] {
            let script = format!("ulimit -s {kilobytes}; {} {words}", program.display());
            // The environment lies on that stack too, and is whoever's who runs the tests.
            let mut shell = command("/bin/sh", &["-c", &script]);
            let ran = Ran::of(shell.env_clear().output().unwrap());
            assert_eq!(ran.out, want, "{script}: {ran:?}");
        }
    }
}
