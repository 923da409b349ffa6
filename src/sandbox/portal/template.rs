//! The templates in an action's invocation: `{{ .a.b }}` in any text. Port evaluates jq there; the
//! sandbox knows paths, which is what `towpath portal export` writes.

use serde_json::{Map, Value};

/// The value with every template in it replaced. A whole-value template keeps its type; a pair
/// whose value becomes null is dropped.
pub(super) fn evaluate(template: &Value, context: &Value) -> Value {
    match template {
        Value::String(text) => evaluate_text(text, context),
        Value::Array(items) => items.iter().map(|item| evaluate(item, context)).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| {
                (plain(&evaluate_text(name, context)), evaluate(value, context))
            });
            Value::Object(fields.filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

fn evaluate_text(text: &str, context: &Value) -> Value {
    let whole = text.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    if let Some(expression) = whole.filter(|expression| !expression.contains("}}")) {
        return look_up(expression, context);
    }
    let mut evaluated = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((expression, after)) = after.split_once("}}") else {
            break;
        };
        evaluated.push_str(before);
        evaluated.push_str(&plain(&look_up(expression, context)));
        rest = after;
    }
    Value::String(evaluated + rest)
}

/// What stands at a path (`.inputs."instance-size"`); null where nothing does.
fn look_up(expression: &str, context: &Value) -> Value {
    let Some(path) = expression.trim().strip_prefix('.') else {
        return Value::Null;
    };
    let mut names = path.split('.').filter(|name| !name.is_empty());
    let found = names.try_fold(context, |value, name| value.get(name.trim_matches('"')));
    found.cloned().unwrap_or(Value::Null)
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_whole_value_keeps_its_type_and_null_drops_the_pair() {
        let context = json!({"inputs": {"n": 3, "a-b": "x"}, "run": {"id": "r_1"}, "entity": null});
        let template = json!({
            "n": "{{ .inputs.n }}", "all": "{{.inputs}}", "text": "run {{ .run.id }}/{{ .inputs.\"a-b\" }}",
            "gone": "{{ .entity }}", "plain": [true, "{{ .run.id }}"],
        });
        assert_eq!(
            evaluate(&template, &context),
            json!({
                "n": 3, "all": {"n": 3, "a-b": "x"}, "text": "run r_1/x", "plain": [true, "r_1"],
            })
        );
    }
}
