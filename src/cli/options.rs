//! The one table of options. A row is the option's line in `--help`, from which
//! the parser reads how it is spelled, and what it does to the `Config`. A new
//! option is a row here, a field in `Config`, and its use.

use core::ffi::CStr;

use super::help::{EXEC_START, GENERAL, INIT_START, RUN_START};
use super::table::{Opt, Table, Takes::*, table};
use crate::config::{Config, Limit, Mount, Network, Resource, Seccomp, Share};
use crate::kernel::{EXIT_DEVICE, List, tail};
use crate::text::{
    Packed, PackedList, Parts, capability, check_cgroup_file, check_cgroup_parent, check_device,
    check_group, check_hostname, check_id_map, check_name, check_oom_score, check_tmpfs,
    check_user, check_volume, pack, pack_list, parse_fraction, parse_hexadecimal, parse_limit,
    parse_size, parse_whole, place_in, signal,
};

// Those that more than one command has.
#[rustfmt::skip]
mod common {
    use super::*;
    pub const TTY: Opt = Opt("  -t, --tty                       a terminal of the container's own", Flag(|c, _| yes(&mut c.tty)));
    pub const INTERACTIVE: Opt = Opt("  -i, --interactive               nothing: the input is always connected", Flag(|_, _| None));
    pub const ENV: Opt = Opt("  -e, --env NAME[=VALUE]          set a variable, or pass the caller's", Value(|c, v| add(&mut c.environment, v, check_env)));
    pub const ENV_FILE: Opt = Opt("      --env-file FILE             set the variables in FILE, a line each", Value(|c, v| add(&mut c.environment_files, v, check_path)));
    pub const WORKDIR: Opt = Opt("  -w, --workdir DIR               directory to start in (/)", Value(|c, v| set(&mut c.workdir, v, check_absolute)));
    pub const USER: Opt = Opt("  -u, --user USER[:GROUP]         who the program is, by name or number (0:0)", Value(|c, v| set(&mut c.user, v, check_user)));
    pub const GROUP_ADD: Opt = Opt("      --group-add GROUP           one more group for the program", Value(|c, v| add(&mut c.group_add, v, check_group)));
    pub const PRESERVE_FDS: Opt = Opt("      --preserve-fds N            hand on descriptors 3 to 3+N-1 (0)", Value(preserve_fds));
    pub const VERBOSE: Opt = Opt("      --verbose                   tell every step as it is taken", Flag(|c, _| yes(&mut c.verbose)));
}
use common::*;

/// The rows of `thimble run`, as its help shows them.
#[rustfmt::skip]
const ROWS: &[Opt] = &[
    Opt("\nprogram:", Title),
    ENV,
    ENV_FILE,
    WORKDIR,
    USER,
    GROUP_ADD,
    TTY,
    INTERACTIVE,
    Opt("      --as-pid-1                  the program itself is pid 1, without an init", Flag(|c, _| yes(&mut c.as_pid_1))),
    Opt("      --ulimit NAME=SOFT[:HARD]   limits of each process, as in nofile=64", Value(ulimit)),
    Opt("      --oom-score-adj N           be ended sooner out of memory, up to 1000", Value(|c, v| set(&mut c.oom_score_adj, v, check_oom_score))),
    PRESERVE_FDS,
    Opt("\nfiles:", Title),
    Opt("  -v, --volume SRC:DST[:ro|rw]    bind SRC, a file or directory, at DST", Value(|c, v| mount(c, v, Mount::Volume, check_volume))),
    Opt("      --tmpfs DST[:OPTIONS]       an empty file system in memory at DST", Value(|c, v| mount(c, v, Mount::Tmpfs, check_tmpfs))),
    Opt("      --shm-size SIZE             what /dev/shm holds at most (64m)", Value(shm_size)),
    Opt("      --device SRC[:DST]          the host's device SRC at DST (the same path)", Value(|c, v| mount(c, v, Mount::Device, check_device))),
    Opt("  -x, --ephemeral                 writes go to memory and vanish at the end", Flag(|c, _| yes(&mut c.ephemeral))),
    Opt("      --read-only                 root file system read-only", Flag(|c, _| yes(&mut c.read_only))),
    Opt("      --no-pivot                  chroot only, without pivot_root", Flag(|c, _| yes(&mut c.no_pivot))),
    Opt("\nisolation:", Title),
    Opt("      --network none|host|ns:PATH network namespace (none: loopback only)", Value(network)),
    Opt("      --pid private|host          pid namespace (private)", Value(|c, v| whose(&mut c.pid, v))),
    Opt("      --ipc private|host          ipc namespace (private)", Value(|c, v| whose(&mut c.ipc, v))),
    Opt("      --uts private|host          uts namespace: the host name (private)", Value(|c, v| whose(&mut c.uts, v))),
    Opt("      --cgroupns private|host     cgroup namespace (private)", Value(|c, v| whose(&mut c.cgroup_namespace, v))),
    Opt("      --userns private|host       user namespace (root: host; others: private)", Value(|c, v| whose(&mut c.users, v))),
    Opt("      --uidmap C:H:N              N users from C inside are those from H outside", Value(|c, v| add(&mut c.uid_maps, v, check_id_map))),
    Opt("      --gidmap C:H:N              the same for groups (as --uidmap)", Value(|c, v| add(&mut c.gid_maps, v, check_id_map))),
    Opt("  -h, --hostname NAME             host name (the container's name)", Value(|c, v| set(&mut c.hostname, v, check_hostname))),
    Opt("      --cap-add CAP|ALL           keep a capability besides the default ones", Value(|c, v| capabilities(&mut c.cap_add, v))),
    Opt("      --cap-drop CAP|ALL          give a capability up", Value(|c, v| capabilities(&mut c.cap_drop, v))),
    Opt("      --security-opt OPTION       no-new-privileges=true|false,", Value(security_opt)),
    Opt("                                  seccomp=default|unconfined|FILE", Title),
    Opt("      --privileged                root on the host: all capabilities, no filter", Flag(|c, _| yes(&mut c.privileged))),
    Opt("      --bare                      mount, pid and uts namespaces, /proc, no more", Flag(|c, _| yes(&mut c.bare))),
    Opt("\nresources:", Title),
    Opt("      --pids-limit N              at most N processes, pid 1 included; -1: any", Value(pids_limit)),
    Opt("  -m, --memory SIZE               at most so much memory, as 512m; -1: any", Value(|c, v| size(c, v, Resource::Memory))),
    Opt("      --memory-swap SIZE          at most so much memory and swap together", Value(|c, v| size(c, v, Resource::MemorySwap))),
    Opt("      --cpus N                    at most so many processors' time, as 1.5", Value(cpus)),
    Opt("      --cpu-shares N              weight against others, 2 to 262144 (1024)", Value(cpu_shares)),
    Opt("      --cpuset-cpus LIST          run on these processors only, as 0-2,5", Value(|c, v| set(&mut c.cpuset_cpus, v, check_list))),
    Opt("      --cgroup-conf FILE=VALUE    write VALUE to this file of the cgroup", Value(|c, v| add(&mut c.cgroup_conf, v, check_cgroup_file))),
    Opt("      --cgroup-parent PATH        make it in this cgroup (root: /; others: own)", Value(|c, v| set(&mut c.cgroup_parent, v, check_cgroup_parent))),
    Opt("\nlife:", Title),
    Opt("      --name NAME                 name of container and cgroup (thimble-PID)", Value(|c, v| set(&mut c.name, v, check_name))),
    Opt("  -d, --detach                    print pid 1's pid and return, once it runs", Flag(|c, _| yes(&mut c.detach))),
    Opt("      --pidfile FILE              hold that pid in FILE for as long as it lives", Value(|c, v| set(&mut c.pid_file, v, check_path))),
    Opt("      --json-status-fd FD         tell start and end on FD, a line of JSON each", Value(json_status_fd)),
    Opt("      --timeout SECONDS           stop it after so long: exit status 124", Value(|c, v| seconds(&mut c.timeout, v))),
    Opt("      --stop-signal SIG           what stops it, by name or number (TERM)", Value(stop_signal)),
    Opt("      --stop-timeout SECONDS      from then on until SIGKILL (10); -1: never", Value(|c, v| seconds(&mut c.stop_timeout, v))),
    Opt("      --rm                        nothing: the container always goes away", Flag(|_, _| None)),
    Opt("      --init                      nothing: there always is an init", Flag(|_, _| None)),
    Opt("      --die-with-parent           end when the caller ends", Flag(|c, _| yes(&mut c.die_with_parent))),
    VERBOSE,
];

/// Those of `thimble exec`.
#[rustfmt::skip]
const EXEC_ROWS: &[Opt] = &[
    Opt("", Title),
    ENV,
    ENV_FILE,
    WORKDIR,
    USER,
    GROUP_ADD,
    TTY,
    INTERACTIVE,
    PRESERVE_FDS,
    Opt("      --security-opt OPTION       seccomp=FILE, the container's own filter", Value(filter_file)),
    VERBOSE,
];

/// The options of `thimble run`.
pub const RUN: Table = table!(RUN_START, ROWS);

/// The options of `thimble exec`.
pub const EXEC: Table = table!(EXEC_START, EXEC_ROWS);

/// The options of `thimble init`.
pub const INIT: Table = table!(INIT_START, INIT_ROWS);

#[rustfmt::skip]
const INIT_ROWS: &[Opt] = &[
    Opt("", Title),
    Opt("      --modules FILE              load a kernel module first; more by repetition", Value(|c, v| add(&mut c.modules, v, check_path))),
    Opt("      --timeout SECONDS           stop COMMAND after so long: exit=124", Value(|c, v| seconds(&mut c.timeout, v))),
    Opt("      --at-end poweroff|reboot|halt what the machine does then (poweroff)", Value(at_end)),
    Opt("      --exit-device DEVICE        tell QEMU the status: isa-debug-exit[:PORT]", Value(exit_device)),
    Opt("                                  (x86, port 0x501), semihosting (aarch64)", Title),
];

fn at_end(config: &mut Config, value: &CStr) -> Option<Packed> {
    config.ending.reboot = match place_in(pack_list!("poweroff\0reboot\0halt\0"), value.to_bytes())
    {
        Some(0) => libc::LINUX_REBOOT_CMD_POWER_OFF,
        Some(1) => libc::LINUX_REBOOT_CMD_RESTART,
        Some(_) => libc::LINUX_REBOOT_CMD_HALT,
        None => return Some(pack!("must be poweroff, reboot or halt")),
    } as u32;
    None
}

fn exit_device(config: &mut Config, value: &CStr) -> Option<Packed> {
    let mut parts = Parts::of(value.to_bytes(), b':');
    let device = parts.word();
    let port = parts.rest().unwrap_or(b"0x501");
    let number = port.strip_prefix(b"0x").and_then(parse_hexadecimal);
    config.ending.device = number.filter(|number| *number < 1 << 16).unwrap_or(0) as u32;
    if device != EXIT_DEVICE.to_bytes() || config.ending.device == 0 {
        return Some(pack!(
            "must be isa-debug-exit or isa-debug-exit:0xPORT on x86, semihosting on aarch64"
        ));
    }
    None
}

/// `check` has none.
pub const CHECK: Table = Table { names: &[], sets: &[], help: &[GENERAL] };

/// The highest `pids.max` that means anything: PID_MAX_LIMIT on 64 bits.
const PIDS_MAX: u64 = 4 << 20;

/// The highest limit on open descriptors (fs.nr_open) that kernels come with.
const MOST_DESCRIPTORS: u64 = 1 << 20;

/// Sizes of files end here (MAX_LFS_FILESIZE).
const SIZE_MAX: u64 = 1 << 63;

/// Says what a value must be, if it is not.
type Check = fn(&CStr) -> Option<Packed>;

/// Sets what was asked for by itself.
fn yes(field: &mut bool) -> Option<Packed> {
    *field = true;
    None
}

/// Sets a word, of which the last counts.
#[inline(never)]
fn set<'a>(field: &mut Option<&'a CStr>, value: &'a CStr, check: Check) -> Option<Packed> {
    *field = Some(value);
    check(value)
}

/// Adds a word, of which all count.
#[inline(never)]
fn add<'a>(field: &mut List<&'a CStr>, value: &'a CStr, check: Check) -> Option<Packed> {
    match field.push(value) {
        Ok(()) => check(value),
        Err(_) => Some(NO_MEMORY),
    }
}

/// What is wrong where a list cannot grow.
const NO_MEMORY: Packed = pack!("there is no memory left for it");

/// Sets whose a namespace is.
#[inline(never)]
fn whose(field: &mut Option<Share>, value: &CStr) -> Option<Packed> {
    match place_in(pack_list!("private\0host\0"), value.to_bytes()) {
        Some(place) => *field = Some(if place == 0 { Share::Private } else { Share::Host }),
        None => return Some(pack!("must be private or host")),
    }
    None
}

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
    config.network = Some(match place_in(pack_list!("none\0host\0"), value.to_bytes()) {
        Some(0) => Network::None,
        Some(_) => Network::Host,
        None if value.to_bytes().starts_with(b"ns:/") => Network::At(tail(value, 3)),
        None => return Some(pack!("must be none, host or ns:PATH, an absolute path")),
    });
    None
}

/// Adds something to mount.
#[inline(never)]
fn mount<'a>(
    config: &mut Config<'a>,
    value: &'a CStr,
    kind: fn(&'a CStr) -> Mount<'a>,
    check: Check,
) -> Option<Packed> {
    match config.mounts.push(kind(value)) {
        Ok(()) => check(value),
        Err(_) => Some(NO_MEMORY),
    }
}

fn preserve_fds(config: &mut Config, value: &CStr) -> Option<Packed> {
    let count = whole(value, 0, MOST_DESCRIPTORS);
    config.preserve_fds = count.unwrap_or(0) as u32;
    count.is_none().then_some(pack!("must be a whole number up to 1048576"))
}

fn json_status_fd(config: &mut Config, value: &CStr) -> Option<Packed> {
    // What is the program's too, the program could write to.
    config.json_status_fd = whole(value, 3, MOST_DESCRIPTORS).map(|number| number as u32);
    config.json_status_fd.is_none().then_some(pack!("must be a whole number from 3 on"))
}

fn shm_size(config: &mut Config, value: &CStr) -> Option<Packed> {
    // tmpfs takes 0 for "no limit", and loses count above that.
    config.shm_size = parse_size(value.to_bytes()).filter(|size| matches!(size, 1..SIZE_MAX));
    config.shm_size.is_none().then_some(pack!("must be a size above 0, as in 64m"))
}

fn ulimit(config: &mut Config, value: &CStr) -> Option<Packed> {
    match parse_limit(value) {
        Ok((number, values)) => {
            if let Some(limit) = config.ulimits.get_mut(number) {
                *limit = Some(values);
            }
            None
        }
        Err(why) => Some(why),
    }
}

fn capabilities(set: &mut u64, value: &CStr) -> Option<Packed> {
    let named = capability(value.to_bytes());
    *set |= named.unwrap_or(0);
    named.is_none().then_some(pack!("must be the name of a capability, or ALL"))
}

fn filter_file<'a>(config: &mut Config<'a>, value: &'a CStr) -> Option<Packed> {
    let file = value.to_bytes().starts_with(b"seccomp=/");
    config.seccomp = Some(Seccomp::File(tail(value, 8)));
    (!file).then_some(pack!("must be seccomp=FILE, an absolute path"))
}

fn security_opt<'a>(config: &mut Config<'a>, value: &'a CStr) -> Option<Packed> {
    match place_in(SECURITY, value.to_bytes()) {
        Some(place @ 0..=2) => config.new_privileges = Some(place == 2),
        Some(3) => config.seccomp = Some(Seccomp::Default),
        Some(_) => config.seccomp = Some(Seccomp::Unconfined),
        None => {
            filter_file(config, value)?; // None if it is one
            return Some(pack!(
                "must be no-new-privileges=true|false or seccomp=default|unconfined|FILE, an absolute path"
            ));
        }
    }
    None
}

/// What `--security-opt` takes besides files.
const SECURITY: PackedList = pack_list!(
    "no-new-privileges=true\0no-new-privileges\0no-new-privileges=false\0\
     seccomp=default\0seccomp=unconfined\0"
);

fn pids_limit(config: &mut Config, value: &CStr) -> Option<Packed> {
    let why = pack!("must be a whole number from 1 to 4194304, or -1 for no limit");
    limit(config, value, whole(value, 1, PIDS_MAX).unwrap_or(0), Resource::Pids, why)
}

fn size(config: &mut Config, value: &CStr, resource: Resource) -> Option<Packed> {
    let why =
        pack!("must be a number of bytes above 0, or with k, m or g behind it, or -1 for no limit");
    limit(config, value, parse_size(value.to_bytes()).unwrap_or(0), resource, why)
}

fn cpus(config: &mut Config, value: &CStr) -> Option<Packed> {
    // In units of a hundred-thousandth, of which the kernel takes a thousand at least.
    let quota = parse_fraction(value.to_bytes(), 5).filter(|quota| *quota >= 1000);
    let why = pack!("must be a number from 0.01 on, as 2 or 1.5");
    limit(config, c"", quota.unwrap_or(0), Resource::Cpus, why)
}

fn cpu_shares(config: &mut Config, value: &CStr) -> Option<Packed> {
    let why = pack!("must be a whole number from 2 to 262144");
    limit(config, c"", whole(value, 2, 262_144).unwrap_or(0), Resource::CpuShares, why)
}

/// A whole number in a range.
#[inline(never)]
fn whole(value: &CStr, least: u64, most: u64) -> Option<u64> {
    parse_whole(value.to_bytes()).filter(|number| (least..=most).contains(number))
}

/// Sets a limit to a number, where 0 is none, or to no limit where the word is -1.
#[inline(never)]
fn limit(
    config: &mut Config,
    word: &CStr,
    number: u64,
    resource: Resource,
    why: Packed,
) -> Option<Packed> {
    let limit = match number {
        0 if word.to_bytes() == b"-1" => Limit::Max,
        0 => return Some(why),
        number => Limit::At(number),
    };
    if let Some(place) = config.limits.get_mut(resource as usize) {
        *place = Some(limit);
    }
    None
}

/// Sets a time, where -1 is centuries.
#[inline(never)]
fn seconds(field: &mut u64, value: &CStr) -> Option<Packed> {
    let word = value.to_bytes();
    let seconds = if word == b"-1" { Some(u64::MAX) } else { parse_whole(word) };
    *field = seconds.unwrap_or(0);
    seconds.is_none().then_some(pack!("must be a whole number of seconds, or -1 for no limit"))
}

fn stop_signal(config: &mut Config, value: &CStr) -> Option<Packed> {
    let number = signal(value.to_bytes());
    config.stop_signal = number.unwrap_or(0);
    number.is_none().then_some(pack!("must be a signal, as TERM, RTMIN+3, or a number up to 64"))
}

fn check_list(list: &CStr) -> Option<Packed> {
    let mut ranges = Parts::of(list.to_bytes(), b',');
    (!ranges.all(is_range)).then_some(pack!("must be a list of numbers and ranges, as 0-2,5"))
}

/// `N` or `N-M`.
fn is_range(range: &[u8]) -> bool {
    let mut ends = Parts::of(range, b'-');
    let first = ends.next().and_then(parse_whole);
    let last = ends.rest().map_or(first, parse_whole);
    first.is_some() && first <= last
}
