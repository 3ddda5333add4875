//! Numbers, strictly: decimal digits and nothing else.

use core::ffi::CStr;

use super::Text;

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

/// A name as the kernel shows it in a table: what would be taken for a space
/// between two fields or the end of a line is a backslash and three octal digits.
pub fn unescape(shown: &[u8]) -> Text {
    let mut text = Text::new();
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
        text.push(&[byte]);
    }
    text
}

impl Text {
    /// The decimal digits of a number.
    pub fn number(value: u64) -> Text {
        let mut text = Text::new();
        text.push_number(value);
        text
    }

    /// Adds the decimal digits of a number.
    pub fn push_number(&mut self, value: u64) {
        if value > 9 {
            self.push_number(value / 10);
        }
        self.push(&[b'0' + (value % 10) as u8]);
    }
}

/// A short name that ends in a number, in little room: a `Text` has a page.
pub struct Numbered([u8; Numbered::SIZE]);

impl Numbered {
    /// Any prefix that thimble has, ten digits and a NUL.
    const SIZE: usize = 32;

    /// The name: `prefix` and the digits of `number`.
    pub fn of(prefix: &[u8], number: u32) -> Numbered {
        let mut name = [0; Numbered::SIZE];
        let mut at = prefix.len();
        let mut rest = number;
        while rest > 9 {
            at += 1;
            rest /= 10;
        }
        rest = number;
        for (byte, given) in name.iter_mut().zip(prefix) {
            *byte = *given;
        }
        while let Some(digit) = name.get_mut(at).filter(|_| at >= prefix.len()) {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
            at = at.wrapping_sub(1);
        }
        Numbered(name)
    }

    /// The name for a system call.
    pub fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or(c"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
            assert_eq!(unescape(shown.as_bytes()).as_bytes(), want.as_bytes(), "{shown}");
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
    }

    proptest! {
        #[test]
        fn digits_are_what_the_standard_library_writes(value: u64) {
            let text = Text::number(value);
            let theirs = value.to_string();
            prop_assert_eq!(text.as_bytes(), theirs.as_bytes());
            prop_assert_eq!(parse_whole(text.as_bytes()), Some(value));
        }
    }
}
