//! Mails, to a server that speaks as little SMTP as it needs.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use super::{FAILS, WORKS, delivered, server, watched};

/// A mail server that keeps what it gets.
struct Smtp {
    port: u16,
    mails: Arc<Mutex<Vec<String>>>,
}

impl Smtp {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let mails = Arc::<Mutex<Vec<String>>>::default();
        let kept = mails.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Fails when the client goes away early.
                let _ = serve(stream, &kept);
            }
        });
        Self { port, mails }
    }

    fn mails(&self) -> Vec<String> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(mut stream: TcpStream, mails: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    stream.write_all(b"220 here\r\n")?;
    while let Some(line) = lines.next().transpose()? {
        match line.split(' ').next().unwrap_or_default() {
            "DATA" => {
                stream.write_all(b"354 go on\r\n")?;
                let mut mail = String::new();
                while let Some(line) = lines.next().transpose()?.filter(|line| line != ".") {
                    mail += &format!("{line}\n");
                }
                mails.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
                stream.write_all(b"250 taken\r\n")?;
            }
            "QUIT" => return stream.write_all(b"221 bye\r\n"),
            _ => stream.write_all(b"250 fine\r\n")?,
        }
    }
    Ok(())
}

/// The value of a header.
fn header<'a>(mail: &'a str, name: &str) -> Option<&'a str> {
    let line = mail.lines().find(|line| line.to_ascii_lowercase().starts_with(name))?;
    Some(line[name.len()..].trim())
}

#[test]
fn a_recovery_is_an_answer_to_the_mail_of_its_failure() {
    let smtp = Smtp::start();
    let settings = format!(
        "[alerts.mail]\nkind = \"email\"\nsmtp = \"smtp://127.0.0.1:{}\"\nfrom = \"isochron <iso@a.example>\"\n\
         to = [\"ops@b.example\"]\nbatch = 0",
        smtp.port
    );
    let server = server(&settings);
    let task = watched(&server, "nightly", FAILS, "mail");
    server.run(&task);
    delivered(&server, "mail", 1);
    server.home.write("nightly", WORKS);
    server.run(&task);
    delivered(&server, "mail", 2);
    let mails = smtp.mails();
    let [failure, recovery] = mails.as_slice() else { panic!("{mails:#?}") };
    assert_eq!(header(failure, "subject:"), Some("nightly has failed: no luck"));
    assert!(header(recovery, "subject:").is_some_and(|subject| subject.starts_with("nightly works again")));
    assert_eq!(header(recovery, "in-reply-to:"), header(failure, "message-id:"));
    assert!(failure.contains("text/plain") && failure.contains("text/html") && failure.contains("line one"));
}
