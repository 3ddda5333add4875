//! Numbers, strictly: decimal digits and nothing else.

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

/// A size in bytes: a whole number, and behind it `b`, or `k`, `m` or `g` for powers
/// of 1024, as docker takes it.
pub fn parse_size(text: &[u8]) -> Option<u64> {
    let (digits, shift) = match text {
        [digits @ .., b'b' | b'B'] => (digits, 0),
        [digits @ .., b'k' | b'K'] => (digits, 10),
        [digits @ .., b'm' | b'M'] => (digits, 20),
        [digits @ .., b'g' | b'G'] => (digits, 30),
        digits => (digits, 0),
    };
    parse_whole(digits)?.checked_mul(1 << shift)
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
