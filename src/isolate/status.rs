//! What the kernel tells in the container's own /proc, in lines that begin with a
//! name.

use crate::kernel::{self, Errno, Fd, Result};
use crate::text::Parts;

/// What follows in a line of a file, by what the line begins with, tab included.
/// `None` if there is no such line in the file's beginning, which the buffer takes.
#[inline(never)]
pub fn field<'a>(file: Fd, start: &[u8], buffer: &'a mut [u8; 2048]) -> Result<Option<&'a [u8]>> {
    for line in Parts::of(kernel::read(file, buffer)?, b'\n') {
        if let Some(rest) = line.strip_prefix(start) {
            return Ok(Some(rest));
        }
    }
    Ok(None)
}

/// The number in a line of proc_pid_status(5) about this process. ENODATA if there is
/// none in the first lines: `Groups:` may be longer than what is read. Who asks is
/// about to close its descriptors, and so this one.
pub fn number(start: &[u8], parse: fn(&[u8]) -> Option<u64>) -> Result<u64> {
    let file = kernel::open(c"/proc/self/status", libc::O_RDONLY)?;
    field(file, start, &mut [0; 2048])?.and_then(parse).ok_or(Errno::ENODATA)
}
