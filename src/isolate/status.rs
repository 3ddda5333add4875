//! What the kernel tells about this process, in the container's own /proc.

use crate::kernel::{self, CURRENT, Errno, Result};
use crate::text::line_behind;

/// The number in a line of proc_pid_status(5) of this process, by what the line begins with,
/// tab included. ENODATA if there is none in the first lines: `Groups:` may be longer than
/// what is read.
pub fn field(start: &[u8], parse: fn(&[u8]) -> Option<u64>) -> Result<u64> {
    let mut buffer = [0; 2048];
    let lines = kernel::read_start(CURRENT, c"/proc/self/status", &mut buffer)?;
    line_behind(lines, start).and_then(parse).ok_or(Errno::ENODATA)
}
