//! The option table as it lies in the program: what the parser looks for, close
//! together, and the lines of the help, packed. Both are made of the rows when
//! this is compiled, so they cannot differ.

use core::ffi::CStr;

use crate::config::Config;
use crate::text::{Packed, Parts};

/// A line of the help, and what it stands for. An option's line begins
/// `  -s, --long VALUE  `, where the letter and the value may be missing.
#[derive(Clone, Copy)]
pub struct Opt(pub &'static str, pub Takes);

/// What a line stands for.
#[derive(Clone, Copy)]
pub enum Takes {
    /// No option: a title.
    Title,
    /// An option without a value.
    Flag(Set),
    /// An option with a value.
    Value(Set),
}

/// Does what an option says. Says what its value must be, if it is not.
pub type Set = for<'a> fn(&mut Config<'a>, &'a CStr) -> Option<Packed>;

/// A table of options.
pub struct Table {
    /// Of each option `=` if it takes a value, its letter or a NUL, and its word with
    /// the two dashes; a line feed between two.
    pub names: &'static [u8],
    /// What each does.
    pub sets: &'static [Set],
    /// The help.
    pub help: &'static [Packed],
}

/// Makes a table of the first lines of its help, and its rows.
macro_rules! table {
    ($start:expr, $rows:expr) => {{
        use crate::cli::table::{Bytes, Set, Table, count, help, names, sets};
        use crate::text::Packed;
        const SETS: [Set; count($rows)] = sets($rows);
        const NAMED: Bytes<0> = names($rows);
        const NAMES: [u8; NAMED.length()] = names($rows).exactly();
        const HELP: [Packed; 1 + $rows.len()] = help($start, $rows);
        Table { names: &NAMES, sets: &SETS, help: &HELP }
    }};
}

pub(crate) use table;

/// In `names`, so many bytes stand before an option's word.
pub const BEFORE: usize = 2;

impl Table {
    /// Whether the option with this word or letter takes a value, and what it does.
    pub fn find(&self, name: &[u8]) -> Option<(bool, Set)> {
        for (place, option) in Parts::of(self.names, b'\n').enumerate() {
            if let [takes, letter, word @ ..] = option
                && (word == name || name == [*letter])
            {
                return Some((*takes == b'=', *self.sets.get(place)?));
            }
        }
        None
    }
}

/// Bytes that are put together while this is compiled. With no room they are
/// only counted.
pub struct Bytes<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

#[allow(clippy::indexing_slicing)] // runs while compiling, where it fails the build
impl<const N: usize> Bytes<N> {
    const fn new() -> Bytes<N> {
        Bytes { bytes: [0; N], length: 0 }
    }

    const fn push(&mut self, byte: u8) {
        if self.length < N {
            self.bytes[self.length] = byte;
        }
        self.length += 1;
    }

    /// How many there are.
    pub const fn length(&self) -> usize {
        self.length
    }

    /// All of them, where there is exactly as much room as they take.
    pub const fn exactly(self) -> [u8; N] {
        assert!(self.length == N);
        self.bytes
    }
}

/// How many options there are.
#[allow(clippy::indexing_slicing)] // likewise
pub const fn count(rows: &[Opt]) -> usize {
    let (mut row, mut count) = (0, 0);
    while row < rows.len() {
        count += !matches!(rows[row].1, Takes::Title) as usize;
        row += 1;
    }
    count
}

/// What each option does.
#[allow(clippy::indexing_slicing)] // likewise
pub const fn sets<const N: usize>(rows: &[Opt]) -> [Set; N] {
    let mut sets: [Set; N] = [|_, _| None; N];
    let (mut row, mut count) = (0, 0);
    while row < rows.len() {
        if let Takes::Flag(set) | Takes::Value(set) = rows[row].1 {
            sets[count] = set;
            count += 1;
        }
        row += 1;
    }
    sets
}

/// How each option is spelled.
#[allow(clippy::indexing_slicing)] // likewise
pub const fn names<const N: usize>(rows: &[Opt]) -> Bytes<N> {
    let mut names = Bytes::new();
    let mut row = 0;
    while row < rows.len() {
        let line = rows[row].0.as_bytes();
        if !matches!(rows[row].1, Takes::Title) {
            if names.length > 0 {
                names.push(b'\n');
            }
            names.push(if matches!(rows[row].1, Takes::Value(_)) { b'=' } else { b' ' });
            names.push(if line[3] == b' ' { 0 } else { line[3] });
            let mut at = 6;
            while line[at] != b' ' {
                names.push(line[at]);
                at += 1;
            }
        }
        row += 1;
    }
    names
}

/// The help: a text, and a line for each row.
#[allow(clippy::indexing_slicing)] // likewise
pub const fn help<const N: usize>(start: &str, rows: &[Opt]) -> [Packed; N] {
    let mut help = [Packed::find(start, ""); N];
    let mut row = 0;
    while row < rows.len() {
        help[1 + row] = Packed::find(rows[row].0, "\n");
        row += 1;
    }
    help
}
