//! The nearest known word, for whoever mistyped one.

use core::array::from_fn;

use super::Parts;

/// Longer words than this are not compared.
const LONGEST: usize = 32;

/// Of the lines of `known`, each from byte `start` on, the word that takes the
/// fewest changes of a letter to make from `word`, or the first that begins with it;
/// `None` if even that takes more than a third of its letters, and one.
pub fn nearest(word: &[u8], known: &'static [u8], start: usize) -> Option<&'static [u8]> {
    let mut best = None;
    let mut least = word.len() / 3 + 2;
    for line in Parts::of(known, b'\n') {
        let candidate = line.get(start..).unwrap_or(&[]);
        let begun = word.len() > 3 && candidate.starts_with(word);
        let count = if begun { 0 } else { distance(word, candidate) };
        if count < least {
            least = count;
            best = Some(candidate);
        }
    }
    best
}

/// The Levenshtein distance: letters inserted, removed or replaced.
fn distance(from: &[u8], to: &[u8]) -> usize {
    if to.len() >= LONGEST {
        return usize::MAX;
    }
    // row[j]: the distance of what was read of `from` to the first j letters of `to`.
    let mut row: [usize; LONGEST] = from_fn(|at| at);
    for (read, letter) in from.iter().enumerate() {
        let mut left = read + 1;
        let mut above_left = read;
        if let Some(cell) = row.first_mut() {
            *cell = left;
        }
        for (other, cell) in to.iter().zip(row.iter_mut().skip(1)) {
            let replaced = above_left + usize::from(letter != other);
            above_left = *cell;
            left = replaced.min(above_left + 1).min(left + 1);
            *cell = left;
        }
    }
    row.get(to.len()).copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (from, to, want) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("--memroy", "--memory", 2),
            ("--verbos", "--verbose", 1),
        ] {
            assert_eq!(distance(from.as_bytes(), to.as_bytes()), want, "{from} {to}");
        }
    }

    #[test]
    fn the_nearest_word_is_named_only_if_it_is_near() {
        let known = b"1--env\n2--env-file\n3--verbose\n4--hostname";
        for (word, want) in [
            ("--hostnam", Some("--hostname")),
            ("--envfile", Some("--env-file")),
            ("--evn", Some("--env")),
            ("--host", Some("--hostname")),
            ("--frobnicate", None),
            ("-x", None),
            ("", None),
        ] {
            let found = nearest(word.as_bytes(), known, 1);
            assert_eq!(found, want.map(str::as_bytes), "{word}");
        }
    }
}
