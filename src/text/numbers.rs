//! Numbers, strictly: decimal digits and nothing else.

use core::ffi::CStr;

use super::{Parts, Text};
use crate::kernel::first_string;

/// A whole number without sign, spaces or leading `+`; `None` for anything
/// else, and for what 64 bits do not hold.
pub fn parse_whole(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let mut value: u64 = 0;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

/// A size in bytes: a whole number, and behind it `b`, or `k`, `m` or `g` for powers
/// of 1024, as docker takes it.
pub fn parse_size(text: &[u8]) -> Option<u64> {
    let [digits @ .., unit] = text else { return None };
    let shift = match unit.to_ascii_lowercase() {
        b'b' => 0,
        b'k' => 10,
        b'm' => 20,
        b'g' => 30,
        _ => return parse_whole(text),
    };
    parse_whole(digits)?.checked_mul(1 << shift)
}

/// A number with at most so many decimals behind a point, in units of the last.
pub fn parse_fraction(text: &[u8], decimals: usize) -> Option<u64> {
    let mut parts = Parts::of(text, b'.');
    let mut value = parse_whole(parts.next()?)?;
    let behind = parts.next();
    let behind = match behind {
        Some(digits) if digits.len() > decimals || digits.is_empty() => return None,
        other => other.unwrap_or(&[]),
    };
    for at in 0..decimals {
        let digit = behind.get(at).copied().unwrap_or(b'0').wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    parts.next().is_none().then_some(value)
}

/// A number in lower-case hexadecimal digits, as the kernel writes sets of bits.
pub fn parse_hexadecimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 16 {
        return None;
    }
    let mut value = 0;
    for byte in text {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        value = value << 4 | u64::from(digit);
    }
    Some(value)
}

/// Adds a name that the kernel shows in a table: what would be taken for a space
/// between two fields or the end of a line is a backslash and three octal digits.
pub fn unescape(shown: &[u8], text: &mut Text) {
    let mut rest = shown;
    while let [byte, after @ ..] = rest {
        rest = after;
        let mut byte = *byte;
        if let (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) =
            (byte, after)
        {
            byte = (a - b'0') << 6 | (b - b'0') << 3 | (c - b'0');
            rest = after;
        }
        text.push_byte(byte);
    }
}

impl Text {
    /// Adds the decimal digits of a number.
    pub fn push_number(&mut self, value: u64) {
        if value > 9 {
            self.push_number(value / 10);
        }
        self.push_byte(b'0' + (value % 10) as u8);
    }
}

/// A short name that ends in a number, or in a host's name, in little room: a `Text` has a page.
pub struct Numbered([u8; Numbered::SIZE]);

impl Numbered {
    /// Any prefix that thimble has, the 64 bytes of a host's name or ten digits, and a NUL.
    const SIZE: usize = 80;

    /// The name: `prefix` and what is behind it, as far as there is room.
    pub fn named(prefix: &[u8], behind: &[u8]) -> Numbered {
        let mut name = [0; Numbered::SIZE];
        for (byte, given) in name.iter_mut().zip(prefix.iter().chain(behind)) {
            *byte = *given;
        }
        Numbered(name)
    }

    /// The name: `prefix` and the digits of `number`.
    pub fn of(prefix: &[u8], number: u32) -> Numbered {
        let (mut digits, mut start, mut rest) = ([0; 10], 10, number);
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            start -= 1;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        Numbered::named(prefix, digits.get(start..).unwrap_or(&[]))
    }

    /// The name for a system call.
    pub fn as_c_str(&self) -> &CStr {
        first_string(&self.0).unwrap_or(c"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fractions() {
        for (text, want) in [
            ("1", Some(100_000)),
            ("1.5", Some(150_000)),
            ("0.01", Some(1000)),
            ("0.00001", Some(1)),
            ("0.000001", None),
            ("2.", None),
            (".5", None),
            ("1.5.1", None),
            ("1.x", None),
            ("1.-5", None),
            ("", None),
            ("-1", None),
            ("184467440737095", Some(18446744073709500000)),
            ("184467440737096", None),
        ] {
            assert_eq!(parse_fraction(text.as_bytes(), 5), want, "{text:?}");
        }
    }

    #[test]
    fn whole_numbers() {
        for (text, want) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None), // one more than u64 holds
            ("99999999999999999999999", None),
            ("", None),
            ("-1", None),
            ("+1", None),
            (" 1", None),
            ("1 ", None),
            ("0x10", None),
            ("1e3", None),
            ("5\n", None),
            ("/", None), // the byte below '0'
            (":", None), // the byte above '9'
        ] {
            assert_eq!(parse_whole(text.as_bytes()), want, "{text:?}");
        }
    }

    #[test]
    fn sizes() {
        for (text, want) in [
            ("0", Some(0)),
            ("512", Some(512)),
            ("512b", Some(512)),
            ("64k", Some(64 << 10)),
            ("64M", Some(64 << 20)),
            ("2g", Some(2 << 30)),
            ("", None),
            ("k", None),
            ("-1", None),
            ("1.5g", None),
            ("1kb", None),
            ("1t", None),
            ("1 k", None),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None), // one more than u64 holds
            ("18014398509481984k", None),   // fits until the unit is applied
            ("18014398509481983k", Some(u64::MAX - 1023)),
        ] {
            assert_eq!(parse_size(text.as_bytes()), want, "{text:?}");
        }
    }

    #[test]
    fn hexadecimal_numbers() {
        for (text, want) in [
            ("0", Some(0)),
            ("0000000000001000", Some(0x1000)),
            ("ffffffffffffffff", Some(u64::MAX)),
            ("00000000000000000", None), // longer than 64 bits
            ("", None),
            ("A", None),
            ("0x1", None),
            ("1 ", None),
            ("g", None),
        ] {
            assert_eq!(parse_hexadecimal(text.as_bytes()), want, "{text:?}");
        }
    }

    #[test]
    fn names_in_a_table() {
        for (shown, want) in [
            ("/a/b", "/a/b"),
            ("/a\\040b\\011c\\012d\\134e\\043", "/a b\tc\nd\\e#"),
            ("/\\04", "/\\04"),
            ("/\\400", "/\\400"),
            ("\\134040", "\\040"),
            ("", ""),
        ] {
            let mut text = Text::new();
            unescape(shown.as_bytes(), &mut text);
            assert_eq!(text.as_bytes(), want.as_bytes(), "{shown}");
        }
    }

    #[test]
    fn names_with_numbers() {
        for (prefix, number, want) in [
            (&b"u"[..], 0, c"u0"),
            (b"u", 9, c"u9"),
            (b"self/fd/", 10, c"self/fd/10"),
            (b"self/fdinfo/", u32::MAX, c"self/fdinfo/4294967295"),
            (b"", 120, c"120"),
        ] {
            assert_eq!(Numbered::of(prefix, number).as_c_str(), want);
        }
        assert_eq!(Numbered::named(b"A=", b"b").as_c_str(), c"A=b");
        assert_eq!(Numbered::named(b"HOSTNAME=", &[b'x'; 64]).as_c_str().count_bytes(), 73);
        assert_eq!(Numbered::named(b"HOSTNAME=", &[b'x'; 99]).as_c_str(), c"", "no end");
    }

    proptest! {
        #[test]
        fn digits_are_what_the_standard_library_writes(value: u64) {
            let mut text = Text::new();
            text.push_number(value);
            let theirs = value.to_string();
            prop_assert_eq!(text.as_bytes(), theirs.as_bytes());
            prop_assert_eq!(parse_whole(text.as_bytes()), Some(value));
        }
    }
}
