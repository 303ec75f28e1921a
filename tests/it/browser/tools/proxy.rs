//! A proxy in front of a server that is reached below a path.

use std::{
    io::{BufRead, BufReader, Write, copy},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, OnceLock},
    thread,
};

/// The path below which the server is reached.
const BASE: &str = "/ops/isochron";

/// A proxy on a free port of this machine. It answers until the tests end.
pub(in crate::browser) struct Proxy {
    address: SocketAddr,
    target: Arc<OnceLock<String>>,
}

impl Proxy {
    /// A proxy that takes [`BASE`] off the paths of requests, or leaves it there.
    pub(in crate::browser) fn start(strips: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let target = Arc::<OnceLock<String>>::default();
        let proxy = Self { address, target: target.clone() };
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let target = target.clone();
                thread::spawn(move || {
                    let target = target.get().expect("the proxy leads to a server");
                    // Fails when either side goes away early.
                    drop(pass(&client, target, strips));
                });
            }
        });
        proxy
    }

    /// The address that people use.
    pub(in crate::browser) fn url(&self) -> String {
        format!("http://{}{BASE}", self.address)
    }

    /// Passes requests on to a server from now on.
    pub(in crate::browser) fn lead_to(&self, address: &str) {
        self.target.set(address.to_owned()).expect("one server");
    }
}

/// Passes one request on; every request has a connection of its own.
fn pass(client: &TcpStream, target: &str, strips: bool) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    if strips {
        head = head.replacen(&format!(" {BASE}"), " ", 1);
        head = head.replacen("  ", " / ", 1);
    }
    let head = head.replacen("Connection: keep-alive", "Connection: close", 1);
    let mut server = TcpStream::connect(target)?;
    server.write_all(head.as_bytes())?;
    let (mut upwards, mut downwards) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || copy(&mut reader, &mut upwards));
    copy(&mut server, &mut downwards)?;
    client.shutdown(Shutdown::Both)
}
