//! Users and groups: the words of the command line that name them, and the
//! lines of /etc/passwd and /etc/group, passwd(5) and group(5). The image wrote
//! those, so a line that is not exactly as it should be is an error rather than
//! a guess.

use core::ffi::CStr;

use super::{Packed, Parts, has_part, pack, parse_whole, split_at};

/// A user's or group's number. The highest one is none: it means "leave it as
/// it is" to setresuid(2).
#[inline(never)]
pub fn parse_id(digits: &[u8]) -> Option<u32> {
    let id = parse_whole(digits)?;
    (id < u64::from(u32::MAX)).then_some(id as u32)
}

/// `USER` and, if it is given, `GROUP` of a `USER[:GROUP]`, as they are written.
pub fn user_and_group(word: &CStr) -> (&[u8], Option<&[u8]>) {
    match split_at(word, b':') {
        Some((user, group)) => (user, Some(group.to_bytes())),
        None => (word.to_bytes(), None),
    }
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

/// A line of one of the files.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Account<'a> {
    /// The name of the user or group.
    pub name: &'a [u8],
    /// Its number.
    pub id: u32,
    /// Of a user, the number of the primary group; 0 of a group.
    pub group: u32,
    /// Of a group, the names of its members with commas between them.
    pub members: &'a [u8],
    /// Of a user, the home directory.
    pub home: &'a [u8],
}

impl<'a> Account<'a> {
    /// Reads a line that must have so many fields.
    #[inline(never)]
    fn of(line: &'a [u8], count: usize) -> Option<Account<'a>> {
        let mut fields = [&[][..]; USER_FIELDS];
        let mut number = 0;
        for field in Parts::of(line, b':') {
            *fields.get_mut(number)? = field;
            number += 1;
        }
        // Of a user the primary group, of a group the members.
        let [name, _, id, fourth, _, home, _] = fields;
        let group = if count == USER_FIELDS { parse_id(fourth)? } else { 0 };
        let account = Account { name, id: parse_id(id)?, group, members: fourth, home };
        let good = number == count && !name.is_empty() && !line.iter().any(u8::is_ascii_control);
        good.then_some(account)
    }

    /// Whether this group has a member of this name.
    pub fn has_member(&self, name: &[u8]) -> bool {
        has_part(self.members, b',', name)
    }
}

/// The number of the first line that is malformed, in a file whose lines have so
/// many fields. An empty line is none; the last one needs no line feed.
pub fn malformed_line(file: &[u8], fields: usize) -> Option<u32> {
    let mut number = 0;
    for line in Parts::of(file, b'\n') {
        number += 1;
        if !line.is_empty() && Account::of(line, fields).is_none() {
            return Some(number);
        }
    }
    None
}

/// The lines of a file.
pub struct Accounts<'a> {
    lines: Parts<'a>,
    fields: usize,
}

impl<'a> Accounts<'a> {
    /// Those of a file whose lines have so many fields.
    pub fn of(file: &'a [u8], fields: usize) -> Accounts<'a> {
        Accounts { lines: Parts::of(file, b'\n'), fields }
    }
}

impl<'a> Iterator for Accounts<'a> {
    type Item = Account<'a>;

    #[inline(never)]
    fn next(&mut self) -> Option<Account<'a>> {
        loop {
            let account = Account::of(self.lines.next()?, self.fields);
            if account.is_some() {
                return account;
            }
        }
    }
}

/// The first line with this number, if the word is one, or else with this name.
pub fn find_account<'a>(file: &'a [u8], fields: usize, wanted: &[u8]) -> Option<Account<'a>> {
    let id = parse_id(wanted);
    for account in Accounts::of(file, fields) {
        if id.map_or(account.name == wanted, |id| account.id == id) {
            return Some(account);
        }
    }
    None
}

#[cfg(test)]
mod tests {
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

    fn users(file: &[u8]) -> Result<Vec<Account<'_>>, u32> {
        let bad = malformed_line(file, USER_FIELDS);
        bad.map_or(Ok(Accounts::of(file, USER_FIELDS).collect()), Err)
    }

    #[test]
    fn lines_of_users() {
        let file = b"root:x:0:0:root:/root:/bin/sh\n\nalice::1000:100:A, B:/home/alice:";
        let got = users(file).unwrap();
        let fields: Vec<_> = got.iter().map(|user| (user.name, user.id, user.group)).collect();
        assert_eq!(fields, [(&b"root"[..], 0, 0), (b"alice", 1000, 100)]);
        assert_eq!(got[1].home, b"/home/alice");
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
        assert_eq!(malformed_line(file, GROUP_FIELDS), None);
        let found: Vec<_> = Accounts::of(file, GROUP_FIELDS)
            .map(|group| (group.id, group.has_member(b"bob"), group.has_member(b"bo")))
            .collect();
        assert_eq!(found, [(0, false, false), (50, true, false), (7, false, false)]);
        for bad in [&b"a:x:1"[..], b"a:x:1:b:c", b"a:x:b:", b"a:x:4294967295:"] {
            assert_eq!(malformed_line(bad, GROUP_FIELDS), Some(1));
        }
        for (wanted, id) in [("staff", Some(50)), ("50", Some(50)), ("sta", None), ("8", None)] {
            let found = find_account(file, GROUP_FIELDS, wanted.as_bytes());
            assert_eq!(found.map(|group| group.id), id, "{wanted}");
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
            for account in Accounts::of(&file, fields) {
                prop_assert!(account.id != u32::MAX && account.group != u32::MAX);
                prop_assert!(!account.name.is_empty() && !account.name.contains(&b':'));
            }
            if let Some(line) = malformed_line(&file, fields) {
                prop_assert!((1..=lines).contains(&(line as usize)));
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
                prop_assert_eq!(user.name, name.as_bytes());
                prop_assert_eq!((user.id, user.group, user.home), (id, group, home.as_bytes()));
            }
        }
    }
}
