//! Text and its rules: buffers, numbers, names, the kernel's error names.
//! Pure: nothing here asks the system anything.

mod accounts;
mod buffer;
mod capabilities;
mod errors;
mod fields;
mod limits;
mod model;
mod numbers;
mod packed;
mod rules;
mod signals;
mod similar;

pub use accounts::{
    Accounts, GROUP_FIELDS, USER_FIELDS, check_group, check_user, numeric_ids, parse_id,
    user_and_group,
};
pub use buffer::Text;
pub use capabilities::{capability, push_capabilities};
pub use errors::push_error;
pub use fields::field;
pub use limits::{LIMITS, parse_limit, push_limit};
pub use numbers::{Numbered, parse_fraction, parse_hexadecimal, parse_size, parse_whole, unescape};
pub use packed::{Packed, PackedList, place_in, place_of_name, without};
pub(crate) use packed::{joined, pack, pack_list};
pub use rules::{
    check_cgroup_file, check_cgroup_parent, check_device, check_hostname, check_id_map, check_name,
    check_oom_score, check_tmpfs, check_volume, parse_id_map,
};
pub use signals::signal;
pub use similar::nearest;

use core::ffi::CStr;

use crate::kernel::tail;

/// The parts of a text between bytes of one kind, as the standard library's
/// `split` gives them; one function for all of them instead of one for each.
pub struct Parts<'a> {
    rest: Option<&'a [u8]>,
    between: u8,
}

impl<'a> Parts<'a> {
    /// The parts of `text` between the bytes `between`.
    pub fn of(text: &'a [u8], between: u8) -> Parts<'a> {
        Parts { rest: Some(text), between }
    }

    /// The next part, or an empty one behind the last.
    #[inline(never)]
    pub fn word(&mut self) -> &'a [u8] {
        self.next().unwrap_or(&[])
    }

    /// What is left behind those that were taken; `None` if the last one was.
    pub fn rest(self) -> Option<&'a [u8]> {
        self.rest
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    #[inline(never)]
    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        match rest.iter().position(|byte| *byte == self.between) {
            Some(at) => {
                self.rest = rest.get(at + 1..);
                rest.get(..at)
            }
            None => self.rest.take(),
        }
    }
}

/// Whether one of the parts of a text between such bytes is this one.
#[inline(never)]
pub fn has_part(text: &[u8], between: u8, wanted: &[u8]) -> bool {
    Parts::of(text, between).any(|part| part == wanted)
}

/// Splits a string at the first such byte: what is before, and what is behind.
pub fn split_at(text: &CStr, byte: u8) -> Option<(&[u8], &CStr)> {
    let before = Parts::of(text.to_bytes(), byte).next()?;
    (before.len() < text.to_bytes().len()).then(|| (before, tail(text, before.len() + 1)))
}

/// What stands behind `start` in the first line that begins with it.
#[inline(never)]
pub fn line_behind<'a>(lines: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    Parts::of(lines, b'\n').find_map(|line| line.strip_prefix(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_by_its_start() {
        let lines = b"oom 2\noom_kill 1\noom_kill_x 3\n";
        assert_eq!(line_behind(lines, b"oom_kill "), Some(&b"1"[..]));
        assert_eq!(line_behind(lines, b"oom_k "), None);
    }

    #[test]
    fn parts() {
        for text in ["", ":", "a", "a:", ":a", "a::b", "a:bc:d"] {
            let want: Vec<_> = text.split(':').map(str::as_bytes).collect();
            assert_eq!(Parts::of(text.as_bytes(), b':').collect::<Vec<_>>(), want, "{text:?}");
        }
    }

    #[test]
    fn a_split_keeps_the_rest_whole() {
        assert_eq!(split_at(c"a=b=c", b'='), Some((&b"a"[..], c"b=c")));
        assert_eq!(split_at(c"=", b'='), Some((&b""[..], c"")));
        assert_eq!(split_at(c"abc", b'='), None);
        assert_eq!(split_at(c"", b'='), None);
    }
}
