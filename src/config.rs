//! What a container is to be. Plain borrowed data: a front end fills it in,
//! nothing changes it afterwards, and filling it asks the kernel nothing.

use core::ffi::CStr;

#[cfg(feature = "leave-out")]
use crate::kernel::left_out;
use crate::kernel::{Argv, List};
use crate::text::LIMITS;

/// A container, as asked for. In this order, so that what is asked most often lies at its start.
#[repr(C)]
pub struct Config<'a> {
    /// The program has a terminal of the container's own.
    pub tty: bool,
    /// The program is pid 1 itself.
    pub as_pid_1: bool,
    /// Root on the host: all capabilities, no filter, nothing masked.
    pub privileged: bool,
    /// Return once the program runs, and stay beside it in another process.
    pub detach: bool,
    /// It ends when the caller ends.
    pub die_with_parent: bool,
    /// Tell every step.
    pub verbose: bool,
    /// Only the article's namespaces, and nothing in the root but /proc.
    pub bare: bool,
    /// What is written to the root goes to memory.
    pub ephemeral: bool,
    /// The root file system is read-only.
    pub read_only: bool,
    /// Leave the root by chroot alone.
    pub no_pivot: bool,
    /// Whether execve(2) may give privileges; `None` for what `bare` makes the default.
    pub new_privileges: Option<bool>,
    /// Whose pid namespace there is; `None` for what `bare` makes the default.
    pub pid: Option<Share>,
    /// The same for the ipc namespace.
    pub ipc: Option<Share>,
    /// The same for the uts namespace.
    pub uts: Option<Share>,
    /// The same for the cgroup namespace.
    pub cgroup_namespace: Option<Share>,
    /// Whose users there are; `None` for the host's as root, and for everybody
    /// else the container's own.
    pub users: Option<Share>,
    /// So many descriptors from 3 on are the program's too.
    pub preserve_fds: u32,
    /// The descriptor that start and end are told on; behind the program's own.
    pub json_status_fd: Option<u32>,
    /// As pid 1 of a machine: how that ends.
    pub ending: Ending,
    /// The directory that becomes `/`.
    pub root: &'a CStr,
    /// `USER[:GROUP]` of the program, by number or by the container's own files;
    /// `None` for root's.
    pub user: Option<&'a CStr>,
    /// `None` for what `bare` and `privileged` make the default.
    pub seccomp: Option<Seccomp<'a>>,
    /// `None` for what `bare` makes the default.
    pub network: Option<Network<'a>>,
    /// What is mounted into the root, in this order.
    pub mounts: List<Mount<'a>>,
    /// The program and its arguments; `None` for `/bin/sh`.
    pub command: Option<Argv<'a>>,
    /// `NAME=VALUE`, or `NAME` alone for the caller's value.
    pub environment: List<&'a CStr>,
    /// Files with a line for each variable, read before `environment`.
    pub environment_files: List<&'a CStr>,
    /// Where the program starts; absolute, inside the container. `None` for `/`.
    pub workdir: Option<&'a CStr>,
    /// `None` for the container's name.
    pub hostname: Option<&'a CStr>,
    /// `None` for `thimble-PID`.
    pub name: Option<&'a CStr>,
    /// Groups that the program is in besides.
    pub group_add: List<&'a CStr>,
    /// Limits of the program's process, soft and hard, by number; `None` for the caller's.
    pub ulimits: [Option<[u64; 2]>; LIMITS],
    /// What the kernel's choice when memory runs out goes by, from -1000 to 1000.
    pub oom_score_adj: Option<&'a CStr>,
    /// Bytes that /dev/shm holds at most; `None` for 64 MiB.
    pub shm_size: Option<u64>,
    /// Capabilities on top of the default ones, as a set of bits; all bits for `ALL`.
    pub cap_add: u64,
    /// Capabilities to take away, likewise.
    pub cap_drop: u64,
    /// A limit for each `Resource`, in its order.
    pub limits: [Option<Limit>; RESOURCES],
    /// The processors to run on, as `0-2,5`.
    pub cpuset_cpus: Option<&'a CStr>,
    /// `FILE=VALUE` for files of the container's cgroup.
    pub cgroup_conf: List<&'a CStr>,
    /// The cgroup to make the container's in.
    pub cgroup_parent: Option<&'a CStr>,
    /// The file that holds the container's pid while it lives.
    pub pid_file: Option<&'a CStr>,
    /// Seconds until it is stopped; 0 for never.
    pub timeout: u64,
    /// What it is stopped by: the number of a signal.
    pub stop_signal: u64,
    /// Seconds from then on until it is killed.
    pub stop_timeout: u64,
    /// As pid 1 of a machine: the kernel modules to load.
    pub modules: List<&'a CStr>,
    /// `INSIDE:OUTSIDE:COUNT` for each range of user ids.
    pub uid_maps: List<&'a CStr>,
    /// The same for group ids; empty for the same as of users.
    pub gid_maps: List<&'a CStr>,
}

/// How a machine ends, of which this is pid 1.
#[derive(Clone, Copy)]
pub struct Ending {
    /// What reboot(2) is to do (`LINUX_REBOOT_CMD_*`).
    pub reboot: u32,
    /// The number of the device that gets the status; 0 for none.
    pub device: u32,
    /// Whether a port may still be on its way, its module having been loaded.
    pub modules: bool,
    /// Whether it is the machine's pid 1, which must not end, and not only that of a pid
    /// namespace.
    pub own: bool,
}

impl Ending {
    /// With its power off.
    pub const POWER_OFF: Ending = Ending {
        reboot: libc::LINUX_REBOOT_CMD_POWER_OFF as u32,
        device: 0,
        modules: false,
        own: false,
    };
}

/// Something to mount into the root, as it was asked for.
#[derive(Clone, Copy)]
pub enum Mount<'a> {
    /// `SRC:DST[:ro|rw]`
    Volume(&'a CStr),
    /// `DST[:OPTIONS]`
    Tmpfs(&'a CStr),
    /// `SRC[:DST]`
    Device(&'a CStr),
}

/// A filter of system calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seccomp<'a> {
    /// thimble's own.
    Default,
    /// None.
    Unconfined,
    /// The compiled one in this file.
    File(&'a CStr),
}

/// A limit that may be none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// No limit.
    Max,
    /// This many.
    At(u64),
}

impl Limit {
    /// The number; the highest there is for no limit.
    pub fn bytes(self) -> u64 {
        match self {
            Limit::Max => u64::MAX,
            Limit::At(number) => number,
        }
    }
}

/// What there may be a limit on.
#[derive(Clone, Copy)]
pub enum Resource {
    /// Processes at once, pid 1 included.
    Pids,
    /// Bytes of memory.
    Memory,
    /// Bytes of memory and swap together.
    MemorySwap,
    /// Time on processors, in microseconds of each tenth of a second.
    Cpus,
    /// Share of the processors among those that compete, 2 to 262144.
    CpuShares,
}

/// How many of them there are.
pub const RESOURCES: usize = 5;

/// Whose namespace it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Share {
    /// The container's own.
    Private,
    /// The host's.
    Host,
}

/// The container's network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Network<'a> {
    /// Its own, with nothing but the loopback interface.
    None,
    /// The host's.
    Host,
    /// The network namespace that this file is.
    At(&'a CStr),
}

impl<'a> Config<'a> {
    /// A container without a root, and otherwise the default.
    pub const fn new() -> Self {
        Config {
            root: c"",
            command: None,
            environment: List::new(),
            environment_files: List::new(),
            workdir: None,
            hostname: None,
            name: None,
            user: None,
            group_add: List::new(),
            ulimits: [None; LIMITS],
            tty: false,
            as_pid_1: false,
            preserve_fds: 0,
            shm_size: None,
            oom_score_adj: None,
            cap_add: 0,
            cap_drop: 0,
            new_privileges: None,
            seccomp: None,
            privileged: false,
            limits: [None; RESOURCES],
            cpuset_cpus: None,
            cgroup_conf: List::new(),
            cgroup_parent: None,
            detach: false,
            pid_file: None,
            json_status_fd: None,
            timeout: 0,
            stop_signal: libc::SIGTERM as u64,
            stop_timeout: 10,
            modules: List::new(),
            ending: Ending::POWER_OFF,
            die_with_parent: false,
            verbose: false,
            bare: false,
            mounts: List::new(),
            ephemeral: false,
            read_only: false,
            no_pivot: false,
            network: None,
            pid: None,
            ipc: None,
            uts: None,
            cgroup_namespace: None,
            users: None,
            uid_maps: List::new(),
            gid_maps: List::new(),
        }
    }

    /// The first descriptor that is not the program's.
    pub fn first_own_descriptor(&self) -> u32 {
        3 + self.preserve_fds
    }

    /// Whether the host side has to know that the program was executed.
    pub fn awaits_program(&self) -> bool {
        self.detach || self.json_status_fd.is_some()
    }

    /// What the attack suite leaves out: those namespaces are the host's, and so is the terminal.
    #[cfg(feature = "leave-out")]
    pub fn leave_out(&mut self) {
        for (field, name) in [
            (&mut self.pid, c"pid namespace"),
            (&mut self.ipc, c"ipc namespace"),
            (&mut self.uts, c"uts namespace"),
            (&mut self.cgroup_namespace, c"cgroup namespace"),
        ] {
            if left_out(name) {
                *field = Some(Share::Host);
            }
        }
        if left_out(c"network namespace") {
            self.network = Some(Network::Host);
        }
        if left_out(c"own terminal") {
            self.tty = false;
        }
    }

    /// The limit on something.
    pub fn limit(&self, resource: Resource) -> Option<Limit> {
        self.limits.get(resource as usize).copied().flatten()
    }

    /// Whether anything asks for a cgroup.
    pub fn wants_cgroup(&self) -> bool {
        self.limits.iter().any(Option::is_some)
            || self.cpuset_cpus.or(self.cgroup_parent).is_some()
            || !self.cgroup_conf.as_slice().is_empty()
    }

    /// Whether the program runs under thimble's own filter of system calls.
    pub fn default_filter(&self) -> bool {
        let open = self.bare || self.privileged;
        self.seccomp.map_or(!open, |filter| filter == Seccomp::Default)
    }

    /// The file of the filter that it runs under instead.
    pub fn filter_file(&self) -> Option<&'a CStr> {
        match self.seccomp {
            Some(Seccomp::File(path)) => Some(path),
            _ => None,
        }
    }

    /// Whether execve(2) is to give the program nothing that it does not have.
    pub fn no_new_privileges(&self) -> bool {
        !self.new_privileges.unwrap_or(self.bare)
    }

    /// Whether a namespace is the container's own. `asked` is the field, and
    /// `article` says that the article's container, too, has one.
    pub fn private(&self, asked: Option<Share>, article: bool) -> bool {
        asked.map_or(article || !self.bare, |share| share == Share::Private)
    }
}

impl Default for Config<'_> {
    fn default() -> Self {
        Config::new()
    }
}
