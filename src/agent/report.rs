//! What an answer means for the run: by the mapping's `report`, or as Port's agent takes it.

use reqwest::header::HeaderMap;
use serde_json::{Map, Value, json};

use super::Prepared;
use super::jq::Environment;
use super::request::Answer;
use crate::domain::Status;
use crate::seal::Secrets;

/// How much of an answer that is no success is told, in characters.
const TOLD: usize = 1_000;

/// An answer, without anything that was opened for the request.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// 2xx.
    pub is_success: bool,
    /// What came back: JSON, else text. `None` where there was nothing, or too much.
    pub body: Option<Value>,
    /// The beginning of what came back, on one line, for a person.
    pub told: String,
    /// The end of the run, where the mapping gives one.
    pub end: Option<Status>,
    /// Pages, where the mapping gives some.
    pub links: Option<Vec<String>>,
    /// The short text beside the status, where the mapping gives one.
    pub summary: Option<String>,
    /// The outside's name of the work, where the mapping gives one.
    pub external_run_id: Option<String>,
    /// What the mapping gives that the portal would not take. Sentences.
    pub faults: Vec<String>,
}

pub(super) fn read(prepared: &Prepared, answer: &Answer, environment: &Environment) -> Answered {
    let secrets = Secrets::new(&prepared.secrets);
    let parsed: Option<Value> = serde_json::from_str(&answer.text).ok().filter(|_| !answer.cut);
    let context = json!({
        "body": prepared.message,
        "request": prepared.mapped.shown(),
        "response": {
            "statusCode": answer.status.as_u16(),
            "headers": headers(&answer.headers),
            "text": answer.text,
            "json": parsed,
        },
    });
    let said = prepared.mapping.report(&context, environment);
    let said: Map<String, Value> =
        said.into_iter().map(|(name, value)| (name, secrets.clean_value(value))).collect();
    let (end, fault) = end_of(said.get("status"));
    let body = parsed.unwrap_or_else(|| Value::from(answer.text.as_str()));
    let is_nothing = answer.cut || body == "" || body.is_null();
    Answered {
        status: answer.status.as_u16(),
        is_success: answer.status.is_success(),
        body: (!is_nothing).then(|| secrets.clean_value(body)),
        told: one_line(&secrets.clean(&answer.text)),
        end,
        links: said.get("link").and_then(links),
        summary: said.get("summary").and_then(text),
        external_run_id: said.get("externalRunId").and_then(text),
        faults: fault.into_iter().collect(),
    }
}

fn end_of(said: Option<&Value>) -> (Option<Status>, Option<String>) {
    match said {
        None | Some(Value::Null) => (None, None),
        Some(Value::String(word)) if word == "SUCCESS" => (Some(Status::Success), None),
        Some(Value::String(word)) if word == "FAILURE" => (Some(Status::Failure), None),
        Some(other) => {
            let fault = format!(
                "The mapping's `report.status` gives {}, and not SUCCESS, FAILURE or null.",
                one_line(&other.to_string())
            );
            (None, Some(fault))
        }
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn links(value: &Value) -> Option<Vec<String>> {
    let links: Vec<String> = match value {
        Value::Array(items) => items.iter().filter_map(text).collect(),
        one => text(one).into_iter().collect(),
    };
    (!links.is_empty()).then_some(links)
}

/// By their names as servers mostly write them, and in small letters: a mapping names them as the
/// server did, which is not known any more.
fn headers(headers: &HeaderMap) -> Value {
    let mut shown = Map::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        shown.insert(title_case(name.as_str()), Value::from(value.clone()));
        shown.insert(name.to_string(), Value::from(value));
    }
    Value::Object(shown)
}

fn title_case(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    });
    words.collect::<Vec<_>>().join("-")
}

fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if line.chars().count() <= TOLD {
        return line;
    }
    line.chars().take(TOLD - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_one_of_two_words() {
        assert_eq!(end_of(Some(&json!("SUCCESS"))), (Some(Status::Success), None));
        assert_eq!(end_of(Some(&json!("FAILURE"))), (Some(Status::Failure), None));
        assert_eq!(end_of(Some(&Value::Null)), (None, None));
        let (end, fault) = end_of(Some(&json!("DONE")));
        assert!(end.is_none() && fault.unwrap().contains("\"DONE\""));
    }

    #[test]
    fn links_are_one_or_several() {
        assert_eq!(links(&json!("https://a")), Some(vec!["https://a".to_owned()]));
        assert_eq!(links(&json!(["https://a", null, ""])), Some(vec!["https://a".to_owned()]));
        assert_eq!((links(&Value::Null), links(&json!([]))), (None, None));
    }

    #[test]
    fn a_header_is_found_by_both_its_names() {
        let given = HeaderMap::from_iter([(
            reqwest::header::HeaderName::from_static("x-request-id"),
            reqwest::header::HeaderValue::from_static("7"),
        )]);
        assert_eq!(headers(&given), json!({"X-Request-Id": "7", "x-request-id": "7"}));
    }
}
