//! Every step that can fail, in the words that `--verbose` and an error use for
//! it, and what to do about the failures whose cause is known.

use crate::kernel::Errno;
use crate::text::{Key, Packed, Text, pack};

macro_rules! steps {
    ($($name:ident = $text:literal,)*) => {
        /// A step of thimble's.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub enum Step {
            $(#[doc = $text] $name,)*
        }

        /// The words for each, in the same order, up to a NUL.
        const TEXTS: Packed = pack!(concat!($($text, "\0"),*));
    };
}

// In the order of a run, as far as there is one.
steps! {
    WriteOut = "write to standard output",
    MapStacks = "map the stacks",
    Descriptors = "take over the standard descriptors",
    HandOn = "hand on descriptor",
    RelayInput = "relay an input file through a pipe",
    ReadVariables = "read variables from",
    CollectEnvironment = "collect the environment",
    ReadFilter = "read the seccomp filter",
    OpenRoot = "open the root file system",
    EnterNetwork = "enter the network namespace",
    BlockSignals = "block the signals",
    ResetChild = "reset SIGCHLD",
    FindCgroups = "find the cgroup hierarchies",
    FindController = "find the cgroup controller",
    EnableController = "enable the cgroup controller",
    MakeCgroup = "make the cgroup",
    RemoveCgroup = "remove the cgroup",
    WriteCgroup = "write the cgroup's",
    MakeLink = "make a socket pair",
    Clone = "clone",
    OpenProcess = "open the container's",
    DenyGroups = "deny setgroups",
    WriteMap = "write the container's",
    RunHelper = "run",
    Release = "release the container",
    SetDeathSignal = "set the death signal",
    WaitForRelease = "wait for release",
    SetHostname = "set the host name",
    NewSession = "begin a session",
    UnshareCgroup = "unshare the cgroup namespace",
    MakePrivate = "make all mounts private",
    MountMemory = "mount memory for what is written",
    Overlay = "lay an overlay over",
    ListMounts = "look at what is mounted below",
    BindRoot = "bind the root file system",
    RestrictRoot = "add nodev and nosuid to",
    ReadOnly = "make the root read-only:",
    MountVolume = "mount",
    AddDevice = "add the device",
    MountProc = "mount proc on",
    MountSys = "mount sysfs on",
    MountCgroup = "mount cgroup2 on",
    MakeMask = "make something to mask others with",
    Mask = "mask",
    RemoveMask = "unmount what masked others",
    Protect = "make read-only",
    MountDev = "mount a tmpfs on",
    MakeDevice = "make the device",
    MakeLinkIn = "make the link",
    MountInDev = "mount in /dev",
    GoTo = "change to a directory of the root",
    PivotRoot = "pivot_root",
    DetachHost = "unmount the host's root",
    Chroot = "chroot",
    Chdir = "chdir",
    LoopbackUp = "set the interface lo up",
    OomScore = "set oom_score_adj to",
    CloseDescriptors = "close the other descriptors",
    Undumpable = "become undumpable",
    Dumpable = "become dumpable",
    NewKeyring = "make a session keyring",
    Capabilities = "set the capabilities",
    DropCapability = "drop a capability",
    Limit = "set the limit on",
    Workdir = "change to the working directory",
    ResetSignals = "reset the signals",
    ReadAccounts = "read the container's",
    Groups = "set the groups",
    Ids = "set user and group",
    NoNewPrivileges = "set no_new_privs",
    Filter = "load the seccomp filter",
    LoadFile = "load the seccomp filter of",
    Execute = "execute",
    WaitForSignal = "wait for a signal",
    Wait = "wait",
}

const NO_PARENT: Packed = pack!("there is no such --cgroup-parent");
const DELEGATE: Packed = pack!("this takes root, or a --cgroup-parent that is yours");
const HELPER: Packed =
    pack!("an ordinary user maps other ids than his own by newuidmap and newgidmap");
const NO_DIRECTORY: Packed = pack!("ROOTFS needs an empty directory of that name to mount it on");
const NOT_THERE: Packed = pack!("nothing can be mounted on the root itself or below /proc");
const A_LINK: Packed = pack!("in ROOTFS it must be a directory, and no link");
/// What to do, by step and errno. The tests provoke each.
const HINTS: &[(Step, Errno, Packed)] = &[
    (
        Step::Descriptors,
        Errno::EISDIR,
        pack!("one of them is a directory, which would lead out of the container"),
    ),
    (Step::HandOn, Errno::EISDIR, pack!("from a directory the program could leave the container")),
    (Step::HandOn, Errno::EBADF, pack!("--preserve-fds N hands on 3 to 3+N-1: open all of them")),
    (
        Step::OpenRoot,
        Errno::ENOENT,
        pack!("ROOTFS is the directory that holds the container's files"),
    ),
    (
        Step::OpenRoot,
        Errno::ENOTDIR,
        pack!("ROOTFS is a directory: unpack an image or archive into one"),
    ),
    (
        Step::FindController,
        Errno::ENOENT,
        pack!("no cgroup file system that is mounted here has it: see /proc/cgroups"),
    ),
    (
        Step::EnableController,
        Errno::EBUSY,
        pack!("processes lie beside it: choose an empty --cgroup-parent"),
    ),
    (Step::EnableController, Errno::EACCES, DELEGATE),
    (Step::EnableController, Errno::ENOENT, NO_PARENT),
    (Step::MakeCgroup, Errno::ENOENT, NO_PARENT),
    (
        Step::MakeCgroup,
        Errno::EROFS,
        pack!("the cgroups are mounted read-only here, as inside other containers"),
    ),
    (
        Step::MakeCgroup,
        Errno::EEXIST,
        pack!("a container of this name is running, or left its cgroup behind"),
    ),
    (
        Step::MakeCgroup,
        Errno::EBUSY,
        pack!("a container of this name is running: choose another --name"),
    ),
    (Step::MakeCgroup, Errno::EACCES, DELEGATE),
    (Step::EnterNetwork, Errno::EPERM, pack!("entering a network namespace needs root")),
    (
        Step::Clone,
        Errno::EAGAIN,
        pack!("a limit on processes leaves no room for pid 1 and the program"),
    ),
    (Step::PivotRoot, Errno::EINVAL, pack!("this root has no parent mount: see --no-pivot")),
    (
        Step::Clone,
        Errno::EPERM,
        pack!(
            "new namespaces need root (CAP_SYS_ADMIN) or a user namespace, where the host allows one"
        ),
    ),
    (
        Step::Clone,
        Errno::ENOSPC,
        pack!("this host allows no more namespaces: see /proc/sys/user/max_user_namespaces"),
    ),
    (Step::OpenProcess, Errno::ENOENT, pack!("a user namespace needs the host's /proc")),
    (Step::RunHelper, Errno::ENOENT, HELPER),
    (Step::RunHelper, Errno::EACCES, HELPER),
    (
        Step::MountProc,
        Errno::EPERM,
        pack!("parts of this /proc are covered, as inside other containers"),
    ),
    (
        Step::Clone,
        Errno::EINVAL,
        pack!("this kernel lacks a namespace: see --network, --ipc, --uts, --pid host"),
    ),
    (
        Step::UnshareCgroup,
        Errno::EINVAL,
        pack!(
            "this kernel has no cgroup namespaces (Linux 4.6, CONFIG_CGROUPS): see --cgroupns host"
        ),
    ),
    (Step::MountProc, Errno::ENOENT, NO_DIRECTORY),
    (Step::MountSys, Errno::ENOENT, NO_DIRECTORY),
    (Step::MountDev, Errno::ENOENT, NO_DIRECTORY),
    (Step::MountProc, Errno::ENOTDIR, A_LINK),
    (Step::MountSys, Errno::ENOTDIR, A_LINK),
    (Step::MountDev, Errno::ENOTDIR, A_LINK),
    (Step::MountVolume, Errno::EPERM, NOT_THERE),
    (
        Step::MountVolume,
        Errno::ENOTDIR,
        pack!("a directory goes over a directory, a file over a file"),
    ),
    (
        Step::MountVolume,
        Errno::EINVAL,
        pack!("a tmpfs takes size= mode= nr_inodes= uid= gid= ro exec"),
    ),
    (Step::ReadAccounts, Errno::EINVAL, pack!("it must be a regular file")),
    (
        Step::Groups,
        Errno::EINVAL,
        pack!("they are more than 65536, or one is not mapped in this user namespace"),
    ),
    (
        Step::Ids,
        Errno::EINVAL,
        pack!("that id is not mapped in this user namespace: see --uidmap, --gidmap"),
    ),
    (
        Step::Limit,
        Errno::EPERM,
        pack!("a hard limit is raised with the host's CAP_SYS_RESOURCE; nofile ends at fs.nr_open"),
    ),
    (Step::OomScore, Errno::EACCES, pack!("it is lowered with the host's CAP_SYS_RESOURCE")),
    (
        Step::ReadFilter,
        Errno::EINVAL,
        pack!("it must be a regular file of 1 to 4096 compiled instructions of 8 bytes"),
    ),
    (
        Step::LoadFile,
        Errno::EINVAL,
        pack!("the kernel does not take it for a filter: see seccomp(2)"),
    ),
    (Step::AddDevice, Errno::EPERM, NOT_THERE),
    (Step::AddDevice, Errno::ENODEV, pack!("SRC is neither a character device nor a block device")),
    (Step::AddDevice, Errno::EACCES, pack!("SRC lies on a mount with nodev")),
    (
        Step::Overlay,
        Errno::ENODEV,
        pack!("--ephemeral needs overlayfs in the kernel (CONFIG_OVERLAY_FS)"),
    ),
    (
        Step::Overlay,
        Errno::EINVAL,
        pack!("this file system cannot lie below an overlay, or is one on top of another already"),
    ),
    (Step::Execute, Errno::ENOEXEC, pack!("it has no #! line, or is for another processor")),
];

impl Step {
    /// Adds the words for it to a text.
    pub fn push_to(self, text: &mut Text) {
        text.push_part(TEXTS, Key::Place(self as u8));
    }

    /// What to do if it failed with this errno.
    pub fn hint(self, errno: Errno) -> Option<Packed> {
        HINTS.iter().find(|(step, cause, _)| *step == self && *cause == errno).map(|row| row.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_its_own_words() {
        for (step, words) in [
            (Step::WriteOut, "write to standard output"),
            (Step::MountProc, "mount proc on"),
            (Step::Wait, "wait"),
        ] {
            let mut text = Text::new();
            step.push_to(&mut text);
            assert_eq!(text.as_bytes(), words.as_bytes());
        }
    }
}
