//! The texts of the program, packed when it is compiled: help, messages and
//! error names would otherwise be a third of it.
//!
//! A byte below 128 is itself; one from 128 on stands for a pair of bytes,
//! each of which may stand for a pair again. `tests/tools/pairs.py` finds the
//! pairs that save most.

use super::{Parts, Text};

/// The pairs, the first standing for byte 128.
const PAIRS: &[u8] = b"\
    \x20\x20e\x20\x80\x80s\x20tht\x20roerorin,\x20:\x20on\x84\x81d\x20es--\x82\x82a\x20o\x20ilanusampaup\x88\x20\x82\
    \x80ren\x97\x87 stunsey g\x86i\x83\xa3\x99b\x81f\x94ho\n\x9bitno\x85\xa6lem\x96\
    \xa9\x90map\x86\xae\xacemenf imric\xa5idnetatechvaarc\x8cdit\x88\x98clomoo\xb5\
    t\x93\x86o\xa7\x81\xb1ca\x83dep\xb7s\0\x8f\xc3\x9d\xcfSYou\xa8\x9fc\xc2e\0i\x85\
    n\x93um\x89 \x95 \x9c\xd4\xbb\x89\xc0\xdcala\x85edsi\x95\x8e\xc1\xdb\xd1SENRO\
    STabadl\x81p  \xc7LEMEe\x83s\x85\x81\x8d\xb2\x92\xc5\xa0\xdd\x87\xe4_OTcoi\x84\
    m\xb3w\xf8\x84\xa4\x84\xb6\x89g\x8c \x91\x80";

/// As many times may the first of a pair be a pair again.
const DEPTH: usize = 16;

/// Packs a text that is known when this is compiled.
macro_rules! pack {
    ($text:expr) => {{
        const TEXT: &[u8] = $text.as_bytes();
        const PACKED: [u8; $crate::text::packed_length(TEXT)] = $crate::text::pack_bytes(TEXT);
        $crate::text::Packed::new(&PACKED)
    }};
}

pub(crate) use pack;

/// A packed text.
#[derive(Clone, Copy)]
pub struct Packed(&'static [u8]);

impl Packed {
    /// What `pack!` made.
    pub const fn new(bytes: &'static [u8]) -> Packed {
        Packed(bytes)
    }

    /// No text.
    pub const NONE: Packed = Packed(&[]);

    /// Whether there is no text.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Its bytes, one after the other.
    pub fn bytes(self) -> Unpack {
        Unpack { rest: self.0, pending: [0; DEPTH], count: 0 }
    }
}

impl Text {
    /// Adds a packed text.
    pub fn push_packed(&mut self, text: Packed) {
        self.push_some(&mut text.bytes());
    }

    /// Adds what fits of what is left of one.
    pub fn push_some(&mut self, bytes: &mut Unpack) {
        while self.has_room()
            && let Some(byte) = bytes.next()
        {
            self.push(&[byte]);
        }
    }

    /// Adds one part of a packed text whose parts each end in a NUL. `false`
    /// if it has no such part.
    pub fn push_part(&mut self, text: Packed, key: Key) -> bool {
        let mut bytes = text.bytes();
        let mut place = 0;
        while let Some(mut byte) = bytes.next() {
            let found = match key {
                Key::Place(wanted) => place == wanted,
                Key::Number(number) => {
                    let found = u32::from(byte) == number;
                    byte = bytes.next().unwrap_or(0);
                    found
                }
            };
            while byte != 0 {
                if found {
                    self.push(&[byte]);
                }
                byte = bytes.next().unwrap_or(0);
            }
            if found {
                return true;
            }
            place += 1;
        }
        false
    }
}

/// The place of a word among the parts of a packed text with NULs between them.
pub fn place_in(text: Packed, word: &[u8]) -> Option<usize> {
    let mut parts = Text::new();
    parts.push_packed(text);
    Parts::of(parts.as_bytes(), 0).position(|part| part == word).filter(|_| !word.is_empty())
}

/// How a part of a text is found.
#[derive(Clone, Copy)]
pub enum Key {
    /// By the number of parts before it.
    Place(u8),
    /// By the byte that it begins with, which is not of the text.
    Number(u32),
}

/// Unpacks a text byte by byte.
pub struct Unpack {
    rest: &'static [u8],
    /// The second halves that are still to come, the nearest last.
    pending: [u8; DEPTH],
    count: usize,
}

impl Unpack {
    #[inline(never)]
    fn next(&mut self) -> Option<u8> {
        let mut byte = if self.count > 0 {
            self.count -= 1;
            *self.pending.get(self.count)?
        } else {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            *byte
        };
        while byte >= 128 {
            let pair = 2 * usize::from(byte - 128);
            *self.pending.get_mut(self.count)? = *PAIRS.get(pair + 1)?;
            self.count += 1;
            byte = *PAIRS.get(pair)?;
        }
        Some(byte)
    }
}

/// Room for the longest text while it is being packed.
const LONGEST: usize = 8192;

/// The length of a text when it is packed.
pub const fn packed_length(text: &[u8]) -> usize {
    squeeze(text).1
}

/// Packs a text into exactly as many bytes as it takes.
pub const fn pack_bytes<const N: usize>(text: &[u8]) -> [u8; N] {
    let (squeezed, _) = squeeze(text);
    let mut packed = [0; N];
    let (kept, _) = squeezed.split_at(N);
    packed.copy_from_slice(kept);
    packed
}

/// Puts each pair in turn in place of what it stands for. A pair holds only
/// bytes of before it, so one pass for each is enough.
#[allow(clippy::indexing_slicing)] // runs while compiling, where it fails the build
const fn squeeze(text: &[u8]) -> ([u8; LONGEST], usize) {
    let mut bytes = [0; LONGEST];
    let mut length = 0;
    while length < text.len() {
        assert!(text[length] < 128, "only ASCII can be packed");
        bytes[length] = text[length];
        length += 1;
    }
    let mut pair = 0;
    while 2 * pair < PAIRS.len() {
        let (mut from, mut to) = (0, 0);
        while from < length {
            let here = bytes[from];
            if here == PAIRS[2 * pair]
                && from + 1 < length
                && bytes[from + 1] == PAIRS[2 * pair + 1]
            {
                bytes[to] = 128 + pair as u8;
                from += 2;
            } else {
                bytes[to] = here;
                from += 1;
            }
            to += 1;
        }
        length = to;
        pair += 1;
    }
    (bytes, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack(packed: Packed) -> Vec<u8> {
        let mut text = Text::new();
        text.push_packed(packed);
        text.as_bytes().to_vec()
    }

    #[test]
    fn what_is_packed_comes_out_again() {
        let text = pack!("must be a whole number from 1 to 4194304, or -1 for no limit");
        assert_eq!(unpack(text), b"must be a whole number from 1 to 4194304, or -1 for no limit");
        assert!(text.0.len() < 45, "it is smaller by a quarter at least");
        assert!(unpack(pack!("")).is_empty());
    }

    #[test]
    fn every_pair_unpacks_within_the_depth() {
        assert!(PAIRS.len() <= 256);
        for byte in 128..128 + PAIRS.len() / 2 {
            let packed = Packed::new(Box::leak(Box::new([byte as u8])));
            assert!(unpack(packed).len() >= 2);
            // Each pair is made of what came before it.
            let pair = 2 * (byte - 128);
            assert!(usize::from(PAIRS[pair]) < byte && usize::from(PAIRS[pair + 1]) < byte);
        }
    }

    #[test]
    fn parts_are_found_by_place_or_number() {
        const PLACED: Packed = pack!("one\0two\0\0four\0");
        const NUMBERED: Packed = pack!("\x05five\0\x01one\0\x7fmany\0");
        for (text, key, want) in [
            (PLACED, Key::Place(0), Some("one")),
            (PLACED, Key::Place(2), Some("")),
            (PLACED, Key::Place(3), Some("four")),
            (PLACED, Key::Place(4), None),
            (NUMBERED, Key::Number(5), Some("five")),
            (NUMBERED, Key::Number(127), Some("many")),
            (NUMBERED, Key::Number(257), None),
            (NUMBERED, Key::Number(0), None),
        ] {
            let mut found = Text::new();
            let known = found.push_part(text, key);
            assert_eq!((known, found.as_bytes()), (want.is_some(), want.unwrap_or("").as_bytes()));
        }
    }
}
