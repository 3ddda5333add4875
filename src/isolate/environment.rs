//! The program's environment: nothing of the caller's, four variables of
//! thimble's, and what was asked for.

use core::ffi::CStr;

use crate::config::Config;
use crate::kernel::{self, Argv, CURRENT, Errno, List, Word};
use crate::report::{FAILED, Report};
use crate::steps::Step;
use crate::text::{Packed, pack, split_at};

/// What every program is given.
const FIXED: &[&CStr] =
    &[c"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", c"TERM=xterm-256color"];

/// An environment in the making.
struct Variables<'a> {
    words: List<Option<Word<'a>>>,
    caller: Argv<'a>,
    /// A byte for each value of a hash: whether a name behind the FEW had it.
    seen: &'a mut [u8],
}

/// Among so many a name is looked for one by one. Among more only if its hash was
/// seen before, or a file of variables could keep thimble busy for hours.
const FEW: usize = 16;
const HASHES: usize = 1 << 24;
/// No more than this, which is more than execve(2) takes.
const MOST: usize = 1 << 18;

impl<'a> Variables<'a> {
    /// Adds `NAME=VALUE`, or for `NAME` alone what the caller has, if it has
    /// it. One of the same name is replaced, since getenv(3) would find the
    /// first and a shell the last.
    #[inline(never)]
    fn set(&mut self, asked: &'a CStr) -> kernel::Result<()> {
        let name = name_of(asked);
        let found = match name.len() < asked.to_bytes().len() {
            true => Some(Word::new(asked)),
            false => self.caller.variable(name),
        };
        let Some(variable) = found else { return Ok(()) };
        let count = self.words.as_slice().len();
        if count > MOST {
            return Err(Errno::E2BIG);
        }
        let many = count >= FEW && self.may_be_known(name)?;
        for old in self.words.as_mut_slice().iter_mut().take(if many { count } else { FEW }) {
            let Some(old) = old else { continue };
            if old.is_variable(name) {
                *old = variable;
                return Ok(());
            }
        }
        self.words.push(Some(variable))
    }

    /// Whether a variable of this name may be there behind the FEW; from now on it may.
    fn may_be_known(&mut self, name: &[u8]) -> kernel::Result<bool> {
        if self.seen.is_empty() {
            self.seen = kernel::zeroed(HASHES)?;
        }
        let mut hash = 0usize;
        for byte in name {
            hash = (hash ^ *byte as usize).wrapping_mul(0x100_0193);
        }
        let Some(seen) = self.seen.get_mut(hash % HASHES) else { return Ok(true) };
        Ok(core::mem::replace(seen, 1) == 1)
    }

    fn set_all(&mut self, asked: &[&'a CStr]) -> kernel::Result<()> {
        asked.iter().try_for_each(|variable| self.set(variable))
    }
}

fn name_of(variable: &CStr) -> &[u8] {
    split_at(variable, b'=').map_or(variable.to_bytes(), |(name, _)| name)
}

/// Adds the variables of an `--env-file`: a line each, as for `--env`, without
/// the empty ones and those that begin with `#`. EINVAL for one that is none, of
/// which this is the number then.
fn lines<'a>(
    file: &'a mut [u8],
    variables: &mut List<&'a CStr>,
    number: &mut u32,
) -> kernel::Result<()> {
    for line in file.split_inclusive_mut(|byte| *byte == b'\n') {
        *number += 1;
        if let Some(end) = line.last_mut() {
            *end = 0;
        }
        // No NUL but the last, and no name that a shell could not use.
        let line = kernel::c_string(line).ok_or(Errno::EINVAL)?;
        let name = name_of(line);
        let good = match name {
            [] => line.is_empty(),
            [b'#', ..] => continue,
            name => name.iter().all(|byte| *byte > b' '),
        };
        if !good {
            return Err(Errno::EINVAL);
        }
        if !name.is_empty() {
            variables.push(line)?;
        }
    }
    Ok(())
}

/// All of the program's variables, with a null at the end; HOME waits for the
/// container's side if there is a `--user` to be looked up. `hostname` is the line
/// `HOSTNAME=...`. The files are read here, before anything else is done.
pub fn collect<'a>(
    config: &Config<'a>,
    hostname: &'a CStr,
    caller: Argv<'a>,
    report: &mut Report,
) -> List<Option<Word<'a>>> {
    let mut asked = List::new();
    for path in config.environment_files.as_slice() {
        let mut file = List::new();
        let read = kernel::read_file(CURRENT, path, &mut file).and_then(|()| file.push(b'\n'));
        let mut number = 0;
        let read = read.and_then(|()| lines(file.leak(), &mut asked, &mut number));
        if number > 0 && read == Err(Errno::EINVAL) {
            let why = pack!("must be NAME=VALUE or NAME in line ");
            report.complain(Packed::NONE, c"--env-file", path, why);
            report.add_number(number);
            report.end(FAILED);
        }
        report.step_on(Step::ReadVariables, path, read);
    }
    let home = if config.user.is_none() { &[c"HOME=/root"][..] } else { &[] };
    let mut variables = Variables { words: List::new(), caller, seen: &mut [] };
    let set = variables
        .set_all(FIXED)
        .and_then(|()| variables.set_all(home))
        .and_then(|()| variables.set(hostname))
        .and_then(|()| variables.set_all(asked.as_slice()))
        .and_then(|()| variables.set_all(config.environment.as_slice()))
        .and_then(|()| variables.words.push(None));
    report.step(Step::CollectEnvironment, set);
    variables.words
}

/// Adds a variable of these parts, a NUL at their end.
pub fn add(words: &mut List<Option<Word>>, parts: &[&[u8]]) -> kernel::Result<()> {
    let mut text = List::new();
    parts.iter().try_for_each(|part| text.extend(part))?;
    if let (Some(end), Some(text)) =
        (words.as_mut_slice().last_mut(), kernel::c_string(text.leak()))
    {
        *end = Some(Word::new(text));
    }
    words.push(None)
}

/// The variables as execve(2) takes them.
pub fn vector<'a>(words: &'a List<Option<Word<'a>>>) -> Argv<'a> {
    Argv::new(words.as_slice()).unwrap_or(Argv::EMPTY)
}

/// The value of a variable.
pub fn value<'a>(environment: Argv<'a>, name: &[u8]) -> Option<&'a CStr> {
    environment.variable(name).map(|word| kernel::tail(word.text(), name.len() + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(text: &[u8]) -> Result<Vec<Vec<u8>>, u32> {
        let mut text = [text, b"\n"].concat();
        let mut found = List::new();
        let mut number = 0;
        lines(&mut text, &mut found, &mut number).map_err(|_| number)?;
        Ok(found.as_slice().iter().map(|line| line.to_bytes().to_vec()).collect())
    }

    #[test]
    fn the_lines_of_a_file() {
        let good = b"A=1\n\n# no\n#A=2\nB=two words \nC\nD=x=y\nE=";
        let want = ["A=1", "B=two words ", "C", "D=x=y", "E="];
        assert_eq!(lines_of(good), Ok(want.map(|line| line.as_bytes().to_vec()).to_vec()));
        for (text, line) in [
            (&b"A=1\n=2"[..], 2),
            (b"A B=1", 1),
            (b" A=1", 1),
            (b"A\t=1", 1),
            (b"A=1\nB\0=2", 2),
            (b"A=1\nB=2\0\n", 2),
            (b"\0\0\n", 1),
            (b"# \0", 1),
            (b"two words", 1),
        ] {
            assert_eq!(lines_of(text), Err(line), "{text:?}");
        }
    }

    #[test]
    fn the_last_of_a_name_wins_and_a_bare_name_is_the_callers() {
        let caller = [Some(Word::new(c"TERM=dumb")), Some(Word::new(c"X=caller")), None];
        let caller = Argv::new(&caller).unwrap();
        let mut config = Config::new();
        for asked in [c"A=1", c"A=2", c"TERM", c"MISSING", c"X", c"AB=3", c"PATH="] {
            config.environment.push(asked).unwrap();
        }
        let words = collect(&config, c"HOSTNAME=h", caller, &mut Report::new());
        let environment = vector(&words);
        let got: Vec<_> = environment.words().collect();
        assert_eq!(
            got,
            [c"PATH=", c"TERM=dumb", c"HOME=/root", c"HOSTNAME=h", c"A=2", c"X=caller", c"AB=3"]
        );
        assert_eq!(value(environment, b"A"), Some(c"2"));
        assert_eq!(value(environment, b"PAT"), None);
    }
}
