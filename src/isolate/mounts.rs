//! What is mounted inside the container's root. The current directory is that
//! root throughout.

use core::ffi::CStr;

use crate::kernel::{self, Errno};
use crate::report::Report;
use crate::steps::Step;

/// Takes the mount namespace out of all propagation: no mount of the
/// container's reaches the host, nor the other way round.
pub fn make_private(report: &mut Report) {
    report.step(Step::MakePrivate, kernel::make_private())
}

/// Mounts the container's own /proc.
pub fn proc(report: &mut Report) {
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    let mounted = file_system(c"proc", c"proc", flags, libc::PROC_SUPER_MAGIC as u64);
    report.step_on(Step::MountProc, c"/proc", mounted)
}

/// Mounts a file system on a directory of the root. The image wrote that
/// directory's name: a link there, or one that takes its place in this moment,
/// must not lead anywhere else, so it is opened as the directory it has to be
/// and mounted on as ".". That it is there afterwards is looked up by name.
#[inline(never)]
fn file_system(kind: &CStr, name: &CStr, flags: u64, magic: u64) -> kernel::Result<()> {
    let directory = libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW;
    let target = kernel::open(name, directory)?;
    kernel::change_directory_to(target)?;
    kernel::mount(kind, c".", flags, c"")?;
    kernel::change_directory(c"..")?;
    let mounted = kernel::open(name, directory)?;
    if kernel::file_system(mounted)? == magic { Ok(()) } else { Err(Errno::ESTALE) }
}
