//! Sockets: the line between the host side and the container side, and the
//! loopback interface.

use core::ffi::c_int;
use core::mem::offset_of;
use core::ptr::null;

use syscalls::Sysno;

use super::{Errno, Fd, Result, call, perform};

/// socketpair(2) of datagrams that keep their bounds and end with the peer.
pub fn socket_pair() -> Result<(Fd, Fd)> {
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    let mut pair: [c_int; 2] = [-1; 2];
    // SAFETY: the kernel writes two descriptors into the array.
    unsafe { perform!(Sysno::socketpair, libc::AF_UNIX, kind, 0, pair.as_mut_ptr()) }?;
    let [one, other] = pair;
    Ok((Fd::new(one as usize), Fd::new(other as usize)))
}

/// Room for a control message with one descriptor (cmsg(3)), aligned as the kernel asks.
#[repr(C)]
struct Passed {
    length: usize,
    level: c_int,
    kind: c_int,
    fd: c_int,
}

impl Passed {
    const LENGTH: usize = offset_of!(Passed, fd) + size_of::<c_int>();
}

/// sendmsg(2) or recvmsg(2) of one byte, with so many bytes of a control message.
/// Gives 0 if the other end is closed.
fn exchange(
    call: Sysno,
    socket: Fd,
    passed: &mut Passed,
    length: usize,
    flags: c_int,
) -> Result<u32> {
    let mut byte = b'!';
    let mut bytes = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: all-zero bytes are a valid msghdr.
    let mut message: libc::msghdr = unsafe { core::mem::zeroed() };
    message.msg_iov = &raw mut bytes;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut *passed).cast();
    message.msg_controllen = length as _;
    // SAFETY: the message and all that it points to live through the call; the kernel reads or
    // writes the byte and the control message, at most as long as the message says.
    let length = unsafe { call!(call, socket.number(), &raw mut message, flags) };
    length.map(|length| length as u32)
}

/// sendmsg(2) of one byte, together with a descriptor if there is one (SCM_RIGHTS, unix(7)).
pub fn send_descriptor(socket: Fd, fd: Option<Fd>) -> Result<()> {
    let (fd, length) = fd.map_or((-1, 0), |fd| (fd.number(), size_of::<Passed>()));
    let (level, kind) = (libc::SOL_SOCKET, libc::SCM_RIGHTS);
    let mut passed = Passed { length: Passed::LENGTH, level, kind, fd };
    exchange(Sysno::sendmsg, socket, &mut passed, length, 0).map(drop)
}

/// recvmsg(2) of one byte, and of the descriptor that came with it, if one did.
/// `None` if the other end is closed. With MSG_PEEK in the flags what came stays to be read.
pub fn receive_descriptor(socket: Fd, flags: c_int) -> Result<Option<Option<Fd>>> {
    let mut passed = Passed { length: 0, level: 0, kind: 0, fd: -1 };
    let flags = flags | libc::MSG_CMSG_CLOEXEC;
    let length = exchange(Sysno::recvmsg, socket, &mut passed, size_of::<Passed>(), flags)?;
    let came = (passed.fd >= 0).then(|| Fd::new(passed.fd as usize));
    Ok((length > 0).then_some(came))
}

/// recvfrom(2) that takes nothing and does not wait: EPIPE if the other end is no longer open,
/// when nothing is to come from it.
pub fn check_open(socket: Fd) -> Result<()> {
    let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
    let none = null::<u8>();
    // SAFETY: no memory is passed.
    let peeked = unsafe { call!(Sysno::recvfrom, socket.number(), none, 0, flags, none, none) };
    match peeked {
        Err(Errno::EAGAIN) => Ok(()),
        other => other.and(Err(Errno::EPIPE)),
    }
}

/// Sets the loopback interface of this network namespace up (netdevice(7)).
/// The kernel then gives it 127.0.0.1 and ::1 by itself. The socket stays open: the
/// caller closes all its descriptors soon.
pub fn loopback_up() -> Result<()> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    // SAFETY: no memory is passed.
    let socket = unsafe { call!(Sysno::socket, libc::AF_INET, kind, 0) }.map(Fd::new)?;
    // SAFETY: all-zero bytes are a valid ifreq.
    let mut request: libc::ifreq = unsafe { core::mem::zeroed() };
    let [first, second, ..] = &mut request.ifr_name;
    (*first, *second) = (b'l' as _, b'o' as _);
    request.ifr_ifru.ifru_flags = libc::IFF_UP as _;
    // SAFETY: the request is a whole ifreq, which the kernel only reads.
    unsafe { perform!(Sysno::ioctl, socket.number(), libc::SIOCSIFFLAGS, &raw const request) }
}
