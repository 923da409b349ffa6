//! What benches share: a client that costs little beside what it measures, and the figures.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

/// Connections that send at the same time.
pub(crate) const CONNECTIONS: usize = 32;

/// What was measured.
pub(crate) struct Measured {
    took: Duration,
    /// How long each answer took, sorted.
    times: Vec<Duration>,
    failed: usize,
}

impl Measured {
    /// Answers a second.
    #[expect(clippy::cast_precision_loss, reason = "some ten thousands")]
    pub(crate) fn a_second(&self) -> f64 {
        self.times.len() as f64 / self.took.as_secs_f64()
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |percent: usize| {
            let index = (self.times.len() * percent / 100).min(self.times.len() - 1);
            self.times[index].as_secs_f64() * 1000.0
        };
        write!(
            f,
            "{:>8.0} a second, median {:.1} ms, p99 {:.1} ms, {} failed",
            self.a_second(),
            at(50),
            at(99),
            self.failed
        )
    }
}

/// Sends `count` requests as fast as they are answered; or, with a pace, so many a second, whose
/// times then count from when each should have been sent. `request` makes the bytes of the nth.
pub(crate) async fn send(
    to: SocketAddr,
    count: usize,
    pace: Option<f64>,
    request: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static,
) -> Measured {
    let request = Arc::new(request);
    let began = Instant::now();
    let mut connections = JoinSet::new();
    for connection in 0..CONNECTIONS {
        let request = Arc::clone(&request);
        connections.spawn(async move {
            let mut stream = TcpStream::connect(to).await.expect("it listens");
            stream.set_nodelay(true).expect("a connection");
            let mut answers = Vec::new();
            for n in (connection..count).step_by(CONNECTIONS) {
                let bytes = request(n);
                let mut due = Instant::now();
                if let Some(pace) = pace {
                    due = began + Duration::from_secs_f64(f64::from(small(n)) / pace);
                    sleep_until(due.into()).await;
                }
                stream.write_all(&bytes).await.expect("a connection");
                let status = read_answer(&mut stream).await;
                answers.push((due.elapsed(), (200..300).contains(&status)));
            }
            answers
        });
    }
    let answers: Vec<_> = connections.join_all().await.into_iter().flatten().collect();
    let took = began.elapsed();
    let failed = answers.iter().filter(|(_, good)| !good).count();
    let mut times: Vec<_> = answers.into_iter().map(|(took, _)| took).collect();
    times.sort_unstable();
    Measured { took, times, failed }
}

fn small(n: usize) -> u32 {
    u32::try_from(n).expect("some ten thousands")
}

/// The status of one answer, which has a `content-length`, and is read to its end.
async fn read_answer(stream: &mut TcpStream) -> u16 {
    let mut buffer = Vec::with_capacity(1024);
    loop {
        let read = stream.read_buf(&mut buffer).await.expect("a connection");
        assert!(read > 0, "the connection was closed");
        let Some(head) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
        let length = text.split("content-length:").nth(1).and_then(|rest| rest.lines().next());
        let length: usize = length.map_or(0, |length| length.trim().parse().expect("a number"));
        while buffer.len() < head + 4 + length {
            assert!(stream.read_buf(&mut buffer).await.expect("a connection") > 0);
        }
        return text.split(' ').nth(1).expect("a status").parse().expect("a number");
    }
}
