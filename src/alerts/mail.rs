//! Mail: a message as plain text and HTML, in one thread with the message that it follows.

use std::{net::IpAddr, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message as Mail, Tokio1Executor,
    message::{Mailbox, MultiPart},
    transport::smtp::authentication::Credentials,
};
use tokio::time::timeout;
use url::Url;

use super::message::Message;
use crate::{
    clock::Stopwatch,
    domain::{
        Millis,
        alerts::{AlertId, Attempt, Kind, cut},
        network::NetPolicy,
    },
};

/// The whole exchange takes no longer.
const WITHIN: Duration = Duration::from_secs(30);
/// Characters of an error that are kept.
const KEPT: usize = 500;

/// Sends mails.
pub(super) struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    host: String,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Mailer {
    /// # Errors
    /// A sentence that does not repeat a password.
    pub(super) fn open(
        smtp: &str,
        password: Option<&str>,
        from: &str,
        to: &[String],
        net: &NetPolicy,
    ) -> Result<Self, String> {
        let url = Url::parse(smtp).map_err(|_| "smtp is no URL such as smtps://user@host".to_owned())?;
        let host = url.host_str().ok_or("smtp names no host")?.to_owned();
        let port = url.port().unwrap_or(if url.scheme() == "smtps" { 465 } else { 25 });
        if let Some(rule) = net.deny.iter().find(|rule| rule.names_host(&host, port)) {
            return Err(format!("smtp is {host}, which net.deny has ({rule})"));
        }
        let is_secret = password.is_some() || url.password().is_some();
        if is_secret && !is_private(&url) {
            return Err("smtp would send the password in clear text: use smtps://, or smtp:// with \
                        ?tls=required"
                .to_owned());
        }
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(smtp)
            .map_err(|_| "smtp is no URL such as smtps://user@host".to_owned())?
            .timeout(Some(WITHIN));
        let transport = match password {
            Some(password) => {
                let user = percent_decode(url.username());
                transport.credentials(Credentials::new(user, password.to_owned()))
            }
            None => transport,
        };
        let read = |text: &str| {
            text.parse::<Mailbox>().map_err(|error| format!("{text:?} is no mail address: {error}"))
        };
        let to = to.iter().map(|text| read(text)).collect::<Result<_, _>>()?;
        Ok(Self { transport: transport.build(), host, from: read(from)?, to })
    }

    /// The part of the settings that may be shown.
    pub(super) fn place(&self) -> String {
        let to: Vec<_> = self.to.iter().map(|to| to.email.to_string()).collect();
        format!("{} by {}", to.join(", "), self.host)
    }

    /// Sends a message; the attempt begins at `now`.
    pub(super) async fn send(&self, message: &Message, now: Millis) -> Attempt {
        let stopwatch = Stopwatch::start();
        let sent = match self.write(message) {
            Ok(mail) => match timeout(WITHIN, self.transport.send(mail)).await {
                Ok(Ok(response)) => Ok(response.message().collect::<Vec<_>>().join(" ")),
                Ok(Err(error)) => Err(explain(&error)),
                Err(_) => Err(format!("{} did not take the mail within {} s", self.host, WITHIN.as_secs())),
            },
            Err(why) => Err(why),
        };
        let (ok, answer) = sent.map_or_else(|why| (false, why), |answer| (true, answer));
        Attempt { time: now, took: stopwatch.millis(), status: None, answer: cut(&answer, KEPT), ok }
    }

    fn write(&self, message: &Message) -> Result<Mail, String> {
        let mut mail = Mail::builder()
            .from(self.from.clone())
            .subject(cut(&message.summary, 150))
            .message_id(Some(self.message_id(message.id())))
            .user_agent(concat!("isochron/", env!("CARGO_PKG_VERSION")).to_owned());
        for to in &self.to {
            mail = mail.to(to.clone());
        }
        if let Some(first) = message.follows {
            let id = self.message_id(first);
            mail = mail.in_reply_to(id.clone()).references(id);
        }
        let (plain, html) = (plain(message), html(message));
        mail.multipart(MultiPart::alternative_plain_html(plain, html)).map_err(|error| error.to_string())
    }

    fn message_id(&self, alert: AlertId) -> String {
        format!("<{alert}@{}>", self.from.email.domain())
    }
}

/// Whether a password on the way to the server is seen by nobody.
fn is_private(url: &Url) -> bool {
    // The host of a scheme that is none of the web is a text, whatever it is.
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let local = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    let required = url.query_pairs().any(|(key, value)| key == "tls" && value == "required");
    local || required || url.scheme() == "smtps"
}

fn percent_decode(text: &str) -> String {
    let pairs = format!("user={}", text.replace('+', "%2B"));
    let decoded = url::form_urlencoded::parse(pairs.as_bytes()).next();
    decoded.map(|(_, user)| user.into_owned()).unwrap_or_default()
}

/// An error with its causes.
fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text += &format!(": {cause_text}");
        }
        source = cause.source();
    }
    text
}

fn plain(message: &Message) -> String {
    let mut text = format!("{}\n", message.summary);
    if let Some(task) = &message.task {
        text += &format!("\nTask: {} ({})\nHandler: {}\n", task.name, task.id, task.handler);
    }
    if let Some(cause) = &message.execution {
        text += &format!("Execution: {}, attempt {}\n", cause.execution, cause.attempt);
        if let Some(error) = &cause.error {
            text += &format!("\n{error}\n");
        }
    }
    let details = message.details();
    if !details.is_empty() {
        text += &format!("\n{details}");
    }
    for link in [&message.links.execution, &message.links.task].into_iter().flatten() {
        text += &format!("\n{link}");
    }
    text += &format!("\n-- \nisochron on {}\n", message.host());
    text
}

fn html(message: &Message) -> String {
    let color = if message.kind == Kind::Recovery { "#1a7f37" } else { "#c1121f" };
    let heading = format!("<p style=\"font-weight:bold;color:{color}\">{}</p>", escape(&message.summary));
    let body = plain(message);
    let body = body.split_once('\n').map_or("", |(_, rest)| rest);
    let link = message.links.execution.as_ref().or(message.links.task.as_ref());
    let link = link.map(|link| format!("<p><a href=\"{0}\">{0}</a></p>", escape(link))).unwrap_or_default();
    format!("<html><body>{heading}<pre>{}</pre>{link}</body></html>", escape(body.trim()))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(smtp: &str, password: Option<&str>) -> Result<Mailer, String> {
        Mailer::open(smtp, password, "a@b.example", &["c@d.example".to_owned()], &NetPolicy::default())
    }

    #[tokio::test]
    async fn a_password_never_goes_in_clear_text_to_another_machine() {
        for (smtp, is_right) in [
            ("smtps://user@mail.example", true),
            ("smtp://user@mail.example?tls=required", true),
            ("smtp://user@127.0.0.1:2525", true),
            ("smtp://user@mail.example", false),
            ("smtp://user@mail.example?tls=opportunistic", false),
        ] {
            let opened = open(smtp, Some("secret"));
            assert_eq!(opened.is_ok(), is_right, "{smtp}: {:?}", opened.err());
        }
        assert!(open("smtp://mail.example", None).is_ok());
        assert!(open("mail.example", None).is_err());
    }
}
