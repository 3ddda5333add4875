//! The container's cgroups: a directory in each cgroup v1 hierarchy that a
//! limit needs, made before the container and removed after it.

use core::ffi::CStr;

use crate::config::{Config, Limit, Share};
use crate::kernel::{self, CURRENT, Errno, Pid};
use crate::report::Report;
use crate::steps::Step;
use crate::text::{Parts, Text, split_at};
use crate::undo::Directory;

/// The controller that every cgroup of a container has.
const PIDS: &[u8] = b"pids";

/// The controller that a cgroup file belongs to; `None` for those that every
/// directory has, as `cgroup.procs` and `notify_on_release`.
fn controller_of(file: &[u8]) -> Option<&[u8]> {
    let controller = Parts::of(file, b'.').next()?;
    (controller.len() < file.len() && controller != b"cgroup").then_some(controller)
}

/// Host side: makes the directories and writes what `--cgroup-conf` asks for.
pub fn create<'a>(config: &Config<'a>, name: &'a CStr, report: &mut Report<'a>) {
    if config.wants_cgroup() {
        make(PIDS, name, config, report);
    }
    for setting in config.cgroup_conf.as_slice() {
        let Some((file, value)) = split_at(setting, b'=') else { continue };
        if let Some(controller) = controller_of(file) {
            make(controller, name, config, report);
        }
        write(file, value.to_bytes(), report);
    }
}

/// Makes the directory for a controller, if there is none yet.
fn make<'a>(controller: &'a [u8], name: &'a CStr, config: &Config<'a>, report: &mut Report<'a>) {
    let made = report.undo.cgroups.as_slice();
    if made.iter().any(|directory| directory.controller == controller) {
        return;
    }
    let mut path = Text::of(&[b"/sys/fs/cgroup/", controller, b"/"]);
    if let Some(parent) = config.cgroup_parent {
        path.push(parent.to_bytes());
        path.push(b"/");
    }
    path.push(name.to_bytes());
    let path = path.as_c_str().unwrap_or(c"");
    let mut made = kernel::make_directory(CURRENT, path);
    if made == Err(Errno::EEXIST) {
        if is_known(path, report.undo.cgroups.as_slice()) {
            made = Ok(()); // of a controller that shares its hierarchy with this one
        } else if config.name.is_none() {
            // Left by a thimble of the same pid that was killed: an empty cgroup
            // goes, a live one stays.
            made = kernel::remove_directory(CURRENT, path)
                .and_then(|()| kernel::make_directory(CURRENT, path));
        }
    }
    report.step_on(Step::MakeCgroup, path, made);
    let listed = kernel::open(path, libc::O_PATH | libc::O_DIRECTORY).and_then(|own| {
        let end_all = config.pid == Some(Share::Host) && controller == PIDS;
        report.undo.cgroups.push(Directory { own, name, controller, end_all })
    });
    if listed.is_err() {
        // Not on the list of what is taken back, so here; the failure that counts is the first.
        let _ = kernel::remove_directory(CURRENT, path);
    }
    report.step_on(Step::OpenCgroup, path, listed);
}

/// Whether a path is one of the directories that were made.
fn is_known(path: &CStr, made: &[Directory]) -> bool {
    let directory = kernel::open(path, libc::O_PATH);
    let Ok(identity) = directory.and_then(kernel::identity) else { return false };
    made.iter().any(|directory| kernel::identity(directory.own) == Ok(identity))
}

/// Host side: puts the container into its cgroups and sets its limits, in the
/// article's order. It is not released before that, so no process of it is ever
/// outside or without its limit.
pub fn admit(config: &Config, child: Pid, report: &mut Report) {
    let pid = Text::number(child.number() as u64);
    write(b"cgroup.procs", pid.as_bytes(), report);
    let mut settings = config.cgroup_conf.as_slice().iter();
    if !settings.any(|setting| setting.to_bytes().starts_with(b"notify_on_release=")) {
        write(b"notify_on_release", b"1", report);
    }
    match config.pids_limit {
        Some(Limit::At(count)) => write(b"pids.max", Text::number(count).as_bytes(), report),
        Some(Limit::Max) => write(b"pids.max", b"max", report),
        None => {}
    }
}

/// Writes a file in the directory of its controller, or, if it belongs to
/// none, in all of them.
fn write(file: &[u8], value: &[u8], report: &mut Report) {
    let name = Text::of(&[file]);
    let name = name.as_c_str().unwrap_or(c"");
    for at in 0.. {
        let Some(directory) = report.undo.cgroups.as_slice().get(at) else { break };
        if controller_of(file).is_none_or(|controller| controller == directory.controller) {
            let written = kernel::write_file(directory.own, name, value);
            report.step_on(Step::WriteCgroup, name, written);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_its_controller() {
        for (file, want) in [
            ("pids.max", Some("pids")),
            ("memory.limit_in_bytes", Some("memory")),
            ("cgroup.procs", None),
            ("notify_on_release", None),
            ("tasks", None),
        ] {
            assert_eq!(controller_of(file.as_bytes()), want.map(str::as_bytes), "{file}");
        }
    }
}
