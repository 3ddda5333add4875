//! Who the program is: the ids that `--user` and `--group-add` name, by the
//! container's own /etc/passwd and /etc/group.
//!
//! The image wrote those files, so they are only data: read in the container,
//! when its root is all that there is and devices of the image's mean nothing,
//! and taken as far as every line is well-formed.

use core::ffi::CStr;

use crate::config::Config;
use crate::isolate::environment;
use crate::isolate::idmap::Maps;
use crate::kernel::{self, Errno, List, Word};
use crate::report::{FAILED, Report};
use crate::steps::Step;
use crate::text::{
    GROUP_FIELDS, Packed, USER_FIELDS, accounts, find_account, malformed_line, numeric_ids, pack,
    parse_id, user_and_group,
};

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
    if let Some(line) = malformed_line(file.as_slice(), fields) {
        report.complain(c"the container's", path, pack!("is malformed in line "));
        report.add_number(line);
        report.end(FAILED);
    }
    file
}

/// The number that a word is or names.
fn group_id(groups: &[u8], word: &[u8], report: &mut Report, option: &CStr, given: &CStr) -> u32 {
    let found = || find_account(groups, GROUP_FIELDS, word).map(|group| group.id);
    parse_id(word).or_else(found).unwrap_or_else(|| {
        unknown(report, option, given, pack!("no such group in the container's /etc/group"))
    })
}

fn unknown(report: &mut Report, option: &CStr, given: &CStr, why: Packed) -> ! {
    report.refuse(option, given, why)
}

/// Container side, in the new root: the program's ids, as docker finds them. A
/// USER that is listed brings its primary group and those that list it as a
/// member, unless GROUP is given, and HOME, unless that is. A number need not
/// be listed.
pub fn resolve<'a>(
    config: &Config,
    maps: Option<&Maps>,
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
    let (number, _) = numeric_ids(word);
    let needs_home = environment::vector(variables).variable(b"HOME").is_none();
    let needed = number.is_none() || group.is_none() || needs_home;
    let users = read(c"/etc/passwd", USER_FIELDS, needed, report);
    let listed = &find_account(users.as_slice(), USER_FIELDS, user);
    let listed = listed.as_ref();
    ids.user = number.or(listed.map(|listed| listed.id)).unwrap_or_else(|| {
        unknown(report, c"--user", word, pack!("no such user in the container's /etc/passwd"))
    });
    let is_name = |group: &[u8]| parse_id(group).is_none();
    let needed = group.map_or(listed.is_some(), is_name)
        || added.iter().any(|group| is_name(group.to_bytes()));
    let groups = read(c"/etc/group", GROUP_FIELDS, needed, report);
    let file = groups.as_slice();
    ids.group = match group {
        Some(group) => group_id(file, group, report, c"--user", word),
        None => maps.and_then(Maps::only_group).unwrap_or(listed.map_or(0, |listed| listed.group)),
    };
    let mut kept = ids.groups.push(ids.group);
    let mut add = |id| {
        if id != ids.group && kept.is_ok() {
            kept = ids.groups.push(id);
        }
    };
    if let (None, Some(listed)) = (group, listed) {
        accounts(file, GROUP_FIELDS)
            .filter(|group| group.has_member(listed.name))
            .for_each(|group| add(group.id));
    }
    for group in added {
        add(group_id(file, group.to_bytes(), report, c"--group-add", group));
    }
    if needs_home && kept.is_ok() {
        let home = match listed {
            Some(listed) if !listed.home.is_empty() => listed.home,
            _ if ids.user == 0 => b"/root",
            _ => b"/",
        };
        kept = environment::add(variables, &[b"HOME=", home, b"\0"]);
    }
    report.step_on(Step::ReadAccounts, c"users and groups", kept);
    users.free();
    groups.free();
    ids
}
