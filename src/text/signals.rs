//! The names of the signals.

use super::{PackedList, pack_list, parse_whole, place_of_name, without};

/// From 1 on, as in signal(7), without their `SIG`, each up to a NUL: so for all the
/// processors that thimble knows.
const NAMES: PackedList = pack_list!(
    "HUP\0INT\0QUIT\0ILL\0TRAP\0ABRT\0BUS\0FPE\0KILL\0USR1\0SEGV\0USR2\0PIPE\0ALRM\0TERM\0\
     STKFLT\0CHLD\0CONT\0STOP\0TSTP\0TTIN\0TTOU\0URG\0XCPU\0XFSZ\0VTALRM\0PROF\0WINCH\0IO\0\
     PWR\0SYS\0"
);

/// The first real-time signal, behind the two that the C libraries keep to themselves.
const FIRST: u64 = 34;
/// The last one.
const LAST: u64 = 64;

/// The number of a signal: by its name, with or without `SIG` and in any case of
/// letters, or as `RTMIN+3`, or as a number.
pub fn signal(word: &[u8]) -> Option<u64> {
    let name = without(pack_list!("SIG\0"), 3, word);
    let real_time = without(pack_list!("RTMIN+\0"), 6, name);
    let number = if let Some(place) = place_of_name(NAMES, name) {
        place as u64 + 1
    } else if real_time.len() < name.len() {
        parse_whole(real_time)?.checked_add(FIRST)?
    } else {
        parse_whole(word)?
    };
    matches!(number, 1..=LAST).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        for (word, want) in [
            ("HUP", Some(libc::SIGHUP)),
            ("SIGHUP", Some(libc::SIGHUP)),
            ("sigterm", Some(libc::SIGTERM)),
            ("Term", Some(libc::SIGTERM)),
            ("STKFLT", Some(libc::SIGSTKFLT)),
            ("CHLD", Some(libc::SIGCHLD)),
            ("WINCH", Some(libc::SIGWINCH)),
            ("SYS", Some(libc::SIGSYS)),
            ("SIGRTMIN+3", Some(37)),
            ("rtmin+30", Some(64)),
            ("RTMIN+0", Some(34)),
            ("RTMIN", None),
            ("1", Some(1)),
            ("64", Some(64)),
            ("0", None),
            ("65", None),
            ("-1", None),
            ("", None),
            ("SIG", None),
            ("SIGSIGTERM", None),
            ("SIG15", None),
            ("TERM ", None),
            ("RTMIN+31", None),
            ("RTMIN+", None),
            ("RTMIN-1", None),
            ("RTMIN+18446744073709551615", None),
            ("000015", Some(15)),
            ("0000015", Some(15)),
            ("RTMIN+65", None),
        ] {
            let want = want.map(|number| number as u64);
            assert_eq!(signal(word.as_bytes()), want, "{word:?}");
        }
    }
}
