//! The kernel as thimble sees it: one thin, safe function for each system
//! call, by concept. All of the project's `unsafe` and all of its `cfg` on the
//! processor is below this folder, and nothing here knows the rest of thimble.
//!
//! Every function gives the bare errno; whoever called it knows what it was for.

pub mod arch;
mod errno;
mod file;
mod left_out;
mod machine;
mod memory;
mod mount;
mod namespace;
mod privilege;
mod process;
mod signal;
mod socket;
mod words;

pub use errno::{Errno, Result};
use errno::{call, perform};
pub use file::*;
pub use left_out::*;
pub use machine::*;
pub use memory::*;
pub use mount::*;
pub use namespace::*;
pub use privilege::*;
pub use process::*;
pub use signal::*;
pub use socket::*;
pub use words::*;
