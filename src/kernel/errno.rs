//! The answers of system calls.
//!
//! Our own number rather than that of the `syscalls` crate: being never zero,
//! it makes `Result<()>` one register wide, and there is one at every step.

use core::ffi::c_int;
use core::num::NonZero;

/// Why a system call failed: errno(3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Errno(NonZero<c_int>);

/// What a system call gives.
pub type Result<T> = core::result::Result<T, Errno>;

macro_rules! known {
    ($($name:ident)*) => {
        impl Errno {
            $(
                #[doc = concat!("errno(3): ", stringify!($name))]
                pub const $name: Errno = match NonZero::new(libc::$name) {
                    Some(number) => Errno(number),
                    None => unreachable!(),
                };
            )*
        }
    };
}

known! {
    E2BIG EACCES EAGAIN EBADF EBUSY EDQUOT EEXIST EFBIG EINTR EINVAL EIO EISDIR ELOOP
    ENAMETOOLONG
    ENODATA ENODEV ENOENT ENOEXEC ENOMEM ENOSPC
    ENOSYS ENOTDIR ENOTTY EOPNOTSUPP EPERM EPIPE EROFS ESRCH ESTALE
}

impl Errno {
    /// The number itself, which is positive.
    pub const fn number(self) -> u32 {
        self.0.get() as u32
    }
}

/// The answer of a call that gives a number: the kernel keeps the topmost 4095
/// for errors.
pub(super) fn number(answer: usize) -> Result<usize> {
    if answer > -4096isize as usize {
        done(answer)?;
    }
    Ok(answer)
}

/// The answer of a call that gives 0 or an error.
pub(super) fn done(answer: usize) -> Result<()> {
    match NonZero::new((answer as c_int).wrapping_neg()) {
        None => Ok(()),
        Some(errno) => Err(Errno(errno)),
    }
}

/// A system call that gives a number.
macro_rules! call {
    ($name:expr $(, $argument:expr)*) => {
        $crate::kernel::errno::number(syscalls::raw_syscall!($name $(, $argument)*))
    };
}

/// A system call that gives nothing but success.
macro_rules! perform {
    ($name:expr $(, $argument:expr)*) => {
        $crate::kernel::errno::done(syscalls::raw_syscall!($name $(, $argument)*))
    };
}

pub(super) use {call, perform};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        assert_eq!(number(0), Ok(0));
        assert_eq!(number(4095), Ok(4095));
        assert_eq!(number(usize::MAX), Err(Errno::EPERM));
        assert_eq!(number(-4095isize as usize).unwrap_err().number(), 4095);
        assert_eq!(number(-4096isize as usize), Ok(-4096isize as usize));
        assert_eq!(done(0), Ok(()));
        assert_eq!(done(-2isize as usize), Err(Errno::ENOENT));
        assert_eq!(size_of::<Result<()>>(), size_of::<c_int>());
    }
}
