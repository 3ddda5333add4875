//! The user namespace: which of its ids stand for which of the host's
//! (user_namespaces(7)). An ordinary user has one id to give, his own; more of
//! them he may map only through newuidmap(1) and newgidmap(1), the one place where
//! thimble calls another program.

use core::ffi::CStr;
use core::slice;

use crate::config::{Config, Share};
use crate::isolate::{environment, program};
use crate::kernel::{self, Argv, Errno, Fd, List, Pid, Stack, Word};
use crate::report::{FAILED, Report};
use crate::steps::Step;
use crate::text::{Packed, Parts, Text, numeric_ids, pack, parse_whole};

/// What a container's user namespace maps.
pub struct Maps {
    /// The lines of its `uid_map`: first id inside, first id outside, count.
    users: Text,
    /// The same of its `gid_map`.
    groups: Text,
    /// Whether setgroups(2) is forbidden inside: what the kernel asks of a caller who
    /// maps his own group alone (CVE-2014-8989), whose other groups so stay.
    pub deny_groups: bool,
    /// Whether the caller is the host's root, who can also map the owners of files.
    root: bool,
}

/// Host side, before anything is made: the maps, if the user namespace is to be
/// the container's own.
pub fn plan(config: &Config, report: &mut Report) -> Option<Maps> {
    let (user, group) = kernel::own_ids();
    let root = user == 0;
    let asked = [config.uid_maps.as_slice(), config.gid_maps.as_slice()];
    let [asked_users, asked_groups] = match asked {
        [users, []] => [users, users],
        [[], groups] => [groups, groups],
        both => both,
    };
    let private = config.users.map_or(!root || !asked_users.is_empty(), |s| s == Share::Private);
    if !private {
        return None;
    }
    if root && asked_users.is_empty() {
        report.complain(Packed::NONE, c"--userns private", c"", pack!("needs --uidmap as root"));
        report.end(FAILED);
    }
    let (user_inside, group_inside) = config.user.map_or((None, None), numeric_ids);
    let users = lines(asked_users, user_inside.unwrap_or(0), user);
    let groups = lines(asked_groups, group_inside.unwrap_or(0), group);
    let alone = Text::of(&[b" ", Text::number(group.into()).as_bytes(), b" 1\n"]);
    let single = groups.as_bytes().ends_with(alone.as_bytes()) && ranges(&groups).count() == 1;
    let deny_groups = single && !root;
    if deny_groups && let Some(added) = config.group_add.as_slice().first() {
        let why = pack!("an ordinary user has one group inside: see --gidmap");
        report.complain(Packed::NONE, c"--group-add", added, why);
        report.end(FAILED);
    }
    Some(Maps { users, groups, deny_groups, root })
}

/// The lines of a map: what was asked for, or else the caller's own id alone.
fn lines(asked: &[&CStr], inside: u32, outside: u32) -> Text {
    let mut text = Text::new();
    for range in asked {
        for part in Parts::of(range.to_bytes(), b':') {
            text.push(b" ");
            text.push(part);
        }
        text.push(b"\n");
    }
    if asked.is_empty() {
        text.push(b" ");
        text.push_number(inside.into());
        text.push(b" ");
        text.push_number(outside.into());
        text.push(b" 1\n");
    }
    text
}

/// The ranges of a map: first id inside, first id outside, count.
fn ranges(map: &Text) -> impl Iterator<Item = [u64; 3]> {
    Parts::of(map.as_bytes(), b'\n').filter_map(|line| {
        let mut numbers = Parts::of(line, b' ').filter_map(parse_whole);
        Some([numbers.next()?, numbers.next()?, numbers.next()?])
    })
}

impl Maps {
    /// The group inside, if there can be no other.
    pub fn only_group(&self) -> Option<u32> {
        let first = ranges(&self.groups).next();
        first.filter(|_| self.deny_groups).map(|[first, ..]| first as u32)
    }

    /// Whether a group is there inside.
    pub fn has_group(&self, id: u64) -> bool {
        has(&self.groups, id)
    }
}

fn has(map: &Text, id: u64) -> bool {
    ranges(map).any(|[first, _, count]| (first..first + count).contains(&id))
}

/// Host side: writes the maps of the child's user namespace. The kernel takes
/// each once, in one write.
pub fn write(maps: &Maps, child: Pid, caller: Argv, report: &mut Report) {
    let mut place = Text::of(&[b"/proc/"]);
    place.push_number(child.number() as u64);
    let place = place.as_c_str().unwrap_or(c"");
    let own = report.step_on(Step::OpenProcess, place, kernel::open(place, libc::O_PATH));
    if maps.deny_groups {
        let denied = kernel::write_file(own, c"setgroups", b"deny");
        report.step(Step::DenyGroups, denied);
    }
    for (file, map, helper) in
        [(c"uid_map", &maps.users, c"newuidmap"), (c"gid_map", &maps.groups, c"newgidmap")]
    {
        match kernel::write_file(own, file, map.as_bytes()) {
            Err(Errno::EPERM) if !maps.root => {
                let mapped = run_helper(helper, map, child, caller);
                report.step_on(Step::RunHelper, helper, mapped);
            }
            written => report.step_on(Step::WriteMap, file, written),
        }
    }
    kernel::close(own);
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

/// Runs newuidmap(1) or newgidmap(1), which tells its own complaints.
fn run_helper(name: &CStr, map: &Text, child: Pid, caller: Argv) -> kernel::Result<()> {
    let mut text = Text::of(&[name.to_bytes_with_nul()]);
    text.push_number(child.number() as u64);
    for byte in b"\n".iter().chain(map.as_bytes()) {
        text.push(if byte.is_ascii_digit() { slice::from_ref(byte) } else { b"\0" });
    }
    let mut words = List::new();
    for word in text.as_bytes().split_inclusive(|byte| *byte == 0) {
        if let Some(word) = kernel::c_string(word).filter(|word| !word.is_empty()) {
            words.push(Some(Word::new(word)))?;
        }
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

/// Host side, once the maps are written: ROOTFS as a mount whose files belong to
/// the container's users, where caller, kernel (5.12) and file system can. What they
/// cannot only leaves the files to the host's users, which is less and not more.
pub fn map_root(maps: &Maps, child: Pid, report: &mut Report) -> Option<Fd> {
    if !maps.root {
        return None; // nobody else may
    }
    let tree = kernel::open_tree(c".").ok()?;
    let mut place = Text::of(&[b"/proc/"]);
    place.push_number(child.number() as u64);
    place.push(b"/ns/user");
    let place = place.as_c_str().unwrap_or(c"");
    let users = report.step_on(Step::OpenProcess, place, kernel::open(place, libc::O_RDONLY));
    let mapped = kernel::map_ids(tree, users);
    kernel::close(users);
    if mapped.is_err() {
        kernel::close(tree);
        return None;
    }
    Some(tree)
}

/// Container side, once the maps are written: becomes the namespace's root, or
/// where there is none the first that there is.
pub fn become_root(maps: &Maps, report: &mut Report) {
    let id = |map| {
        let first = ranges(map).next().map_or(0, |[first, ..]| first);
        if has(map, 0) { 0 } else { first as u32 }
    };
    report.step(Step::Ids, kernel::set_ids(id(&maps.users), id(&maps.groups)));
    // The change of ids took that as well, and with it this process's own files in /proc.
    report.step(Step::Dumpable, kernel::set_dumpable(true));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_what_was_asked_for_or_the_caller_alone() {
        for (asked, want) in [
            (&[][..], " 5 1000 1\n"),
            (&[c"0:100000:65536"], " 0 100000 65536\n"),
            (&[c"0:1000:1", c"1:100000:10"], " 0 1000 1\n 1 100000 10\n"),
        ] {
            assert_eq!(lines(asked, 5, 1000).as_bytes(), want.as_bytes());
        }
        let map = lines(&[c"0:1000:1", c"5:100000:10"], 0, 0);
        assert!(ranges(&map).eq([[0, 1000, 1], [5, 100000, 10]]));
        for (id, there) in [(0, true), (1, false), (4, false), (5, true), (14, true), (15, false)] {
            assert_eq!(has(&map, id), there, "{id}");
        }
    }
}
