//! Text in place, without a heap.

use core::ffi::CStr;

use crate::kernel::c_string;

/// A text of at most `Text::SIZE` - 1 bytes. What does not fit is cut off, and the
/// text knows that it was.
#[repr(C)] // in this order, so that the small fields lie at its start
pub struct Text {
    length: usize,
    cut: bool,
    /// From `length` on there are only NULs.
    bytes: [u8; Text::SIZE],
}

impl Text {
    /// Room for any path that is not absurd, and little enough for a function
    /// that has one to fit its frame into a page: larger ones take code to probe
    /// the stack.
    pub const SIZE: usize = 3840;

    /// The empty text.
    pub const fn new() -> Text {
        Text { bytes: [0; Text::SIZE], length: 0, cut: false }
    }

    /// The parts, one after the other.
    pub fn of(parts: &[&[u8]]) -> Text {
        let mut text = Text::new();
        for part in parts {
            text.push(part);
        }
        text
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Forgets what is in it.
    pub fn clear(&mut self) {
        *self = Text::new();
    }

    /// Whether another byte would not be cut off.
    pub fn has_room(&self) -> bool {
        self.length < Text::SIZE - 1
    }

    /// Adds bytes at the end.
    pub fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.push_byte(*byte);
        }
    }

    /// Adds a byte at the end.
    #[inline(never)]
    pub fn push_byte(&mut self, byte: u8) {
        match self.bytes.get_mut(self.length) {
            Some(free) if self.length < Text::SIZE - 1 => {
                *free = byte;
                self.length += 1;
            }
            _ => self.cut = true,
        }
    }

    /// Adds bytes that somebody else chose: control bytes are shown as `\xNN`,
    /// so that they cannot drive the terminal or fake a line.
    pub fn push_escaped(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if byte.is_ascii_control() {
                let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' + value - 10 };
                self.push(&[b'\\', b'x', digit(byte >> 4), digit(byte & 15)]);
            } else {
                self.push_byte(*byte);
            }
        }
    }

    /// The bytes.
    #[inline(never)]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }

    /// The text as what somebody is told, or what is then not found: none if it was cut off.
    pub fn name(&self) -> &CStr {
        self.as_c_str().unwrap_or(c"")
    }

    /// The text for a system call; `None` if it was cut off or holds a NUL.
    pub fn as_c_str(&self) -> Option<&CStr> {
        if self.cut { None } else { c_string(self.bytes.get(..=self.length)?) }
    }
}

impl Default for Text {
    fn default() -> Text {
        Text::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_fits_is_a_c_string() {
        let text = Text::of(&[b"abc", b"defg"]);
        assert_eq!(text.as_bytes(), b"abcdefg");
        assert_eq!(text.as_c_str(), Some(c"abcdefg"));
        assert_eq!(Text::new().as_c_str(), Some(c""));
        let longest = Text::of(&[&[b'x'; Text::SIZE - 1]]);
        assert_eq!(longest.as_c_str().unwrap().to_bytes().len(), Text::SIZE - 1);
    }

    #[test]
    fn a_text_that_does_not_fit_is_cut_and_no_c_string() {
        let text = Text::of(&[&[b'x'; Text::SIZE - 2], b"yz"]);
        assert_eq!(text.as_bytes().len(), Text::SIZE - 1);
        assert!(text.as_bytes().ends_with(b"xy"));
        assert_eq!(text.as_c_str(), None);
    }

    #[test]
    fn a_text_with_a_nul_inside_is_no_c_string() {
        assert_eq!(Text::of(&[b"a\0b"]).as_c_str(), None);
    }

    #[test]
    fn control_bytes_are_shown_and_not_sent() {
        let mut text = Text::new();
        text.push_escaped(b"a\x1b[2J\n\x7f\xc3\xa4");
        assert_eq!(text.as_bytes(), b"a\\x1b[2J\\x0a\\x7f\xc3\xa4");
    }
}
