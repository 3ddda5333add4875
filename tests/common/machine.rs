//! Virtual machines: an initramfs, a boot of Debian's cloud kernel with it, and what
//! was tried in there, read from its console.

use super::*;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Mutex, MutexGuard};

/// What a test in a machine begins with: `t NAME COMMAND...` prints what the command
/// prints, and its status, between two lines that name it.
pub const TRY: &str =
    "t() { name=$1; shift; echo \"BEGIN $name\"; \"$@\" 2>&1; echo \"END $? $name\"; }\n";

/// What was tried, by its name: the status, and what it printed.
pub type Tried = BTreeMap<String, (i32, String)>;

/// What kind of machine it is: those that Debian has a kernel for virtual machines for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    X86_64,
    Aarch64,
}

impl Kind {
    /// Its kernel, some modules of that, and a busybox.
    pub fn image(self) -> PathBuf {
        image(if self == Kind::X86_64 { "machine-amd64" } else { "machine-arm64" })
    }

    /// The program under test, of this kind.
    fn thimble(self) -> PathBuf {
        if self == Kind::X86_64 {
            return thimble();
        }
        static BUILT: OnceLock<PathBuf> = OnceLock::new();
        BUILT.get_or_init(|| aarch64("target", &[])).clone()
    }

    /// And the one in which a defence can be left out by name, in THIMBLE_LEAVE_OUT.
    pub fn thimble_without(self) -> PathBuf {
        if self == Kind::X86_64 {
            return thimble_without();
        }
        static BUILT: OnceLock<PathBuf> = OnceLock::new();
        BUILT.get_or_init(|| aarch64("target/leave-out", &["--features", "leave-out"])).clone()
    }

    /// The probe, of this kind.
    pub fn probe(self) -> PathBuf {
        if self == Kind::X86_64 {
            return probe();
        }
        static BUILT: OnceLock<PathBuf> = OnceLock::new();
        let build = || built_probe("aarch64-linux-gnu-gcc", &[], "target/probe-aarch64");
        BUILT.get_or_init(build).clone()
    }

    /// The words for a kernel to talk on the first serial line.
    pub fn console(self) -> &'static str {
        if self == Kind::X86_64 { "console=ttyS0" } else { "console=ttyAMA0" }
    }
}

/// Builds thimble for aarch64, into a directory of the project's, with these words for cargo.
fn aarch64(directory: &str, words: &[&str]) -> PathBuf {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let target = "aarch64-unknown-linux-musl";
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let mut build = command(cargo, &["build", "--quiet", "--locked", "--release"]);
    build.args(words).args(["--target", target, "--target-dir"]).arg(&directory);
    assert!(build.status().unwrap().success());
    directory.join(target).join("release/thimble")
}

/// A directory that becomes an initramfs. Removed with the value.
pub struct Initramfs {
    place: tempfile::TempDir,
    kind: Kind,
}

impl Initramfs {
    /// One with nothing but thimble.
    pub fn bare(kind: Kind) -> Initramfs {
        let initramfs = Initramfs { place: tempfile::tempdir().unwrap(), kind };
        initramfs.add("thimble", fs::read(kind.thimble()).unwrap());
        initramfs
    }

    /// One with busybox, and an image of it, too.
    pub fn new(kind: Kind) -> Initramfs {
        let initramfs = Initramfs::bare(kind);
        initramfs.add_image();
        initramfs.add("bin/busybox", fs::read(kind.image().join("busybox")).unwrap());
        for name in ["sh", "true", "sleep"] {
            std::os::unix::fs::symlink("busybox", initramfs.at("bin").join(name)).unwrap();
        }
        initramfs
    }

    /// Adds an image of busybox, in `/image`.
    pub fn add_image(&self) {
        let mut copy = command("cp", &["-a"]);
        let copied = copy.arg(busybox().join(".")).arg(self.at("image")).status();
        assert!(copied.unwrap().success());
        self.add("image/bin/busybox", fs::read(self.kind.image().join("busybox")).unwrap());
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

    /// QEMU, with it and these words for the kernel.
    fn machine(&self, append: &str, arguments: &[&str]) -> Command {
        let own: &[&str] = match self.kind {
            Kind::X86_64 => &["300", "qemu-system-x86_64", "-cpu", "max"],
            Kind::Aarch64 => &["300", "qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a57"],
        };
        let mut machine = command("timeout", own);
        machine
            .args(["-accel", "tcg", "-smp", "2", "-m", "512M", "-display", "none"])
            .args(["-no-reboot", "-net", "none", "-kernel"])
            .arg(self.kind.image().join("vmlinuz"))
            .arg("-initrd")
            .arg(self.place.path().join("initramfs"))
            .args(["-append", &format!("panic=-1 quiet {append}")])
            .args(arguments)
            .current_dir(self.place.path());
        if !arguments.contains(&"-serial") {
            machine.args(["-serial", "stdio"]);
        }
        machine
    }

    /// Boots a machine with it, to its end: what its console says, and QEMU's own end.
    pub fn boot(&self, append: &str, arguments: &[&str]) -> Ran {
        let _alone = alone();
        let mut ran = Ran::of(self.machine(append, arguments).output().unwrap());
        ran.out = ran.out.replace('\r', "");
        ran
    }

    /// Boots one until its console says this, and keeps it as it is then, for `resume`. Both
    /// leave it to the caller to be `alone`.
    pub fn suspend(&self, append: &str, arguments: &[&str], until: &str) {
        let mut machine = self.machine(append, arguments);
        machine.args(["-monitor", "unix:monitor,server=on,wait=off"]);
        let mut machine = machine.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut console, mut said) = (machine.stdout.take().unwrap(), Vec::new());
        while !String::from_utf8_lossy(&said).contains(until) {
            let mut byte = [0];
            console.read_exact(&mut byte).unwrap();
            said.extend(byte);
        }
        let monitor = self.place.path().join("monitor");
        let mut monitor = std::os::unix::net::UnixStream::connect(monitor).unwrap();
        monitor.write_all(b"migrate \"exec:cat > state\"\nquit\n").unwrap();
        assert!(machine.wait().unwrap().success());
    }

    /// Lets such a machine go on, with this as if it were typed, to its end. The words are to be
    /// the same.
    pub fn resume(&self, append: &str, arguments: &[&str], input: &str) -> Ran {
        let mut machine = self.machine(append, arguments);
        machine.args(["-incoming", "exec:cat state"]);
        let mut machine = machine.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut typing = machine.stdin.take().unwrap();
        typing.write_all(input.as_bytes()).unwrap();
        let mut ran = Ran::of(machine.wait_with_output().unwrap());
        ran.out = ran.out.replace('\r', "");
        ran
    }

    /// What a machine has written to a file next to it.
    pub fn written(&self, name: &str) -> String {
        fs::read_to_string(self.place.path().join(name)).unwrap()
    }
}

/// One machine at a time: one without a processor for seconds thinks that it is stuck.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
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
