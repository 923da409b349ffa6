//! A broker that speaks the real protocol, with TLS and a password: the program in `tests/broker`, in
//! a process of its own.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;

use rdkafka::config::ClientConfig;
use tempfile::TempDir;
use towpath::intake::kafka::Connection;

use super::{TOPIC, plain};

/// Where `cargo build` in `tests/broker` puts it.
const BUILT: &str = "tests/broker/target/debug/towpath-broker";
/// The one user.
pub(super) const USER: &str = "org_1";
/// The user's password.
pub(super) const PASSWORD: &str = "the broker's password";

/// A broker that runs; it ends with this.
pub(super) struct Broker {
    program: PathBuf,
    folder: TempDir,
    partitions: i32,
    address: String,
    child: Child,
}

impl Broker {
    /// `None` where it was not built, which is said once, and is a failure if
    /// `TOWPATH_TEST_REQUIRE` names `kafka`.
    pub(super) fn start(partitions: i32) -> Option<Self> {
        let program = program()?;
        let folder = tempfile::tempdir().unwrap();
        let (child, address) = run(&program, &folder, "0", partitions);
        Some(Self { program, folder, partitions, address, child })
    }

    /// Ends it in the middle of what it does.
    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it where it was, with what it had.
    pub(super) fn start_again(&mut self) {
        let port = self.address.rsplit(':').next().unwrap();
        (self.child, self.address) = run(&self.program, &self.folder, port, self.partitions);
    }

    /// Host and port.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The authority that has signed its certificate.
    pub(super) fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// An authority that has not.
    pub(super) fn stranger(&self) -> PathBuf {
        self.folder.path().join("stranger.pem")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _may_have_ended = self.child.kill();
        let _may_have_ended = self.child.wait();
    }
}

/// How a cluster is reached: with an authority, by TLS and as the one user.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) brokers: String,
    pub(super) authority: Option<PathBuf>,
}

impl Way {
    /// For a reader of the topic.
    pub(super) fn connection(&self) -> Connection {
        let plain = plain(&self.brokers);
        let Some(authority) = &self.authority else { return plain };
        Connection {
            security_protocol: "SASL_SSL".to_owned(),
            sasl_mechanism: "SCRAM-SHA-512".to_owned(),
            credentials: Some((USER.to_owned(), PASSWORD.into())),
            ca_location: Some(authority.display().to_string()),
            ..plain
        }
    }

    /// For anybody else.
    pub(super) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        if let Some(authority) = &self.authority {
            config
                .set("security.protocol", "SASL_SSL")
                .set("sasl.mechanism", "SCRAM-SHA-512")
                .set("sasl.username", USER)
                .set("sasl.password", PASSWORD)
                .set("ssl.ca.location", authority.display().to_string());
        }
        config
    }
}

fn run(program: &Path, folder: &TempDir, port: &str, partitions: i32) -> (Child, String) {
    let log = std::fs::File::create(folder.path().join("log")).unwrap();
    let mut child = Command::new(program)
        .arg(folder.path())
        .args([port, USER, PASSWORD, TOPIC, &partitions.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut address = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
    let said = || std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(address.starts_with("localhost:"), "the broker does not start: {}", said());
    (child, address.trim().to_owned())
}

/// A setting of the tests.
fn setting(name: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the program")]
    std::env::var(name).unwrap_or_default()
}

fn program() -> Option<PathBuf> {
    static SAID: Once = Once::new();
    let program = match setting("TOWPATH_TEST_BROKER") {
        path if path.is_empty() => PathBuf::from(BUILT),
        path => PathBuf::from(path),
    };
    if let Ok(program) = program.canonicalize() {
        return Some(program);
    }
    let required = setting("TOWPATH_TEST_REQUIRE");
    let is_required = required.split(',').any(|name| name.trim() == "kafka");
    assert!(!is_required, "a broker is required, and there is no {}", program.display());
    SAID.call_once(|| {
        eprintln!(
            "not run: what needs a real broker, because there is no {}; `cargo build` in \
             tests/broker makes it",
            program.display()
        );
    });
    None
}
