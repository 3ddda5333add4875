//! The texts of the program, squeezed together when it is compiled: help, messages and
//! error names would otherwise be a third of it. The build script gathers them, wherever
//! the sources have them; the first that is needed unpacks all.

use core::num::NonZero;

use super::model::{Counts, Model, PLACES};
use super::{Parts, Text};
use crate::kernel::Once;

// `TEXTS`, each with a NUL behind it, the first one empty; and `SQUEEZED`.
include!(concat!(env!("OUT_DIR"), "/texts.rs"));

/// A text that is known when this is compiled.
macro_rules! pack {
    ($text:expr) => {
        const { $crate::text::Packed::find($text, "") }
    };
}

/// Texts that were gathered together, with a NUL between two.
macro_rules! joined {
    ($first:literal $($next:literal)*) => {
        concat!($first, $("\0", $next),*)
    };
}

/// Words that are known when this is compiled, each up to a NUL. They are not squeezed:
/// there is time to be lost where somebody gave one of them.
macro_rules! pack_list {
    ($texts:expr) => {
        $crate::text::PackedList::new($texts.as_bytes())
    };
}

pub(crate) use {joined, pack, pack_list};

/// A text of the program's: where it begins among all of them. The first one is empty, and so
/// none of these.
#[derive(Clone, Copy)]
pub struct Packed(NonZero<u16>);

#[allow(clippy::indexing_slicing)] // runs while compiling, where it fails the build
impl Packed {
    /// Finds a text that the build script has gathered, or several with a NUL between
    /// two; in two parts.
    pub const fn find(start: &str, end: &str) -> Packed {
        let (start, end) = (start.as_bytes(), end.as_bytes());
        let length = start.len() + end.len();
        let mut place = 0;
        loop {
            assert!(place + length < TEXTS.len(), "build.rs has not gathered this text");
            let found = stands(start, place) && stands(end, place + start.len());
            if found
                && TEXTS[place + length] == 0
                && let Some(place) = NonZero::new(place as u16)
            {
                return Packed(place);
            }
            place += 1;
        }
    }
}

/// Whether a part stands at this place of the texts.
#[allow(clippy::indexing_slicing)] // likewise
const fn stands(part: &[u8], place: usize) -> bool {
    let mut at = 0;
    while at < part.len() && TEXTS[place + at] == part[at] {
        at += 1;
    }
    at == part.len()
}

impl Packed {
    /// The text.
    pub fn bytes(self) -> &'static [u8] {
        self.list().part(0)
    }

    /// The text and those that were gathered behind it.
    fn list(self) -> PackedList {
        PackedList(unpacked().get(usize::from(self.0.get())..).unwrap_or(&[]))
    }
}

/// Texts, each up to a NUL.
#[derive(Clone, Copy)]
pub struct PackedList(&'static [u8]);

impl PackedList {
    /// What `pack_list!` made.
    pub const fn new(bytes: &'static [u8]) -> PackedList {
        PackedList(bytes)
    }

    /// One of them, by the number of those before it.
    fn part(self, place: usize) -> &'static [u8] {
        Parts::of(self.0, 0).nth(place).unwrap_or(&[])
    }
}

impl Text {
    /// Adds a packed text.
    pub fn push_packed(&mut self, text: Packed) {
        self.push(text.bytes());
    }

    /// Adds one of those that were gathered together, by the number of those before it.
    pub fn push_packed_part(&mut self, first: Packed, place: usize) {
        self.push_part(first.list(), place);
    }

    /// Adds one of a list of texts, by the number of those before it.
    pub fn push_part(&mut self, list: PackedList, place: usize) {
        self.push(list.part(place));
    }
}

/// The place of a word in a list of texts.
#[inline(never)]
pub fn place_in(list: PackedList, word: &[u8]) -> Option<usize> {
    place_by(<[u8]>::eq, list, word)
}

/// The same for a name in any case of letters.
#[inline(never)]
pub fn place_of_name(list: PackedList, word: &[u8]) -> Option<usize> {
    place_by(is_name, list, word)
}

/// Whether a word is a name of capital letters, in whatever case. (That of the core library takes
/// 300 bytes.)
fn is_name(name: &[u8], word: &[u8]) -> bool {
    name.len() == word.len()
        && name.iter().zip(word).all(|(one, other)| *one == other.to_ascii_uppercase())
}

/// A name without what may stand before it, the only text of `list`, of so many bytes.
pub fn without(list: PackedList, length: usize, name: &[u8]) -> &[u8] {
    match name.split_at_checked(length) {
        Some((start, rest)) if place_of_name(list, start).is_some() => rest,
        _ => name,
    }
}

/// The place of a word, where `same` compares two; none is empty.
fn place_by(same: fn(&[u8], &[u8]) -> bool, list: PackedList, word: &[u8]) -> Option<usize> {
    Parts::of(list.0, 0).position(|text| same(text, word) && !word.is_empty())
}

/// The texts, and what they are unpacked with.
struct Unpacked {
    texts: [u8; TEXTS.len()],
    counts: Counts,
}

/// All texts.
fn unpacked() -> &'static [u8] {
    static UNPACKED: Once<Unpacked> =
        Once::new(Unpacked { texts: [0; TEXTS.len()], counts: [[0; 2]; PLACES] });
    &UNPACKED.get(unpack).texts
}

/// Decodes what the build script has coded: each bit narrows a range of numbers by how
/// likely it is, and the squeezed bytes are a number of the last of these ranges.
#[inline(never)]
fn unpack(unpacked: &mut Unpacked) {
    let Unpacked { texts, counts } = unpacked;
    // A process that shares this memory may have begun, and ended before its time.
    counts.fill([0; 2]);
    let mut model = Model::new(counts);
    let (mut low, mut high, mut number) = (0u32, 0u32, 0u32);
    let mut squeezed = SQUEEZED.iter();
    for byte in texts {
        *byte = loop {
            while (low ^ high) >> 24 == 0 {
                low <<= 8;
                high = high << 8 | 255;
                number = number << 8 | u32::from(squeezed.next().copied().unwrap_or(0));
            }
            let middle = low + ((high - low) >> 12) * model.expect();
            let bit = number <= middle;
            if bit {
                high = middle;
            } else {
                low = middle + 1;
            }
            if let Some(byte) = model.learn(bit) {
                break byte;
            }
        };
    }
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
    fn what_is_squeezed_comes_out_again_and_is_smaller() {
        assert_eq!(unpacked(), TEXTS);
        assert!(SQUEEZED.len() * 5 < TEXTS.len() * 2, "{} of {}", SQUEEZED.len(), TEXTS.len());
    }

    #[test]
    fn a_text_is_found() {
        let text = pack!("must be a whole number from 1 to 4194304, or -1 for no limit");
        assert_eq!(unpack(text), b"must be a whole number from 1 to 4194304, or -1 for no limit");
        assert!(unpack(pack!("")).is_empty());
        assert_eq!(size_of::<Option<Packed>>(), size_of_val(&text));
    }

    #[test]
    fn it_can_be_done_again_where_it_was_left_in_the_middle() {
        let mut again = Box::new(Unpacked { texts: [1; TEXTS.len()], counts: [[3; 2]; PLACES] });
        super::unpack(&mut again);
        assert_eq!(again.texts, *TEXTS);
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
