//! The targets of a probe's calls: its parent, its user and some sockets.

use std::{
    io,
    net::{SocketAddr, TcpListener, UdpSocket},
    os::{fd::OwnedFd, unix::net::UnixListener},
    process,
};

use libc::c_long;
use rustix::net::{
    AddressFamily, SendFlags, SocketAddrUnix, SocketType, accept, bind, connect, listen, sendto, socket,
};

/// Listeners and unconnected sockets. They are made before the sandbox, so that a probe makes the call
/// of its name and no other.
pub(crate) struct Targets {
    /// Process id of the probe's parent.
    pub(crate) parent: c_long,
    /// User id of the probe.
    pub(crate) user: c_long,
    // Listener, unconnected socket, address: asking for the address later would be a call too.
    tcp: (TcpListener, OwnedFd, SocketAddr),
    /// `probe.sock` in the working directory.
    named: (UnixListener, OwnedFd, SocketAddrUnix),
    nameless: (OwnedFd, OwnedFd, SocketAddrUnix),
    udp: (UdpSocket, UdpSocket, SocketAddr),
}

impl Targets {
    /// Makes the sockets.
    ///
    /// # Errors
    /// When the system gives no sockets.
    pub(crate) fn new() -> io::Result<Self> {
        let stream = |family| socket(family, SocketType::STREAM, None);
        let abstract_name = format!("isochron-probe-{}", process::id());
        let address = SocketAddrUnix::new_abstract_name(abstract_name.as_bytes())?;
        let nameless = stream(AddressFamily::UNIX)?;
        bind(&nameless, &address)?;
        listen(&nameless, 1)?;
        let parent = rustix::process::getppid().map_or(0, |parent| parent.as_raw_nonzero().get());
        let tcp = TcpListener::bind("127.0.0.1:0")?;
        tcp.set_nonblocking(true)?;
        let tcp_address = tcp.local_addr()?;
        // An earlier probe in this directory has left its own.
        let _ = std::fs::remove_file("probe.sock");
        let named = UnixListener::bind("probe.sock")?;
        let udp = UdpSocket::bind("127.0.0.1:0")?;
        let udp_address = udp.local_addr()?;
        Ok(Self {
            parent: parent.into(),
            user: rustix::process::getuid().as_raw().into(),
            tcp: (tcp, stream(AddressFamily::INET)?, tcp_address),
            named: (named, stream(AddressFamily::UNIX)?, SocketAddrUnix::new("probe.sock")?),
            nameless: (nameless, stream(AddressFamily::UNIX)?, address),
            udp: (udp, UdpSocket::bind("127.0.0.1:0")?, udp_address),
        })
    }

    pub(crate) fn connect_tcp(&self) -> io::Result<()> {
        Ok(connect(&self.tcp.1, &self.tcp.2)?)
    }

    pub(crate) fn connect_named(&self) -> io::Result<()> {
        Ok(connect(&self.named.1, &self.named.2)?)
    }

    pub(crate) fn connect_nameless(&self) -> io::Result<()> {
        Ok(connect(&self.nameless.1, &self.nameless.2)?)
    }

    pub(crate) fn bind(&self) -> io::Result<()> {
        Ok(bind(&self.tcp.1, &SocketAddr::from(([127, 0, 0, 1], 0)))?)
    }

    pub(crate) fn listen(&self) -> io::Result<()> {
        Ok(listen(&self.named.0, 2)?)
    }

    /// No client connects, so without the sandbox this fails with `EAGAIN`.
    pub(crate) fn accept(&self) -> io::Result<()> {
        Ok(accept(&self.tcp.0).map(drop)?)
    }

    pub(crate) fn send_to(&self) -> io::Result<()> {
        Ok(sendto(&self.udp.1, b"probe", SendFlags::empty(), &self.udp.2).map(drop)?)
    }
}
