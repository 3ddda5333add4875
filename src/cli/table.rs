//! The option table as it lies in the program: what the parser looks for, close
//! together, and the lines of the help, packed. Both are made of the rows when
//! this is compiled, so they cannot differ.

use super::parser::Takes;
use crate::text::{Packed, Parts};

/// A line of the help, and what it stands for. An option's line begins
/// `  -s, --long VALUE  `, where the letter and the value may be missing.
#[derive(Clone, Copy)]
pub struct Opt(pub &'static str, pub Takes);

/// A table of options.
pub struct Table {
    /// Of each row the letter, or a blank, and the word with its two dashes, up to a
    /// NUL; only a blank where the row is no option.
    pub names: &'static [u8],
    /// What each row takes.
    pub takes: &'static [Takes],
    /// The help.
    pub help: Packed,
}

impl Table {
    /// The rows that are options: how they are spelled, and what they take.
    pub fn options(&self) -> impl Iterator<Item = (&'static [u8], &'static Takes)> + use<> {
        let rows = Parts::of(self.names, 0).zip(self.takes);
        rows.filter(|(_, takes)| !matches!(takes, Takes::Nothing))
    }
}

/// The letter of a row; a blank if it has none.
pub fn letter(name: &[u8]) -> u8 {
    name.first().copied().unwrap_or(b' ')
}

/// The word of a row, with its two dashes.
pub fn word(name: &'static [u8]) -> &'static [u8] {
    name.get(1..).unwrap_or(&[])
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

/// What each row takes.
#[allow(clippy::indexing_slicing)] // likewise
pub const fn takes<const N: usize>(rows: &[Opt]) -> [Takes; N] {
    let mut takes = [Takes::Nothing; N];
    let mut row = 0;
    while row < N {
        takes[row] = rows[row].1;
        row += 1;
    }
    takes
}

/// How each row is spelled.
#[allow(clippy::indexing_slicing)] // likewise
pub const fn names<const N: usize>(rows: &[Opt]) -> Bytes<N> {
    let mut names = Bytes::new();
    let mut row = 0;
    while row < rows.len() {
        let line = rows[row].0.as_bytes();
        if matches!(rows[row].1, Takes::Nothing) {
            names.push(b' ');
        } else {
            names.push(line[3]);
            let mut at = 6;
            while line[at] != b' ' {
                names.push(line[at]);
                at += 1;
            }
        }
        // Between two rows.
        row += 1;
        if row < rows.len() {
            names.push(0);
        }
    }
    names
}

/// The help: a text, and a line for each row.
#[allow(clippy::indexing_slicing)] // likewise
pub const fn help<const N: usize>(start: &str, rows: &[Opt]) -> Bytes<N> {
    let mut help = Bytes::new();
    let mut row = 0;
    let mut text = start.as_bytes();
    loop {
        let mut at = 0;
        while at < text.len() {
            help.push(text[at]);
            at += 1;
        }
        if row > 0 {
            help.push(b'\n');
        }
        if row == rows.len() {
            return help;
        }
        text = rows[row].0.as_bytes();
        row += 1;
    }
}
