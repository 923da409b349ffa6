//! A PostgreSQL of one's own: one throwaway cluster for the test process, one database for a test.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where distributions put the programs, and the versions that are tried.
const PROGRAMS: [&str; 5] = [
    "/usr/lib/postgresql/18/bin",
    "/usr/lib/postgresql/17/bin",
    "/usr/lib/postgresql/16/bin",
    "/usr/lib/postgresql/15/bin",
    "/usr/local/bin",
];

/// The URL of a new, empty database; `None` where there is no PostgreSQL, which is said once, and
/// is a failure if `TOWPATH_TEST_REQUIRE` names it.
pub(crate) fn new_database() -> Option<String> {
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    static DATABASES: AtomicU32 = AtomicU32::new(1);
    let cluster = CLUSTER.get_or_init(Cluster::start).as_ref()?;
    let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    let folder = cluster.folder.to_str().expect("the folder's name is ASCII");
    let mut create = Command::new(cluster.programs.join("createdb"));
    run(create.args(["--host", folder, "--username", "postgres", &name]));
    Some(format!("postgres://postgres@localhost/{name}?host={folder}"))
}

struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
}

impl Cluster {
    fn start() -> Option<Self> {
        let programs = PROGRAMS.iter().map(Path::new).find(|path| path.join("initdb").exists());
        let Some(programs) = programs.map(Path::to_owned) else {
            assert!(!is_required(), "PostgreSQL is required, and none of {PROGRAMS:?} has it");
            eprintln!("not run: the stories on PostgreSQL, because none of {PROGRAMS:?} has it");
            return None;
        };
        let folder = tempfile::Builder::new().prefix("towpath-postgres-").tempdir();
        let folder = folder.expect("a temporary folder").keep();
        let data = folder.join("data");
        if is_root() {
            run(Command::new("chown").arg("nobody").arg(&folder));
        }

        run(as_user(&programs.join("initdb"))
            .args(["--auth", "trust", "--username", "postgres", "--encoding", "UTF8"])
            .args(["--locale", "C", "--no-sync", "--pgdata"])
            .arg(&data));
        // Only a socket in a folder of its own: there is no port to collide on.
        let options = format!(
            "-c listen_addresses= -c unix_socket_directories={} -c fsync=off -c max_connections=300",
            folder.display()
        );
        run(as_user(&programs.join("pg_ctl"))
            .args(["start", "--wait", "--silent", "--log"])
            .arg(folder.join("log"))
            .arg("--pgdata")
            .arg(&data)
            .args(["--options", &options]));
        stop_when_this_process_ends(&programs, &folder, &data);
        Some(Self { programs, folder })
    }
}

/// A shell waits for the end of its input, which is the end of this process, however it ends.
fn stop_when_this_process_ends(programs: &Path, folder: &Path, data: &Path) {
    let mut stop = as_user(&programs.join("pg_ctl"));
    stop.args(["stop", "--silent", "--mode", "immediate", "--pgdata"]).arg(data);
    let words = std::iter::once(stop.get_program()).chain(stop.get_args());
    let words: Vec<_> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
    let script = format!("cat; {}; rm -rf '{}'", words.join(" "), folder.display());
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]);
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = shell.spawn().expect("sh");
    // The pipe is closed by the end of this process and not before.
    std::mem::forget(child);
}

/// PostgreSQL refuses to run as root.
fn as_user(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["--user", "nobody", "--"]).arg(program).current_dir("/");
    command
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().expect("id");
    output.stdout.trim_ascii() == b"0"
}

fn is_required() -> bool {
    #[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the program")]
    let required = std::env::var("TOWPATH_TEST_REQUIRE").unwrap_or_default();
    required.split(',').any(|name| name.trim() == "postgres")
}

fn run(command: &mut Command) {
    // `pg_ctl start` leaves a server behind that must not hold a pipe of ours.
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let Output { status, stderr, .. } = command.output().expect("a program that is there");
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
}
