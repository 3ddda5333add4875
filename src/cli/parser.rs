//! The engine that reads a command line by a table. It knows no option.

use core::ffi::CStr;

use super::table::{self, Set, Table};
use crate::config::Config;
use crate::kernel::{Argv, tail};
use crate::text::{Packed, nearest, pack, pack_list, place_in, split_at};

/// Why a command line cannot be taken: `WORD VALUE: WHY`.
#[derive(Clone, Copy)]
pub struct Usage<'a> {
    /// An option as it was given, or another word; or what is wrong with the value.
    pub word: &'a CStr,
    /// The option's value, if that is another word.
    pub value: &'a CStr,
    /// What it must be, if there is more to say.
    pub why: Option<Packed>,
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
    /// What is to be printed, if that is asked for.
    pub texts: &'static [Packed],
}

/// Something is wrong with a word; the parser knows what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wrong;

impl<'a, 'c> Parser<'a, 'c> {
    /// A parser that has read nothing yet.
    pub fn new(words: Argv<'a>, config: &'c mut Config<'a>) -> Parser<'a, 'c> {
        let usage = Usage { word: c"", value: c"", why: None, nearest: None };
        Parser { words, config, usage, texts: &[] }
    }

    /// Complains that a word must be something else.
    #[inline(never)]
    pub fn must(&mut self, word: &'a CStr, why: Option<Packed>) -> Result<(), Wrong> {
        self.usage.word = word;
        self.usage.why = why;
        Err(Wrong)
    }

    /// Complains about a word that is not known.
    pub fn unknown(&mut self, what: &'static CStr, word: &'a CStr) -> Result<(), Wrong> {
        self.usage.value = word;
        self.must(what, None)
    }

    /// Reads options until the first word that is none, or `--`. `Ok(true)` if
    /// help was asked for on the way.
    #[inline(never)]
    pub fn options(&mut self, table: &Table) -> Result<bool, Wrong> {
        while let Some(word) = self.words.first() {
            let [b'-', second, ..] = word.to_bytes() else { break };
            self.words.shift();
            match place_in(pack_list!("--\0--help\0"), word.to_bytes()) {
                Some(0) => break,
                Some(_) => return Ok(true),
                None if *second == b'-' => self.long(table, word)?,
                None => self.cluster(table, word)?,
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
        match table.find(name) {
            Some(option) => self.apply(option, word, given),
            None => {
                self.usage.nearest = nearest(name, table.names, table::BEFORE);
                self.unknown(c"unknown option", word)
            }
        }
    }

    /// `-a`, `-ab`, `-a VALUE` or `-aVALUE`.
    fn cluster(&mut self, table: &Table, word: &'a CStr) -> Result<(), Wrong> {
        let mut rest = tail(word, 1);
        while let [letter, ..] = rest.to_bytes() {
            rest = tail(rest, 1);
            match table.find(&[*letter]) {
                None => return self.unknown(c"unknown option", word),
                Some(flag @ (false, _)) => self.apply(flag, word, None)?,
                Some(option) => {
                    return self.apply(option, word, Some(rest).filter(|rest| !rest.is_empty()));
                }
            }
        }
        Ok(())
    }

    /// Does what an option does, with the value that was given together with
    /// it or else the next word.
    fn apply(
        &mut self,
        (takes, set): (bool, Set),
        word: &'a CStr,
        given: Option<&'a CStr>,
    ) -> Result<(), Wrong> {
        let next = if takes && given.is_none() { self.words.shift() } else { None };
        self.usage.value = next.unwrap_or(c"");
        let complaint = match given.or(next) {
            Some(_) if !takes => Some(pack!("takes no value")),
            None if takes => Some(pack!("needs a value")),
            value => set(self.config, value.unwrap_or(c"")),
        };
        if complaint.is_some() { self.must(word, complaint) } else { Ok(()) }
    }
}
