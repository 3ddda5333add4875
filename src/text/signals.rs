//! The names of the signals.

use super::{PackedList, pack_list, parse_whole, place_of_name, without};

/// From 1 on, as in signal(7), without their `SIG`, each up to a NUL: so for all the
/// processors that thimble knows. Behind them the first and the last real-time signal.
const NAMES: PackedList = pack_list!(
    "HUP\0INT\0QUIT\0ILL\0TRAP\0ABRT\0BUS\0FPE\0KILL\0USR1\0SEGV\0USR2\0PIPE\0ALRM\0TERM\0\
     STKFLT\0CHLD\0CONT\0STOP\0TSTP\0TTIN\0TTOU\0URG\0XCPU\0XFSZ\0VTALRM\0PROF\0WINCH\0IO\0\
     PWR\0SYS\0RTMIN\0RTMAX\0"
);

/// The first real-time signal, behind the two that the C libraries keep to themselves.
const FIRST: u64 = 34;
/// The last one.
const LAST: u64 = 64;

/// The number of a signal: by its name, with or without `SIG` and in any case of
/// letters, as `RTMIN+3` or `RTMAX-1`, or as a number.
pub fn signal(word: &[u8]) -> Option<u64> {
    let name = without(pack_list!("SIG\0"), 3, word);
    let number = match (parse_whole(word), place_of_name(NAMES, name)) {
        (Some(number), _) => number,
        (_, Some(31)) => FIRST,
        (_, Some(32)) => LAST,
        (_, Some(place)) => place as u64 + 1,
        _ => {
            let (start, distance) = name.split_at_checked(6)?;
            let distance = parse_whole(distance).filter(|distance| *distance <= LAST - FIRST)?;
            match place_of_name(pack_list!("RTMIN+\0RTMAX-\0"), start)? {
                0 => FIRST + distance,
                _ => LAST - distance,
            }
        }
    };
    (1..=LAST).contains(&number).then_some(number)
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
            ("RTMIN", Some(34)),
            ("SIGRTMIN+3", Some(37)),
            ("rtmin+30", Some(64)),
            ("RTMAX", Some(64)),
            ("RTMAX-30", Some(34)),
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
            ("RTMAX-31", None),
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
