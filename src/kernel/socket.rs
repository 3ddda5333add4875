//! Sockets: the line between the host side and the container side, and the
//! loopback interface.

use core::ffi::c_int;
use core::mem::offset_of;
use core::ptr::null;

use syscalls::Sysno;

use super::{CURRENT, Errno, Fd, Result, call, close, perform};

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

    /// A message of one byte, with this as its control message.
    fn message(&mut self, byte: &mut libc::iovec) -> libc::msghdr {
        // SAFETY: all-zero bytes are a valid msghdr.
        let mut message: libc::msghdr = unsafe { core::mem::zeroed() };
        message.msg_iov = byte;
        message.msg_iovlen = 1;
        message.msg_control = (&raw mut *self).cast();
        message.msg_controllen = size_of::<Passed>() as _;
        message
    }
}

/// sendmsg(2) of one byte, together with a descriptor if there is one (SCM_RIGHTS, unix(7)).
pub fn send_descriptor(socket: Fd, fd: Option<Fd>) -> Result<()> {
    let mut passed = Passed {
        length: Passed::LENGTH,
        level: libc::SOL_SOCKET,
        kind: libc::SCM_RIGHTS,
        fd: fd.unwrap_or(CURRENT).number(),
    };
    let mut byte = libc::iovec { iov_base: c"!".as_ptr().cast_mut().cast(), iov_len: 1 };
    let mut message = passed.message(&mut byte);
    if fd.is_none() {
        message.msg_controllen = 0;
    }
    // SAFETY: the message and all that it points to live through the call and are only read.
    unsafe { call!(Sysno::sendmsg, socket.number(), &raw const message, 0) }.map(drop)
}

/// recvmsg(2) of one byte, and of the descriptor that came with it, if one did.
/// `None` if the other end is closed.
pub fn receive_descriptor(socket: Fd) -> Result<Option<Option<Fd>>> {
    let mut passed = Passed { length: 0, level: 0, kind: 0, fd: -1 };
    let mut buffer = 0u8;
    let mut byte = libc::iovec { iov_base: (&raw mut buffer).cast(), iov_len: 1 };
    let mut message = passed.message(&mut byte);
    let flags = libc::MSG_CMSG_CLOEXEC;
    // SAFETY: the message and all that it points to live through the call; the kernel writes into
    // the byte and the control message, at most as long as the message says.
    let length = unsafe { call!(Sysno::recvmsg, socket.number(), &raw mut message, flags) }?;
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
/// The kernel then gives it 127.0.0.1 and ::1 by itself.
pub fn loopback_up() -> Result<()> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    // SAFETY: no memory is passed.
    let socket = unsafe { call!(Sysno::socket, libc::AF_INET, kind, 0) }.map(Fd::new)?;
    // SAFETY: all-zero bytes are a valid ifreq.
    let mut request: libc::ifreq = unsafe { core::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = *from as _;
    }
    request.ifr_ifru.ifru_flags = libc::IFF_UP as _;
    // SAFETY: the request is a whole ifreq, which the kernel only reads.
    let done =
        unsafe { perform!(Sysno::ioctl, socket.number(), libc::SIOCSIFFLAGS, &raw const request) };
    close(socket);
    done
}
