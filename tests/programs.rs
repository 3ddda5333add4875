//! Real programs under the default posture: what people do in a container of
//! docker's or podman's works in one of thimble's.

mod common;
use common::*;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Debian as a test's own, to be written to: in memory where there is room, since copying it, and
/// each fsync(2) of dpkg's, waits for the disk.
fn own_debian() -> tempfile::TempDir {
    let free = command("df", &["--output=avail", "--block-size=1M", "/dev/shm"]).output().unwrap();
    let free = Ran::of(free).out.lines().last().and_then(|line| line.trim().parse::<u64>().ok());
    let root = match free {
        Some(1024..) => tempfile::tempdir_in("/dev/shm"),
        _ => tempfile::tempdir(),
    };
    let root = root.unwrap();
    let copied = command("cp", &["-a"]).args([debian().join("."), root.path().into()]).status();
    assert!(copied.unwrap().success());
    root
}

/// Runs a shell script in a root, with these options.
fn in_root(root: &Path, options: &[&str], script: &str) -> Ran {
    let mut words = vec!["run"];
    words.extend(options);
    words.extend([root.to_str().unwrap(), "/bin/sh", "-c", script]);
    run(&words)
}

/// A package with a program that greets its user, and a script that chowns and logs when it is
/// installed: `thimble-greeting.deb` in a directory.
fn package() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let tree = place.path().join("tree");
    let file = |path: &str, mode: u32, text: &str| {
        let path = tree.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(&path, mode).unwrap();
    };
    let control = "Package: thimble-greeting\nVersion: 1.0\nArchitecture: all\n\
        Maintainer: Nobody <nobody@example.org>\nDescription: greets its user\n";
    let log = "#!/bin/sh\nset -e\necho \"$1\" >> /var/lib/greetings\nchown games:adm /var/lib/greetings\nchmod 2640 /var/lib/greetings\n";
    file("DEBIAN/control", 0o644, control);
    file("DEBIAN/postinst", 0o755, log);
    file("usr/bin/greeting", 0o755, "#!/bin/sh\necho \"hello from $(id -un)\"\n");
    let words = ["--root-owner-group", "--build", "tree", "thimble-greeting.deb"];
    Ran::of(command("dpkg-deb", &words).current_dir(place.path()).output().unwrap()).good();
    place
}

#[test]
fn debian_installs_a_package_adds_users_and_runs_programs_as_them() {
    let (root, place) = (own_debian(), package());
    let volume = format!("{}:/packages:ro", place.path().display());
    let debian = |options: &[&str], script: &str| in_root(root.path(), options, script);

    // By dpkg, and away again.
    let script = "dpkg -i /packages/thimble-greeting.deb >&2 && greeting && \
        stat -c '%U %G %a' /var/lib/greetings && dpkg --purge thimble-greeting >&2 && ls /usr/bin/greeting";
    let ran = debian(&["-v", &volume], script);
    assert_eq!(ran.out, "hello from root\ngames adm 2640\n", "{}", ran.err);
    assert!(ran.err.ends_with("'/usr/bin/greeting': No such file or directory\n"), "{}", ran.err);

    // By apt, which has no lists and has never been updated; it drops to a user of its own.
    let script = "export DEBIAN_FRONTEND=noninteractive; cd /packages && \
        apt-get install -qq -y ./thimble-greeting.deb >&2 && dpkg-query -W -f '${Status}\\n' thimble-greeting";
    let ran = debian(&["-v", &volume], script);
    assert_eq!(ran.out, "install ok installed\n", "{}", ran.err);

    // Users, with a home each, one of them with a password.
    let script = "adduser --quiet --disabled-password --gecos '' alice && \
        useradd --create-home --shell /bin/bash --groups adm bob && echo bob:secret | chpasswd && \
        id alice && id bob && stat -c '%U %a' /home/alice /home/bob && passwd -S bob | cut -d' ' -f2";
    let ran = debian(&[], script);
    let want = "uid=1000(alice) gid=1000(alice) groups=1000(alice),100(users)\n\
        uid=1001(bob) gid=1001(bob) groups=1001(bob),4(adm)\nalice 700\nbob 755\nP\n";
    assert_eq!((ran.status, ran.out.as_str()), (Some(0), want), "{}", ran.err);

    // A program as each of them, in each of the ways to become another user from root.
    for become_alice in [
        "su alice -c",
        "su - alice -c",
        "runuser -u alice -- sh -c",
        "setpriv --reuid alice --regid alice --init-groups sh -c",
        "chroot --userspec alice:alice / sh -c",
        "start-stop-daemon --start --chuid alice --exec /usr/bin/env -- sh -c",
        "perl -e '($<, $>) = (1000, 1000); exec @ARGV' sh -c",
    ] {
        let write =
            "greeting && touch ~alice/file && rm ~alice/file && ! touch /etc/file 2>/dev/null";
        let ran = debian(&[], &format!("{become_alice} '{write}'"));
        assert_eq!(
            (ran.status, ran.out.as_str()),
            (Some(0), "hello from alice\n"),
            "{become_alice}: {ran:?}"
        );
    }
    let out = debian(
        &["-u", "1001:1001"],
        "greeting; id -G; echo x > /home/bob/file; cat /home/bob/file",
    );
    assert_eq!(out.good(), "hello from bob\n1001\nx\n");
    let out = debian(&["-u", "bob"], "greeting; id -Gn; cd; pwd");
    assert_eq!(out.good(), "hello from bob\nbob adm\n/home/bob\n");
    // And back to root nobody comes, not with a password either: no set-user-id.
    fs::write(root.path().join("passwords"), "secret\n").unwrap();
    let ran = debian(&["-u", "1000:1000"], "su bob -c greeting < /passwords");
    assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""), "{ran:?}");
}

#[test]
fn busybox_serves_its_own_loopback() {
    let root = own_root();
    let page = "<p>a page</p>\n";
    fs::create_dir(root.path().join("www")).unwrap();
    fs::write(root.path().join("www/index.html"), page).unwrap();
    // At a port that takes a privilege, as another user, over IPv4 and by a name.
    let hosts = "127.0.0.1 localhost box\n";
    fs::write(root.path().join("etc/hosts"), hosts).unwrap();
    let script = "httpd -p 127.0.0.1:80 -u 33:33 -h /www && wget -q -O - http://127.0.0.1/ && \
        wget -q -O - http://box/index.html; wget -q -O - http://127.0.0.1/missing; \
        for at in /proc/[0-9]*; do grep -q ^httpd $at/cmdline 2>/dev/null && grep ^Uid $at/status; done | sort -u";
    let ran = in_root(root.path(), &["-h", "box"], script);
    assert_eq!(ran.out, format!("{page}{page}Uid:\t33\t33\t33\t33\n"), "{}", ran.err);
    assert_eq!(ran.err, "wget: server returned error: HTTP/1.1 404 Not Found\n");
    // It is this container's loopback, and nobody else's.
    let ran = in_root(root.path(), &[], "wget -q -O - http://127.0.0.1/");
    assert_eq!(ran.err, "wget: can't connect to remote host (127.0.0.1): Connection refused\n");
}

/// Families of sockets that the filter refuses (README, "What the program may do"): the tests of
/// these classes are skipped inside, whatever the kernel can outside.
const OTHER_FAMILIES: &[&str] =
    &["Bluetooth", "CAN", "ISOTP", "J1939", "RDS", "QIPCRTR", "LinuxKernelCryptoAPI"];

/// Tests that pass outside and cannot inside, and why.
const REFUSED: &[&str] = &[
    // Sets the host name, if it may: that takes CAP_SYS_ADMIN.
    "test.test_socket.GeneralModuleTests.test_sethostname",
];

/// What of Python's own tests runs. VSOCK is left out on both sides: outside it would talk to the
/// hypervisor of the machine, and wait for it.
const TESTS: &str =
    "exec python3 -m test -j2 -i '*VSOCK*' --junit-xml /result/xml test_subprocess test_socket";

/// The tests of a junit file that were run, and how each ended.
fn results(file: &Path) -> BTreeMap<String, &'static str> {
    let xml = fs::read_to_string(file).unwrap_or_default();
    let result = |case: &str| match case {
        case if case.contains("<failure") || case.contains("<error") => "failed",
        case if case.contains("<skipped") => "skipped",
        _ => "passed",
    };
    xml.split("<testcase name=\"")
        .skip(1)
        .map(|case| (case.split('"').next().unwrap().to_string(), result(case)))
        .collect()
}

#[test]
fn pythons_own_tests_of_processes_and_sockets_end_as_they_do_outside() {
    let (root, place) = (own_debian(), tempfile::tempdir().unwrap());
    let mut volumes = python();
    fs::write(place.path().join("hosts"), "127.0.0.1 localhost box\n::1 localhost\n").unwrap();
    volumes.push((place.path().join("hosts"), "/etc/hosts".into()));
    let result = |side: &str| {
        let place = place.path().join(side);
        fs::create_dir(&place).unwrap();
        place
    };
    let (inside, outside) = (result("inside"), result("outside"));

    // The control: the same tree, by chroot from a network of its own.
    let mut script = format!(
        "set -e; ip link set lo up; hostname box; cd {root}; mount --bind . .; cd ../{name}\n\
         mount -t proc proc proc; mount --rbind /dev dev; mount -t tmpfs tmpfs tmp\n\
         bind() {{ test -e .$2 || {{ if test -d $1; then mkdir -p .$2; else touch .$2; fi }}; mount --bind $1 .$2; }}\n",
        root = root.path().display(),
        name = root.path().file_name().unwrap().to_str().unwrap(),
    );
    let mut words = vec!["run".to_string(), "-h".into(), "box".into(), "-w".into(), "/tmp".into()];
    words.extend(["--tmpfs=/tmp:exec".into(), "-eLD_LIBRARY_PATH=/opt/usr-lib:/opt/lib".into()]);
    words.push(format!("-v{}:/result", inside.display()));
    for (source, target) in &volumes {
        script.push_str(&format!("bind {} {target}\n", source.display()));
        words.push(format!("-v{}:{target}:ro", source.display()));
    }
    script.push_str(&format!(
        "bind {} /result\nexport LD_LIBRARY_PATH=/opt/usr-lib:/opt/lib\n\
         exec chroot . sh -c \"cd /tmp; {TESTS}\"\n",
        outside.display()
    ));
    words.extend([root.path().to_str().unwrap().into(), "sh".into(), "-c".into(), TESTS.into()]);
    let unshare = ["--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "sh", "-c", &script];
    let pair: [Command; 2] = [command(thimble(), &words), command("unshare", &unshare)];
    let [inside_log, outside_log] = pair.map(|mut side| {
        side.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        std::thread::spawn(move || Ran::of(side.output().unwrap()))
    });
    let (inside_log, outside_log) = (inside_log.join().unwrap(), outside_log.join().unwrap());
    let (inside, outside) = (results(&inside.join("xml")), results(&outside.join("xml")));

    let passed = outside.values().filter(|result| **result == "passed").count();
    assert!(passed > 500, "the control: {passed} tests passed\n{outside_log:?}");
    assert_eq!(
        inside.keys().collect::<Vec<_>>(),
        outside.keys().collect::<Vec<_>>(),
        "other tests were run inside\n{inside_log:?}"
    );
    let other: Vec<_> = inside
        .iter()
        .filter(|(name, result)| **result != "passed" && outside[*name] == "passed")
        .filter(|(name, _)| !OTHER_FAMILIES.iter().any(|family| name.contains(family)))
        .map(|(name, result)| (name.as_str(), *result))
        .collect();
    let want: Vec<_> = REFUSED.iter().map(|name| (*name, "skipped")).collect();
    assert_eq!(other, want, "{inside_log:?}");
}
