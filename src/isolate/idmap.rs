//! The user namespace: which of its ids stand for which of the host's
//! (user_namespaces(7)). An ordinary user has one id to give, his own; more of
//! them he may map only through newuidmap(1) and newgidmap(1), the one place where
//! thimble calls another program.

use core::ffi::CStr;

use crate::config::{Config, Share};
use crate::isolate::{environment, program};
use crate::kernel::{self, Argv, Errno, Fd, List, Pid, Stack, Word};
use crate::report::{FAILED, Report};
use crate::steps::Step;
use crate::text::{Numbered, Packed, Text, numeric_ids, pack, parse_id_map};

/// What a container's user namespace maps.
pub struct Maps<'a> {
    /// Of users and of groups.
    maps: [Map<'a>; 2],
    /// Whether setgroups(2) is forbidden inside: what the kernel asks of a caller who
    /// maps his own group alone (CVE-2014-8989), whose other groups so stay.
    pub deny_groups: bool,
    /// Whether the caller is the host's root, who can also map the owners of files.
    root: bool,
}

/// One of the two maps.
struct Map<'a> {
    /// What was asked for: `INSIDE:OUTSIDE:COUNT` each.
    asked: &'a [&'a CStr],
    /// Where nothing was: the caller's own id, inside and outside.
    own: [u32; 2],
}

/// The file of each, and the program that writes it for an ordinary user.
const FILES: [[&CStr; 2]; 2] = [[c"uid_map", c"newuidmap"], [c"gid_map", c"newgidmap"]];

/// Host side, before anything is made: the maps, if the user namespace is to be
/// the container's own.
pub fn plan<'a>(config: &'a Config, report: &mut Report) -> Option<Maps<'a>> {
    let (user, group) = kernel::own_ids();
    let root = user == 0;
    let (mut users, mut groups) = (config.uid_maps.as_slice(), config.gid_maps.as_slice());
    if groups.is_empty() {
        groups = users;
    } else if users.is_empty() {
        users = groups;
    }
    let private = config.users.map_or(!root || !users.is_empty(), |s| s == Share::Private);
    if !private {
        return None;
    }
    let (user_inside, group_inside) = config.user.map_or((None, None), numeric_ids);
    let groups = Map { asked: groups, own: [group_inside.unwrap_or(0), group] };
    let [_, outside, count] = groups.range(0).unwrap_or_default();
    let alone = outside == group.into() && count == 1 && groups.range(1).is_none();
    let deny_groups = alone && !root;
    let (option, value, why) = if root && users.is_empty() {
        (c"--userns private", c"", pack!("needs --uidmap as root"))
    } else if deny_groups && let Some(added) = config.group_add.as_slice().first() {
        (c"--group-add", *added, pack!("an ordinary user has one group inside: see --gidmap"))
    } else {
        let users = Map { asked: users, own: [user_inside.unwrap_or(0), user] };
        return Some(Maps { maps: [users, groups], deny_groups, root });
    };
    report.complain(Packed::NONE, option, value, why);
    report.end(FAILED)
}

impl Map<'_> {
    /// One of its ranges: first id inside, first id outside, count.
    #[inline(never)]
    fn range(&self, number: usize) -> Option<[u64; 3]> {
        let [inside, outside] = self.own;
        match self.asked.get(number) {
            Some(range) => parse_id_map(range),
            None if number == 0 => Some([inside.into(), outside.into(), 1]),
            None => None,
        }
    }

    /// Adds its numbers to a text, with something behind each and behind each three of
    /// them. EINVAL for more than there is room for, as from the kernel.
    fn write_to(&self, text: &mut Text, behind: &[u8], end: &[u8]) -> kernel::Result<()> {
        for at in 0.. {
            let Some(range) = self.range(at) else { break };
            for number in range {
                text.push_number(number);
                text.push(behind);
            }
            text.push(end);
        }
        if text.has_room() { Ok(()) } else { Err(Errno::EINVAL) }
    }

    /// Whether an id is there inside.
    fn has(&self, id: u64) -> bool {
        for at in 0.. {
            let Some([first, _, count]) = self.range(at) else { break };
            if id.wrapping_sub(first) < count {
                return true;
            }
        }
        false
    }

    /// The id of root inside, or where there is none the first that there is.
    fn first(&self) -> u32 {
        let [first, ..] = self.range(0).unwrap_or_default();
        if self.has(0) { 0 } else { first as u32 }
    }
}

impl Maps<'_> {
    /// The group inside, if there can be no other.
    pub fn only_group(&self) -> Option<u32> {
        let [_, groups] = &self.maps;
        self.deny_groups.then(|| groups.first())
    }

    /// Whether a group is there inside.
    pub fn has_group(&self, id: u64) -> bool {
        let [_, groups] = &self.maps;
        groups.has(id)
    }
}

/// Host side: writes the maps of the child's user namespace. The kernel takes each
/// once, in one write. Gives ROOTFS as a mount whose files belong to the container's
/// users, where caller, kernel (5.12) and file system can. What they cannot only
/// leaves the files to the host's users, which is less and not more.
pub fn write(maps: &Maps, child: Pid, caller: Argv, report: &mut Report) -> Option<Fd> {
    let place = Numbered::of(b"/proc/", child.number() as u32);
    let place = place.as_c_str();
    let own = report.step_on(Step::OpenProcess, place, kernel::open(place, libc::O_PATH));
    if maps.deny_groups {
        let denied = kernel::write_file(own, c"setgroups", b"deny");
        report.step(Step::DenyGroups, denied);
    }
    for (map, [file, helper]) in maps.maps.iter().zip(FILES) {
        let mut lines = Text::new();
        let written = map
            .write_to(&mut lines, b" ", b"\n")
            .and_then(|()| kernel::write_file(own, file, lines.as_bytes()));
        if written == Err(Errno::EPERM) && !maps.root {
            report.step_on(Step::RunHelper, helper, run_helper(helper, map, child, caller));
        } else {
            report.step_on(Step::WriteMap, file, written);
        }
    }
    // Nobody else may.
    let root = if maps.root { map_root(own, report) } else { None };
    kernel::close(own);
    root
}

fn map_root(own: Fd, report: &mut Report) -> Option<Fd> {
    let tree = kernel::open_tree(c".").ok()?;
    let (file, flags) = (c"ns/user", libc::O_RDONLY);
    let users = report.step_on(Step::OpenProcess, file, kernel::open_at(own, file, flags));
    let mapped = kernel::map_ids(tree, users);
    kernel::close(users);
    if mapped.is_err() {
        kernel::close(tree);
        return None;
    }
    Some(tree)
}

/// A program to run, in a process that shares this memory until it runs.
struct Helper<'a> {
    name: &'a CStr,
    words: Argv<'a>,
    caller: Argv<'a>,
    /// Why it did not run.
    errno: Errno,
}

impl Helper<'_> {
    fn execute(&mut self) -> u8 {
        let path = environment::value(self.caller, b"PATH");
        let mut run = |file: &CStr| kernel::execute(file, self.words, self.caller);
        self.errno = program::search(path, self.name, &mut run);
        1
    }
}

/// Runs newuidmap(1) or newgidmap(1), which tells its own complaints. Not inlined, so that
/// its text is in a frame of its own.
#[inline(never)]
fn run_helper(name: &CStr, map: &Map, child: Pid, caller: Argv) -> kernel::Result<()> {
    let mut text = Text::of(&[name.to_bytes_with_nul()]);
    text.push_number(child.number() as u64);
    text.push(b"\0");
    map.write_to(&mut text, b"\0", b"")?;
    let mut words = List::new();
    let mut rest = text.as_bytes();
    while let Ok(word) = CStr::from_bytes_until_nul(rest) {
        words.push(Some(Word::new(word)))?;
        rest = rest.get(word.count_bytes() + 1..).unwrap_or(&[]);
    }
    words.push(None)?;
    let words = Argv::new(words.as_slice()).ok_or(Errno::EINVAL)?;
    // If it runs and fails, it has told why.
    let mut helper = Helper { name, words, caller, errno: Errno::EPERM };
    let child = kernel::spawn(&mut Stack::map()?, &mut helper, |helper| helper.execute())?;
    // The status that wait(2) gives is 0 for success only.
    let end = kernel::wait_for(child)?;
    if end.is_some_and(|(_, end)| end.is_success()) {
        return Ok(());
    }
    Err(helper.errno)
}

/// Container side, once the maps are written: becomes the namespace's root, or
/// where there is none the first that there is.
pub fn become_root(maps: &Maps, report: &mut Report) {
    let [users, groups] = &maps.maps;
    report.step(Step::Ids, kernel::set_ids(users.first(), groups.first()));
    // The change of ids took that as well, and with it this process's own files in /proc.
    report.step(Step::Dumpable, kernel::set_dumpable(true));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_what_was_asked_for_or_the_caller_alone() {
        let map = |asked| Map { asked, own: [5, 1000] };
        for (asked, want) in [
            (&[][..], "5 1000 1 \n"),
            (&[c"0:100000:65536"], "0 100000 65536 \n"),
            (&[c"0:1000:1", c"1:100000:10"], "0 1000 1 \n1 100000 10 \n"),
        ] {
            let mut text = Text::new();
            map(asked).write_to(&mut text, b" ", b"\n").unwrap();
            assert_eq!(text.as_bytes(), want.as_bytes());
        }
        let map = map(&[c"0:1000:1", c"5:100000:10"]);
        for (id, there) in [(0, true), (1, false), (4, false), (5, true), (14, true), (15, false)] {
            assert_eq!(map.has(id), there, "{id}");
        }
    }

    #[test]
    fn more_ranges_than_the_kernel_takes_are_refused() {
        let asked = [c"1000000000:1000000000:1"; 200];
        let map = Map { asked: &asked, own: [0; 2] };
        assert_eq!(map.write_to(&mut Text::new(), b" ", b"\n"), Err(Errno::EINVAL));
    }
}
