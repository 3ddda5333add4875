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
    Descriptors = "take over the standard descriptors",
    ProtectInput = "make an input file read-only",
    ReadVariables = "read variables from",
    CollectEnvironment = "collect the environment",
    OpenRoot = "open the root file system",
    EnterNetwork = "enter the network namespace",
    BlockSignals = "block the signals",
    ResetChild = "reset SIGCHLD",
    MakeCgroup = "make the cgroup",
    OpenCgroup = "open the cgroup",
    RemoveCgroup = "remove the cgroup",
    WriteCgroup = "write the cgroup's",
    MakeLink = "make a socket pair",
    MapStack = "map a stack",
    Clone = "clone",
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
    CloseDescriptors = "close the other descriptors",
    Undumpable = "become undumpable",
    NewKeyring = "make a session keyring",
    Capabilities = "set the capabilities",
    DropCapability = "drop a capability",
    Workdir = "change to the working directory",
    ResetSignals = "reset the signals",
    Groups = "give up the caller's groups",
    Ids = "set user and group",
    NoNewPrivileges = "set no_new_privs",
    Filter = "load the seccomp filter",
    Execute = "execute",
    WaitForSignal = "wait for a signal",
    Wait = "wait",
}

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
        Step::MakeCgroup,
        Errno::ENOENT,
        pack!("it is made in a cgroup v1 hierarchy, below --cgroup-parent"),
    ),
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
    (Step::MakeCgroup, Errno::EACCES, pack!("making cgroups needs root")),
    (Step::EnterNetwork, Errno::EPERM, pack!("entering a network namespace needs root")),
    (
        Step::Clone,
        Errno::EAGAIN,
        pack!("a limit on processes leaves no room for pid 1 and the program"),
    ),
    (Step::PivotRoot, Errno::EINVAL, pack!("this root has no parent mount: see --no-pivot")),
    (Step::Clone, Errno::EPERM, pack!("new namespaces need root (CAP_SYS_ADMIN)")),
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
        Errno::EINVAL,
        pack!("a tmpfs takes size= mode= nr_inodes= uid= gid= ro exec"),
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
