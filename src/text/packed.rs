//! The texts of the program, packed when it is compiled: help, messages and
//! error names would otherwise be a third of it.
//!
//! A byte below 128 is itself; one from 128 on stands for a pair of bytes,
//! each of which may stand for a pair again. `tests/tools/pairs.py` finds the
//! pairs that save most.

use core::ffi::CStr;

use super::Text;
use crate::kernel::Word;

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
        const PACKED: [u8; $crate::text::packed_length(TEXT) + 1] = $crate::text::pack_bytes(TEXT);
        const { $crate::text::Packed::new(&PACKED) }
    }};
}

/// Packs texts that are known when this is compiled, each up to a NUL.
macro_rules! pack_list {
    ($texts:expr) => {{
        const TEXTS: &[u8] = $texts.as_bytes();
        const PACKED: [u8; $crate::text::packed_length(TEXTS)] = $crate::text::pack_bytes(TEXTS);
        $crate::text::PackedList::new(&PACKED)
    }};
}

pub(crate) use {pack, pack_list};

/// A packed text, up to a NUL: a pointer, where a slice would be two words at
/// each of its many uses.
#[derive(Clone, Copy)]
pub struct Packed(Word<'static>);

impl Packed {
    /// What `pack!` made: the packed bytes of a text without NULs, and a NUL.
    pub const fn new(bytes: &'static [u8]) -> Packed {
        match CStr::from_bytes_with_nul(bytes) {
            Ok(text) => Packed(Word::new(text)),
            Err(_) => unreachable!(),
        }
    }

    /// No text.
    pub const NONE: Packed = Packed(Word::new(c""));

    /// Whether there is no text.
    pub fn is_empty(self) -> bool {
        self.0.text().is_empty()
    }

    /// Its bytes, one after the other.
    pub fn bytes(self) -> Unpack {
        Unpack::new(self.0.text().to_bytes())
    }
}

/// Packed texts, each up to a NUL.
#[derive(Clone, Copy)]
pub struct PackedList(&'static [u8]);

impl PackedList {
    /// What `pack_list!` made.
    pub const fn new(bytes: &'static [u8]) -> PackedList {
        PackedList(bytes)
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
            self.push_byte(byte);
        }
    }

    /// Adds one of a list of texts, by the number of those before it.
    pub fn push_part(&mut self, list: PackedList, place: usize) {
        let mut before = place;
        for byte in Unpack::new(list.0) {
            if byte != 0 {
                if before == 0 {
                    self.push_byte(byte);
                }
            } else if before == 0 {
                return;
            } else {
                before -= 1;
            }
        }
    }
}

/// The place of a word in a list of texts.
#[inline(never)]
pub fn place_in(list: PackedList, word: &[u8]) -> Option<usize> {
    place_by(u8::eq, list, word)
}

/// The same for a name in any case of letters.
#[inline(never)]
pub fn place_of_name(list: PackedList, word: &[u8]) -> Option<usize> {
    place_by(u8::eq_ignore_ascii_case, list, word)
}

/// A name without what may stand before it, the only text of `list`, of so many bytes.
pub fn without(list: PackedList, length: usize, name: &[u8]) -> &[u8] {
    match name.split_at_checked(length) {
        Some((start, rest)) if place_of_name(list, start).is_some() => rest,
        _ => name,
    }
}

/// The place of a word, where `same` compares two letters.
fn place_by(same: fn(&u8, &u8) -> bool, list: PackedList, word: &[u8]) -> Option<usize> {
    let mut place = 0;
    // So much of the word the text has been until now.
    let mut at = 0;
    for byte in Unpack::new(list.0) {
        if byte != 0 {
            let here = word.get(at).is_some_and(|letter| same(letter, &byte));
            at = if here { at + 1 } else { usize::MAX };
        } else if at == word.len() && at > 0 {
            return Some(place);
        } else {
            place += 1;
            at = 0;
        }
    }
    None
}

/// Unpacks a text byte by byte.
pub struct Unpack {
    rest: &'static [u8],
    /// The second halves that are still to come, the nearest last.
    pending: [u8; DEPTH],
    count: usize,
}

impl Unpack {
    fn new(packed: &'static [u8]) -> Unpack {
        Unpack { rest: packed, pending: [0; DEPTH], count: 0 }
    }
}

impl Iterator for Unpack {
    type Item = u8;

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

/// Packs a text into as many bytes as it takes; one more becomes a NUL.
pub const fn pack_bytes<const N: usize>(text: &[u8]) -> [u8; N] {
    let (squeezed, _) = squeeze(text);
    let mut packed = [0; N];
    let (kept, _) = squeezed.split_at(N);
    packed.copy_from_slice(kept);
    packed
}

/// Puts each pair in turn in place of what it stands for. A pair holds only
/// bytes of before it, so one pass for each is enough. Behind the text are NULs.
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
        while to < length {
            length -= 1;
            bytes[length] = 0;
        }
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
        assert!(text.0.text().count_bytes() < 45, "it is smaller by a quarter at least");
        assert!(unpack(pack!("")).is_empty());
    }

    #[test]
    fn every_pair_unpacks_within_the_depth() {
        assert!(PAIRS.len() <= 256);
        for byte in 128..128 + PAIRS.len() / 2 {
            let packed = Packed::new(Box::leak(Box::new([byte as u8, 0])));
            assert!(unpack(packed).len() >= 2);
            // Each pair is made of what came before it.
            let pair = 2 * (byte - 128);
            assert!(usize::from(PAIRS[pair]) < byte && usize::from(PAIRS[pair + 1]) < byte);
        }
    }

    #[test]
    fn a_text_of_a_list_is_found_by_its_place_and_its_place_by_the_text() {
        const PLACED: PackedList = pack_list!("one\0two\0\0four\0");
        for (place, want) in [(0, "one"), (2, ""), (3, "four"), (4, "")] {
            let mut found = Text::new();
            found.push_part(PLACED, place);
            assert_eq!(found.as_bytes(), want.as_bytes());
        }
        for (word, want) in [
            ("one", Some(0)),
            ("four", Some(3)),
            ("", None),
            ("on", None),
            ("onet", None),
            ("n", None),
        ] {
            assert_eq!(place_in(PLACED, word.as_bytes()), want, "{word}");
        }
    }
}
