//! GitHub's expressions: what stands in `${{ }}` and in `if`.

mod evaluate;
mod function;
mod syntax;

use serde_json::Value;

pub(super) use evaluate::{Scope, Standing, is_true, text};
use syntax::Expression;

/// Fills in every `${{ }}` of a text. A text that is one single expression keeps its type.
pub(super) fn value(template: &str, scope: &Scope) -> Result<Value, String> {
    let pieces = pieces(template)?;
    if let [Piece::Expression(source)] = pieces.as_slice() {
        return evaluate(source, scope);
    }
    let mut filled = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Expression(source) => filled.push_str(&text(&evaluate(source, scope)?)),
        }
    }
    Ok(Value::String(filled))
}

/// Fills in every `${{ }}` of every text inside a value.
pub(super) fn deep(template: &Value, scope: &Scope) -> Result<Value, String> {
    match template {
        Value::String(text) => value(text, scope),
        Value::Array(items) => items.iter().map(|item| deep(item, scope)).collect(),
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, item)| Ok((key.clone(), deep(item, scope)?)));
            entries.collect::<Result<_, String>>().map(Value::Object)
        }
        plain => Ok(plain.clone()),
    }
}

/// Whether a condition holds. Without a word about status it holds only while all went well.
pub(super) fn condition(condition: Option<&Value>, scope: &Scope) -> Result<bool, String> {
    let source = match condition {
        None | Some(Value::Null) => "success()".to_owned(),
        Some(Value::String(source)) => bare(source).to_owned(),
        Some(plain) => plain.to_string(),
    };
    let expression = syntax::parse(&source)?;
    if !expression.names_status() && !scope.is_all_well() {
        return Ok(false);
    }
    Ok(is_true(&evaluate::evaluate(&expression, scope)?))
}

/// Checks every expression inside a value: its grammar, and that its contexts and functions exist.
pub(super) fn check_all(value: &Value) -> Result<(), String> {
    match value {
        Value::String(text) => check_text(text),
        Value::Array(items) => items.iter().try_for_each(check_all),
        Value::Object(entries) => entries.iter().try_for_each(|(key, item)| match item {
            Value::String(source) if key == "if" => check(bare(source)),
            other => check_all(other),
        }),
        _ => Ok(()),
    }
}

fn check_text(text: &str) -> Result<(), String> {
    pieces(text)?.into_iter().try_for_each(|piece| match piece {
        Piece::Text(_) => Ok(()),
        Piece::Expression(source) => check(source),
    })
}

fn check(source: &str) -> Result<(), String> {
    let known = syntax::parse(source).and_then(|expression| evaluate::check(&expression));
    known.map_err(|error| format!("in `{}`: {error}", source.trim()))
}

fn evaluate(source: &str, scope: &Scope) -> Result<Value, String> {
    let value = syntax::parse(source)
        .and_then(|expression: Expression| evaluate::evaluate(&expression, scope));
    value.map_err(|error| format!("in `{}`: {error}", source.trim()))
}

/// A condition without the `${{ }}` that may stand around it.
fn bare(source: &str) -> &str {
    let trimmed = source.trim();
    let inner = trimmed.strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}"));
    inner.filter(|inner| !inner.contains("${{")).unwrap_or(trimmed)
}

enum Piece<'a> {
    Text(&'a str),
    Expression(&'a str),
}

fn pieces(template: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("${{") {
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        let end = syntax::end_of_expression(after).ok_or_else(|| {
            let start: String = after.trim().chars().take(40).collect();
            format!("`${{{{ {start}` is never closed")
        })?;
        pieces.push(Piece::Expression(&after[..end]));
        rest = &after[end + 2..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scope() -> Scope {
        let contexts = json!({
            "github": {"ref": "refs/heads/main", "event": {"head_commit": {"message": "it's"}, "list": [{"id": 1}, {"id": 2}]}},
            "inputs": {"version": "1.2", "dry": false, "count": 3},
            "steps": {"plan": {"outputs": {"exitcode": "2"}, "outcome": "success"}},
            "env": {"NAME": "web"},
            "needs": {"find": {"outputs": {"folders": "[\"a\",\"b\"]"}, "result": "success"}},
        });
        Scope { contexts: contexts.as_object().unwrap().clone(), standing: Standing::Well }
    }

    #[test]
    fn expressions_evaluate_as_on_github() {
        let table = [
            ("github.ref == 'refs/heads/main'", json!(true)),
            ("GITHUB.REF == 'REFS/heads/MAIN'", json!(true)),
            ("github.event.head_commit.message", json!("it's")),
            ("github.event.nothing.here", json!(null)),
            ("github.event.list.*.id", json!([1, 2])),
            ("github['ref']", json!("refs/heads/main")),
            ("github.event.list[1].id", json!(2)),
            ("inputs.version || 'latest'", json!("1.2")),
            ("inputs.nothing || 'latest'", json!("latest")),
            ("inputs.dry && 'a' || 'b'", json!("b")),
            ("!inputs.dry", json!(true)),
            ("steps.plan.outputs.exitcode == 2", json!(true)),
            ("inputs.count > 2 && inputs.count <= 3", json!(true)),
            ("(1 < 2) != true", json!(false)),
            ("null == ''", json!(true)),
            ("'it''s'", json!("it's")),
            ("-1.5", json!(-1.5)),
            ("0x10", json!(16)),
            ("contains('Hello world', 'WORLD')", json!(true)),
            ("contains(fromJSON('[\"push\", \"x\"]'), 'push')", json!(true)),
            ("startsWith(github.ref, 'refs/heads/')", json!(true)),
            ("endsWith(github.ref, 'x')", json!(false)),
            ("format('{0} {{1}} {1}', 'a', 2)", json!("a {1} 2")),
            ("join(fromJSON(needs.find.outputs.folders), '+')", json!("a+b")),
            ("fromJSON(toJSON(env)).NAME", json!("web")),
            ("toJSON('a')", json!("\"a\"")),
            ("success() && !failure() && always()", json!(true)),
            ("secrets.GITHUB_TOKEN", json!(null)),
        ];
        for (source, expected) in table {
            assert_eq!(evaluate(source, &scope()), Ok(expected), "{source}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let table = [
            ("nothing.x", "`nothing`"),
            ("upper('a')", "`upper`"),
            ("github.", "name"),
            ("'open", "quote"),
            ("(1", "`)`"),
            ("1 2", "`2`"),
            ("contains('a')", "2"),
            ("fromJSON('{')", "fromJSON"),
        ];
        for (source, expected) in table {
            let error = evaluate(source, &scope()).unwrap_err();
            assert!(error.contains(expected), "{source}: {error}");
        }
        assert!(value("${{ github.ref", &scope()).is_err());
    }

    #[test]
    fn a_text_is_filled_and_a_lone_expression_keeps_its_type() {
        assert_eq!(value("${{ inputs.count }}", &scope()), Ok(json!(3)));
        assert_eq!(value("v${{ inputs.version }}-${{ '}}' }}", &scope()), Ok(json!("v1.2-}}")));
    }

    #[test]
    fn a_condition_holds_after_a_failure_only_if_it_asks_about_it() {
        let failed = Scope { standing: Standing::Failed, ..scope() };
        let holds = |source: &str| condition(Some(&json!(source)), &failed).unwrap();
        assert!(!condition(None, &failed).unwrap());
        assert!(!holds("github.ref != ''"));
        assert!(holds("${{ failure() && github.ref != '' }}"));
        assert!(holds("always()"));
        assert!(!holds("cancelled()"));
        assert!(condition(Some(&json!(true)), &scope()).unwrap());
    }
}
