//! The command line: what is taken, and the whole line for what is not.

mod common;
use common::*;

/// Runs `thimble run WORDS`, where `ROOT` stands for a root file system.
fn words(words: &[&str]) -> Ran {
    let root = busybox();
    let mut all = vec!["run"];
    all.extend(
        words.iter().map(|word| if *word == "ROOT" { root.to_str().unwrap() } else { word }),
    );
    run(&all)
}

fn refused(words: &[&str], lines: &str) {
    let ran = run(words);
    assert_eq!(
        (ran.status, ran.out.as_str(), ran.err.as_str()),
        (Some(125), "", lines),
        "{words:?}"
    );
}

#[test]
fn the_first_word_is_a_command() {
    refused(&[], "thimble: command: is missing, see thimble --help\n");
    refused(&["rnu"], "thimble: unknown command rnu\nthimble: hint: did you mean run\n");
    refused(&["frobnicate"], "thimble: unknown command frobnicate\n");
    refused(&["run"], "thimble: ROOTFS: is missing, see --help\n");
    refused(&["run", "--verbose"], "thimble: ROOTFS: is missing, see --help\n");
}

#[test]
fn an_unknown_option_names_the_nearest_one() {
    for (word, near) in [
        ("--hostnam", "--hostname"),
        ("--pid-limit", "--pids-limit"),
        ("--verbsoe", "--verbose"),
        ("--cgroup-config", "--cgroup-conf"),
        ("--envfile=x", "--env-file"),
        ("--what-is-this", ""),
        ("-X", ""),
        ("- ", ""),
        ("---", "--rm"),
    ] {
        let hint = match near {
            "" => String::new(),
            near => format!("thimble: hint: did you mean {near}\n"),
        };
        refused(&["run", word, "/nowhere"], &format!("thimble: unknown option {word}\n{hint}"));
    }
}

#[test]
fn a_bad_value_is_refused_with_the_option_as_it_was_given() {
    let long = "n".repeat(65);
    for (options, want) in [
        (
            vec!["--pids-limit", "0"],
            "--pids-limit 0: must be a whole number from 1 to 4194304, or -1 for no limit",
        ),
        (
            vec!["--pids-limit=4194305"],
            "--pids-limit=4194305: must be a whole number from 1 to 4194304, or -1 for no limit",
        ),
        (
            vec!["--pids-limit", "5k"],
            "--pids-limit 5k: must be a whole number from 1 to 4194304, or -1 for no limit",
        ),
        (
            vec!["--pids-limit", "-2"],
            "--pids-limit -2: must be a whole number from 1 to 4194304, or -1 for no limit",
        ),
        (
            vec!["--timeout", "1s"],
            "--timeout 1s: must be a whole number of seconds, or -1 for no limit",
        ),
        (
            vec!["--timeout", "-2"],
            "--timeout -2: must be a whole number of seconds, or -1 for no limit",
        ),
        (
            vec!["--timeout", "0.5"],
            "--timeout 0.5: must be a whole number of seconds, or -1 for no limit",
        ),
        (
            vec!["--stop-timeout="],
            "--stop-timeout=: must be a whole number of seconds, or -1 for no limit",
        ),
        (
            vec!["--stop-timeout", "18446744073709551616"],
            "--stop-timeout 18446744073709551616: must be a whole number of seconds, or -1 for no limit",
        ),
        (
            vec!["--stop-signal", "TERMINATE"],
            "--stop-signal TERMINATE: must be a signal, as TERM, RTMIN+3, or a number up to 64",
        ),
        (
            vec!["--stop-signal", "0"],
            "--stop-signal 0: must be a signal, as TERM, RTMIN+3, or a number up to 64",
        ),
        (
            vec!["--stop-signal", "65"],
            "--stop-signal 65: must be a signal, as TERM, RTMIN+3, or a number up to 64",
        ),
        (
            vec!["--stop-signal", "RTMIN+31"],
            "--stop-signal RTMIN+31: must be a signal, as TERM, RTMIN+3, or a number up to 64",
        ),
        (vec!["-e", "=x"], "-e =x: must be NAME or NAME=VALUE"),
        (vec!["-e="], "-e=: must be NAME or NAME=VALUE"),
        (vec!["--env", ""], "--env : must be NAME or NAME=VALUE"),
        (vec!["--env-file", ""], "--env-file: must be a path"),
        (vec!["-w", "tmp"], "-w tmp: must be an absolute path"),
        (vec!["-wtmp"], "-wtmp: must be an absolute path"),
        (vec!["--hostname", "a b"], "--hostname a b: must be letters, digits, '_', '.', '-'"),
        (
            vec!["--hostname", "a\nthimble: ok"],
            "--hostname a\\x0athimble: ok: must be letters, digits, '_', '.', '-'",
        ),
        (vec!["-h", "x\x1b[2J"], "-h x\\x1b[2J: must be letters, digits, '_', '.', '-'"),
        (
            vec!["--name", ".."],
            "--name ..: must be 1 to 64 letters, digits, '_', '.', '-', and begin with a letter or digit",
        ),
        (
            vec!["--name", "a/b"],
            "--name a/b: must be 1 to 64 letters, digits, '_', '.', '-', and begin with a letter or digit",
        ),
        (
            vec!["--network", "bridge"],
            "--network bridge: must be none, host or ns:PATH, an absolute path",
        ),
        (
            vec!["--network", "ns:"],
            "--network ns:: must be none, host or ns:PATH, an absolute path",
        ),
        (vec!["--pid", "container:x"], "--pid container:x: must be private or host"),
        (
            vec!["--cgroup-conf", "../x=1"],
            "--cgroup-conf ../x=1: must be FILE=VALUE, and FILE the bare name of a cgroup file",
        ),
        (
            vec!["--cgroup-parent", "/a/../b"],
            "--cgroup-parent /a/../b: must be a path below the cgroup hierarchy, without '..'",
        ),
        (
            vec!["-v", "/a"],
            "-v /a: must be SRC:DST, SRC:DST:ro or SRC:DST:rw, absolute paths without '..', DST not below /proc",
        ),
        (
            vec!["-v", "/a:/proc/sys"],
            "-v /a:/proc/sys: must be SRC:DST, SRC:DST:ro or SRC:DST:rw, absolute paths without '..', DST not below /proc",
        ),
        (
            vec!["--device", "/dev/fuse:mine"],
            "--device /dev/fuse:mine: must be SRC or SRC:DST, absolute paths without '..', DST not below /proc",
        ),
        (
            vec!["--tmpfs", "/"],
            "--tmpfs /: must be DST or DST:OPTIONS, an absolute path without '..', not below /proc",
        ),
        (
            vec!["-u", "a\nb"],
            "-u a\\x0ab: must be USER or USER:GROUP, names or numbers up to 4294967294",
        ),
        (
            vec!["-u", "4294967295"],
            "-u 4294967295: must be USER or USER:GROUP, names or numbers up to 4294967294",
        ),
        (
            vec!["-u", "1:-1"],
            "-u 1:-1: must be USER or USER:GROUP, names or numbers up to 4294967294",
        ),
        (vec!["-u", "1:"], "-u 1:: must be USER or USER:GROUP, names or numbers up to 4294967294"),
        (
            vec!["--user=:1"],
            "--user=:1: must be USER or USER:GROUP, names or numbers up to 4294967294",
        ),
        (vec!["--group-add", "-1"], "--group-add -1: must be a name or a number up to 4294967294"),
        (
            vec!["--group-add", "a:b"],
            "--group-add a:b: must be a name or a number up to 4294967294",
        ),
        (
            vec!["--ulimit", "files=5"],
            "--ulimit files=5: NAME must be core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending or stack",
        ),
        (
            vec!["--ulimit=nofile=6:5"],
            "--ulimit=nofile=6:5: must be NAME=SOFT or NAME=SOFT:HARD, whole numbers or unlimited, SOFT not above HARD",
        ),
        (
            vec!["--oom-score-adj", "1001"],
            "--oom-score-adj 1001: must be a whole number from -1000 to 1000",
        ),
        (vec!["--preserve-fds", "-1"], "--preserve-fds -1: must be a whole number up to 1048576"),
        (
            vec!["--preserve-fds", "1048577"],
            "--preserve-fds 1048577: must be a whole number up to 1048576",
        ),
        (vec!["--shm-size", "0"], "--shm-size 0: must be a size above 0, as in 64m"),
        (vec!["--shm-size", "1t"], "--shm-size 1t: must be a size above 0, as in 64m"),
        (
            vec!["--shm-size=9223372036854775808"],
            "--shm-size=9223372036854775808: must be a size above 0, as in 64m",
        ),
        (vec!["-dt"], "--tty: needs somebody to sit at it: not with --detach"),
        (
            vec!["--bare", "--shm-size", "1m"],
            "--shm-size: means nothing with --bare, which mounts no /dev/shm",
        ),
        (vec!["--cap-add", "FROB"], "--cap-add FROB: must be the name of a capability, or ALL"),
        (vec!["--cap-drop="], "--cap-drop=: must be the name of a capability, or ALL"),
        (
            vec!["--security-opt", "apparmor=x"],
            "--security-opt apparmor=x: must be no-new-privileges=true|false or seccomp=default|unconfined|FILE, an absolute path",
        ),
        (
            vec!["--security-opt", "seccomp=filter"],
            "--security-opt seccomp=filter: must be no-new-privileges=true|false or seccomp=default|unconfined|FILE, an absolute path",
        ),
        (vec!["--verbose=yes"], "--verbose=yes: takes no value"),
        (
            vec!["--uts", "host", "-h", "x"],
            "--hostname: would change the host's name, given --uts host",
        ),
        (vec!["-d", "--die-with-parent"], "--die-with-parent: is the opposite of --detach"),
        (
            vec!["--pid", "host"],
            "--pid host: needs a cgroup to end what the program leaves running: add --pids-limit -1",
        ),
    ] {
        let mut all = vec!["run"];
        all.extend(options);
        all.extend(["/nowhere", "true"]);
        refused(&all, &format!("thimble: {}\n", want.replace("--env :", "--env:")));
    }
    let want =
        format!("thimble: --hostname {long}: is longer than the 64 bytes that the kernel holds\n");
    refused(&["run", "--hostname", &long, "/nowhere"], &want);
    refused(&["run", "--hostname"], "thimble: --hostname: needs a value\n");
    refused(&["run", "-e"], "thimble: -e: needs a value\n");
}

#[test]
fn only_the_letters_of_the_help_are_options() {
    let known: Vec<_> = help_lines()
        .into_iter()
        .filter_map(|(_, line)| line.strip_prefix("  -").map(|rest| rest.as_bytes()[0]))
        .collect();
    assert_eq!(known.len(), 10);
    for letter in (1..128).filter(|letter| !known.contains(letter) && *letter != b'-') {
        let word = format!("-{}", letter as char);
        let ran = run(&["run", &word, "x", "/nowhere"]);
        let shown = if letter.is_ascii_control() { format!("-\\x{letter:02x}") } else { word };
        assert_eq!(
            (ran.status, ran.err),
            (Some(125), format!("thimble: unknown option {shown}\n"))
        );
    }
}

#[test]
fn a_long_word_is_cut_and_the_reason_behind_it_is_not() {
    let long = "a".repeat(5000);
    let cut = &long[..512];
    refused(
        &["run", &format!("--name={long}"), "/"],
        &format!(
            "thimble: --name={}: must be 1 to 64 letters, digits, '_', '.', '-', and begin with a letter or digit\n",
            &cut[7..]
        ),
    );
    refused(&[&long], &format!("thimble: unknown command {cut}\n"));
    refused(&["run", "-h", "name"], "thimble: ROOTFS: is missing, see --help\n");
}

#[test]
fn twenty_thousand_variables_are_no_trouble_and_too_many_are_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let lines: String = (0..20_000).map(|number| format!("V{number}=1\n")).collect();
    std::fs::write(file.path(), lines).unwrap();
    let path = file.path().to_str().unwrap();
    assert_eq!(
        words(&["--env-file", path, "ROOT", "sh", "-c", "env | grep -c ^V"]).good(),
        "20000\n"
    );
    std::fs::write(file.path(), format!("A={}\n", "x".repeat(200_000))).unwrap();
    let ran = words(&["--env-file", path, "ROOT", "true"]);
    assert_eq!(
        (ran.status, ran.err.as_str()),
        (Some(126), "thimble: execute true: E2BIG: Argument list too long\n")
    );
    // Of these many thimble itself takes no more, with the four of its own.
    let most = 196_608 - 4;
    let lines: String = (0..most).map(|number| format!("V{number}=\n")).collect();
    let collect = "thimble: collect the environment: E2BIG: Argument list too long\n";
    std::fs::write(file.path(), &lines).unwrap();
    assert_ne!(words(&["--env-file", path, "ROOT", "true"]).err, collect);
    std::fs::write(file.path(), format!("{lines}A=\n")).unwrap();
    let ran = words(&["--env-file", path, "ROOT", "true"]);
    assert_eq!((ran.status, ran.err.as_str()), (Some(125), collect));
}

#[test]
fn options_end_at_the_first_word_that_is_none_or_at_two_dashes() {
    assert_eq!(words(&["ROOT", "echo", "--verbose", "-x", "--"]).good(), "--verbose -x --\n");
    assert_eq!(words(&["--", "ROOT", "echo", "--"]).good(), "--\n");
    assert_eq!(words(&["-hname", "--", "ROOT", "hostname"]).good(), "name\n");
    // Behind --, a word that begins with a dash is the root.
    let ran = words(&["--", "--verbose"]);
    assert!(
        ran.err.starts_with("thimble: open the root file system --verbose: ENOENT:"),
        "{ran:?}"
    );
}

#[test]
fn every_spelling_of_an_option_means_the_same() {
    for spelling in [
        &["--env", "A=1"][..],
        &["--env=A=1"],
        &["-e", "A=1"],
        &["-eA=1"],
        &["--env", "A=2", "-e", "A=1"], // the last of a name wins
    ] {
        let mut all = spelling.to_vec();
        all.extend(["ROOT", "sh", "-c", "echo $A"]);
        assert_eq!(words(&all).good(), "1\n", "{spelling:?}");
    }
    assert_eq!(words(&["-h", "one", "--hostname=two", "ROOT", "hostname"]).good(), "two\n");
}

#[test]
fn the_environment_comes_from_files_then_options_and_bare_names_from_the_caller() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        file.path(),
        "# a comment\n\nA=file\nB=two words\nPATH=/bin\nCALLER\nMISSING\nC=",
    )
    .unwrap();
    let path = file.path().to_str().unwrap();
    let root = busybox();
    let all =
        ["run", "-e", "A=option", "--env-file", path, "-e", "ALSO", root.to_str().unwrap(), "env"];
    let output = command(thimble(), &all).env_clear().env("CALLER", "1").env("ALSO", "2").output();
    let out = Ran::of(output.unwrap()).good();
    let mut lines: Vec<_> = out.lines().filter(|line| !line.starts_with("HOSTNAME=")).collect();
    lines.sort();
    let want = [
        "A=option",
        "ALSO=2",
        "B=two words",
        "C=",
        "CALLER=1",
        "HOME=/root",
        "PATH=/bin",
        "TERM=xterm-256color",
    ];
    assert_eq!(lines, want);
}

#[test]
fn a_bad_environment_file_is_refused_by_line() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    for (text, line) in [(&b"A=1\nB C=2\n"[..], 2), (b"=x", 1), (b"A=1\n\nB=\0\n", 3), (b" A=1", 1)]
    {
        std::fs::write(file.path(), text).unwrap();
        let want =
            format!("thimble: --env-file {path}: must be NAME=VALUE or NAME in line {line}\n");
        refused(&["run", "--env-file", path, "/nowhere"], &want);
    }
    refused(
        &["run", "--env-file", "/nowhere/file", "/"],
        "thimble: read variables from /nowhere/file: ENOENT: No such file or directory\n",
    );
    refused(
        &["run", "--env-file", "/dev/zero", "/"],
        "thimble: read variables from /dev/zero: EFBIG: File too large\n",
    );
}

#[test]
fn help_and_version_go_to_the_standard_output() {
    let version = run(&["--version"]).good();
    assert_eq!(version, format!("thimble {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(run(&["-V"]).good(), version);
    let general = run(&["--help"]).good();
    assert!(general.starts_with("thimble runs a program in a Linux container.\n"));
    assert_eq!(run(&["help"]).good(), general);
    let help = run(&["exec", "--help"]).good();
    assert_eq!(run(&["exec", "-w/", "--help", "--nonsense"]).good(), help);
    let help = run(&["run", "--help"]).good();
    assert_eq!(run(&["run", "--verbose", "--help", "--nonsense"]).good(), help);
    for line in help.lines() {
        assert!(line.len() <= 80, "{line}");
        assert!(!line.ends_with(' '), "{line}");
    }
    // One that cannot be written is a failure.
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let ran = Ran::of(command(thimble(), &["--help"]).stdout(full).output().unwrap());
    let want = "thimble: write to standard output: ENOSPC: No space left on device\n";
    assert_eq!((ran.status, ran.err.as_str()), (Some(125), want));
}

/// The options that the help names, each with its help line.
fn help_lines() -> Vec<(String, String)> {
    let help = run(&["run", "--help"]).good();
    let lines = help.lines().filter(|line| line.starts_with("  -") || line.starts_with("      --"));
    lines.map(|line| (line[6..].split(' ').next().unwrap().to_string(), line.to_string())).collect()
}

#[test]
fn the_readme_has_the_option_table_of_the_help() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    for command in ["run", "exec", "init"] {
        let help = run(&[command, "--help"]).good();
        assert!(readme.contains(&format!("\n{help}")), "README.md: put this in:\n{help}");
    }
}

#[test]
fn every_option_of_the_help_is_taken_in_every_way_it_is_spelled() {
    let lines = help_lines();
    assert_eq!(lines.len(), 51);
    for (long, line) in lines {
        let value =
            line[6 + long.len()..].starts_with(" ") && !line[6 + long.len()..].starts_with("  ");
        // A value that is never good: it is complained about, so the option is known.
        let ran = run(&["run", &format!("{long}=\x01"), "/nowhere"]);
        let complaint = format!("thimble: {long}=\\x01: ");
        let unread =
            ["--env", "--env-file", "--cgroup-parent", "--pidfile"].contains(&long.as_str());
        assert!(ran.err.starts_with(&complaint) || unread, "{long}: {ran:?}");
        assert_eq!(ran.err.contains("takes no value"), !value, "{long}: {ran:?}");
        let letter = line[2..4].to_string();
        if letter.starts_with('-') {
            let word = if value { format!("{letter}\x01") } else { letter.clone() };
            let ran = run(&["run", &word, "/nowhere"]);
            assert!(!ran.err.contains("unknown option"), "{letter}: {ran:?}");
        }
    }
}
