//! Virtual machines: an initramfs, a boot of Debian's cloud kernel with it, and what
//! was tried in there, read from its console.

use super::*;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// What a test in a machine begins with: `t NAME COMMAND...` prints what the command
/// prints, and its status, between two lines that name it.
pub const TRY: &str =
    "t() { name=$1; shift; echo \"BEGIN $name\"; \"$@\" 2>&1; echo \"END $? $name\"; }\n";

/// What was tried, by its name: the status, and what it printed.
pub type Tried = BTreeMap<String, (i32, String)>;

/// A directory that becomes an initramfs, with busybox, an image of it, and thimble. Removed
/// with the value.
pub struct Initramfs {
    place: tempfile::TempDir,
}

impl Initramfs {
    /// One that a test adds to.
    pub fn new() -> Initramfs {
        let initramfs = Initramfs { place: tempfile::tempdir().unwrap() };
        fs::create_dir_all(initramfs.at("bin")).unwrap();
        fs::copy(busybox().join("bin/busybox"), initramfs.at("bin/busybox")).unwrap();
        fs::copy(thimble(), initramfs.at("thimble")).unwrap();
        let mut copy = command("cp", &["-a"]);
        let copied = copy.arg(busybox().join(".")).arg(initramfs.at("image")).status();
        assert!(copied.unwrap().success());
        initramfs
    }

    /// A path inside.
    pub fn at(&self, path: &str) -> PathBuf {
        self.place.path().join("root").join(path)
    }

    /// Adds a file, for all to read and execute.
    pub fn add(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let place = self.at(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(&place, bytes).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(place, mode).unwrap();
    }

    /// Packs it. What is added later is not in it.
    pub fn pack(self) -> Initramfs {
        let script = "cd root && find . | cpio -o -H newc -R 0:0 > ../initramfs";
        let packed = command("sh", &["-c", script]).current_dir(self.place.path()).output();
        assert!(packed.unwrap().status.success());
        self
    }

    /// Boots a machine with it, to its end: what its console says, and QEMU's own end.
    pub fn boot(&self, append: &str, arguments: &[&str]) -> Ran {
        // One at a time: a machine without a processor for seconds thinks that it is stuck.
        static ALONE: Mutex<()> = Mutex::new(());
        let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut machine =
            command("timeout", &["300", "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max"]);
        machine
            .args(["-smp", "2", "-m", "512M", "-display", "none", "-no-reboot", "-net", "none"])
            .arg("-kernel")
            .arg(image("kernel").join("vmlinuz"))
            .arg("-initrd")
            .arg(self.place.path().join("initramfs"))
            .args(["-append", &format!("panic=-1 quiet {append}")])
            .args(arguments);
        if !arguments.contains(&"-serial") {
            machine.args(["-serial", "stdio"]);
        }
        let mut ran = Ran::of(machine.current_dir(self.place.path()).output().unwrap());
        ran.out = ran.out.replace('\r', "");
        ran
    }

    /// What a machine has written to a file next to it.
    pub fn written(&self, name: &str) -> String {
        fs::read_to_string(self.place.path().join(name)).unwrap()
    }
}

/// What was tried in a machine, as its console tells it.
pub fn tried(console: &str) -> Tried {
    let mut tried = BTreeMap::new();
    let mut lines = console.lines();
    while let Some(line) = lines.next() {
        let Some((_, name)) = line.split_once("BEGIN ") else { continue };
        let mut printed = String::new();
        for line in lines.by_ref() {
            if let Some((status, ended)) =
                line.strip_prefix("END ").and_then(|end| end.split_once(' '))
            {
                assert_eq!(ended, name, "{console}");
                tried.insert(name.to_string(), (status.parse().unwrap(), printed));
                break;
            }
            // The kernel tells of whom it kills for memory.
            if !line.starts_with('[') {
                printed += &format!("{line}\n");
            }
        }
    }
    tried
}
