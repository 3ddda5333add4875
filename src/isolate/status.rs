//! What the kernel tells about this process, in the container's own /proc.

use crate::kernel::{self, Errno, Fd, Result};
use crate::text::line_behind;

/// proc_pid_status(5) of this process.
pub fn open() -> Result<Fd> {
    kernel::open(c"/proc/self/status", libc::O_RDONLY)
}

/// The number in a line of it, by what the line begins with, tab included. ENODATA if
/// there is none in the first lines: `Groups:` may be longer than what is read.
pub fn field(status: Fd, start: &[u8], parse: fn(&[u8]) -> Option<u64>) -> Result<u64> {
    let mut buffer = [0; 2048];
    let lines = kernel::read(status, &mut buffer)?;
    line_behind(lines, start).and_then(parse).ok_or(Errno::ENODATA)
}
