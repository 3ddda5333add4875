//! The one table of options. A row is the option's line in `--help`, from which
//! the parser reads how it is spelled, and what it does to the `Config`. A new
//! option is a row here, a field in `Config`, and its use.

use core::ffi::CStr;

use super::parser::{NO_MEMORY, Opt, Takes::*};
use crate::config::{Config, Limit, Mount, Network, Seccomp};
use crate::kernel::tail;
use crate::text::{
    Packed, capability, check_cgroup_file, check_cgroup_parent, check_device, check_hostname,
    check_name, check_tmpfs, check_volume, pack, parse_whole, split_at,
};

/// The options of `thimble run`, as its help shows them.
#[rustfmt::skip]
pub const RUN: &[Opt] = &[
    Opt("\nprogram:", Nothing),
    Opt("  -e, --env NAME[=VALUE]          set a variable, or pass the caller's", Words(|c| &mut c.environment, check_env)),
    Opt("      --env-file FILE             set the variables in FILE, a line each", Words(|c| &mut c.environment_files, check_path)),
    Opt("  -w, --workdir DIR               directory to start in (/)", Word(|c| &mut c.workdir, check_absolute)),
    Opt("  -u, --user UID[:GID]            ids of the program (0:0)", Value(user)),
    Opt("\nfiles:", Nothing),
    Opt("  -v, --volume SRC:DST[:ro|rw]    bind SRC, a file or directory, at DST", Value(volume)),
    Opt("      --tmpfs DST[:OPTIONS]       an empty file system in memory at DST", Value(tmpfs)),
    Opt("      --device SRC[:DST]          the host's device SRC at DST (the same path)", Value(device)),
    Opt("  -x, --ephemeral                 writes go to memory and vanish at the end", Flag(|c| &mut c.ephemeral)),
    Opt("      --read-only                 root file system read-only", Flag(|c| &mut c.read_only)),
    Opt("      --no-pivot                  chroot only, without pivot_root", Flag(|c| &mut c.no_pivot)),
    Opt("\nisolation:", Nothing),
    Opt("      --network none|host|ns:PATH network namespace (none: loopback only)", Value(network)),
    Opt("      --pid private|host          pid namespace (private)", Whose(|c| &mut c.pid)),
    Opt("      --ipc private|host          ipc namespace (private)", Whose(|c| &mut c.ipc)),
    Opt("      --uts private|host          uts namespace: the host name (private)", Whose(|c| &mut c.uts)),
    Opt("      --cgroupns private|host     cgroup namespace (private)", Whose(|c| &mut c.cgroup_namespace)),
    Opt("  -h, --hostname NAME             host name (the container's name)", Word(|c| &mut c.hostname, check_hostname)),
    Opt("      --cap-add CAP|ALL           keep a capability besides the default ones", Value(cap_add)),
    Opt("      --cap-drop CAP|ALL          give a capability up", Value(cap_drop)),
    Opt("      --security-opt OPTION       no-new-privileges=true|false,", Value(security_opt)),
    Opt("                                  seccomp=default|unconfined", Nothing),
    Opt("      --privileged                root on the host: all capabilities, no filter", Flag(|c| &mut c.privileged)),
    Opt("      --bare                      mount, pid and uts namespaces, /proc, no more", Flag(|c| &mut c.bare)),
    Opt("\nresources:", Nothing),
    Opt("      --pids-limit N              at most N processes, pid 1 included; -1: any", Value(pids_limit)),
    Opt("      --cgroup-conf FILE=VALUE    write VALUE to this file of the cgroup", Words(|c| &mut c.cgroup_conf, check_cgroup_file)),
    Opt("      --cgroup-parent PATH        make the cgroup below this one (/)", Word(|c| &mut c.cgroup_parent, check_cgroup_parent)),
    Opt("\nlife:", Nothing),
    Opt("      --name NAME                 name of container and cgroup (thimble-PID)", Word(|c| &mut c.name, check_name)),
    Opt("      --verbose                   tell every step as it is taken", Flag(|c| &mut c.verbose)),
];

/// The highest `pids.max` that means anything: PID_MAX_LIMIT on 64 bits.
const PIDS_MAX: u64 = 4 << 20;

fn check_env(variable: &CStr) -> Option<Packed> {
    matches!(variable.to_bytes().first(), None | Some(b'='))
        .then_some(pack!("must be NAME or NAME=VALUE"))
}

fn check_path(path: &CStr) -> Option<Packed> {
    path.is_empty().then_some(pack!("must be a path"))
}

fn check_absolute(path: &CStr) -> Option<Packed> {
    (path.to_bytes().first() != Some(&b'/')).then_some(pack!("must be an absolute path"))
}

fn network<'a>(config: &mut Config<'a>, value: &'a CStr) -> Option<Packed> {
    config.network = Some(if value == c"none" {
        Network::None
    } else if value == c"host" {
        Network::Host
    } else if value.to_bytes().starts_with(b"ns:/") {
        Network::At(tail(value, 3))
    } else {
        return Some(pack!("must be none, host or ns:PATH, an absolute path"));
    });
    None
}

fn volume<'a>(config: &mut Config<'a>, value: &'a CStr) -> Option<Packed> {
    check_volume(value).or_else(|| mount(config, Mount::Volume(value)))
}

fn tmpfs<'a>(config: &mut Config<'a>, value: &'a CStr) -> Option<Packed> {
    check_tmpfs(value).or_else(|| mount(config, Mount::Tmpfs(value)))
}

fn device<'a>(config: &mut Config<'a>, value: &'a CStr) -> Option<Packed> {
    check_device(value).or_else(|| mount(config, Mount::Device(value)))
}

fn mount<'a>(config: &mut Config<'a>, mount: Mount<'a>) -> Option<Packed> {
    config.mounts.push(mount).err().map(|_| NO_MEMORY)
}

fn user(config: &mut Config, value: &CStr) -> Option<Packed> {
    let (user, group) = split_at(value, b':').unwrap_or((value.to_bytes(), c"0"));
    // The highest number means "leave it as it is" to setresuid(2).
    let id = |digits| {
        parse_whole(digits).and_then(|id| u32::try_from(id).ok()).filter(|id| *id != u32::MAX)
    };
    config.user = id(user).zip(id(group.to_bytes()));
    config.user.is_none().then_some(pack!("must be UID or UID:GID, numbers up to 4294967294"))
}

fn cap_add(config: &mut Config, value: &CStr) -> Option<Packed> {
    capabilities(&mut config.cap_add, value)
}

fn cap_drop(config: &mut Config, value: &CStr) -> Option<Packed> {
    capabilities(&mut config.cap_drop, value)
}

fn capabilities(set: &mut u64, value: &CStr) -> Option<Packed> {
    let named = capability(value.to_bytes());
    *set |= named.unwrap_or(0);
    named.is_none().then_some(pack!("must be the name of a capability, or ALL"))
}

fn security_opt(config: &mut Config, value: &CStr) -> Option<Packed> {
    let known = SECURITY.iter().find(|(name, _, _)| *name == value);
    let Some((_, new_privileges, seccomp)) = known else {
        return Some(pack!("must be no-new-privileges=true|false or seccomp=default|unconfined"));
    };
    config.new_privileges = new_privileges.or(config.new_privileges);
    config.seccomp = seccomp.or(config.seccomp);
    None
}

/// What `--security-opt` takes, and what it sets.
const SECURITY: &[(&CStr, Option<bool>, Option<Seccomp>)] = &[
    (c"no-new-privileges=true", Some(false), None),
    (c"no-new-privileges", Some(false), None),
    (c"no-new-privileges=false", Some(true), None),
    (c"seccomp=default", None, Some(Seccomp::Default)),
    (c"seccomp=unconfined", None, Some(Seccomp::Unconfined)),
];

fn pids_limit(config: &mut Config, value: &CStr) -> Option<Packed> {
    config.pids_limit = Some(match parse_whole(value.to_bytes()) {
        Some(count @ 1..=PIDS_MAX) => Limit::At(count),
        None if value == c"-1" => Limit::Max,
        _ => return Some(pack!("must be a whole number from 1 to 4194304, or -1 for no limit")),
    });
    None
}
