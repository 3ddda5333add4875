//! The limits of a process: setrlimit(2).

use core::ffi::CStr;

use super::{Packed, PackedList, Parts, Text, pack, pack_list, parse_whole, place_in};

/// How many there are (RLIM_NLIMITS).
pub const LIMITS: usize = 16;

/// By number, as docker names them; `as` is none of its, so nothing stands there.
const NAMES: PackedList = pack_list!(
    "cpu\0fsize\0data\0stack\0core\0rss\0nproc\0nofile\0memlock\0\0locks\0sigpending\0\
     msgqueue\0nice\0rtprio\0rttime\0"
);

/// Adds the name of a limit.
pub fn push_limit(number: usize, text: &mut Text) {
    text.push_part(NAMES, number);
}

/// Reads `NAME=SOFT[:HARD]`: the number of the limit, and both values. Otherwise
/// says what it must be.
pub fn parse_limit(word: &CStr) -> Result<(usize, [u64; 2]), Packed> {
    let mut parts = Parts::of(word.to_bytes(), b'=');
    let number = place_in(NAMES, parts.word()).ok_or(pack!(
        "NAME must be core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending or stack"
    ))?;
    let mut values = Parts::of(parts.rest().unwrap_or(&[]), b':');
    let soft = values.next().and_then(value);
    match (soft, values.rest().map_or(soft, value)) {
        (Some(soft), Some(hard)) if soft <= hard => Ok((number, [soft, hard])),
        _ => Err(pack!(
            "must be NAME=SOFT or NAME=SOFT:HARD, whole numbers or unlimited, SOFT not above HARD"
        )),
    }
}

fn value(text: &[u8]) -> Option<u64> {
    // RLIM_INFINITY is the highest number.
    if text == b"unlimited" || text == b"-1" { Some(u64::MAX) } else { parse_whole(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_at_their_numbers() {
        for (name, number) in [
            ("cpu", libc::RLIMIT_CPU),
            ("fsize", libc::RLIMIT_FSIZE),
            ("data", libc::RLIMIT_DATA),
            ("stack", libc::RLIMIT_STACK),
            ("core", libc::RLIMIT_CORE),
            ("rss", libc::RLIMIT_RSS),
            ("nproc", libc::RLIMIT_NPROC),
            ("nofile", libc::RLIMIT_NOFILE),
            ("memlock", libc::RLIMIT_MEMLOCK),
            ("locks", libc::RLIMIT_LOCKS),
            ("sigpending", libc::RLIMIT_SIGPENDING),
            ("msgqueue", libc::RLIMIT_MSGQUEUE),
            ("nice", libc::RLIMIT_NICE),
            ("rtprio", libc::RLIMIT_RTPRIO),
            ("rttime", libc::RLIMIT_RTTIME),
        ] {
            let mut text = Text::new();
            push_limit(number as usize, &mut text);
            assert_eq!(text.as_bytes(), name.as_bytes());
            let word = std::ffi::CString::new(format!("{name}=1:2")).unwrap();
            assert_eq!(parse_limit(&word).ok(), Some((number as usize, [1, 2])));
        }
    }

    #[test]
    fn words_and_values() {
        const ANY: u64 = u64::MAX;
        for (word, want) in [
            (c"nofile=5", Some([5, 5])),
            (c"nofile=5:6", Some([5, 6])),
            (c"nofile=5:5", Some([5, 5])),
            (c"nofile=0", Some([0, 0])),
            (c"nofile=5:-1", Some([5, ANY])),
            (c"nofile=5:unlimited", Some([5, ANY])),
            (c"nofile=unlimited", Some([ANY, ANY])),
            (c"nofile=-1", Some([ANY, ANY])),
            (c"nofile=-1:5", None),
            (c"nofile=6:5", None),
            (c"nofile=-2", None),
            (c"nofile=5k", None),
            (c"nofile=", None),
            (c"nofile=5:", None),
            (c"nofile=:5", None),
            (c"nofile=1:2:3", None),
            (c"nofile", None),
            (c"=5", None),
            (c"as=5", None),
            (c"NOFILE=5", None),
            (c"", None),
        ] {
            assert_eq!(parse_limit(word).ok().map(|(_, values)| values), want, "{word:?}");
        }
    }
}
