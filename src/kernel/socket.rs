//! Sockets: the line between the host side and the container side, and the
//! loopback interface.

use core::ffi::c_int;

use syscalls::Sysno;

use super::{Fd, Result, call, close, perform};

/// socketpair(2) of datagrams that keep their bounds and end with the peer.
pub fn socket_pair() -> Result<(Fd, Fd)> {
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    let mut pair: [c_int; 2] = [-1; 2];
    // SAFETY: the kernel writes two descriptors into the array.
    unsafe { call!(Sysno::socketpair, libc::AF_UNIX, kind, 0, pair.as_mut_ptr()) }?;
    let [one, other] = pair.map(|number| Fd::new(number as usize));
    Ok((one, other))
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
