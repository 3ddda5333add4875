//! Namespaces and what is set inside them.

use core::ffi::{CStr, c_char, c_int};

use syscalls::Sysno;

use super::{Fd, Result, perform};

/// unshare(2)
pub fn unshare(flags: c_int) -> Result<()> {
    // SAFETY: no memory is passed, and callers name namespaces only (no CLONE_FILES and the like).
    unsafe { perform!(Sysno::unshare, flags) }
}

/// setns(2): enters the namespace, which must be of the kind `flag` names.
pub fn enter_namespace(fd: Fd, flag: c_int) -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { perform!(Sysno::setns, fd.number(), flag) }
}

/// sethostname(2)
pub fn set_hostname(name: &CStr) -> Result<()> {
    // SAFETY: the name is readable for its length.
    unsafe { perform!(Sysno::sethostname, name.as_ptr(), name.to_bytes().len()) }
}

/// The names of the machine: uname(2), which cannot fail; if it does all the same, they
/// are empty.
pub struct Names(libc::utsname);

impl Names {
    /// None yet.
    pub fn none() -> Names {
        // SAFETY: all-zero bytes are a valid utsname.
        Names(unsafe { core::mem::zeroed() })
    }

    /// The host name of this uts namespace.
    pub fn host(&mut self) -> &CStr {
        self.name(1)
    }

    /// The kernel's version, as `6.1.0-9-amd64`.
    pub fn release(&mut self) -> &CStr {
        self.name(2)
    }

    /// The processor, as `x86_64`.
    pub fn machine(&mut self) -> &CStr {
        self.name(4)
    }

    /// There is as much room for each.
    #[inline(never)]
    fn name(&mut self, number: usize) -> &CStr {
        let names = &raw mut self.0;
        // SAFETY: the kernel writes no more than the structure, and ends each of its six names
        // with a NUL.
        unsafe {
            let _ = perform!(Sysno::uname, names);
            CStr::from_ptr(names.cast::<[c_char; 65]>().add(number).cast())
        }
    }
}
