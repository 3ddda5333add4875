//! Who the program is: the ids that `--user` and `--group-add` name, by the
//! container's own /etc/passwd and /etc/group.
//!
//! The image wrote those files, so they are only data: read in the container,
//! when its root is all that there is and devices of the image's mean nothing,
//! and taken as far as every line is well-formed.

use core::ffi::CStr;

use crate::config::Config;
use crate::isolate::environment;
use crate::kernel::{self, Errno, List, Word};
use crate::report::Report;
use crate::steps::Step;
use crate::text::{Accounts, GROUP_FIELDS, USER_FIELDS, pack, parse_id, user_and_group};

/// The ids of the program.
pub struct Ids {
    /// The user.
    pub user: u32,
    /// The primary group.
    pub group: u32,
    /// All groups, the primary one among them: one that is not could be given up
    /// by a set-group-id program, and what is denied to it got at (CVE-2022-36109).
    /// None if no option asked for any.
    pub groups: List<u32>,
}

/// One of the two files, if it is needed: what is not read cannot be wrong, and of
/// what is read every line must be right, since half a file is not to be trusted.
/// One that is not there is empty: an image need not know any user.
fn read(path: &CStr, fields: usize, needed: bool, report: &mut Report) -> List<u8> {
    let mut file = List::new();
    if needed {
        let read = kernel::read_regular_file(path, &mut file);
        if read != Err(Errno::ENOENT) {
            report.step_on(Step::ReadAccounts, path, read);
        }
    }
    let mut lines = Accounts::of(file.as_slice(), fields);
    while lines.next() {
        if !lines.good {
            let why = pack!("is malformed in line ");
            report.refuse_line(c"the container's", path, why, lines.line);
        }
    }
    file
}

impl Ids {
    /// Adds a group besides the primary one.
    fn add(&mut self, group: u32) -> kernel::Result<()> {
        if group == self.group { Ok(()) } else { self.groups.push(group) }
    }
}

/// Container side, in the new root: the program's ids, as docker finds them. A
/// USER that is listed brings its primary group and those that list it as a
/// member, unless GROUP is given, and HOME, unless that is. A number need not
/// be listed. `only_group` is the group inside, if there can be no other.
#[inline(never)]
pub fn resolve<'a>(
    config: &Config,
    only_group: Option<u32>,
    variables: &mut List<Option<Word<'a>>>,
    report: &mut Report,
) -> Ids {
    let mut ids = Ids { user: 0, group: 0, groups: List::new() };
    let added = config.group_add.as_slice();
    if config.user.is_none() && added.is_empty() {
        return ids;
    }
    let word = config.user.unwrap_or(c"0:0");
    let (user, group) = user_and_group(word);
    let number = parse_id(user);
    let needs_home = environment::vector(variables).variable(b"HOME").is_none();
    let needed = number.is_none() || group.is_none() || needs_home;
    let users = read(c"/etc/passwd", USER_FIELDS, needed, report);
    let mut listed = Accounts::of(users.as_slice(), USER_FIELDS);
    let is_listed = listed.find(user);
    ids.user = match number {
        Some(id) => id,
        None if is_listed => listed.id,
        None => {
            report.refuse(c"--user", word, pack!("no such user in the container's /etc/passwd"))
        }
    };
    let mut needed = group.map_or(is_listed, is_name);
    for group in added {
        needed |= is_name(group.to_bytes());
    }
    let groups = read(c"/etc/group", GROUP_FIELDS, needed, report);
    let all_groups = || Accounts::of(groups.as_slice(), GROUP_FIELDS);
    let mut id_of = |group: &[u8], option, given| {
        let mut groups = all_groups();
        match parse_id(group) {
            Some(id) => id,
            None if groups.find(group) => groups.id,
            None => {
                let why = pack!("no such group in the container's /etc/group");
                report.refuse(option, given, why)
            }
        }
    };
    ids.group = match (group, only_group) {
        (Some(group), _) => id_of(group, c"--user", word),
        (None, Some(only)) => only,
        (None, None) if is_listed => listed.group,
        (None, None) => 0,
    };
    let mut kept = ids.groups.push(ids.group);
    if group.is_none() && is_listed {
        let mut groups = all_groups();
        while groups.next() {
            if groups.has_member(listed.name()) {
                kept = kept.and(ids.add(groups.id));
            }
        }
    }
    for group in added {
        let id = id_of(group.to_bytes(), c"--group-add", group);
        kept = kept.and(ids.add(id));
    }
    if needs_home {
        let home = match listed.home() {
            home if is_listed && !home.is_empty() => home,
            _ if ids.user == 0 => b"/root",
            _ => b"/",
        };
        kept = kept.and(environment::add(variables, b"HOME=", home));
    }
    report.step_on(Step::ReadAccounts, c"users and groups", kept);
    users.free();
    groups.free();
    ids
}

fn is_name(word: &[u8]) -> bool {
    parse_id(word).is_none()
}
