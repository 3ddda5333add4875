//! Where the hierarchies of cgroups are: which of them has a controller, in v1 or v2, where it
//! is mounted, and what of it is the caller's (cgroups(7), proc_pid_mountinfo(5)).

use core::ffi::CStr;

use crate::config::Config;
use crate::isolate::mounts::INERT;
use crate::kernel::{self, CURRENT, Errno, Fd, List, Stack};
use crate::text::{Parts, Text, has_part, unescape};
use crate::undo::{LEAF, PROCS};

/// For who asks what there is: whether a controller is of v2, or why the caller can make no
/// cgroup for it. Nothing is made and nothing written.
pub fn look(
    config: &Config,
    controller: &[u8],
    user: u32,
    stack: &mut Stack,
) -> kernel::Result<bool> {
    let mut hierarchies = Hierarchies::new(config, user, stack);
    hierarchies.read()?;
    let mut path = Text::new();
    hierarchies.find(controller, &mut path)?;
    path.push(hierarchies.parent);
    let above = open(hierarchies.base, &path)?;
    if hierarchies.v2 {
        lists(above, c"cgroup.controllers", controller)?;
    }
    kernel::open_at(above, PROCS, libc::O_WRONLY)?;
    Ok(hierarchies.v2)
}

/// The hierarchies that there are, and the one that was found last.
pub struct Hierarchies<'a> {
    pub config: &'a Config<'a>,
    /// /proc/self/mountinfo
    mounts: &'a [u8],
    /// Whether the cgroup is made in thimble's own, of
    pub beside: bool,
    /// /proc/self/cgroup
    own: &'a [u8],
    /// For the process that mounts what is not mounted.
    stack: &'a mut Stack,
    /// Where the path of the hierarchy begins.
    pub base: Fd,
    /// Whether it is that of v2.
    pub v2: bool,
    /// Where the cgroup is made, from there.
    pub parent: &'a [u8],
}

impl<'a> Hierarchies<'a> {
    /// None is known before `read`.
    pub fn new(config: &'a Config, user: u32, stack: &'a mut Stack) -> Hierarchies<'a> {
        // root's are made below the hierarchy's root, as in the article.
        let beside = user != 0 && config.cgroup_parent.is_none();
        let (mounts, own, parent) = (&[], &[], &[]);
        Hierarchies { config, mounts, beside, own, stack, base: CURRENT, v2: false, parent }
    }

    /// Reads what hierarchies there are.
    #[inline(never)]
    pub fn read(&mut self) -> kernel::Result<()> {
        let (mut mounts, mut own) = (List::new(), List::new());
        let read = kernel::read_file(CURRENT, c"/proc/self/mountinfo", &mut mounts);
        // Without a /proc, as in an initramfs, nothing that is mounted can be found.
        if read != Err(Errno::ENOENT) {
            read?;
        }
        if self.beside {
            kernel::read_file(CURRENT, c"/proc/self/cgroup", &mut own)?;
        }
        (self.mounts, self.own) = (mounts.leak(), own.leak());
        Ok(())
    }

    /// Finds the hierarchy that has a controller, and its path, and what the cgroup's parent is
    /// from there.
    #[inline(never)]
    pub fn find(&mut self, controller: &[u8], path: &mut Text) -> kernel::Result<()> {
        let (root, point, v2) = find(self.mounts, controller);
        (self.base, self.v2) = (CURRENT, v2);
        unescape(point, path);
        let mut there = self.offers(path, controller);
        if there == Err(Errno::ENOENT) {
            // It is not mounted here.
            path.clear();
            path.push(b".");
            self.mount(controller)?;
            there = self.offers(path, controller);
        }
        there?;
        let parent = if self.beside {
            own(self.own, controller, self.v2).and_then(|(_, path)| below(path, root))
        } else {
            Some(self.config.cgroup_parent.map_or(&[][..], CStr::to_bytes))
        };
        // Somewhere else than what is mounted here: there is nothing that could be named.
        self.parent = parent.ok_or(Errno::ESTALE)?;
        Ok(())
    }

    /// Whether the root of the hierarchy is there, and not covered by another mount, and of v2 has
    /// a controller: ENOENT if not.
    #[inline(never)]
    fn offers(&self, path: &Text, controller: &[u8]) -> kernel::Result<()> {
        let root = open(self.base, path)?;
        let offered = if self.v2 {
            lists(root, c"cgroup.controllers", controller)
        } else {
            kernel::open_at(root, PROCS, libc::O_PATH).map(kernel::close)
        };
        kernel::close(root);
        offered
    }

    /// A hierarchy that is mounted nowhere but in a mount namespace of its own, which ends
    /// at once: what is open of it stays. By another process with these descriptors and this
    /// memory, so that this one is where it was.
    fn mount(&mut self, controller: &[u8]) -> kernel::Result<()> {
        let mut mount = Mount { v2: false, done: Err(Errno::EIO), controller };
        let helper = kernel::spawn_apart(self.stack, &mut mount, |mount| {
            mount.done = mount.alone();
            0
        })?;
        kernel::wait_for(helper)?;
        (self.base, self.v2) = (mount.done?, mount.v2);
        Ok(())
    }
}

/// What is mounted, and what came of it.
struct Mount<'a> {
    v2: bool,
    done: kernel::Result<Fd>,
    controller: &'a [u8],
}

impl Mount<'_> {
    /// Each mount goes on top of the root, where `/..` leads, so no directory is needed.
    fn alone(&mut self) -> kernel::Result<Fd> {
        kernel::make_private()?;
        kernel::mount(c"proc", c"/", INERT, c"")?;
        let mut lines = List::new();
        kernel::read_file(CURRENT, c"/../self/cgroup", &mut lines)?;
        match own(lines.as_slice(), self.controller, false) {
            // mount(2) wants to be told all the controllers of a hierarchy that is there already.
            Some((list, _)) => {
                kernel::mount(c"cgroup", c"/", INERT, Text::of(&[list]).name())?;
            }
            None => {
                // In the first cgroup namespace, it would set the options of the whole hierarchy
                // anew: the host's nsdelegate.
                kernel::unshare(libc::CLONE_NEWCGROUP)?;
                kernel::mount(c"cgroup2", c"/", INERT, c"")?;
                self.v2 = true;
            }
        }
        kernel::open(c"/..", libc::O_DIRECTORY)
    }
}

/// Where the hierarchy is mounted that has a controller: what of it, at what place, and
/// whether it is that of v2, which has the rest.
pub fn find<'a>(mounts: &'a [u8], controller: &[u8]) -> (&'a [u8], &'a [u8], bool) {
    let mut unified: (&[u8], &[u8], bool) = (&[], &[], true);
    for line in Parts::of(mounts, b'\n') {
        // proc_pid_mountinfo(5): the root in the file system and the mount point are the fourth
        // field and the fifth, and behind a field of a dash come type, source and options.
        let mut fields = Parts::of(line, b' ');
        let root = fields.nth(3).unwrap_or(&[]);
        let point = fields.word();
        while fields.next().is_some_and(|field| field != b"-") {}
        let kind = fields.word();
        if kind == b"cgroup2" {
            unified = (root, point, true);
        } else if kind == b"cgroup" && has_part(fields.nth(1).unwrap_or(&[]), b',', controller) {
            return (root, point, false);
        }
    }
    unified
}

/// What cgroups(7), "/proc/PID/cgroup", says of a controller: those of its hierarchy, and
/// the path of the process's cgroup there.
fn own<'a>(lines: &'a [u8], controller: &[u8], v2: bool) -> Option<(&'a [u8], &'a [u8])> {
    for line in Parts::of(lines, b'\n') {
        // The number of the hierarchy, which of v2 is 0, and no controllers: those are the rest.
        let mut fields = Parts::of(line, b':');
        let number = fields.word();
        let list = fields.word();
        if if v2 { number == b"0" } else { has_part(list, b',', controller) } {
            return Some((list, fields.rest()?));
        }
    }
    None
}

/// That path below the root of what is mounted. Once thimble has left its cgroup, or another one
/// has moved it, it is in the leaf.
pub fn below<'a>(path: &'a [u8], root: &[u8]) -> Option<&'a [u8]> {
    let path = match path.strip_suffix(LEAF.to_bytes()) {
        Some(above @ [.., b'/']) => above,
        _ => path,
    };
    let below = path.strip_prefix(root.strip_suffix(b"/").unwrap_or(root))?;
    matches!(below, [] | [b'/', ..]).then_some(below)
}

/// A directory, by its path from another one.
pub fn open(base: Fd, path: &Text) -> kernel::Result<Fd> {
    let path = path.as_c_str().ok_or(Errno::ENAMETOOLONG)?;
    kernel::open_at(base, path, libc::O_DIRECTORY)
}

/// Whether a file of a directory, which is a line of words, has this one: ENOENT if not.
pub fn lists(directory: Fd, file: &CStr, word: &[u8]) -> kernel::Result<()> {
    let mut buffer = [0; 1024];
    let words = kernel::read_start(directory, file, &mut buffer)?;
    let line = Parts::of(words, b'\n').word();
    if has_part(line, b' ', word) { Ok(()) } else { Err(Errno::ENOENT) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_controller_is_found_where_it_is_mounted() {
        const MOUNTS: &[u8] = b"\
            31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
            32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
            39 31 0:36 /../.. /elsewhere rw,relatime shared:9 master:1 - cgroup cgroup rw,pids\n\
            40 31 0:37 / /named rw - cgroup cgroup rw,xattr,name=memory\n";
        let find = |controller: &str| {
            let (root, point, v2) = find(MOUNTS, controller.as_bytes());
            let whole = if v2 { &b""[..] } else { b"/" };
            assert_eq!(root, if controller == "pids" { b"/../.." } else { whole });
            (std::str::from_utf8(point).unwrap(), v2)
        };
        assert_eq!(find("cpu"), ("/sys/fs/cgroup/cpu,cpuacct", false));
        assert_eq!(find("cpuacct"), ("/sys/fs/cgroup/cpu,cpuacct", false));
        assert_eq!(find("pids"), ("/elsewhere", false));
        assert_eq!(find("memory"), ("", true));
        assert_eq!(find("cpuset"), ("", true));
    }

    #[test]
    fn the_own_cgroup_is_found_below_what_is_mounted() {
        const LINES: &[u8] = b"8:pids:/a\n2:cpu,cpuacct:/\n1:name=systemd:/s\n0::/u/x:y\n";
        for (controller, v2, want) in [
            ("pids", false, Some(("pids", "/a"))),
            ("cpuacct", false, Some(("cpu,cpuacct", "/"))),
            ("memory", false, None),
            ("memory", true, Some(("", "/u/x:y"))),
            ("pids", true, Some(("", "/u/x:y"))),
        ] {
            let want = want.map(|(list, path)| (list.as_bytes(), path.as_bytes()));
            assert_eq!(own(LINES, controller.as_bytes(), v2), want);
        }
        for (path, root, want) in [
            ("/a/b", "/", Some("/a/b")),
            ("/", "/", Some("/")),
            ("/a/b", "/a", Some("/b")),
            ("/a", "/a", Some("")),
            ("/ab", "/a", None),
            ("/b", "/../x", None),
            ("/a/_thimble", "/", Some("/a/")),
            ("/a_thimble", "/", Some("/a_thimble")),
            ("/_thimble", "/", Some("/")),
        ] {
            assert_eq!(below(path.as_bytes(), root.as_bytes()), want.map(str::as_bytes), "{path}");
        }
    }
}
