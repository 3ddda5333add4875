//! What the kernel tells in the container's own /proc, in lines that begin with a
//! name.

use crate::kernel::{self, Fd, Result};
use crate::text::Parts;

/// What follows in a line of a file, by what the line begins with, tab included.
/// `None` if there is no such line in the file's beginning, which the buffer takes.
#[inline(never)]
pub fn field<'a>(file: Fd, start: &[u8], buffer: &'a mut [u8; 2048]) -> Result<Option<&'a [u8]>> {
    let lines = kernel::read(file, buffer)?;
    Ok(Parts::of(lines, b'\n').find_map(|line| line.strip_prefix(start)))
}

/// The number in a line of proc_pid_status(5) about this process. `Groups:` may be
/// longer than what is read. Who asks is about to close its descriptors, and so
/// this one.
pub fn number(start: &[u8], parse: fn(&[u8]) -> Option<u64>) -> Result<Option<u64>> {
    let file = kernel::open(c"/proc/self/status", libc::O_RDONLY)?;
    Ok(field(file, start, &mut [0; 2048])?.and_then(parse))
}
