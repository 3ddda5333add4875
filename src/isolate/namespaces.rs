//! Which namespaces are the container's own, and what is set inside them.

use core::ffi::{CStr, c_int};

use crate::config::{Config, Network};
use crate::kernel::{self, left_out};
use crate::report::Report;
use crate::steps::Step;

/// The flags for clone(2). The cgroup namespace is not among them: its root is
/// the cgroup in which it is made, so it waits until that cgroup is joined.
pub fn flags(config: &Config, own_users: bool) -> c_int {
    let flag = |private, flag| if private { flag } else { 0 };
    libc::CLONE_NEWNS
        | flag(own_users, libc::CLONE_NEWUSER)
        | flag(config.private(config.pid, true), libc::CLONE_NEWPID)
        | flag(config.private(config.uts, true), libc::CLONE_NEWUTS)
        | flag(config.private(config.ipc, false), libc::CLONE_NEWIPC)
        | flag(own_network(config), libc::CLONE_NEWNET)
}

/// Whether the network is the container's own.
pub fn own_network(config: &Config) -> bool {
    config.network.map_or(!config.bare, |network| network == Network::None)
}

/// Host side: enters the network namespace that `--network ns:PATH` names, so
/// that clone(2) hands it on.
pub fn enter_network(config: &Config, report: &mut Report) {
    if let Some(Network::At(path)) = config.network {
        let entered = kernel::open(path, libc::O_RDONLY)
            .and_then(|file| kernel::enter_namespace(file, libc::CLONE_NEWNET));
        report.step_on(Step::EnterNetwork, path, entered);
    }
}

/// Container side: the host name, a session of its own, and the cgroup
/// namespace, now that the cgroup is joined.
pub fn set_up(config: &Config, hostname: &CStr, report: &mut Report) {
    if config.private(config.uts, true) {
        report.step_on(Step::SetHostname, hostname, kernel::set_hostname(hostname));
    }
    if !left_out(c"session") {
        report.step(Step::NewSession, kernel::new_session());
    }
    if config.private(config.cgroup_namespace, false) {
        let unshared = kernel::unshare(libc::CLONE_NEWCGROUP);
        report.step(Step::UnshareCgroup, unshared);
    }
}

/// Container side: the loopback interface of a network of its own.
pub fn set_up_network(config: &Config, report: &mut Report) {
    if own_network(config) {
        report.step(Step::LoopbackUp, kernel::loopback_up());
    }
}
