//! A real Chromium, driven by the `WebDriver` protocol.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use reqwest::{Client, Method};
use serde_json::{Value, json};

/// `WebDriver`'s name of an element's id, fixed by its standard.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Says which violations of the accessibility rules a page has: `axe.run`, and of each violation
/// what it is and where.
const AXE: &str = include_str!("axe.min.js");
const RUN_AXE: &str = "const done = arguments[arguments.length - 1]; \
    axe.run(document).then(found => done(found.violations.map(violation => \
        violation.id + ': ' + violation.nodes.map(node => node.target.join(' ')).join(', '))));";

#[expect(clippy::disallowed_methods, reason = "for the tests, no setting of the program")]
fn told(variable: &str) -> Option<String> {
    std::env::var(variable).ok()
}

/// A browser with one page. It ends with the test.
pub(super) struct Browser {
    driver: Child,
    session: String,
    client: Client,
}

impl Browser {
    /// Starts one; `None` where there is none, which is said, and is a failure if
    /// `TOWPATH_TEST_REQUIRE` names `chromium`.
    pub(super) async fn start() -> Option<Self> {
        let mut command = Command::new("chromedriver");
        let started = command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let Ok(mut driver) = started else {
            let required = told("TOWPATH_TEST_REQUIRE").unwrap_or_default();
            assert!(!required.split(',').any(|it| it.trim() == "chromium"), "no chromedriver");
            eprintln!("not run: the dashboard in a browser, because there is no chromedriver");
            return None;
        };
        let output = BufReader::new(driver.stdout.take().unwrap());
        let port = output.lines().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let url = format!("http://127.0.0.1:{}", port.expect("chromedriver says its port"));
        let client = Client::new();
        let options = json!({"args": ["--headless", "--no-sandbox", "--disable-gpu"]});
        let wanted = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}});
        let session = client.post(format!("{url}/session")).body(wanted.to_string()).send().await;
        let session: Value =
            serde_json::from_slice(&session.unwrap().bytes().await.unwrap()).unwrap();
        let id = session["value"]["sessionId"].as_str();
        let id = id.unwrap_or_else(|| panic!("no Chromium: {session}"));
        Some(Self { driver, session: format!("{url}/session/{id}"), client })
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, Value> {
        let mut request = self.client.request(method, format!("{}{path}", self.session));
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let answer = request.send().await.unwrap().bytes().await.unwrap();
        let mut answer: Value = serde_json::from_slice(&answer).unwrap();
        let value = answer["value"].take();
        if value.get("error").is_some() { Err(value) } else { Ok(value) }
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.call(Method::POST, path, Some(body)).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Sends a command of Chromium's own protocol.
    pub(super) async fn tell(&self, command: &str, parameters: Value) -> Value {
        self.post("/goog/cdp/execute", json!({"cmd": command, "params": parameters})).await
    }

    /// Shows pages as somebody with these wishes sees them.
    pub(super) async fn show_as(&self, width: u32, scheme: &str) {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.tell("Emulation.setDeviceMetricsOverride", size).await;
        // A scroll bar would take its width from the page, and not be in the picture.
        self.tell("Emulation.setScrollbarsHidden", json!({"hidden": true})).await;
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        self.tell("Emulation.setEmulatedMedia", json!({"features": [feature]})).await;
    }

    pub(super) async fn open(&self, address: &str) {
        self.post("/url", json!({ "url": address })).await;
    }

    /// What a script answers.
    pub(super) async fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({"script": script, "args": []})).await
    }

    /// What people read on the page.
    pub(super) async fn text(&self) -> String {
        let text = self.run("return document.body.innerText").await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page says something, and fails after ten seconds.
    pub(super) async fn until_text(&self, expected: &str) {
        let begun = std::time::Instant::now();
        while !self.text().await.contains(expected) {
            assert!(begun.elapsed().as_secs() < 10, "no {expected:?} in {}", self.text().await);
            tokio::task::yield_now().await;
        }
    }

    async fn find(&self, selector: &str) -> String {
        let using = json!({"using": "css selector", "value": selector});
        let found = self.post("/element", using).await;
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    pub(super) async fn click(&self, selector: &str) {
        let element = self.find(selector).await;
        self.post(&format!("/element/{element}/click"), json!({})).await;
    }

    /// Types into a field, in place of what stands there.
    pub(super) async fn fill(&self, selector: &str, text: &str) {
        let element = self.find(selector).await;
        self.post(&format!("/element/{element}/clear"), json!({})).await;
        self.post(&format!("/element/{element}/value"), json!({ "text": text })).await;
    }

    /// Presses a key: a letter, or `WebDriver`'s code of a key without one.
    pub(super) async fn press(&self, key: &str) {
        let actions = ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key}));
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": actions});
        self.post("/actions", json!({"actions": [keyboard]})).await;
    }

    /// What is wrong with the page for people who do not see, or see badly.
    pub(super) async fn violations(&self) -> Vec<String> {
        self.run(AXE).await;
        let found = self.post("/execute/async", json!({"script": RUN_AXE, "args": []})).await;
        let found = found.as_array().unwrap().iter().filter_map(Value::as_str);
        found.map(str::to_owned).collect()
    }

    /// Keeps a picture of the whole page, where `TOWPATH_TEST_PICTURES` names a folder.
    pub(super) async fn picture(&self, name: &str) {
        use base64::Engine as _;
        let Some(folder) = told("TOWPATH_TEST_PICTURES") else { return };
        let whole = json!({"format": "png", "captureBeyondViewport": true});
        let picture = self.tell("Page.captureScreenshot", whole).await;
        let picture =
            base64::engine::general_purpose::STANDARD.decode(picture["data"].as_str().unwrap());
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(format!("{folder}/{name}.png"), picture.unwrap()).unwrap();
    }

    pub(super) async fn end(self) {
        let _it_may_be_gone = self.call(Method::DELETE, "", None).await;
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _it_may_be_gone = self.driver.kill();
        let _it_may_be_gone = self.driver.wait();
    }
}
