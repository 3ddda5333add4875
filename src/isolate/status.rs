//! What the kernel tells about this process, in the container's own /proc.

use crate::kernel::{self, Errno, Result};
use crate::text::Parts;

/// The number in a line of proc_pid_status(5), by what the line begins with, tab
/// included. ENODATA if there is none in the first lines: `Groups:` may be longer
/// than what is read.
pub fn field(start: &[u8], parse: fn(&[u8]) -> Option<u64>) -> Result<u64> {
    let file = kernel::open(c"/proc/self/status", libc::O_RDONLY)?;
    let mut buffer = [0; 2048];
    let status = kernel::read(file, &mut buffer)?;
    kernel::close(file);
    for line in Parts::of(status, b'\n') {
        if let Some(number) = line.strip_prefix(start) {
            return parse(number).ok_or(Errno::ENODATA);
        }
    }
    Err(Errno::ENODATA)
}
