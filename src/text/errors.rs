//! The kernel's error numbers in words, as errno(3) has them.

use super::{Key, PackedList, Text, pack_list};

/// The number, the name and the text of each error, up to a NUL. The numbers
/// are those of asm-generic, which every processor thimble knows uses. Left
/// out is what no system call of thimble's can answer.
const ERRORS: PackedList = pack_list!(
    "\
    \x01EPERM: Operation not permitted\0\
    \x02ENOENT: No such file or directory\0\
    \x03ESRCH: No such process\0\
    \x04EINTR: Interrupted system call\0\
    \x05EIO: Input/output error\0\
    \x06ENXIO: No such device or address\0\
    \x07E2BIG: Argument list too long\0\
    \x08ENOEXEC: Exec format error\0\
    \x09EBADF: Bad file descriptor\0\
    \x0aECHILD: No child processes\0\
    \x0bEAGAIN: Resource temporarily unavailable\0\
    \x0cENOMEM: Cannot allocate memory\0\
    \x0dEACCES: Permission denied\0\
    \x0eEFAULT: Bad address\0\
    \x10EBUSY: Device or resource busy\0\
    \x11EEXIST: File exists\0\
    \x12EXDEV: Invalid cross-device link\0\
    \x13ENODEV: No such device\0\
    \x14ENOTDIR: Not a directory\0\
    \x15EISDIR: Is a directory\0\
    \x16EINVAL: Invalid argument\0\
    \x17ENFILE: Too many open files in system\0\
    \x18EMFILE: Too many open files\0\
    \x1aETXTBSY: Text file busy\0\
    \x1bEFBIG: File too large\0\
    \x1cENOSPC: No space left on device\0\
    \x1eEROFS: Read-only file system\0\
    \x20EPIPE: Broken pipe\0\
    \x24ENAMETOOLONG: File name too long\0\
    \x25ENOLCK: No locks available\0\
    \x26ENOSYS: Function not implemented\0\
    \x27ENOTEMPTY: Directory not empty\0\
    \x28ELOOP: Too many levels of symbolic links\0\
    \x4bEOVERFLOW: Value too large for defined data type\0\
    \x57EUSERS: Too many users\0\
    \x5fEOPNOTSUPP: Operation not supported\0\
    \x61EAFNOSUPPORT: Address family not supported by protocol\0\
    \x69ENOBUFS: No buffer space available\0\
    \x74ESTALE: Stale file handle\0\
    \x75EUCLEAN: Structure needs cleaning\0\
    \x7aEDQUOT: Disk quota exceeded\0"
);

/// Adds name and text of an error number to a text:
/// `EPERM: Operation not permitted`, or `error 999` if the table has none.
pub fn push_error(number: u32, text: &mut Text) {
    if !text.push_part(ERRORS, Key::Number(number)) {
        text.push(b"error ");
        text.push_number(u64::from(number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn describe(number: u32) -> String {
        let mut text = Text::new();
        push_error(number, &mut text);
        String::from_utf8(text.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn every_line_says_what_the_c_library_says() {
        let mut known = 0;
        for number in 0..200 {
            let line = describe(number);
            if line == format!("error {number}") {
                continue;
            }
            known += 1;
            let (name, text) = line.split_once(": ").unwrap();
            assert!(name.starts_with('E'), "{line}");
            let theirs = std::io::Error::from_raw_os_error(number as i32).to_string();
            assert_eq!(theirs, format!("{text} (os error {number})"));
        }
        assert_eq!(known, 41);
    }

    #[test]
    fn names_stand_at_their_numbers() {
        for (number, name) in [
            (libc::EPERM, "EPERM:"),
            (libc::EPIPE, "EPIPE:"),
            (libc::ECHILD, "ECHILD:"),
            (libc::ELOOP, "ELOOP:"),
            (libc::EOPNOTSUPP, "EOPNOTSUPP:"),
            (libc::EDQUOT, "EDQUOT:"),
        ] {
            assert!(describe(number as u32).starts_with(name), "{name}");
        }
        for number in [0, 33, 41, 133, 257, u32::MAX] {
            assert_eq!(describe(number), format!("error {number}"));
        }
    }
}
