//! The program's environment: nothing of the caller's, four variables of
//! thimble's, and what was asked for.

use core::ffi::CStr;

use crate::config::Config;
use crate::kernel::{self, Argv, CURRENT, Errno, List, Word};
use crate::report::Report;
use crate::steps::Step;
use crate::text::{Parts, pack};

/// An environment in the making.
struct Variables<'a> {
    words: List<Option<Word<'a>>>,
    caller: Argv<'a>,
    /// By the hash of a name, where in `words` it is, counted from 1; 0 where there is none. A
    /// file of variables could keep thimble busy for hours if each name were compared with
    /// every other. The few of a usual environment find a place here,
    first: [u32; FIRST_PLACES],
    /// and the others here.
    places: Option<&'a mut [u32; PLACES]>,
}

/// Where programs are looked for.
pub const PATH: &CStr = c"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// As many variables at most, which is more than execve(2) takes by default (2 MiB in all).
const MOST: usize = 3 << 16;
/// Places, of which a quarter at least stays free. Those never touched take no memory: in
/// all they are smaller than the huge page (2 MiB) that the kernel would give at once.
const PLACES: usize = 1 << 18;
/// Places that are looked at first.
const FIRST_PLACES: usize = 1 << 8;

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
        let mut hash = 1usize;
        for byte in name {
            hash = (hash ^ usize::from(*byte)).wrapping_mul(0x100_0193);
        }
        let mut at = hash % FIRST_PLACES;
        let mut looked_at = self.first.get_mut(at);
        while let Some(place) = looked_at {
            // 0 is before the first, so it finds nothing.
            match self.words.as_mut_slice().get_mut((*place as usize).wrapping_sub(1)) {
                None => {
                    self.words.push(Some(variable))?;
                    *place = self.words.as_slice().len() as u32;
                    break;
                }
                Some(Some(old)) if old.is_variable(name) => {
                    *old = variable;
                    break;
                }
                _ => {
                    let places = match &mut self.places {
                        Some(places) => places,
                        none => none.insert(kernel::zeroed()?),
                    };
                    at = (at + (hash | 1)) % PLACES; // odd, so it comes to every place
                    looked_at = places.get_mut(at);
                }
            }
        }
        if self.words.as_slice().len() > MOST { Err(Errno::E2BIG) } else { Ok(()) }
    }
}

/// What of `NAME=VALUE` or `NAME` is the name.
fn name_of(variable: &CStr) -> &[u8] {
    Parts::of(variable.to_bytes(), b'=').word()
}

/// Takes the variables of an `--env-file`: a line each, as for `--env`, with a line feed
/// at its end, without the empty ones and those that begin with `#`. Otherwise the
/// number of the first line that is none.
fn lines<'a>(file: &'a mut [u8], take: &mut dyn FnMut(&'a CStr)) -> Result<(), u32> {
    let (mut number, mut rest) = (0, file);
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n')
        && let Some((line, behind)) = rest.split_at_mut_checked(end + 1)
    {
        (number, rest) = (number + 1, behind);
        if let Some(end) = line.last_mut() {
            *end = 0;
        }
        // No NUL but the last, and no name that a shell could not use.
        let line = kernel::c_string(line).ok_or(number)?;
        match name_of(line) {
            [] if line.is_empty() => {}
            [b'#', ..] => {}
            name if name.is_empty() || name.iter().any(|byte| *byte <= b' ') => {
                return Err(number);
            }
            _ => take(line),
        }
    }
    Ok(())
}

/// All of the program's variables, with a null at the end; HOME waits for the
/// container's side if there is a `--user` to be looked up. `hostname` is the line
/// `HOSTNAME=...`, where it is known yet, and the memory of `room` is taken for them. The files
/// are read here, before anything else is done.
#[inline(never)]
pub fn collect<'a, 'b: 'a>(
    config: &Config<'a>,
    hostname: Option<&'a CStr>,
    caller: Argv<'a>,
    room: &mut List<Option<Word<'b>>>,
    report: &mut Report,
) -> List<Option<Word<'a>>> {
    let words = core::mem::take(room);
    let mut variables = Variables { words, caller, first: [0; FIRST_PLACES], places: None };
    let mut collected = Ok(());
    let mut set = |variable| collected = collected.and_then(|()| variables.set(variable));
    set(PATH);
    set(c"TERM=xterm-256color");
    if config.user.is_none() {
        set(c"HOME=/root");
    }
    if let Some(hostname) = hostname {
        set(hostname);
    }
    for path in config.environment_files.as_slice() {
        let mut file = List::new();
        let read = kernel::read_file(CURRENT, path, &mut file).and_then(|()| file.push(b'\n'));
        report.step_on(Step::ReadVariables, path, read);
        if let Err(number) = lines(file.leak(), &mut set) {
            let why = pack!("must be NAME=VALUE or NAME in line ");
            report.refuse_line(c"--env-file", path, why, number);
        }
    }
    for variable in config.environment.as_slice() {
        set(variable);
    }
    let collected = collected.and_then(|()| variables.words.push(None));
    report.step(Step::CollectEnvironment, collected);
    variables.words
}

/// Container side: adds a variable that is not there yet. `start` is `NAME=`.
pub fn add(words: &mut List<Option<Word>>, start: &[u8], value: &[u8]) -> kernel::Result<()> {
    let mut text = List::new();
    text.extend(start)?;
    text.extend(value)?;
    text.push(0)?;
    if let (Some(end), Some(text)) =
        (words.as_mut_slice().last_mut(), kernel::c_string(text.leak()))
    {
        *end = Some(Word::new(text));
    }
    words.push(None)
}

/// The variables as execve(2) takes them.
#[inline(never)]
pub fn vector<'a>(words: &'a List<Option<Word<'a>>>) -> Argv<'a> {
    Argv::new(words.as_slice()).unwrap_or(Argv::EMPTY)
}

/// The value of a variable; empty if there is none.
pub fn value<'a>(environment: Argv<'a>, name: &[u8]) -> &'a CStr {
    environment.variable(name).map_or(c"", |word| kernel::tail(word.text(), name.len() + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(text: &[u8]) -> Result<Vec<Vec<u8>>, u32> {
        let mut text = [text, b"\n"].concat();
        let mut found = Vec::new();
        lines(&mut text, &mut |line| found.push(line.to_bytes().to_vec()))?;
        Ok(found)
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
        let words =
            collect(&config, Some(c"HOSTNAME=h"), caller, &mut List::new(), &mut Report::new());
        let environment = vector(&words);
        let (mut rest, mut got) = (environment, Vec::new());
        while let Some(word) = rest.shift() {
            got.push(word);
        }
        assert_eq!(
            got,
            [c"PATH=", c"TERM=dumb", c"HOME=/root", c"HOSTNAME=h", c"A=2", c"X=caller", c"AB=3"]
        );
        assert_eq!(value(environment, b"A"), c"2");
        assert_eq!(value(environment, b"PAT"), c"");
    }
}
