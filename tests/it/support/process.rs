//! The program as a process of its own, for what only a process can show: that it is killed, that
//! its disk is full, that several share a database.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

use towpath::sandbox::github::{SANDBOX_APP_KEY, SANDBOX_CLIENT_ID};

/// How long a start may take on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_mins(5);

/// The settings of a process, as its environment.
pub(crate) type Environment = BTreeMap<&'static str, String>;

/// A `towpath serve` that is ready; it ends with this.
pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    child: Child,
    log: NamedTempFile,
}

impl Process {
    /// With the sandbox's App, on an address that is free, after a line of shell: limits are
    /// inherited.
    pub(crate) async fn serve_after(line: &str, environment: &Environment) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        Self::serve_at(address, line, environment).await
    }

    /// The same, at this address.
    pub(crate) async fn serve_at(
        address: SocketAddr,
        line: &str,
        environment: &Environment,
    ) -> Self {
        let log = NamedTempFile::new().unwrap();
        let mut command = Self::command(address, line, environment);
        let child = command.stderr(log.reopen().unwrap()).spawn().unwrap();
        let mut process = Self { address, child, log };
        process.until_ready().await;
        process
    }

    /// What one says that does not start.
    pub(crate) fn refused(environment: &Environment) -> String {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let ended =
            Self::command(address, ":", environment).stderr(Stdio::piped()).output().unwrap();
        assert!(!ended.status.success(), "it ended with {}", ended.status);
        String::from_utf8(ended.stderr).unwrap()
    }

    fn command(address: SocketAddr, line: &str, environment: &Environment) -> Command {
        let script = format!("{line}; exec \"$0\" serve");
        let mut command = Command::new("sh");
        command
            .args(["-c", &script, env!("CARGO_BIN_EXE_towpath")])
            .env_clear()
            .env("GITHUB_APP_ID", SANDBOX_CLIENT_ID)
            .env("GITHUB_APP_PRIVATE_KEY", SANDBOX_APP_KEY)
            .env("GITHUB_WEBHOOK_SECRET", "the sandbox's webhook secret")
            .env("TOWPATH_LISTEN", address.to_string())
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    /// The address of a page of it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The number under which the system knows it.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap()
    }

    /// Ends it in the middle of what it does, as `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and answers what it has logged.
    pub(crate) fn stop(mut self) -> String {
        let asked = Command::new("kill").arg(self.id().to_string()).status().unwrap();
        assert!(asked.success());
        let ended = self.child.wait().unwrap();
        assert!(ended.success(), "it ended with {ended}:\n{}", self.log());
        self.log()
    }

    async fn until_ready(&mut self) {
        let started = Instant::now();
        loop {
            let ready = reqwest::get(self.url("/readyz")).await;
            if ready.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended with {ended:?}:\n{}", self.log());
            assert!(started.elapsed() < PATIENCE, "not ready:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _may_have_ended = self.child.kill();
        let _may_have_ended = self.child.wait();
    }
}
