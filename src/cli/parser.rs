//! The engine that reads a command line by a table. It knows no option.

use core::ffi::CStr;

use super::table::{self, Table};
use crate::config::{Config, Share};
use crate::kernel::{Argv, List, tail};
use crate::text::{Packed, nearest, pack, split_at};

/// What an option takes, and the field of the configuration that it fills.
#[derive(Clone, Copy)]
pub enum Takes {
    /// No option: a title.
    Nothing,
    /// No value.
    Flag(for<'c, 'a> fn(&'c mut Config<'a>) -> &'c mut bool),
    /// `private` or `host`.
    Whose(for<'c, 'a> fn(&'c mut Config<'a>) -> &'c mut Option<Share>),
    /// A value, of which the last counts.
    Word(for<'c, 'a> fn(&'c mut Config<'a>) -> &'c mut Option<&'a CStr>, Check),
    /// A value, of which all count.
    Words(for<'c, 'a> fn(&'c mut Config<'a>) -> &'c mut List<&'a CStr>, Check),
    /// A value that is more than a word.
    Value(for<'a> fn(&mut Config<'a>, &'a CStr) -> Option<Packed>),
}

/// Says what a value must be, if it is not.
pub type Check = fn(&CStr) -> Option<Packed>;

/// Why a command line cannot be taken: `WHAT WORD VALUE: WHY`.
#[derive(Clone, Copy)]
pub struct Usage<'a> {
    /// What is wrong with the word; empty if the reason says it.
    pub what: Packed,
    /// An option as it was given, or another word.
    pub word: &'a CStr,
    /// The option's value, if that is another word.
    pub value: &'a CStr,
    /// What it must be; may be empty.
    pub why: Packed,
    /// The nearest known word, where there is one.
    pub nearest: Option<&'static [u8]>,
}

/// Reads a command line: takes words off its front and fills a configuration.
pub struct Parser<'a, 'c> {
    /// The words that are still to be read.
    pub words: Argv<'a>,
    /// What they are to fill.
    pub config: &'c mut Config<'a>,
    /// What is wrong, once something is.
    pub usage: Usage<'a>,
}

/// What is wrong where a list cannot grow.
pub const NO_MEMORY: Packed = pack!("there is no memory left for it");

/// Something is wrong with a word; the parser knows what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wrong;

impl<'a, 'c> Parser<'a, 'c> {
    /// A parser that has read nothing yet.
    pub fn new(words: Argv<'a>, config: &'c mut Config<'a>) -> Parser<'a, 'c> {
        let none = Packed::NONE;
        let usage = Usage { what: none, word: c"", value: c"", why: none, nearest: None };
        Parser { words, config, usage }
    }

    /// Complains that a word must be something else.
    pub fn must(&mut self, word: &'a CStr, why: Packed) -> Result<(), Wrong> {
        self.usage.word = word;
        self.usage.why = why;
        Err(Wrong)
    }

    /// Complains about a word that is not known.
    pub fn unknown(&mut self, what: Packed, word: &'a CStr) -> Result<(), Wrong> {
        self.usage.what = what;
        self.must(word, Packed::NONE)
    }

    /// Reads options until the first word that is none, or `--`. `Ok(true)` if
    /// help was asked for on the way.
    pub fn options(&mut self, table: &Table) -> Result<bool, Wrong> {
        while let Some(word) = self.words.first() {
            let [b'-', second, ..] = word.to_bytes() else { break };
            self.words.shift();
            if *second != b'-' {
                self.cluster(table, word)?;
            } else if word == c"--" {
                break;
            } else if word == c"--help" {
                return Ok(true);
            } else {
                self.long(table, word)?;
            }
        }
        Ok(false)
    }

    /// `--option`, `--option VALUE` or `--option=VALUE`.
    fn long(&mut self, table: &Table, word: &'a CStr) -> Result<(), Wrong> {
        let (name, given) = match split_at(word, b'=') {
            Some((name, value)) => (name, Some(value)),
            None => (word.to_bytes(), None),
        };
        match table.options().find(|(row, _)| table::word(row) == name) {
            Some((_, takes)) => self.apply(takes, word, given),
            None => {
                self.usage.nearest =
                    nearest(name, &mut table.options().map(|row| table::word(row.0)));
                self.unknown(pack!("unknown option"), word)
            }
        }
    }

    /// `-a`, `-ab`, `-a VALUE` or `-aVALUE`.
    fn cluster(&mut self, table: &Table, word: &'a CStr) -> Result<(), Wrong> {
        let mut rest = tail(word, 1);
        while let [letter, ..] = rest.to_bytes() {
            rest = tail(rest, 1);
            let found = table.options().find(|(row, _)| table::letter(row) == *letter);
            let Some((_, takes)) = found.filter(|_| *letter != b' ') else {
                return self.unknown(pack!("unknown option"), word);
            };
            if let Takes::Flag(_) = takes {
                self.apply(takes, word, None)?;
            } else {
                return self.apply(takes, word, Some(rest).filter(|rest| !rest.is_empty()));
            }
        }
        Ok(())
    }

    /// Does what an option does, with the value that was given together with
    /// it or else the next word.
    fn apply(
        &mut self,
        takes: &'static Takes,
        word: &'a CStr,
        given: Option<&'a CStr>,
    ) -> Result<(), Wrong> {
        let needs = !matches!(takes, Takes::Flag(_));
        let next = if needs && given.is_none() { self.words.shift() } else { None };
        self.usage.value = next.unwrap_or(c"");
        let value = given.or(next);
        let config = &mut *self.config;
        let complaint = match (takes, value) {
            (Takes::Nothing, _) => None,
            (Takes::Flag(field), None) => {
                *field(config) = true;
                None
            }
            (Takes::Flag(_), Some(_)) => Some(pack!("takes no value")),
            (_, None) => Some(pack!("needs a value")),
            (Takes::Whose(field), Some(value)) => {
                let host = value == c"host";
                *field(config) = Some(if host { Share::Host } else { Share::Private });
                (!host && value != c"private").then_some(pack!("must be private or host"))
            }
            (Takes::Word(field, check), Some(value)) => {
                *field(config) = Some(value);
                check(value)
            }
            (Takes::Words(field, check), Some(value)) => match field(config).push(value) {
                Ok(()) => check(value),
                Err(_) => Some(NO_MEMORY),
            },
            (Takes::Value(set), Some(value)) => set(config, value),
        };
        complaint.map_or(Ok(()), |why| self.must(word, why))
    }
}
