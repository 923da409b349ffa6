//! From nothing to an App: the command and the service's first start, clicked through as a person
//! does it.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use towpath::clock::Clock;
use towpath::sandbox::github::{Fault, Sandbox, SandboxConfig, SandboxGitHub};

const CONVERSION: &str = "POST /app-manifests/{code}/conversions";

/// How long a story waits for a condition. Far more than it takes.
const PATIENCE: Duration = Duration::from_mins(1);

async fn github(folder: &Path) -> SandboxGitHub {
    let config = SandboxConfig::new(folder.join("github"), Clock::system());
    let github = Sandbox::start(config).await.unwrap();
    github.create_repository("acme/infrastructure", &[("README.md", "Infrastructure\n")]);
    github
}

/// A program of this crate that runs in a folder of its own, without settings of this machine.
struct Program {
    child: Child,
    said: BufReader<ChildStderr>,
}

impl Program {
    fn start(folder: &Path, github: &SandboxGitHub, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_towpath"))
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .env("GITHUB_API_URL", github.url())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        Self { child, said }
    }

    /// The address with the one-time token, as it is printed.
    async fn address(&mut self) -> String {
        let mut all = String::new();
        while self.said.read_line(&mut all).await.unwrap() > 0 {
            if let Some(start) = all.find("http://").filter(|_| all.contains("token=")) {
                return all[start..].split_whitespace().next().unwrap().to_owned();
            }
        }
        panic!("no address: {all}");
    }

    /// Waits for a good end, and answers what was printed and what was said.
    async fn end(mut self) -> (String, String) {
        let (mut printed, mut said) = (String::new(), String::new());
        self.said.read_to_string(&mut said).await.unwrap();
        let mut out = self.child.stdout.take().unwrap();
        out.read_to_string(&mut printed).await.unwrap();
        let status = self.child.wait().await.unwrap();
        assert!(status.success(), "{said}");
        (printed, said)
    }
}

/// A person with a browser: goes where links and forms lead, and follows redirects by hand.
struct Person(Client);

impl Person {
    fn new() -> Self {
        let client = Client::builder().redirect(Policy::none()).user_agent("a browser");
        Self(client.build().unwrap())
    }

    async fn open(&self, address: &str) -> Response {
        self.0.get(address).send().await.unwrap()
    }

    /// Presses the button of the page's form, with some fields filled in otherwise.
    async fn press(&self, page: Response, changes: &[(&str, &str)]) -> Response {
        assert_eq!(page.status(), StatusCode::OK);
        let base = page.url().clone();
        let html = page.text().await.unwrap();
        let start = html.find("method=\"post\"").unwrap_or_else(|| panic!("no form: {html}"));
        let form = &html[start..html[start..].find("</form>").unwrap() + start];
        let action = base.join(&attribute(form, "action").unwrap()).unwrap();
        let mut body = Url::parse("http://form").unwrap();
        for input in form.split("<input").skip(1) {
            let name = attribute(input, "name").unwrap();
            let value = attribute(input, "value").unwrap_or_default();
            let value = changes.iter().find(|(of, _)| *of == name).map_or(&*value, |(_, to)| to);
            body.query_pairs_mut().append_pair(&name, value);
        }
        if let Some(select) = form.split("<select").nth(1) {
            let chosen = select.split("<option>").nth(1).unwrap().split('<').next().unwrap();
            body.query_pairs_mut().append_pair(&attribute(select, "name").unwrap(), chosen);
        }
        let request =
            self.0.post(action).header("content-type", "application/x-www-form-urlencoded");
        request.body(body.query().unwrap_or_default().to_owned()).send().await.unwrap()
    }

    /// Goes where an answer leads.
    async fn follow(&self, answer: Response) -> Response {
        self.open(&leads_to(&answer)).await
    }

    /// From the page of this program to the code that GitHub gives: what comes back from here.
    async fn register(&self, address: &str) -> Response {
        let asked = self.press(self.open(address).await, &[]).await;
        let agreed = self.press(asked, &[("name", "Towpath of Acme")]).await;
        self.follow(agreed).await
    }

    /// Installs where it is led to; answers where GitHub leads then.
    async fn install(&self, registered: Response) -> String {
        let installed = self.press(self.follow(registered).await, &[]).await;
        leads_to(&installed)
    }
}

fn leads_to(answer: &Response) -> String {
    assert!(answer.status().is_redirection(), "{}", answer.status());
    answer.headers()["location"].to_str().unwrap().to_owned()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    let value = rest.split('"').next()?;
    let value = value.replace("&quot;", "\"").replace("&lt;", "<").replace("&#x2F;", "/");
    Some(value.replace("&#x27;", "'").replace("&#39;", "'").replace("&amp;", "&"))
}

fn conversions(github: &SandboxGitHub) -> usize {
    github.requests().iter().filter(|asked| asked.operation() == CONVERSION).count()
}

async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let started = Instant::now();
    while !condition().await {
        assert!(started.elapsed() < PATIENCE, "it did not happen: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_command_registers_the_app_keeps_it_and_tells_where_it_is_installed() {
    let folder = tempfile::tempdir().unwrap();
    let github = github(folder.path()).await;
    let asked = ["--organization", "acme", "--public-url", "https://towpath.acme.example"];
    let arguments = [&["setup", "--no-browser"][..], &asked].concat();
    let mut setup = Program::start(folder.path(), &github, &arguments);
    let address = setup.address().await;
    let person = Person::new();
    let registered = person.register(&address).await;
    let back = person.install(registered).await;
    assert!(back.starts_with("https://towpath.acme.example/doctor?"), "{back}");
    let (printed, said) = setup.end().await;
    assert_eq!(printed, "");
    assert!(said.contains("Installed on acme, all repositories."), "{said}");

    let file = folder.path().join("github-app.json");
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(kept["slug"], "towpath-of-acme");
    assert_eq!(kept["api_url"], github.url());
    let secrets = [&kept["client_secret"], &kept["webhook_secret"], &kept["private_key"]];
    assert!(secrets.iter().all(|secret| secret.as_str().is_some_and(|it| it.len() > 20)));
    assert!(!secrets.iter().any(|secret| said.contains(secret.as_str().unwrap())));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // Another time it asks GitHub for nothing: what is kept is kept.
    let again = Program::start(folder.path(), &github, &arguments).child.wait_with_output();
    assert!(!again.await.unwrap().status.success());
    assert_eq!(conversions(&github), 1);
}

#[tokio::test]
async fn the_settings_for_elsewhere_are_printed_alone_and_no_file_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let github = github(folder.path()).await;
    let arguments = ["setup", "--no-browser", "--print", "env", "--organization", "acme"];
    let mut setup = Program::start(folder.path(), &github, &arguments);
    let address = setup.address().await;
    let person = Person::new();
    // The address of the service is not known yet: the page asks for it.
    let page = person.open(&address).await.text().await.unwrap();
    assert!(page.contains("name=\"public_url\"") && !page.contains("method=\"post\""));
    let wrong = person.open(&format!("{address}&public_url=towpath")).await.text().await.unwrap();
    assert!(wrong.contains("is no address of a service"), "{wrong}");
    let filled = format!("{address}&public_url=https://towpath.acme.example&reach=no");
    let registered = person.register(&filled).await;
    person.install(registered).await;
    let (printed, _) = setup.end().await;
    let names: Vec<_> = printed.lines().map(|line| line.split_once('=').unwrap().0).collect();
    let wanted =
        ["GITHUB_API_URL", "GITHUB_APP_ID", "GITHUB_APP_PRIVATE_KEY", "GITHUB_WEBHOOK_SECRET"];
    assert!(wanted.iter().all(|name| names.contains(name)), "{names:?}");
    assert!(!folder.path().join("github-app.json").exists());
}

#[tokio::test]
async fn the_service_waits_for_its_app_and_goes_on_with_it_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let github = github(folder.path()).await;
    let listen = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let service = format!("http://{listen}");
    let arguments = ["serve", "--listen", &listen.to_string(), "--public-url", &service];
    let mut program = Program::start(folder.path(), &github, &arguments);
    let address = program.address().await;
    let person = Person::new();

    let hook = format!("{service}/hooks/github");
    let refused = person.0.post(&hook).body("{}").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.text().await.unwrap().contains("No GitHub App is registered yet"));
    assert_eq!(person.open(&format!("{service}/healthz")).await.status(), StatusCode::OK);
    for without in ["/setup", "/setup?token=guessed", "/setup/registered?code=c&state=guessed"] {
        let answer = person.open(&format!("{service}{without}")).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{without}");
    }
    assert_eq!(conversions(&github), 0);

    let registered = person.register(&format!("{address}&organization=acme")).await;
    let back = person.install(registered).await;
    assert!(back.starts_with(&format!("{service}/doctor?")), "{back}");
    // Signed deliveries are proved from now on, and what is unsigned is refused as such.
    until("the service takes its App up", async || {
        let answer = person.0.post(&hook).body("{}").send().await;
        answer.is_ok_and(|answer| answer.status() == StatusCode::UNAUTHORIZED)
    })
    .await;
    let gone = person.open(&address).await.status();
    assert_eq!(gone, StatusCode::NOT_FOUND, "the token is worth nothing any more");
    github.suspend("acme", true);
    github.webhooks_delivered().await;
    let ready = person.open(&format!("{service}/readyz")).await.text().await.unwrap();
    assert!(ready.contains("\"ready\""), "{ready}");
}

#[tokio::test]
async fn a_lost_answer_is_said_with_the_way_out_and_a_code_is_good_once() {
    let folder = tempfile::tempdir().unwrap();
    let github = github(folder.path()).await;
    let arguments = ["setup", "--no-browser", "--public-url", "https://towpath.acme.example"];
    let mut setup = Program::start(folder.path(), &github, &arguments);
    let address = setup.address().await;
    let person = Person::new();
    github.fail_next(CONVERSION, Fault::LoseAnswer);
    let lost = person.register(&address).await;
    let callback = lost.url().to_string();
    let page = lost.text().await.unwrap();
    assert!(page.contains("answer was lost") && page.contains("/settings/apps"), "{page}");
    assert!(!folder.path().join("github-app.json").exists());
    let again = person.open(&callback).await.text().await.unwrap();
    assert!(again.contains("a code is good once"), "{again}");
    let registered = person.register(&address).await;
    person.install(registered).await;
    setup.end().await;
    assert!(folder.path().join("github-app.json").exists());
}
