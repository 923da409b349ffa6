//! A step's script as a real process, with its output line by line.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::unix::pipe;
use tokio::process::Command;

/// The most output of one step that is passed on, in bytes. The rest is read and dropped.
const MOST_OUTPUT: usize = 4 * 1024 * 1024;
/// The longest line, in bytes; longer ones are broken.
const LONGEST_LINE: u64 = 64 * 1024;
/// How long output is awaited after the script has ended, while something that it left behind
/// still holds it open.
const AFTERMATH: Duration = Duration::from_secs(2);
/// What a script inherits from this program. Never more: the environment holds this program's
/// credentials.
const INHERITED: [&str; 8] = ["HOME", "LANG", "LC_ALL", "LOGNAME", "SHELL", "TMPDIR", "TZ", "USER"];

/// A script, ready to run.
pub(super) struct Script<'a> {
    /// The program and its arguments, `{0}` for the file with the script.
    pub(super) command: &'a [String],
    /// Where it runs.
    pub(super) folder: &'a Path,
    /// The step's variables.
    pub(super) env: &'a BTreeMap<String, String>,
    /// Folders to search for programs before the system's.
    pub(super) path: &'a [PathBuf],
}

impl Script<'_> {
    /// Runs it to its end and answers with its exit code; each line goes to `log` at once. When
    /// the future is dropped, the process and all its children are ended.
    pub(super) async fn execute(&self, mut log: impl FnMut(String)) -> Result<i32> {
        let (program, arguments) = self.command.split_first().context("the shell is empty")?;
        // One pipe for both, so that the lines keep their order.
        let (reader, writer) = io::pipe()?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.folder)
            .env_clear()
            .envs(inherited())
            .envs(self.env)
            .env("PATH", search_path(self.path)?)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("starting {program}"))?;
        // The command holds the pipe's other end; reading would never end.
        drop(command);
        let group = Group(child.id());
        let mut output = Output::new(pipe::Receiver::from_owned_fd(reader.into())?);
        let status = tokio::select! {
            status = child.wait() => status,
            () = output.pass_on(&mut log) => child.wait().await,
        };
        // What is left in the pipe; a background process must not hold the step open.
        let _ = tokio::time::timeout(AFTERMATH, output.pass_on(&mut log)).await;
        drop(group);
        Ok(status?.code().unwrap_or(-1))
    }
}

/// The shell's command line for a step, as GitHub builds it. Without `shell` a failing pipe does
/// not fail a step there, with `bash` it does.
pub(super) fn shell(shell: Option<&str>, file: &Path) -> Vec<String> {
    let line = match shell {
        None if finds("bash") => "bash -e {0}",
        None | Some("sh") => "sh -e {0}",
        Some("bash") => "bash --noprofile --norc -eo pipefail {0}",
        Some("python") => "python3 {0}",
        Some(custom) => custom,
    };
    let file = file.to_string_lossy();
    line.split_whitespace().map(|word| word.replace("{0}", &file)).collect()
}

/// Whether a program is on the search path of this one.
pub(super) fn finds(program: &str) -> bool {
    find(program).is_some()
}

/// Where a program is on the search path of this one.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn inherited() -> impl Iterator<Item = (&'static str, OsString)> {
    INHERITED.into_iter().filter_map(|name| Some((name, env::var_os(name)?)))
}

fn search_path(first: &[PathBuf]) -> Result<OsString> {
    let system = env::var_os("PATH").unwrap_or_default();
    let folders = first.iter().cloned().chain(env::split_paths(&system));
    env::join_paths(folders).context("building the search path")
}

/// A process and all that it started. Ended when dropped; whoever ended before is not missed.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let Some(id) = self.0 else {
            return;
        };
        let mut kill = std::process::Command::new("kill");
        kill.args(["-KILL", "--", &format!("-{id}")]).stdout(Stdio::null()).stderr(Stdio::null());
        if let Err(error) = kill.status() {
            tracing::warn!(%error, "could not end the processes of a step");
        }
    }
}

struct Output {
    reader: BufReader<pipe::Receiver>,
    line: Vec<u8>,
    passed: usize,
}

impl Output {
    fn new(pipe: pipe::Receiver) -> Self {
        Self { reader: BufReader::new(pipe), line: Vec::new(), passed: 0 }
    }

    /// Passes on line by line until the pipe is closed. May be dropped and called again: a line
    /// that was half read is kept.
    async fn pass_on(&mut self, log: &mut impl FnMut(String)) {
        loop {
            let room = LONGEST_LINE.saturating_sub(self.line.len() as u64);
            let read = (&mut self.reader).take(room).read_until(b'\n', &mut self.line).await;
            let is_over = !matches!(read, Ok(read) if read > 0) && room > 0;
            if is_over && self.line.is_empty() {
                return;
            }
            self.pass_line(log);
        }
    }

    fn pass_line(&mut self, log: &mut impl FnMut(String)) {
        let line = std::mem::take(&mut self.line);
        let is_first_over = self.passed <= MOST_OUTPUT;
        self.passed += line.len();
        if self.passed <= MOST_OUTPUT {
            let line = String::from_utf8_lossy(&line);
            log(line.trim_end_matches(['\n', '\r']).to_owned());
        } else if is_first_over {
            log(format!(
                "##[warning]The sandbox drops the output of this step after {MOST_OUTPUT} bytes."
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run(script: &str) -> (i32, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("script");
        std::fs::write(&file, script).unwrap();
        let script = Script {
            command: &shell(Some("sh"), &file),
            folder: folder.path(),
            env: &BTreeMap::from([("GREETING".to_owned(), "hello".to_owned())]),
            path: &[],
        };
        let mut lines = Vec::new();
        let code = script.execute(|line| lines.push(line)).await.unwrap();
        (code, lines)
    }

    #[tokio::test]
    async fn both_outputs_arrive_in_order_and_the_exit_code_counts() {
        let (code, lines) = run("echo one; echo two >&2; echo $GREETING; printf end; exit 3").await;
        assert_eq!((code, lines), (3, ["one", "two", "hello", "end"].map(String::from).to_vec()));
    }

    #[tokio::test]
    async fn credentials_of_this_program_are_not_inherited() {
        // Cargo sets this one for every test.
        let (_, lines) = run("echo \"[$CARGO_MANIFEST_DIR]\"").await;
        assert_eq!(lines, ["[]"]);
    }

    #[tokio::test]
    async fn endless_output_is_cut_with_a_word_about_it() {
        let (code, lines) = run("head -c 5000000 /dev/zero | tr '\\0' 'x'").await;
        assert_eq!(code, 0);
        assert!(lines.last().unwrap().contains("drops the output"));
        assert!(lines.iter().map(String::len).sum::<usize>() < MOST_OUTPUT + 200);
    }

    #[tokio::test]
    async fn dropping_the_future_ends_the_children_too() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("script");
        std::fs::write(&file, "sleep 1000 & echo $!; wait").unwrap();
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let command = shell(Some("sh"), &file);
        let script =
            Script { command: &command, folder: folder.path(), env: &BTreeMap::new(), path: &[] };
        let child = {
            let running = script.execute(move |line| sender.send(line).unwrap());
            tokio::select! {
                _ = running => panic!("the script should still run"),
                line = receiver.recv() => line.unwrap(),
            }
        };
        // A zombie still has an entry, so its state is asked for.
        let is_alive = || {
            let status = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            !status.is_empty() && !status.contains(") Z ")
        };
        while is_alive() {
            tokio::task::yield_now().await;
        }
    }
}
