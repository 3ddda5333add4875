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
    Account, GROUP_FIELDS, Packed, USER_FIELDS, numeric_ids, pack, parse_id, scan_accounts,
    user_and_group,
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

/// One of the two files, read when it is first needed. One that is not there is
/// empty: an image need not know any user.
struct File {
    path: &'static CStr,
    fields: usize,
    bytes: Option<List<u8>>,
}

impl File {
    fn scan<'a>(&'a mut self, report: &mut Report, each: &mut dyn FnMut(&Account<'a>)) {
        let path = self.path;
        let bytes = self.bytes.get_or_insert_with(|| {
            let mut bytes = List::new();
            let read = kernel::read_regular_file(path, &mut bytes);
            if read != Err(Errno::ENOENT) {
                report.step_on(Step::ReadAccounts, path, read);
            }
            bytes
        });
        if let Err(line) = scan_accounts(bytes.as_slice(), self.fields, each) {
            report.complain(pack!("the container's"), path, c"", pack!("is malformed in line "));
            report.add_number(line);
            report.end(FAILED);
        }
    }

    /// The first line of this number, if the word is one, or else of this name.
    fn find<'a>(&'a mut self, wanted: &[u8], report: &mut Report) -> Option<Account<'a>> {
        let id = parse_id(wanted);
        let mut found = None;
        self.scan(report, &mut |account| {
            let this = id.map_or(account.name == wanted, |id| account.id == id);
            if this && found.is_none() {
                found = Some(*account);
            }
        });
        found
    }

    /// The number that a word is or names.
    fn id(&mut self, word: &[u8], report: &mut Report, option: &CStr, given: &CStr) -> u32 {
        let found = parse_id(word).or_else(|| self.find(word, report).map(|account| account.id));
        found.unwrap_or_else(|| {
            unknown(report, option, given, pack!("no such group in the container's /etc/group"))
        })
    }

    fn forget(self) {
        if let Some(bytes) = self.bytes {
            bytes.free();
        }
    }
}

fn unknown(report: &mut Report, option: &CStr, given: &CStr, why: Packed) -> ! {
    report.complain(Packed::NONE, option, given, why);
    report.end(FAILED)
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
    let mut users = File { path: c"/etc/passwd", fields: USER_FIELDS, bytes: None };
    let mut groups = File { path: c"/etc/group", fields: GROUP_FIELDS, bytes: None };
    let word = config.user.unwrap_or(c"0:0");
    let (user, group) = user_and_group(word);
    let (number, _) = numeric_ids(word);
    let needs_home = environment::vector(variables).variable(b"HOME").is_none();
    // Not needed, not read: then nothing in it can be wrong.
    let needed = number.is_none() || group.is_none() || needs_home;
    let listed = if needed { users.find(user, report) } else { None };
    ids.user = number.or(listed.map(|listed| listed.id)).unwrap_or_else(|| {
        unknown(report, c"--user", word, pack!("no such user in the container's /etc/passwd"))
    });
    ids.group = match group {
        Some(group) => groups.id(group, report, c"--user", word),
        None => maps.and_then(Maps::only_group).unwrap_or(listed.map_or(0, |listed| listed.group)),
    };
    let mut kept = ids.groups.push(ids.group);
    let mut add = |id| {
        if id != ids.group && kept.is_ok() {
            kept = ids.groups.push(id);
        }
    };
    if let (None, Some(listed)) = (group, listed) {
        groups.scan(report, &mut |group| {
            if group.has_member(listed.name) {
                add(group.id);
            }
        });
    }
    for group in added {
        add(groups.id(group.to_bytes(), report, c"--group-add", group));
    }
    if needs_home && kept.is_ok() {
        let home = match listed {
            Some(Account { home: home @ [_, ..], .. }) => home,
            _ if ids.user == 0 => b"/root",
            _ => b"/",
        };
        kept = environment::add(variables, &[b"HOME=", home, b"\0"]);
    }
    report.step_on(Step::ReadAccounts, c"users and groups", kept);
    users.forget();
    groups.forget();
    ids
}
