//! What the program itself costs: from its start to being ready, and how much memory it holds at
//! rest and under load.
//!
//! `cargo bench --bench process`
#![expect(clippy::print_stdout, reason = "the figures")]

mod support {
    pub(crate) mod load;
}

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;
use towpath::sandbox::github::{SANDBOX_APP_KEY, SANDBOX_CLIENT_ID};

const SECRET: &str = "the secret of the bench's webhooks";
/// How often the start is measured.
const STARTS: usize = 10;
/// Deliveries of the load.
const DELIVERIES: usize = 20_000;

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut times = Vec::new();
    for start in 0..STARTS {
        let (mut process, address, took) = ready(folder.path());
        times.push(took);
        if start + 1 == STARTS {
            // What the start needed may be given back for a moment.
            thread::sleep(Duration::from_secs(2));
            println!("memory at rest      {}", memory(&process));
            let measured = runtime.block_on(load(address));
            println!("memory under load   {}   ({measured})", memory(&process));
        }
        process.kill().expect("a process that runs");
        process.wait().expect("a process that ran");
    }
    println!("start to ready      the first, with an empty folder: {} ms", times[0].as_millis());
    times.sort_unstable();
    println!("                    median of {STARTS}: {} ms", times[STARTS / 2].as_millis());
}

/// Starts the service, and waits until it says that it is ready.
fn ready(folder: &Path) -> (Child, SocketAddr, Duration) {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let templates = folder.join("templates");
    std::fs::create_dir_all(&templates).expect("a folder");
    let began = Instant::now();
    let process = Command::new(env!("CARGO_BIN_EXE_towpath"))
        .arg("serve")
        .env_clear()
        .env("TOWPATH_LISTEN", address.to_string())
        .env("TOWPATH_DATABASE_URL", format!("sqlite://{}", folder.join("bench.db").display()))
        .env("TOWPATH_TEMPLATES", &templates)
        .env("GITHUB_API_URL", "http://127.0.0.1:9")
        .env("GITHUB_APP_ID", SANDBOX_CLIENT_ID)
        .env("GITHUB_APP_PRIVATE_KEY", SANDBOX_APP_KEY)
        .env("GITHUB_WEBHOOK_SECRET", SECRET)
        .env("TOWPATH_LOG", "error")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program");
    while !is_ready(address) {
        assert!(began.elapsed() < Duration::from_secs(20), "it does not get ready");
        thread::sleep(Duration::from_millis(1));
    }
    (process, address, began.elapsed())
}

fn is_ready(address: SocketAddr) -> bool {
    use std::io::{Read as _, Write as _};
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let asked =
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n");
    let mut answer = String::new();
    asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.contains(" 200 ")
}

/// What the kernel says of a process: resident now, and at most so far.
fn memory(process: &Child) -> String {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id()));
    let Ok(status) = status else { return "not known: there is no /proc".to_owned() };
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().nth(1).unwrap_or("?").to_owned()
    };
    format!("{} kB, at most {} kB", field("VmRSS"), field("VmHWM"))
}

/// Other people's events, as fast as they are taken.
async fn load(address: SocketAddr) -> support::load::Measured {
    let event = json!({
        "action": "completed",
        "workflow_run": {
            "id": 42, "run_attempt": 1, "status": "completed", "conclusion": "success",
            "path": ".github/workflows/ci.yml", "name": "CI", "display_title": "CI",
            "event": "push", "head_branch": "main", "head_sha": "0".repeat(40),
            "html_url": "https://github.com/acme/other/actions/runs/42",
            "actor": {"login": "octocat"}, "created_at": "2026-11-20T12:00:00Z",
        },
        "repository": {"full_name": "acme/other"},
        "padding": "x".repeat(20_000),
    });
    let body = event.to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length");
    mac.update(body.as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    support::load::send(address, DELIVERIES, None, move |n| {
        format!(
            "POST /hooks/github HTTP/1.1\r\nhost: bench\r\nx-github-event: workflow_run\r\n\
             x-github-delivery: d-{n}\r\nx-hub-signature-256: sha256={signature}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    })
    .await
}
