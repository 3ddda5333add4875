//! The user namespace: which of its ids stand for which of the host's
//! (user_namespaces(7)). An ordinary user has one id to give, his own; more of
//! them he may map only through newuidmap(1) and newgidmap(1), the one place where
//! thimble calls another program.

use core::ffi::CStr;

use crate::config::{Config, Share};
use crate::isolate::{environment, program};
use crate::kernel::{self, Argv, Errno, Fd, List, Pid, Stack, Word};
use crate::report::Report;
use crate::steps::Step;
use crate::text::{Numbered, Text, numeric_ids, pack, parse_id_map};

/// What a container's user namespace maps: what the options say, or else the caller's
/// own ids alone.
pub struct Maps<'a> {
    /// Whether the caller is the host's root, who can also map the owners of files.
    root: bool,
    /// Whether setgroups(2) is forbidden inside: what the kernel asks of a caller who
    /// maps his own group alone (CVE-2014-8989), whose other groups so stay.
    pub deny_groups: bool,
    users: Map<'a>,
    groups: Map<'a>,
}

/// One of the two maps.
struct Map<'a> {
    /// What was asked for, `INSIDE:OUTSIDE:COUNT` each.
    asked: &'a [&'a CStr],
    /// The range that there is if that is nothing.
    own: [u64; 3],
}

/// Host side, before anything is made: the maps, if the user namespace is to be
/// the container's own.
#[inline(never)]
pub fn plan<'a>(config: &'a Config, caller: [u32; 2], report: &mut Report) -> Option<Maps<'a>> {
    let [user, group] = caller;
    let root = user == 0;
    let (mut users, mut groups) = (config.uid_maps.as_slice(), config.gid_maps.as_slice());
    // Of the one map what is not of the other.
    if users.is_empty() {
        users = groups;
    } else if groups.is_empty() {
        groups = users;
    }
    let alone = users.is_empty();
    let private = config.users.map_or(!root || !alone, |s| s == Share::Private);
    if !private {
        return None;
    }
    let (inside_user, inside_group) = config.user.map_or((None, None), numeric_ids);
    let own = |inside: Option<u32>, outside: u32| [inside.unwrap_or(0).into(), outside.into(), 1];
    let users = Map { asked: users, own: own(inside_user, user) };
    let groups = Map { asked: groups, own: own(inside_group, group) };
    let [_, outside, count] = groups.range(0).unwrap_or_default();
    let single = outside == group.into() && count == 1 && groups.range(1).is_none();
    let deny_groups = single && !root;
    let (option, value, why) = if root && alone {
        (c"--userns private", c"", pack!("needs --uidmap as root"))
    } else if deny_groups && let Some(added) = config.group_add.as_slice().first() {
        (c"--group-add", *added, pack!("an ordinary user has one group inside: see --gidmap"))
    } else {
        return Some(Maps { root, deny_groups, users, groups });
    };
    report.refuse(option, value, why)
}

impl Maps<'_> {
    /// The group inside, if there can be no other.
    pub fn only_group(&self) -> Option<u32> {
        self.deny_groups.then(|| self.groups.first())
    }
}

impl Map<'_> {
    /// One of the ranges: first id inside, first id outside, count.
    #[inline(never)]
    fn range(&self, number: usize) -> Option<[u64; 3]> {
        if self.asked.is_empty() && number == 0 {
            return Some(self.own);
        }
        parse_id_map(self.asked.get(number)?)
    }

    /// Adds the numbers to a text, with a byte behind each of the three of a range. EINVAL for
    /// more than there is room for, as from the kernel.
    fn write_to(&self, text: &mut Text, behind: &[u8; 3]) -> kernel::Result<()> {
        for at in 0.. {
            let Some(range) = self.range(at) else { break };
            for (number, behind) in range.iter().zip(behind) {
                text.push_number(*number);
                text.push_byte(*behind);
            }
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

/// Host side: writes the maps of the child's user namespace. The kernel takes each
/// once, in one write. Gives ROOTFS as a mount whose files belong to the container's
/// users, where caller, kernel (5.12) and file system can. What they cannot only
/// leaves the files to the host's users, which is less and not more.
#[inline(never)]
pub fn write(
    maps: &Maps,
    child: Pid,
    caller: Argv,
    stack: &mut Stack,
    report: &mut Report,
) -> Option<Fd> {
    let place = Numbered::of(b"/proc/", child.number() as u32);
    let place = place.as_c_str();
    let own = report.step_on(Step::OpenProcess, place, kernel::open(place, libc::O_PATH));
    if maps.deny_groups {
        let denied = kernel::write_file(own, c"setgroups", b"deny");
        report.step(Step::DenyGroups, denied);
    }
    for (map, file, helper) in
        [(&maps.users, c"uid_map", c"newuidmap"), (&maps.groups, c"gid_map", c"newgidmap")]
    {
        let mut lines = Text::new();
        let written = map
            .write_to(&mut lines, b"  \n")
            .and_then(|()| kernel::write_file(own, file, lines.as_bytes()));
        if written == Err(Errno::EPERM) && !maps.root {
            report.step_on(Step::RunHelper, helper, run_helper(helper, map, child, caller, stack));
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
    if mapped.is_ok() {
        return Some(tree);
    }
    kernel::close(tree);
    None
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
fn run_helper(
    name: &CStr,
    map: &Map,
    child: Pid,
    caller: Argv,
    stack: &mut Stack,
) -> kernel::Result<()> {
    let mut text = Text::of(&[name.to_bytes_with_nul()]);
    text.push_number(child.number() as u64);
    text.push_byte(0);
    map.write_to(&mut text, &[0; 3])?;
    let mut words = List::new();
    let mut rest = text.as_bytes();
    while let Some(word) = kernel::first_string(rest) {
        words.push(Some(Word::new(word)))?;
        rest = rest.get(word.count_bytes() + 1..).unwrap_or(&[]);
    }
    words.push(None)?;
    let words = Argv::new(words.as_slice()).ok_or(Errno::EINVAL)?;
    // If it runs and fails, it has told why.
    let mut helper = Helper { name, words, caller, errno: Errno::EPERM };
    let child = kernel::spawn(stack, &mut helper, |helper| helper.execute())?;
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
    let ids = kernel::set_ids(maps.users.first(), maps.groups.first());
    report.step(Step::Ids, ids);
    // The change of ids took that as well, and with it this process's own files in /proc.
    report.step(Step::Dumpable, kernel::set_dumpable(true));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(users: &[&'static CStr], groups: &[&'static CStr]) -> Config<'static> {
        let mut config = Config::new();
        config.uid_maps.extend(users).unwrap();
        config.gid_maps.extend(groups).unwrap();
        config.user = Some(c"5:6");
        config
    }

    fn maps<'a>(config: &'a Config<'a>) -> Maps<'a> {
        plan(config, [1000, 1001], &mut Report::new()).unwrap()
    }

    #[test]
    fn a_map_is_what_was_asked_for_or_the_caller_alone() {
        for (users, groups, want) in [
            (&[][..], &[][..], ["5 1000 1\n", "6 1001 1\n"]),
            (&[c"0:100000:65536"], &[], ["0 100000 65536\n", "0 100000 65536\n"]),
            (&[], &[c"0:7:1"], ["0 7 1\n", "0 7 1\n"]),
            (&[c"0:1:1", c"1:9:10"], &[c"0:7:1"], ["0 1 1\n1 9 10\n", "0 7 1\n"]),
        ] {
            let config = config(users, groups);
            let maps = maps(&config);
            for (map, want) in [&maps.users, &maps.groups].into_iter().zip(want) {
                let mut text = Text::new();
                map.write_to(&mut text, b"  \n").unwrap();
                assert_eq!(text.as_bytes(), want.as_bytes());
            }
        }
        let config = config(&[c"0:1000:1", c"5:100000:10"], &[]);
        for (id, there) in [(0, true), (1, false), (4, false), (5, true), (14, true), (15, false)] {
            assert_eq!(maps(&config).users.has(id), there, "{id}");
        }
    }

    #[test]
    fn more_ranges_than_the_kernel_takes_are_refused() {
        let config = config(&[c"1000000000:1000000000:1"; 200], &[]);
        let written = maps(&config).users.write_to(&mut Text::new(), b"  \n");
        assert_eq!(written, Err(Errno::EINVAL));
    }
}
