//! The example for Backstage, tried: what its scaffolder would send through its proxy is sent.

use std::fs;
use std::time::Duration;

use clap::Parser;
use metrics_exporter_prometheus::PrometheusBuilder;
use reqwest::header::{HeaderMap, HeaderName};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use towpath::cli::folder;
use towpath::cli::service::{Service, Surroundings};
use towpath::clock::Clock;
use towpath::config::RawSettings;
use towpath::domain::{ActionId, RunId};
use towpath::lifecycle::Lifecycle;
use towpath::sandbox::github::SANDBOX_APP_KEY;

const TOKEN: &str = "the token of the other portal";

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    settings: RawSettings,
}

fn yaml(file: &str) -> Value {
    let text = fs::read_to_string(format!("deploy/backstage/{file}")).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

/// What Backstage puts in the place of the expressions.
const VALUES: [(&str, &str); 5] = [
    ("${{ context.task.id }}", "6f1c-task"),
    ("${{ parameters.name }}", "orders"),
    ("${{ parameters.instances }}", "3"),
    ("${{ (parameters.service | parseEntityRef).name }}", "checkout"),
    ("${{ user.entity.spec.profile.email }}", "ada@example.com"),
];

/// A whole-value expression keeps its type.
fn rendered(value: &Value) -> Value {
    match value {
        Value::String(text) if text.contains("${{") => {
            let found = VALUES.iter().find(|(expression, _)| expression == text);
            let (_, value) = found.unwrap_or_else(|| panic!("{text} is not known here"));
            serde_json::from_str(value).unwrap_or_else(|_| (*value).into())
        }
        Value::Object(members) => {
            members.iter().map(|(name, member)| (name.clone(), rendered(member))).collect()
        }
        other => other.clone(),
    }
}

/// What Backstage's proxy passes on: safe headers, those that are allowed, and its own.
fn through_the_proxy(endpoint: &Value, sent: &Value) -> HeaderMap {
    let allowed = endpoint["allowedHeaders"].as_array().cloned().unwrap_or_default();
    let passes = |name: &str| {
        let listed = allowed.iter().filter_map(Value::as_str);
        name.eq_ignore_ascii_case("content-type") || listed.into_iter().any(|it| it == name)
    };
    let mut headers = HeaderMap::new();
    let sent = sent.as_object().unwrap().iter().filter(|(name, _)| passes(name));
    for (name, value) in sent.chain(endpoint["headers"].as_object().unwrap()) {
        let value = value.as_str().unwrap().replace("${TOWPATH_API_TOKEN}", TOKEN);
        headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    headers
}

#[tokio::test]
async fn what_backstage_sends_starts_the_action_once() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", folder.path().join("t.db").display());
    let flags = [
        ["--database-url", &database],
        ["--github-api-url", "http://127.0.0.1:9"],
        ["--github-app-id", "Iv1.sandbox"],
        ["--github-app-private-key", SANDBOX_APP_KEY],
        ["--api-token", TOKEN],
    ];
    let flags = ["towpath"].into_iter().chain(flags.into_iter().flatten());
    let settings = Flags::parse_from(flags).settings.check().unwrap();
    let lifecycle = Lifecycle::new();
    let surroundings = Surroundings {
        listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        clock: Clock::system(),
        lifecycle: lifecycle.clone(),
        metrics: PrometheusBuilder::new().build_recorder().handle(),
    };
    let files = folder::read("templates".as_ref()).unwrap();
    let templates = folder::load(&files).unwrap();
    let service = Service::receive(&settings, templates, surroundings).await.unwrap();

    let step = &yaml("template.yaml")["spec"]["steps"][0];
    assert_eq!(step["action"], "http:backstage:request");
    let input = rendered(&step["input"]);
    let endpoint = &yaml("app-config.yaml")["proxy"]["endpoints"]["/towpath"];
    let target = endpoint["target"].as_str().unwrap();
    let below = input["path"].as_str().unwrap().strip_prefix("/api/proxy/towpath").unwrap();
    let path = format!("{target}{below}").replace("https://towpath.internal.example.com", "");
    let send = async || {
        let answer = reqwest::Client::new()
            .request(
                input["method"].as_str().unwrap().parse().unwrap(),
                format!("http://{}{path}", service.address),
            )
            .headers(through_the_proxy(endpoint, &input["headers"]))
            .header("x-forwarded-for", "10.1.2.3")
            .body(input["body"].to_string());
        let answer = answer.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, answer) = send().await;
    assert_eq!(status, 202, "{answer}");
    assert_eq!(send().await, (202, answer.clone()), "a repeated task is the same run");

    let id = RunId::new(answer["run"].as_str().unwrap()).unwrap();
    let run = service.store.run(&id).await.unwrap().unwrap();
    assert_eq!(run.request.action, ActionId::new("add_documentdb").unwrap());
    assert_eq!(Value::Object(run.request.inputs), json!({"name": "orders", "instances": 3}));
    assert_eq!(run.request.entity, Some(json!({"identifier": "checkout"})));
    assert_eq!(run.request.user.email.as_deref(), Some("ada@example.com"));
    for claimed in service.worker.claim(1).await.unwrap() {
        let done = service.worker.execute(&claimed).await;
        service.worker.settle(&claimed, done).await.unwrap();
    }
    let run = service.store.run(&id).await.unwrap().unwrap();
    assert!(run.repository().is_some(), "the guardrails let it pass: {run:#?}");

    lifecycle.stop();
    lifecycle.drain(Duration::from_secs(30)).await;
}

#[test]
fn the_form_asks_for_what_the_template_takes() {
    let form = &yaml("template.yaml")["spec"]["parameters"][0]["properties"];
    let template = fs::read_to_string("templates/documentdb/template.yml").unwrap();
    let template: Value = serde_saphyr::from_str(&template).unwrap();
    for (name, keywords) in [
        ("name", &["type", "pattern"][..]),
        ("instances", &["type", "minimum", "maximum", "default"]),
    ] {
        for keyword in keywords {
            let asked = &template["inputs"]["properties"][name][keyword];
            assert_eq!(&form[name][keyword], asked, "{name}: {keyword}");
        }
    }
    let page = fs::read_to_string("docs/other-portals.md").unwrap();
    let template = fs::read_to_string("deploy/backstage/template.yaml").unwrap();
    let (_, block) = page.split_once("```yaml\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    for line in block.lines() {
        assert!(template.contains(line.trim()), "the page shows another step: {line}");
    }
}
