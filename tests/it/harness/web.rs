//! A web server for the requests of handlers: HTTP/1.1, one request for each connection.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct WebRequest {
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl WebRequest {
    /// A header's value; empty if it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// A port of this machine on which nobody listens, as long as this is there.
pub(crate) struct DeafPort {
    address: SocketAddr,
    _socket: OwnedFd,
}

impl DeafPort {
    pub(crate) fn new() -> Self {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let address = getsockname(&socket).ok().and_then(|address| SocketAddr::try_from(address).ok());
        Self { address: address.expect("its address"), _socket: socket }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// An answer: the status, more lines of the head, and the body.
pub(crate) type WebReply = (u16, &'static str, String);

/// A server on a free port of this machine. It answers until the tests end.
pub(crate) struct Web {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<WebRequest>>>,
}

impl Web {
    /// Answers each request with what `answer` makes of it.
    pub(crate) fn start(answer: impl Fn(&WebRequest) -> WebReply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (seen, answer) = (Arc::<Mutex<Vec<_>>>::default(), Arc::new(answer));
        let web = Self { address, seen: seen.clone() };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, answer) = (seen.clone(), answer.clone());
                // Fails when the client goes away early.
                thread::spawn(move || drop(serve(stream, &seen, &*answer)));
            }
        });
        web
    }

    /// The address of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<WebRequest> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(
    stream: TcpStream,
    seen: &Mutex<Vec<WebRequest>>,
    answer: &(dyn Fn(&WebRequest) -> WebReply + Send + Sync),
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut words = lines.first().map(String::as_str).unwrap_or_default().split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let headers = lines.iter().skip(1).filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    let mut request = WebRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: headers.collect(),
        body: String::new(),
    };
    let length = request.header("content-length").parse().unwrap_or(0);
    reader.take(length).read_to_string(&mut request.body)?;
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
    let (status, head, body) = answer(&request);
    let head = if head.is_empty() { String::new() } else { format!("{head}\r\n") };
    let length = body.len();
    let mut stream = stream;
    write!(stream, "HTTP/1.1 {status} \r\nconnection: close\r\ncontent-length: {length}\r\n{head}\r\n{body}")
}
