//! What a name may look like. Each check gives `None` or what is wanted instead.

use core::ffi::CStr;

use super::{Packed, Parts, field, has_part, pack, pack_list, parse_whole, place_in};

/// Letters, digits and the few signs that mean nothing anywhere.
#[inline(never)]
fn is_plain(name: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    !name.is_empty() && name.iter().all(plain)
}

/// A container's name, as docker and podman take it: it becomes the name of a
/// directory, so nothing that means more than itself there.
pub fn check_name(name: &CStr) -> Option<Packed> {
    let name = name.to_bytes();
    let first = name.first().is_some_and(u8::is_ascii_alphanumeric);
    let good = first && name.len() <= 64 && is_plain(name);
    (!good).then_some(pack!(
        "must be 1 to 64 letters, digits, '_', '.', '-', and begin with a letter or digit"
    ))
}

/// A host name: the kernel holds 64 bytes (`__NEW_UTS_LEN`, sethostname(2)).
pub fn check_hostname(name: &CStr) -> Option<Packed> {
    if name.count_bytes() > 64 {
        return Some(pack!("is longer than the 64 bytes that the kernel holds"));
    }
    (!is_plain(name.to_bytes())).then_some(pack!("must be letters, digits, '_', '.', '-'"))
}

/// The `FILE=VALUE` of a cgroup file: a name without any folder.
pub fn check_cgroup_file(setting: &CStr) -> Option<Packed> {
    let mut parts = Parts::of(setting.to_bytes(), b'=');
    let file = parts.word();
    let good = parts.rest().is_some() && file.len() < 64 && file.first() != Some(&b'.');
    (!(good && is_plain(file)))
        .then_some(pack!("must be FILE=VALUE, and FILE the bare name of a cgroup file"))
}

/// A cgroup below the hierarchy's root: it must not lead out of it.
pub fn check_cgroup_parent(path: &CStr) -> Option<Packed> {
    let path = path.to_bytes();
    (path.is_empty() || leads_out(path))
        .then_some(pack!("must be a path below the cgroup hierarchy, without '..'"))
}

/// `INSIDE:OUTSIDE:COUNT` of ids. The highest number of 32 bits is no id
/// (user_namespaces(7), "Defining user and group ID mappings").
pub fn parse_id_map(range: &CStr) -> Option<[u64; 3]> {
    let mut parts = Parts::of(range.to_bytes(), b':');
    let mut numbers = [0; 3];
    for number in &mut numbers {
        *number = parse_whole(parts.next()?)?;
    }
    let [inside, outside, count] = numbers;
    let end = inside.max(outside).checked_add(count)?;
    let good = count > 0 && end <= u64::from(u32::MAX) && parts.next().is_none();
    good.then_some(numbers)
}

/// The same, as an option's value.
pub fn check_id_map(range: &CStr) -> Option<Packed> {
    let why = pack!("must be INSIDE:OUTSIDE:COUNT, numbers of ids below 4294967295");
    parse_id_map(range).is_none().then_some(why)
}

/// Whether a path has a `..`, which would be taken by its look.
#[inline(never)]
fn leads_out(path: &[u8]) -> bool {
    has_part(path, b'/', b"..")
}

/// Whether a path inside the container is one that can be mounted on: absolute,
/// without a `..`, and neither the root itself nor in /proc.
#[inline(never)]
fn is_target(path: &[u8]) -> bool {
    let mut below = path;
    while let [b'/', rest @ ..] = below {
        below = rest;
    }
    below.len() < path.len()
        && !below.is_empty()
        && Parts::of(below, b'/').next() != Some(b"proc")
        && !leads_out(below)
}

/// Whether the first field is an absolute path.
fn is_source(word: &CStr) -> bool {
    word.to_bytes().first() == Some(&b'/')
}

/// `SRC:DST[:ro|rw]` with absolute paths.
pub fn check_volume(word: &CStr) -> Option<Packed> {
    let mode = |mode| place_in(pack_list!("ro\0rw\0"), mode).is_some();
    let good = is_source(word)
        && field(word, 1).is_some_and(is_target)
        && field(word, 2).is_none_or(mode)
        && field(word, 3).is_none();
    (!good).then_some(pack!("must be SRC:DST, SRC:DST:ro or SRC:DST:rw, absolute paths without '..', DST not below /proc"))
}

/// `DST[:OPTIONS]`; of the options the kernel says whether it knows them.
pub fn check_tmpfs(word: &CStr) -> Option<Packed> {
    let good = field(word, 0).is_some_and(is_target) && field(word, 2).is_none();
    (!good).then_some(pack!(
        "must be DST or DST:OPTIONS, an absolute path without '..', not below /proc"
    ))
}

/// `SRC[:DST]` with absolute paths.
pub fn check_device(word: &CStr) -> Option<Packed> {
    let target = field(word, 1).or_else(|| field(word, 0));
    let good = is_source(word) && target.is_some_and(is_target) && field(word, 2).is_none();
    (!good).then_some(pack!(
        "must be SRC or SRC:DST, absolute paths without '..', DST not below /proc"
    ))
}

/// What /proc/PID/oom_score_adj takes, proc_pid_oom_score_adj(5).
pub fn check_oom_score(word: &CStr) -> Option<Packed> {
    let word = word.to_bytes();
    let size = match word {
        [b'-', digits @ ..] | digits => parse_whole(digits),
    };
    size.is_none_or(|size| size > 1000)
        .then_some(pack!("must be a whole number from -1000 to 1000"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;

    fn c(text: &str) -> CString {
        CString::new(text).unwrap()
    }

    #[test]
    fn names() {
        let long = "a".repeat(65);
        for (name, good) in [
            ("a", true),
            ("web-1.example_2", true),
            ("0", true),
            (&long[..64], true),
            (&long, false),
            ("", false),
            (".", false),
            ("..", false),
            (".hidden", false),
            ("-x", false),
            ("_x", false),
            ("a/b", false),
            ("../x", false),
            ("a b", false),
            ("a\nb", false),
            ("\u{e4}", false),
        ] {
            assert_eq!(check_name(&c(name)).is_none(), good, "{name:?}");
        }
    }

    #[test]
    fn hostnames() {
        let long = "h".repeat(65);
        for (name, good) in [
            ("my-container", true),
            ("a.b.c", true),
            (&long[..64], true),
            (&long, false),
            ("", false),
            ("a b", false),
            ("a\x1b[2J", false),
        ] {
            assert_eq!(check_hostname(&c(name)).is_none(), good, "{name:?}");
        }
    }

    #[test]
    fn volumes() {
        for (word, good) in [
            (c"/a:/b", true),
            (c"/a:/b:ro", true),
            (c"/a:/b/c:rw", true),
            (c"/a\\:b:/c", true),
            (c"/a", false),
            (c"a:/b", false),
            (c"/a:b", false),
            (c"/a:/", false),
            (c"/a:///", false),
            (c"/a:/b/../c", false),
            (c"/a:/proc", false),
            (c"/a:/proc/sys", false),
            (c"/a://proc", false),
            (c"/a:/process", true),
            (c"/a:/b:z", false),
            (c"/a:/b:ro:x", false),
            (c":/b", false),
        ] {
            assert_eq!(check_volume(word).is_none(), good, "{word:?}");
        }
    }

    #[test]
    fn tmpfs_words() {
        for (word, good) in [
            (c"/a", true),
            (c"/a:size=1m", true),
            (c"/a:size=1m,mode=700,ro,exec", true),
            (c"/a:", true),
            (c"a", false),
            (c"/", false),
            (c"/a:size=1:x", false),
            (c"/proc/x", false),
        ] {
            assert_eq!(check_tmpfs(word).is_none(), good, "{word:?}");
        }
    }

    #[test]
    fn id_maps() {
        for (range, good) in [
            (c"0:1000:1", true),
            (c"0:100000:65536", true),
            (c"4294967294:0:1", true),
            (c"0:0:4294967295", true),
            (c"4294967295:0:1", false),
            (c"0:1:4294967295", false),
            (c"0:0:18446744073709551615", false),
            (c"1:0:18446744073709551615", false),
            (c"0:1000:0", false),
            (c"0:1000", false),
            (c"0:1000:1:", false),
            (c"0:1000:1:1", false),
            (c"0:1000:1:x", false),
            (c"-1:0:1", false),
            (c"0:0: 1", false),
            (c"", false),
        ] {
            assert_eq!(check_id_map(range).is_none(), good, "{range:?}");
        }
    }

    #[test]
    fn oom_scores() {
        for (word, good) in [
            (c"0", true),
            (c"1000", true),
            (c"-1000", true),
            (c"1001", false),
            (c"-1001", false),
            (c"--1", false),
            (c"+1", false),
            (c"-", false),
            (c"", false),
            (c"1 ", false),
        ] {
            assert_eq!(check_oom_score(word).is_none(), good, "{word:?}");
        }
    }

    #[test]
    fn devices() {
        for (word, good) in [
            (c"/dev/fuse", true),
            (c"/dev/vda:/dev/disk", true),
            (c"/dev/a\\:b", true),
            (c"dev/fuse", false),
            (c"/dev/fuse:fuse", false),
            (c"/dev/fuse:", false),
            (c"/dev/fuse:/dev/fuse:rwm", false),
            (c"/dev/../fuse", false),
            (c"/dev/fuse:/proc/x", false),
            (c"/", false),
        ] {
            assert_eq!(check_device(word).is_none(), good, "{word:?}");
        }
    }

    #[test]
    fn cgroup_files() {
        for (setting, good) in [
            (c"pids.max=5", true),
            (c"cpuset.cpus=0-1", true),
            (c"notify_on_release=", true),
            (c"pids.max", false),
            (c"=5", false),
            (c"../pids.max=5", false),
            (c"a/b=5", false),
            (c".=5", false),
            (c"..=5", false),
        ] {
            assert_eq!(check_cgroup_file(setting).is_none(), good, "{setting:?}");
        }
    }

    #[test]
    fn cgroup_parents() {
        for (path, good) in [
            ("/", true),
            ("/a/b", true),
            ("a", true),
            ("a..b", true),
            ("", false),
            ("..", false),
            ("/a/../b", false),
            ("a/..", false),
        ] {
            assert_eq!(check_cgroup_parent(&c(path)).is_none(), good, "{path:?}");
        }
    }
}
