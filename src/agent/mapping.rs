//! The mapping file of Port's agent (`control_the_payload_config.json`): which request is made of
//! a message, and what of the answer is reported. Its form, and what its expressions see, is that
//! of port-agent (`app/core/config.py`, `app/invokers/webhook_invoker.py`).

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::jq::{self, Environment};

/// What port-agent does without a file of one's own: it starts GitLab's pipelines, and passes
/// everything else on as it came.
const DEFAULT: &str = include_str!("default_mapping.json");

/// The entries of a mapping file, in their order.
#[derive(Debug, Clone)]
pub(super) struct Mappings(Vec<Mapping>);

/// One entry: for which messages it is, and what it makes of them. Every text is a jq expression.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Mapping {
    #[serde(default = "always")]
    enabled: Value,
    method: Option<Value>,
    url: Option<Value>,
    body: Option<Value>,
    headers: Option<Value>,
    query: Option<Value>,
    report: Option<Map<String, Value>>,
    /// Where ciphertext stands that is opened before anything else (`payload.properties.token`).
    #[serde(default, rename = "fieldsToDecryptPaths")]
    pub(super) encrypted: Vec<String>,
}

fn always() -> Value {
    Value::Bool(true)
}

/// What a mapping makes of a message.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mapped {
    pub(super) method: Value,
    pub(super) url: Value,
    pub(super) body: Value,
    pub(super) headers: Value,
    pub(super) query: Value,
}

impl Mapped {
    /// As `.request` of a report's expressions.
    pub(super) fn shown(&self) -> Value {
        json!({
            "method": self.method, "url": self.url, "body": self.body,
            "headers": self.headers, "query": self.query,
        })
    }
}

impl Mappings {
    /// Reads a file. An expression that is none counts as null when it is used, as in Port's agent;
    /// it is said at once.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let entries: Vec<Mapping> = serde_json::from_str(text)
            .map_err(|error| format!("it is no list of mappings: {error}"))?;
        for (number, entry) in entries.iter().enumerate() {
            for expression in entry.expressions() {
                if let Some(fault) = jq::fault(expression) {
                    tracing::warn!(
                        entry = number + 1,
                        expression,
                        fault,
                        "an expression of the agent's mapping file is no jq, and counts as null"
                    );
                }
            }
        }
        Ok(Self(entries))
    }

    /// Those of Port's agent itself.
    pub(super) fn default_ones() -> Self {
        Self::parse(DEFAULT).unwrap_or(Self(Vec::new()))
    }

    /// The first entry that is for a message.
    pub(super) fn for_message(
        &self,
        message: &Value,
        environment: &Environment,
    ) -> Option<&Mapping> {
        self.0.iter().find(|entry| match &entry.enabled {
            Value::Bool(enabled) => *enabled,
            Value::String(when) => jq::first(when, message, environment) == Some(Value::Bool(true)),
            _ => false,
        })
    }
}

impl Mapping {
    /// The request that a message becomes. What the entry does not say is the message's own.
    pub(super) fn apply(&self, message: &Value, environment: &Environment) -> Mapped {
        let method = &message["payload"]["action"]["invocationMethod"];
        let said = |mapping: &Option<Value>, otherwise: Value| match mapping {
            Some(mapping) => evaluated(mapping, message, environment),
            None => otherwise,
        };
        let own_method = method.get("method").cloned().unwrap_or_else(|| "POST".into());
        Mapped {
            method: said(&self.method, own_method),
            url: said(&self.url, method["url"].clone()),
            body: said(&self.body, message.clone()),
            headers: said(&self.headers, json!({})),
            query: said(&self.query, json!({})),
        }
    }

    /// What is to be reported, by its name (`status`, `link`, `summary`, `externalRunId`): only
    /// what the entry names.
    pub(super) fn report(&self, context: &Value, environment: &Environment) -> Map<String, Value> {
        let named = self.report.iter().flatten().filter(|(_, mapping)| !mapping.is_null());
        named
            .map(|(name, mapping)| (name.clone(), evaluated(mapping, context, environment)))
            .collect()
    }

    fn expressions(&self) -> Vec<&str> {
        let parts = [&self.method, &self.url, &self.body, &self.headers, &self.query];
        let mut found = Vec::new();
        parts.into_iter().flatten().for_each(|part| collect(part, &mut found));
        collect(&self.enabled, &mut found);
        self.report.iter().flatten().for_each(|(_, part)| collect(part, &mut found));
        found
    }
}

fn collect<'a>(mapping: &'a Value, found: &mut Vec<&'a str>) {
    match mapping {
        Value::String(expression) => found.push(expression),
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(members) => members.values().for_each(|member| collect(member, found)),
        _ => {}
    }
}

/// A mapping is an expression, or a structure of them; what is no text stands for itself.
fn evaluated(mapping: &Value, input: &Value, environment: &Environment) -> Value {
    match mapping {
        Value::String(expression) => {
            jq::first(expression, input, environment).unwrap_or_else(|| {
                tracing::warn!(expression, "an expression of the agent's mapping file fails");
                Value::Null
            })
        }
        Value::Array(items) => {
            items.iter().map(|item| evaluated(item, input, environment)).collect()
        }
        Value::Object(members) => {
            let members = members.iter();
            members
                .map(|(name, part)| (name.clone(), evaluated(part, input, environment)))
                .collect()
        }
        other => other.clone(),
    }
}

/// The place that a path of `fieldsToDecryptPaths` names: names and numbers with dots between.
pub(super) fn place<'a>(value: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    path.trim_start_matches('.').split('.').try_fold(value, |value, name| match value {
        Value::Object(members) => members.get_mut(name),
        Value::Array(items) => items.get_mut(name.parse::<usize>().ok()?),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Value {
        json!({
            "payload": {
                "action": {"invocationMethod": {"type": "WEBHOOK", "url": "https://a.local/x", "method": "PUT"}},
                "properties": {"name": "orders", "list": ["a", {"token": "b"}]},
            },
        })
    }

    fn applied(file: &Value, message: &Value) -> Mapped {
        let mappings = Mappings::parse(&file.to_string()).unwrap();
        let environment = Environment::new(
            [("acme_tools_deploy", "glptt-1"), ("GITLAB_URL", "https://git.local/")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        );
        mappings.for_message(message, &environment).unwrap().apply(message, &environment)
    }

    #[test]
    fn without_a_file_a_message_is_passed_on_as_it_came() {
        let file: Value = serde_json::from_str(DEFAULT).unwrap();
        let mapped = applied(&file, &message());
        assert_eq!(mapped.url, json!("https://a.local/x"));
        assert_eq!((mapped.method, mapped.body), (json!("PUT"), message()));
        assert_eq!((mapped.headers, mapped.query), (json!({}), json!({})));
    }

    #[test]
    fn without_a_file_a_pipeline_of_gitlab_is_started_with_its_own_token() {
        let file: Value = serde_json::from_str(DEFAULT).unwrap();
        let message = json!({"payload": {
            "properties": {"size": 3},
            "action": {"invocationMethod": {
                "type": "GITLAB", "groupName": "acme/tools", "projectName": "deploy", "omitPayload": true,
            }},
        }});
        let mapped = applied(&file, &message);
        assert_eq!(mapped.method, json!("POST"));
        assert_eq!(
            mapped.url,
            json!("https://git.local/api/v4/projects/acme%2Ftools%2Fdeploy/trigger/pipeline")
        );
        assert_eq!(
            mapped.body,
            json!({"ref": "main", "token": "glptt-1", "variables": {"size": "3"}, "port_payload": {}})
        );
    }

    #[test]
    fn the_first_entry_that_is_enabled_counts_and_a_fault_is_null() {
        let file = json!([
            {"enabled": false, "url": "\"no\""},
            {"enabled": ".payload.properties.name", "url": "\"a text is not true\""},
            {"enabled": ".payload.properties.name == \"orders\"",
             "url": "\"https://b.local\"", "method": ".broken |",
             "headers": {"X-Name": ".payload.properties.name"},
             "query": {"deep": {"n": ".payload.properties.list | length"}},
             "body": [".payload.properties.name", 7, null]},
            {"url": "\"too late\""},
        ]);
        let mapped = applied(&file, &message());
        assert_eq!(mapped.url, json!("https://b.local"));
        assert_eq!((mapped.method, mapped.headers), (Value::Null, json!({"X-Name": "orders"})));
        assert_eq!(
            (mapped.query, mapped.body),
            (json!({"deep": {"n": 2}}), json!(["orders", 7, null]))
        );
    }

    #[test]
    fn a_place_is_named_with_dots_and_numbers() {
        let mut message = message();
        for path in ["payload.properties.list.1.token", ".payload.properties.list.1.token"] {
            assert_eq!(place(&mut message, path).map(|found| found.clone()), Some(json!("b")));
        }
        assert_eq!(place(&mut message, "payload.nothing.there"), None);
        assert_eq!(place(&mut message, "payload.properties.list.9"), None);
    }

    #[test]
    fn what_is_no_mapping_file_is_refused() {
        for text in ["{}", "[1]", "[{\"fieldsToDecryptPaths\": 1}]", "no"] {
            assert!(Mappings::parse(text).is_err(), "{text}");
        }
    }
}
