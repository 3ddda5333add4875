//! What the container's processes may do: ids, capabilities, no_new_privs,
//! keyring and seccomp. pid 1 is cut down before there is a program, which it
//! hands most of it on to; the rest the program's process does on the way to its
//! exec.

use core::ffi::CStr;

use crate::config::Config;
use crate::isolate::accounts::Ids;
use crate::isolate::seccomp;
use crate::kernel::{self, CURRENT, Errno, left_out};
use crate::report::Report;
use crate::steps::Step;

const fn set(numbers: &[u32]) -> u64 {
    let mut set = 0;
    let mut rest = numbers;
    while let [number, others @ ..] = rest {
        set |= 1 << *number;
        rest = others;
    }
    set
}

/// What a container keeps by default, as with podman: CHOWN DAC_OVERRIDE FOWNER
/// FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE SYS_CHROOT SETFCAP.
const DEFAULT: u64 = set(&[0, 1, 3, 4, 5, 6, 7, 8, 10, 18, 31]);

/// pid 1's name, where its program is under a filter of a file.
pub const OTHER_FILTER: &CStr = c"thimble-seccomp";

const KILL: u64 = set(&[5]);
const SYS_ADMIN: u64 = set(&[21]);
const SETGID_SETUID: u64 = set(&[6, 7]);

/// The capabilities in a set.
fn members(set: u64) -> impl Iterator<Item = u32> {
    (0..64).filter(move |capability| set & 1 << capability != 0)
}

/// What the program gets, of what there is. What was asked for by name is in
/// it also if it is not there, so that the kernel refuses it by an error.
fn kept(config: &Config, there_is: u64) -> u64 {
    let start = match config {
        Config { cap_drop: u64::MAX, .. } => 0,
        Config { cap_add: u64::MAX, .. } | Config { privileged: true, .. } => there_is,
        _ => DEFAULT & there_is,
    };
    let add = if config.cap_add == u64::MAX { 0 } else { config.cap_add };
    let drop = if config.cap_drop == u64::MAX { 0 } else { config.cap_drop };
    (start | add) & !drop
}

/// Whether capabilities are as the caller has them: the article's container.
#[inline(never)]
fn untouched(config: &Config) -> bool {
    config.bare && config.cap_add == 0 && config.cap_drop == 0
}

/// What the program's process loads the filter of a file by. Such a filter may
/// forbid anything, also what pid 1 lives by, and what is still to be done: so it
/// is the program's alone, and comes last of all before execve(2). Without
/// no_new_privs it takes a capability, through the change of ids.
fn right_to_load(config: &Config) -> u64 {
    if config.filter_file().is_some() && !config.no_new_privileges() { SYS_ADMIN } else { 0 }
}

/// pid 1: goes under the filter while it still has the right to, with the
/// program to come; takes from the bounding set what the program is not to have,
/// whatever it executes; and keeps for itself that, what forwarding signals to
/// another user's program takes, and what the program's process has still to do
/// by it. Whoever takes pid 1 over has gained next to nothing. Gives what of that
/// `settle` is to leave. `keep_groups` says that no others may be set, `recent` that the kernel
/// is known to be no old one.
pub fn cut_down(
    config: &Config,
    ids: &Ids,
    keep_groups: bool,
    recent: bool,
    report: &mut Report,
) -> u64 {
    // Not there without CONFIG_KEYS; no room for another while the filter is
    // going to refuse the keyring calls anyway.
    let keyring = if left_out(c"keyring") { Ok(()) } else { kernel::new_session_keyring() };
    let filtered = config.default_filter() && !left_out(c"seccomp");
    if keyring != Err(Errno::ENOSYS) && !(filtered && keyring == Err(Errno::EDQUOT)) {
        report.step(Step::NewKeyring, keyring);
    }
    if filtered {
        seccomp::load(recent, report);
    }
    let stay = left_out(c"groups") || keep_groups;
    if !stay && (!untouched(config) || !ids.groups.as_slice().is_empty()) {
        let set = kernel::set_groups(ids.groups.as_slice());
        let asked_for = !config.group_add.as_slice().is_empty();
        if set != Err(Errno::EPERM) || asked_for || !may_keep_groups() {
            report.step(Step::Groups, set);
        }
    }
    // By this, who looks at pid 1 can tell that the program is under another filter. The
    // program's own name is that of its file.
    if config.filter_file().is_some() {
        report.step(Step::Filter, kernel::set_name(OTHER_FILTER));
    }
    if untouched(config) || left_out(c"capabilities") {
        return 0;
    }
    let there_is = report.step(Step::Capabilities, kernel::capabilities());
    let kept = kept(config, there_is);
    for capability in members(!kept) {
        match kernel::drop_from_bounding_set(capability) {
            // Behind the last: of what there is, nothing is so high.
            Err(Errno::EINVAL) if there_is >> capability == 0 => break,
            dropped => report.step(Step::DropCapability, dropped),
        }
    }
    let mut own = kept | KILL;
    if config.user.is_some() {
        own |= SETGID_SETUID;
    }
    let own = own & (kept | there_is);
    let now = own | right_to_load(config);
    report.step(Step::Capabilities, kernel::set_capabilities(now, 0));
    own
}

/// Whether the user namespace forbids setgroups(2) to everybody, as the one of an ordinary user's
/// that the caller is root of: what groups he has besides are his own, and stay.
fn may_keep_groups() -> bool {
    let mut buffer = [0; 8];
    let read = kernel::read_start(CURRENT, c"/proc/self/setgroups", &mut buffer);
    read.is_ok_and(|line| line.starts_with(b"deny"))
}

/// pid 1, now that there is a program under a filter of its own: gives up what that
/// took, and goes under the default filter. no_new_privs, by which it does so,
/// means nothing to a process that executes nothing more.
pub fn settle(config: &Config, own: u64, report: &mut Report) {
    if config.filter_file().is_some() {
        if !untouched(config) {
            report.step(Step::Capabilities, kernel::set_capabilities(own, 0));
        }
        report.step(Step::NoNewPrivileges, kernel::set_no_new_privileges());
        seccomp::load(false, report);
    }
}

/// The program's process: what is its own, in the one order that works. Of root's
/// capabilities nothing is left to do: execve(2) gives root what is in the
/// bounding set, and any other user what is ambient (capabilities(7),
/// "Transformation of capabilities during execve()"). That is what `--cap-add`
/// asked for, as with podman: `--privileged` alone leaves another user none.
pub fn assume(config: &Config, ids: &Ids, report: &mut Report) {
    if config.user.is_some() {
        let (mut ambient, right) = (0, right_to_load(config));
        let other = ids.user != 0 && config.cap_add | right != 0;
        if other {
            let there_is = report.step(Step::Capabilities, kernel::capabilities());
            ambient = config.cap_add & kept(config, there_is);
            // Away from 0 the change of ids would take them.
            report.step(Step::Capabilities, kernel::keep_capabilities());
        }
        report.step(Step::Ids, kernel::set_ids(ids.user, ids.group));
        if other {
            // Only what is permitted and inheritable can be ambient, and only
            // after the change of ids, which empties the ambient set. What is
            // permitted besides goes with execve(2).
            let raised = kernel::set_capabilities(ambient | right, ambient)
                .and_then(|()| members(ambient).try_for_each(kernel::raise_ambient));
            report.step(Step::Capabilities, raised);
        }
    }
    if config.no_new_privileges() && !left_out(c"no_new_privs") {
        report.step(Step::NoNewPrivileges, kernel::set_no_new_privileges());
    }
}
