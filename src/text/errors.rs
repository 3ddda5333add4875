//! The kernel's error numbers in words, as errno(3) has them.

use super::{Packed, Text, joined, pack};

macro_rules! errors {
    ($($number:literal $text:literal)*) => {
        const NUMBERS: &[u8] = &[$($number),*];
        /// The name and the text of each, in the same order.
        const TEXTS: Packed = pack!(joined!($($text)*));
    };
}

// The numbers are those of asm-generic, which every processor thimble knows uses.
// Left out is what no system call of thimble's can answer.
errors! {
    1 "EPERM: Operation not permitted"
    2 "ENOENT: No such file or directory"
    3 "ESRCH: No such process"
    4 "EINTR: Interrupted system call"
    5 "EIO: Input/output error"
    6 "ENXIO: No such device or address"
    7 "E2BIG: Argument list too long"
    8 "ENOEXEC: Exec format error"
    9 "EBADF: Bad file descriptor"
    10 "ECHILD: No child processes"
    11 "EAGAIN: Resource temporarily unavailable"
    12 "ENOMEM: Cannot allocate memory"
    13 "EACCES: Permission denied"
    14 "EFAULT: Bad address"
    16 "EBUSY: Device or resource busy"
    17 "EEXIST: File exists"
    19 "ENODEV: No such device"
    20 "ENOTDIR: Not a directory"
    21 "EISDIR: Is a directory"
    22 "EINVAL: Invalid argument"
    23 "ENFILE: Too many open files in system"
    24 "EMFILE: Too many open files"
    25 "ENOTTY: Inappropriate ioctl for device"
    26 "ETXTBSY: Text file busy"
    27 "EFBIG: File too large"
    28 "ENOSPC: No space left on device"
    30 "EROFS: Read-only file system"
    32 "EPIPE: Broken pipe"
    34 "ERANGE: Numerical result out of range"
    36 "ENAMETOOLONG: File name too long"
    37 "ENOLCK: No locks available"
    38 "ENOSYS: Function not implemented"
    40 "ELOOP: Too many levels of symbolic links"
    75 "EOVERFLOW: Value too large for defined data type"
    80 "ELIBBAD: Accessing a corrupted shared library"
    87 "EUSERS: Too many users"
    95 "EOPNOTSUPP: Operation not supported"
    97 "EAFNOSUPPORT: Address family not supported by protocol"
    105 "ENOBUFS: No buffer space available"
    107 "ENOTCONN: Transport endpoint is not connected"
    116 "ESTALE: Stale file handle"
    117 "EUCLEAN: Structure needs cleaning"
    122 "EDQUOT: Disk quota exceeded"
}

/// Adds name and text of an error number to a text:
/// `EPERM: Operation not permitted`, or `error 999` if the table has none.
pub fn push_error(number: u32, text: &mut Text) {
    match NUMBERS.iter().position(|known| u32::from(*known) == number) {
        Some(place) => text.push_packed_part(TEXTS, place),
        None => {
            text.push(b"error ");
            text.push_number(u64::from(number));
        }
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
        assert_eq!(known, 43);
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
