//! Every step that can fail, in the words that `--verbose` and an error use for
//! it, and what to do about the failures whose cause is known.

use crate::kernel::Errno;
use crate::text::{Packed, Text, joined, pack};

macro_rules! steps {
    ($($name:ident = $text:literal,)*) => {
        /// A step of thimble's.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub enum Step {
            $(#[doc = $text] $name,)*
        }

        /// The words for each, in the same order, up to a NUL.
        const TEXTS: Packed = pack!(joined!($($text)*));
    };
}

macro_rules! hints {
    ($($($step:ident $errno:ident)|+ => $text:literal,)*) => {
        /// The causes of each, step and errno, with a `NEXT` behind those of one.
        const CAUSES: &[(u8, u8)] = &[
            $($((Step::$step as u8, Errno::$errno.number() as u8),)+ NEXT,)*
        ];

        /// What to do about them, in the same order.
        const HINTS: Packed = pack!(joined!($($text)*));
    };
}

/// No cause: there is no error 0.
const NEXT: (u8, u8) = (0, 0);

// In the order of a run, as far as there is one.
steps! {
    WriteOut = "write to standard output",
    MapStacks = "map the stacks",
    Descriptors = "take over the standard descriptors",
    HandOn = "hand on descriptor",
    RelayInput = "relay an input file through a pipe",
    CallersTerminal = "change the caller's terminal",
    ReadVariables = "read variables from",
    CollectEnvironment = "collect the environment",
    ReadFilter = "read the seccomp filter",
    OpenRoot = "open the root file system",
    EnterNetwork = "enter the network namespace",
    BlockSignals = "block the signals",
    ResetChild = "reset SIGCHLD",
    FindCgroups = "find the cgroup hierarchies",
    FindController = "find the cgroup controller",
    LeaveCgroup = "leave to the container the cgroup",
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
    WriteStatus = "write to --json-status-fd",
    WritePidFile = "write the pid file",
    RemovePidFile = "remove the pid file",
    TellCaller = "tell the caller",
    TellHost = "tell the host side",
    ReadCounter = "read the cgroup's",
    Release = "release the container",
    CopyItself = "run from a copy in memory",
    FindProcess = "look at process",
    FindProgram = "find the program of process",
    JoinNamespace = "join the container's",
    JoinCgroup = "join the container's cgroup",
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
    OpenTerminal = "open the container's terminal",
    RelayTerminal = "relay the terminal",
    GoTo = "change to a directory of the root",
    PivotRoot = "pivot_root",
    MoveRoot = "move the root to the top:",
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
    ControlTerminal = "make the terminal the program's",
    Limit = "set the limit on",
    Workdir = "change to the working directory",
    OwnGroup = "make a process group",
    ResetSignals = "reset the signals",
    ReadAccounts = "read the container's",
    Groups = "set the groups",
    Ids = "set user and group",
    NoNewPrivileges = "set no_new_privs",
    Filter = "load the seccomp filter",
    LoadFile = "load the seccomp filter of",
    Execute = "execute",
    ExecuteFound = "execute",
    ReadClock = "read the clock",
    MountSystem = "warning: mount the machine's",
    LoadModule = "load the module",
    WaitForSignal = "wait for a signal",
    StopSelf = "stop thimble itself",
    Kill = "kill the container",
    Wait = "wait",
}

// What to do, by step and errno. The tests provoke each.
hints! {
    Descriptors EISDIR
        => "one of them is a directory, which would lead out of the container",
    HandOn EISDIR
        => "from a directory the program could leave the container",
    HandOn EBADF
        => "--preserve-fds N hands on 3 to 3+N-1: open all of them",
    WriteStatus EBADF
        => "it must be open for writing",
    OpenRoot ENOENT
        => "ROOTFS is the directory that holds the container's files",
    OpenRoot ENOTDIR
        => "ROOTFS is a directory: unpack an image or archive into one",
    FindController ENOENT
        => "this kernel does not have it, or not switched on: see /proc/cgroups",
    FindController EPERM
        => "it is not mounted here, and mounting it takes root",
    LeaveCgroup EBUSY | LeaveCgroup EACCES
        => "take one of your own: systemd-run --user --scope -p Delegate=yes thimble run ...",
    EnableController EBUSY
        => "processes lie beside it: choose an empty --cgroup-parent",
    EnableController EACCES | MakeCgroup EACCES
        => "this takes root, or a --cgroup-parent that is yours",
    EnableController ENOENT | MakeCgroup ENOENT
        => "there is no such --cgroup-parent",
    MakeCgroup EROFS
        => "the cgroups are mounted read-only here, as inside other containers",
    MakeCgroup EEXIST
        => "a container of this name is running, or left its cgroup behind",
    EnterNetwork EPERM
        => "entering a network namespace needs root",
    Clone EAGAIN
        => "a limit on processes leaves no room for pid 1 and the program",
    Clone EPERM
        => "new namespaces need root (CAP_SYS_ADMIN) or a user namespace, where the host allows one",
    Clone ENOSPC | UnshareCgroup ENOSPC
        => "this host allows no more namespaces: see /proc/sys/user/max_*",
    OpenProcess ENOENT
        => "a user namespace needs the host's /proc",
    RunHelper ENOENT | RunHelper EACCES
        => "an ordinary user maps other ids than his own by newuidmap and newgidmap",
    MountProc EPERM
        => "parts of this /proc are covered, as inside other containers",
    MakePrivate EINVAL
        => "the root is no mount, as in a chroot: before that, mount --bind DIR DIR",
    Clone EINVAL | UnshareCgroup EINVAL
        => "this kernel lacks a namespace: see thimble check",
    MountProc ENOENT | MountSys ENOENT | MountDev ENOENT
        => "ROOTFS needs an empty directory of that name to mount it on",
    MountProc ENOTDIR | MountSys ENOTDIR | MountDev ENOTDIR
        => "in ROOTFS it must be a directory, and no link",
    MountVolume EPERM | AddDevice EPERM
        => "nothing can be mounted on the root itself or below /proc",
    MountVolume ENOTDIR | AddDevice ENOTDIR
        => "a directory goes over a directory, a file over a file",
    MountVolume EINVAL
        => "a tmpfs takes size= mode= nr_inodes= uid= gid= ro exec",
    ReadAccounts EINVAL
        => "it must be a regular file",
    Groups EINVAL
        => "they are more than 65536, or one is not mapped in this user namespace",
    Ids EINVAL
        => "that id is not mapped in this user namespace: see --uidmap, --gidmap",
    Limit EPERM
        => "a hard limit is raised with the host's CAP_SYS_RESOURCE; nofile ends at fs.nr_open",
    OomScore EACCES
        => "it is lowered with the host's CAP_SYS_RESOURCE",
    ReadFilter EINVAL
        => "it must be a regular file of 1 to 4096 compiled instructions of 8 bytes",
    LoadFile EINVAL
        => "the kernel does not take it for a filter: see seccomp(2)",
    AddDevice ENODEV
        => "SRC is neither a character device nor a block device",
    AddDevice EACCES
        => "SRC lies on a mount with nodev",
    Overlay ENODEV
        => "--ephemeral needs overlayfs in the kernel (CONFIG_OVERLAY_FS)",
    Overlay EINVAL
        => "this file system cannot lie below an overlay, is one on top of another already, or, for an ordinary user, has mounts below it",
    FindProcess ENOENT | FindProcess ESRCH
        => "PID is that of the container's pid 1, as the host's /proc shows it",
    FindProgram EAGAIN | FindProgram ESRCH
        => "the container is still being set up, or at its end",
    FindProgram ENOENT
        => "it has just ended, or the kernel lacks CONFIG_PROC_CHILDREN",
    JoinNamespace EACCES | JoinNamespace EPERM
        => "a container is entered by its own user, or by root",
    ExecuteFound ENOENT
        => "the file is there, but the interpreter of its #! line or its dynamic loader is not",
    Execute ENOEXEC
        => "it has no #! line, or is for another processor",
}

impl Step {
    /// Adds the words for it to a text.
    pub fn push_to(self, text: &mut Text) {
        text.push_packed_part(TEXTS, self as usize);
    }

    /// What to do if it failed with this errno.
    pub fn hint(self, errno: Errno) -> Option<Hint> {
        let mut place = 0;
        for (step, cause) in CAUSES {
            if (*step, *cause) == NEXT {
                place += 1;
            } else if *step == self as u8 && u32::from(*cause) == errno.number() {
                return Some(Hint(place));
            }
        }
        None
    }
}

/// What to do about a failure.
pub struct Hint(usize);

impl Hint {
    /// Adds it to a text.
    pub fn push_to(self, text: &mut Text) {
        text.push_packed_part(HINTS, self.0);
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
