//! One proxy that checks traffic: a process of its own.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// A proxy that runs.
pub(super) struct Checker {
    pub(super) url: String,
    /// Where it takes webhooks.
    pub(super) webhooks: Option<String>,
}

impl Checker {
    /// Starts the proxy `name`, which ends with this process, however that ends.
    pub(super) fn start(folder: &Path, name: &str, upstream: &str, more: &[&str]) -> Self {
        let program = folder.join(name).join(format!("{name}.mjs"));
        let mut process = Command::new("sh")
            .args(["-c", "exec 3<&0; node \"$@\" </dev/null & cat <&3 >/dev/null; kill $!", "sh"])
            .arg(program)
            .args(["--listen", "127.0.0.1:0", "--upstream", upstream])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let output = process.stdout.take().expect("an output that is read");
        // The pipe to the shell is closed by the end of this process and not before.
        std::mem::forget(process);

        let (mut url, mut webhooks) = (None, None);
        let mut lines = BufReader::new(output).lines();
        // `... webhooks URL -> target`, and `... ready ... URL -> upstream`, in either order.
        let wanted = if more.contains(&"--webhook-listen") { 2 } else { 1 };
        for line in lines.by_ref().take(wanted) {
            let line = line.expect("text");
            let found = line.split_whitespace().find(|word| word.starts_with("http://"));
            let found = found.unwrap_or_else(|| panic!("{line}")).trim_end_matches('/').to_owned();
            if line.contains("webhook") { webhooks = Some(found) } else { url = Some(found) }
        }
        // Whoever does not read what is said stops the speaker.
        std::thread::spawn(move || lines.for_each(drop));
        Self { url: url.unwrap_or_else(|| panic!("{name} does not start")), webhooks }
    }

    /// One of the proxy's own calls.
    pub(super) async fn post(&self, call: &str, body: &Value) -> Value {
        let url = format!("{}/__contract/{call}", self.url);
        let request = reqwest::Client::new().post(url).json(body);
        request.send().await.expect("the proxy runs").json().await.expect("JSON")
    }
}
