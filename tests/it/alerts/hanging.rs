//! Channels whose servers hang: each holds up its own messages alone, and for no longer than is documented.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use super::{FAILS, delivered, server};
use crate::harness::{Server, Web, until};

/// The times after which a server that does not answer is given up.
const HTTP: &str = "127.0.0.1 did not answer within 20 s";
const SMTP: &str = "127.0.0.1 did not take the mail within 30 s";

/// Serves each connection with `serve`; returns the port.
fn listen(serve: fn(TcpStream) -> std::io::Result<()>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Fails when the client goes away.
            thread::spawn(move || serve(stream));
        }
    });
    port
}

/// Reads until the client goes away, and answers nothing.
fn hang(mut stream: TcpStream) -> std::io::Result<()> {
    std::io::copy(&mut stream, &mut std::io::sink()).map(drop)
}

/// Sends a piece of an answer that never ends each second, as long as the client is there.
fn drip(mut stream: TcpStream, first: &[u8], piece: &[u8]) -> std::io::Result<()> {
    stream.write_all(first)?;
    loop {
        thread::sleep(Duration::from_secs(1));
        stream.write_all(piece)?;
    }
}

/// Answers a request with a head that never ends.
fn drip_http(mut stream: TcpStream) -> std::io::Result<()> {
    stream.read_exact(&mut [0; 16])?;
    drip(stream, b"HTTP/1.1 200 OK\r\n", b"x-y: z\r\n")
}

/// Takes the beginning of a request, and goes away within the head of the answer.
fn break_off_http(mut stream: TcpStream) -> std::io::Result<()> {
    stream.read_exact(&mut [0; 16])?;
    stream.write_all(b"HTTP/1.1 200 ")
}

/// Takes a part of a mail, and goes away.
fn break_off_smtp(mut stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    stream.write_all(b"220 here\r\n")?;
    while let Some(line) = lines.next().transpose()? {
        if line == "DATA" {
            stream.write_all(b"354 go on\r\n")?;
            lines.next();
            return Ok(());
        }
        stream.write_all(b"250 fine\r\n")?;
    }
    Ok(())
}

/// The attempts of the message of a channel that waits.
fn attempts(server: &Server, channel: &str) -> Vec<Value> {
    let path = format!("/admin/alerts/deliveries?channel={channel}&status=pending");
    let mut list = server.client().get(&path).expect(200);
    let message = list["deliveries"].get_mut(0).expect("one message waits");
    message["attempts"].as_array().cloned().unwrap_or_default()
}

#[test]
fn servers_that_hang_hold_up_their_own_messages_alone() {
    let web = Web::start(|_| (200, "", "taken".to_owned()));
    let webhook = |name: &str, port: u16| {
        format!("[alerts.{name}]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{port}/\"\nbatch = 0\n")
    };
    let mail = |name: &str, port: u16| {
        format!(
            "[alerts.{name}]\nkind = \"email\"\nsmtp = \"smtp://127.0.0.1:{port}\"\nfrom = \"iso@a.example\"\n\
             to = [\"ops@b.example\"]\nbatch = 0\n"
        )
    };
    let settings = [
        webhook("a-hangs", listen(hang)),
        webhook("b-drips", listen(drip_http)),
        webhook("c-breaks-off", listen(break_off_http)),
        mail("d-hangs", listen(hang)),
        mail("e-drips", listen(|stream| drip(stream, b"", b"220-here\r\n"))),
        mail("f-breaks-off", listen(break_off_smtp)),
        format!("[alerts.works]\nkind = \"webhook\"\nurl = \"{}\"\nbatch = 0\n", web.url("/")),
    ];
    let server = server(&settings.concat());
    let hanging = [("a-hangs", HTTP), ("b-drips", HTTP), ("d-hangs", SMTP), ("e-drips", SMTP)];
    let broken = ["c-breaks-off", "f-breaks-off"];
    let channels = hanging.iter().map(|(name, _)| *name).chain(broken).chain(["works"]);
    let rules: Vec<_> = channels.map(|channel| json!({ "channel": channel })).collect();
    let task = server.create_dormant("nightly", FAILS, &json!({ "alerts": rules }));
    server.run(&task);
    assert_eq!(delivered(&server, "works", 1)[0]["status"], "delivered");
    for (channel, _) in hanging {
        assert_eq!(attempts(&server, channel), Vec::<Value>::new(), "{channel}: its first attempt goes on");
    }
    for channel in broken {
        let attempt = until("an attempt fails", || attempts(&server, channel).into_iter().next());
        assert_eq!(attempt["ok"], false, "{channel}: {attempt}");
        assert!(attempt["took"].as_u64().is_some_and(|took| took < 20_000), "{channel}: {attempt}");
    }
    for (channel, words) in hanging {
        let attempt = until("an attempt is given up", || attempts(&server, channel).into_iter().next());
        assert_eq!(attempt["answer"], words, "{channel}: {attempt}");
    }
    // The channels are tried again, and the next message of the one that works goes its way.
    server.client().post("/admin/alerts/test", &json!({ "channel": "works" })).expect(200);
    assert_eq!(web.seen().len(), 2);
}
