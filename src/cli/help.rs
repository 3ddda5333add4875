//! The texts of `--help` and `--version`, but for the lines of the option table.

use crate::text::{Packed, pack};

/// `thimble --help`
pub const GENERAL: Packed = pack!(
    "\
thimble runs a program in a Linux container.

usage: thimble run [OPTIONS] ROOTFS [COMMAND [ARG]...]
       thimble exec [OPTIONS] PID [COMMAND [ARG]...]
       thimble init [OPTIONS] [--] COMMAND [ARG]...
       thimble run --help, thimble exec --help, thimble init --help
       thimble check [ROOTFS [COMMAND [ARG]...]]
       thimble --version

check tells what this kernel and host give, found by trying. Its exit status
is 0 if a run without options works (of a program of its own in /), else 1.
"
);

/// `thimble --version`
pub const VERSION: Packed = pack!(concat!("thimble ", env!("CARGO_PKG_VERSION"), "\n"));

/// The first lines of `thimble init --help`.
pub const INIT_START: &str = "\
usage: thimble init [OPTIONS] [--] COMMAND [ARG]...

As pid 1 of a machine (rdinit=/thimble -- init COMMAND): mounts what is missing,
runs COMMAND, tells \"thimble-result: exit=N signal=S\", and powers off.
";

/// The first lines of `thimble run --help`; those of the option table follow.
pub const RUN_START: &str = "\
usage: thimble run [OPTIONS] ROOTFS [COMMAND [ARG]...]

Runs COMMAND (/bin/sh) with the directory ROOTFS as its root, and exits with
its status: 128+n if signal n ended it, 125 if thimble failed, 126 if COMMAND
cannot be executed, 127 if it does not exist.
";

/// The first lines of `thimble exec --help`.
pub const EXEC_START: &str = "\
usage: thimble exec [OPTIONS] PID [COMMAND [ARG]...]

Runs COMMAND (/bin/sh) in the container whose pid 1 is PID outside, under what
its program is under, and exits with its status as thimble run does.
";
