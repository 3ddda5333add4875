//! Users and groups: the words of the command line that name them, and the
//! lines of /etc/passwd and /etc/group, passwd(5) and group(5). The image wrote
//! those, so a line that is not exactly as it should be is an error rather than
//! a guess.

use core::ffi::CStr;

use super::{Packed, Parts, has_part, pack, parse_whole};

/// A user's or group's number. The highest one is none: it means "leave it as
/// it is" to setresuid(2).
#[inline(never)]
pub fn parse_id(digits: &[u8]) -> Option<u32> {
    let id = parse_whole(digits)?;
    (id < u64::from(u32::MAX)).then_some(id as u32)
}

/// `USER` and, if it is given, `GROUP` of a `USER[:GROUP]`, as they are written.
pub fn user_and_group(word: &CStr) -> (&[u8], Option<&[u8]>) {
    let mut parts = Parts::of(word.to_bytes(), b':');
    (parts.word(), parts.rest())
}

/// What of a `USER[:GROUP]` is known without the container's files: the number
/// of each that is one.
pub fn numeric_ids(word: &CStr) -> (Option<u32>, Option<u32>) {
    let (user, group) = user_and_group(word);
    (parse_id(user), group.and_then(parse_id))
}

/// Whether a word is a number or may be the name of a user or group. All digits
/// are always a number, as with docker.
fn is_account(word: &[u8]) -> bool {
    let mut digits = true;
    for byte in word {
        digits &= byte.is_ascii_digit();
        if byte.is_ascii_control() || *byte == b':' {
            return false;
        }
    }
    if digits { parse_id(word).is_some() } else { !word.starts_with(b"-") }
}

/// `USER[:GROUP]`
pub fn check_user(word: &CStr) -> Option<Packed> {
    let (user, group) = user_and_group(word);
    let good = is_account(user) && group.is_none_or(is_account);
    (!good).then_some(pack!("must be USER or USER:GROUP, names or numbers up to 4294967294"))
}

/// `GROUP`
pub fn check_group(word: &CStr) -> Option<Packed> {
    (!is_account(word.to_bytes())).then_some(pack!("must be a name or a number up to 4294967294"))
}

/// How many fields a line of /etc/passwd has.
pub const USER_FIELDS: usize = 7;
/// How many fields a line of /etc/group has.
pub const GROUP_FIELDS: usize = 4;

/// The lines of one of the files, read one after the other.
#[repr(C)] // in this order, so that the small fields lie at its start
pub struct Accounts<'a> {
    /// The number of the user or group.
    pub id: u32,
    /// Of a user, the number of the primary group; 0 of a group.
    pub group: u32,
    /// The number of the line.
    pub line: u32,
    /// Whether it is well-formed, without which the rest says nothing.
    pub good: bool,
    /// How many fields each line must have.
    count: usize,
    lines: Parts<'a>,
    fields: [&'a [u8]; USER_FIELDS],
}

impl<'a> Accounts<'a> {
    /// Those of a file whose lines have so many fields, before the first.
    #[inline(never)]
    pub fn of(file: &'a [u8], count: usize) -> Accounts<'a> {
        let (lines, fields) = (Parts::of(file, b'\n'), [&[][..]; USER_FIELDS]);
        Accounts { lines, count, line: 0, good: false, fields, id: 0, group: 0 }
    }

    /// Goes to the next line that is not empty; `false` at the end. The last one needs
    /// no line feed.
    #[inline(never)]
    pub fn next(&mut self) -> bool {
        for line in &mut self.lines {
            self.line += 1;
            if !line.is_empty() {
                self.good = self.take(line).is_some();
                return true;
            }
        }
        false
    }

    /// `None` if the line is malformed.
    fn take(&mut self, line: &'a [u8]) -> Option<()> {
        let mut count = 0;
        for field in Parts::of(line, b':') {
            *self.fields.get_mut(count)? = field;
            count += 1;
        }
        let [name, _, id, fourth, ..] = self.fields;
        self.id = parse_id(id)?;
        self.group = if self.count == USER_FIELDS { parse_id(fourth)? } else { 0 };
        let good = count == self.count && !name.is_empty();
        (good && !line.iter().any(u8::is_ascii_control)).then_some(())
    }

    /// Goes to the first line with this number, if the word is one, or else with this
    /// name. `false` if there is none. For a file of which all lines are well-formed.
    #[inline(never)]
    pub fn find(&mut self, wanted: &[u8]) -> bool {
        let number = parse_id(wanted);
        while self.next() {
            if number.map_or(self.name() == wanted, |number| number == self.id) {
                return true;
            }
        }
        false
    }

    /// The name of the user or group.
    pub fn name(&self) -> &'a [u8] {
        let [name, ..] = self.fields;
        name
    }

    /// Of a user, the home directory.
    pub fn home(&self) -> &'a [u8] {
        let [.., home, _] = self.fields;
        home
    }

    /// Whether this group has a member of this name.
    pub fn has_member(&self, name: &[u8]) -> bool {
        let [_, _, _, members, ..] = self.fields;
        has_part(members, b',', name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::split_at;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_that_name_a_user() {
        for (word, good) in [
            (c"0", true),
            (c"root", true),
            (c"1000:1000", true),
            (c"alice:staff", true),
            (c"4294967294:4294967294", true),
            (c"007", true),
            (c"0x10", true), // a name, if an odd one
            (c"..", true),   // likewise: it is compared and nothing else
            (c"a/b", true),
            (c"", false),
            (c":", false),
            (c"1:", false),
            (c":1", false),
            (c"1:2:3", false),
            (c"-1", false),
            (c"1:-1", false),
            (c"4294967295", false),
            (c"1:4294967295", false),
            (c"18446744073709551616", false),
            (c"a\nb", false),
            (c"a\x7f", false),
            (c"a:\x1b", false),
        ] {
            assert_eq!(check_user(word).is_none(), good, "{word:?}");
            if split_at(word, b':').is_none() {
                assert_eq!(check_group(word).is_none(), good, "{word:?}");
            }
        }
        assert!(check_group(c"a:b").is_some());
    }

    #[test]
    fn numbers_are_known_without_a_file() {
        for (word, want) in [
            (c"5", (Some(5), None)),
            (c"5:6", (Some(5), Some(6))),
            (c"root:6", (None, Some(6))),
            (c"5:root", (Some(5), None)),
            (c"root", (None, None)),
        ] {
            assert_eq!(numeric_ids(word), want, "{word:?}");
        }
    }

    /// Name, number, primary group and home.
    type Line<'a> = (&'a [u8], u32, u32, &'a [u8]);

    /// Every line, or the number of the first one that is malformed.
    fn all(file: &[u8], count: usize) -> Result<Vec<Line<'_>>, u32> {
        let (mut accounts, mut all) = (Accounts::of(file, count), Vec::new());
        while accounts.next() {
            if !accounts.good {
                return Err(accounts.line);
            }
            all.push((accounts.name(), accounts.id, accounts.group, accounts.home()));
        }
        Ok(all)
    }

    fn users(file: &[u8]) -> Result<Vec<Line<'_>>, u32> {
        all(file, USER_FIELDS)
    }

    #[test]
    fn lines_of_users() {
        let file = b"root:x:0:0:root:/root:/bin/sh\n\nalice::1000:100:A, B:/home/alice:";
        let want = [(&b"root"[..], 0, 0, &b"/root"[..]), (b"alice", 1000, 100, b"/home/alice")];
        assert_eq!(users(file).unwrap(), want);
        assert_eq!(users(b""), Ok(vec![]));
    }

    #[test]
    fn malformed_lines_are_named() {
        for (file, line) in [
            (&b"root:x:0:0:root:/root\n"[..], 1),
            (b"root:x:0:0:root:/root:/bin/sh:\n", 1),
            (b"a:x:1:1::/:\nb:x:-1:1::/:", 2),
            (b"a:x:1:1::/:\nb:x:4294967295:1::/:", 2),
            (b"a:x:1:1::/:\nb:x:1:4294967295::/:", 2),
            (b"a:x:1:1::/:\n\nb:x:99999999999999999999:1::/:", 3),
            (b"a:x: 1:1::/:", 1),
            (b"a:x:0x1:1::/:", 1),
            (b"a:x::1::/:", 1),
            (b":x:1:1::/:", 1),
            (b"a:x:1:1::/:\n#comment\n", 2),
            (b"a:x:1:1::/:\na:x:1:1::/\0:", 2),
            (b"a:x:1:1::/:\r\n", 1),
            (b"\0", 1),
            (b"+::::::\n", 1),
        ] {
            assert_eq!(users(file), Err(line), "{}", file.escape_ascii());
        }
    }

    #[test]
    fn lines_of_groups() {
        let file = b"root:x:0:\nstaff:x:50:alice,bob\nnone:x:7:,\n";
        assert_eq!(all(file, GROUP_FIELDS).map(|all| all.len()), Ok(3));
        let mut groups = Accounts::of(file, GROUP_FIELDS);
        for want in [(0, false, false), (50, true, false), (7, false, false)] {
            assert!(groups.next());
            assert_eq!((groups.id, groups.has_member(b"bob"), groups.has_member(b"bo")), want);
        }
        for bad in [&b"a:x:1"[..], b"a:x:1:b:c", b"a:x:b:", b"a:x:4294967295:"] {
            assert_eq!(all(bad, GROUP_FIELDS), Err(1));
        }
        for (wanted, id) in [("staff", Some(50)), ("50", Some(50)), ("sta", None), ("8", None)] {
            let mut groups = Accounts::of(file, GROUP_FIELDS);
            let found = groups.find(wanted.as_bytes());
            assert_eq!(found.then_some(groups.id), id, "{wanted}");
        }
    }

    #[test]
    fn ten_megabytes_are_read_to_the_end() {
        let mut file = b"a:x:1:1::/:\n".repeat(1 << 20);
        assert_eq!(users(&file).unwrap().len(), 1 << 20);
        file.push(b'x');
        assert_eq!(users(&file), Err((1 << 20) + 1));
    }

    proptest! {
        #[test]
        fn whatever_the_file_holds_what_is_taken_stands_in_it(file: Vec<u8>, fields in 0..9usize) {
            let lines = file.split(|byte| *byte == b'\n').count();
            let mut accounts = Accounts::of(&file, fields);
            while accounts.next() {
                prop_assert!((1..=lines).contains(&(accounts.line as usize)));
                if accounts.good {
                    prop_assert!(accounts.id != u32::MAX && accounts.group != u32::MAX);
                    prop_assert!(!accounts.name().is_empty() && !accounts.name().contains(&b':'));
                }
            }
        }

        #[test]
        fn what_was_written_is_read(
            names in prop::collection::vec("[a-z_][a-z0-9_.-]{0,40}", 1..20),
            id in 0..u32::MAX, group in 0..u32::MAX, home in "(/[ -9;-~]{0,20}){0,3}",
            ended: bool,
        ) {
            let mut file: Vec<u8> = names
                .iter()
                .flat_map(|name| format!("{name}:x:{id}:{group}:,,,:{home}:/bin/sh\n").into_bytes())
                .collect();
            if !ended {
                file.pop();
            }
            let got = users(&file).unwrap();
            prop_assert_eq!(got.len(), names.len());
            for (user, name) in got.iter().zip(&names) {
                prop_assert_eq!(*user, (name.as_bytes(), id, group, home.as_bytes()));
            }
        }
    }
}
