//! A small GitHub for the tests of this room: answers with what a test hands it, and keeps every
//! request as it came over the wire.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{GitHub, Settings};
use crate::clock::Clock;
use crate::domain::RepositoryName;

/// An RSA key that was made for these tests and is used nowhere else.
pub(super) const KEY: &str = "\
-----BEGIN RSA PRIVATE KEY-----
MIIEogIBAAKCAQEAkhKBEaB4bM1NJo4oeOTVYGKYqQCvOqvPcB+p9MIcD5Qjr39V
faktL2knAyzUNeE1AI9oRiBAe84KNKzEvyB+Zb3ZtEhE4rdGwIdsUWH696tR6bX/
FrD+nCDHAKabkwvkn3qufwp7kLQJ0kP1jLMKcJCgtWVh4xjpss61xAJZ01lS6hQT
unEgSJq0naDjA9+CvpPZNkQPVsWfCcOFntybRdXbd3mZ0nBuxPS/SY6IyuX3KBvz
TPrTe/EppDd1AXO3Hx2rBbl8oyKoj7feggBg5Ie04sVmkVzJetst2FFJg6Y/LUbo
xt5VXjPMSIsHlYO9kgDs6PiPzqmK61NH94Kp2wIDAQABAoIBACsOAzcj2nsPZF8p
5aoEoRQg26hsyDl97M26t4iqMkUxP/d5i8RXOjdQQiyAaShcchfxLSYGWZtkVsPB
7Nf9BuSMOgAWkR9WMCeNgxLV03hu6dz+ROr2ToXMb3u0oASOq9uJ+Kb/ev5i4sY0
O8s19qzJJGVzNZAPhsqqfQ8CNmHB71RYsGpVniztBRS4NGVBvnCPJFSJFy6TxpqD
Q2pjwmoOwCdLz2zM27LMNaK4WjnOjpY7RTv7+4aZBWpDRdgFJamgd/dL5He7st8f
ZLCLssgl5Sb7w0h3k+Y2ZQ+RXt8vWDPn1IamtW+HLXVzJneMjiZVk1DzerXoPGx5
95fa/bkCgYEAxfEUitYnhhNanTqtV9JfIemvwaNkmM0+aTZXz2qoIZtATxEnFQiy
rjKBl7fbN2JrJhxY92d3e/0cWq9nfkeKmTMms2l5hyLfev+03QqJwnLjXpI/fjl4
pxUwN1XECWCdIlpuoMnFaJQbTqYwctk6SxjKUWUvqUh6/PA6sN38SM8CgYEAvOqv
Zkn5XVGHXRXUsLEpZHIPDvNYmGbmVbiSoq/+tlADjiX+rGDvpD4clT+WcPylfBK/
ZkxPduV3GWszpfKog8i2DFqPBugYGV40fksg228uZgU8f3/IgtoncNTsjqaoRVi/
mWSSAzkQihVTOheEcDjWADbRB19F41TMLMo2uTUCgYAeZ8jjBsBtfP2XV1MXQW5x
lCb2VLX4LtbebIWSi+yltOZs/tKFDZ/82C9F8e0PleOlqAcWgeM9vYSkfXslT7H/
lHbmalZLptSzXSIYLi05HFLGzSpJpmRdLgkJBvilBB0/EKsbscLMLKwBKdAZZDrr
HDS/yg5HL6YMwo4Raxf8ywKBgA+p/eUjWRPNwMWNG9eSuPXlJy58KupoDc0pwq7O
nPYM6F6O8/DjELuzkrclUJoJuMby3v/ib+xR1nA7HUszNZnHuKCJmbZe5DCmSP/3
xr+rFlPLN1rzA3MmF4MZhIvHccheNXTIi/rMbnykjAQTEx4i+EuIQAi2c5sH2u4T
zjnJAoGAEQbR+6ShyEwm900ZWFR3cv8PJwBtqw8+WyVLbEvYvLCDpO0mpxLGsnKN
pn4/N0H6PIvH/KWW1JkE5gEe0MYC/JbuowJAn7wtHINZp9ZaC35pagYkkEBnMDlC
iVn8pfBO8AcCPjyGEyENHq3x0SUqoOt2wFEKoxSrp3wMyU/fX4w=
-----END RSA PRIVATE KEY-----
";

/// The claims of a JWT, unproved.
pub(super) fn claims_of(token: &str) -> Value {
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// `POST /graphql`.
    pub(super) line: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Value,
}

impl Seen {
    /// All values of a header.
    pub(super) fn header(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(header, _)| header == name);
        named.map(|(_, value)| value.as_str()).collect()
    }
}

/// What is answered to a request.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// Status, further header lines, body.
    Send(u16, String, Vec<u8>),
    /// The connection ends without an answer.
    HangUp,
    /// The connection stays, and nothing comes.
    Never,
}

impl From<(u16, Value)> for Reply {
    fn from((status, body): (u16, Value)) -> Self {
        // An answer without content, 204, has no bytes at all.
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        Self::Send(status, String::new(), body)
    }
}

#[derive(Default)]
struct State {
    replies: Vec<(String, VecDeque<Reply>)>,
    seen: Vec<Seen>,
    tokens: u32,
}

/// The small GitHub.
#[derive(Clone)]
pub(super) struct Fake {
    pub(super) url: String,
    pub(super) clock: Clock,
    state: Arc<Mutex<State>>,
}

impl Fake {
    /// Listens. The App is installed on `acme`, as 1.
    #[expect(clippy::disallowed_methods, reason = "a test's server ends with the test's runtime")]
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let fake = Self { url, clock: Clock::system(), state: Arc::default() };
        let server = fake.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(server.clone().serve(stream));
            }
        });
        fake
    }

    /// The App on this GitHub.
    pub(super) fn app(&self) -> GitHub {
        let settings = Settings {
            api_url: self.url.clone(),
            app: "4711".to_owned(),
            private_key: SecretString::from(KEY),
        };
        GitHub::new(&settings, self.clock.clone()).unwrap()
    }

    /// Answers requests whose line begins so, one after another; the last one again and again.
    pub(super) fn on(&self, line: &str, replies: impl IntoIterator<Item = Reply>) {
        let replies = replies.into_iter().collect();
        self.state.lock().unwrap().replies.push((line.to_owned(), replies));
    }

    /// The requests so far whose line begins so.
    pub(super) fn seen(&self, line: &str) -> Vec<Seen> {
        let state = self.state.lock().unwrap();
        state.seen.iter().filter(|seen| seen.line.starts_with(line)).cloned().collect()
    }

    fn reply(&self, seen: Seen) -> Reply {
        let mut state = self.state.lock().unwrap();
        let line = seen.line.clone();
        println!("SEEN {}", json!({"line": seen.line, "headers": seen.headers, "body": seen.body}));
        state.seen.push(seen);
        for (begin, replies) in &mut state.replies {
            if line.starts_with(&*begin) {
                let last = replies.len() == 1;
                let reply = if last { replies.front().cloned() } else { replies.pop_front() };
                return reply.expect("a reply");
            }
        }
        if line.ends_with("/access_tokens") {
            state.tokens += 1;
            let until = self.clock.now() + chrono::TimeDelta::hours(1);
            let token = format!("ghs_{}", state.tokens);
            return (201, json!({ "token": token, "expires_at": until })).into();
        }
        match line.as_str() {
            "GET /orgs/acme/installation" => (200, json!({ "id": 1, "suspended_at": null })),
            "GET /app" => (
                200,
                json!({ "slug": "towpath", "name": "Towpath", "html_url": "https://x/apps/towpath" }),
            ),
            _ => (404, json!({ "message": "Not Found" })),
        }
        .into()
    }

    async fn serve(self, mut stream: TcpStream) {
        while let Some(seen) = read(&mut stream).await {
            let (status, headers, body) = match self.reply(seen) {
                Reply::Send(status, headers, body) => (status, headers, body),
                Reply::HangUp => return,
                Reply::Never => std::future::pending().await,
            };
            let head =
                format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&body).await.unwrap();
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let header = |line: &str| line.split_once(": ").map(|(n, v)| (n.to_lowercase(), v.to_owned()));
    let headers: Vec<_> = lines.filter_map(header).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().unwrap());
    while bytes.len() < end + 4 + length {
        stream.read_buf(&mut bytes).await.ok()?;
    }
    let body = serde_json::from_slice(&bytes[end + 4..]).unwrap_or_default();
    Some(Seen { line, headers, body })
}

/// `acme/infra`.
pub(super) fn infra() -> RepositoryName {
    RepositoryName::new("acme", "infra").unwrap()
}
