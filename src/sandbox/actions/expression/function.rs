//! The functions that expressions can call.

use serde_json::Value;

use super::evaluate::{Scope, Standing, equal, text};

/// Name in lower case, fewest and most arguments.
const FUNCTIONS: [(&str, usize, usize); 11] = [
    ("contains", 2, 2),
    ("startswith", 2, 2),
    ("endswith", 2, 2),
    ("format", 1, usize::MAX),
    ("join", 1, 2),
    ("tojson", 1, 1),
    ("fromjson", 1, 1),
    ("success", 0, 0),
    ("failure", 0, 0),
    ("always", 0, 0),
    ("cancelled", 0, 0),
];

/// Checks that a function exists and takes so many arguments.
pub(super) fn check(name: &str, given: usize) -> Result<(), String> {
    let known = FUNCTIONS.iter().find(|(known, _, _)| *known == name);
    let (_, least, most) =
        known.ok_or_else(|| format!("the sandbox knows no function `{name}`"))?;
    match (*least..=*most).contains(&given) {
        true => Ok(()),
        false => Err(format!("`{name}` takes {least} arguments, not {given}")),
    }
}

/// Calls a function by its name in lower case.
pub(super) fn call(name: &str, arguments: &[Value], scope: &Scope) -> Result<Value, String> {
    check(name, arguments.len())?;
    let lower = |at: usize| text(&arguments[at]).to_lowercase();
    Ok(match name {
        "contains" => match &arguments[0] {
            Value::Array(items) => items.iter().any(|item| equal(item, &arguments[1])),
            _ => lower(0).contains(&lower(1)),
        }
        .into(),
        "startswith" => lower(0).starts_with(&lower(1)).into(),
        "endswith" => lower(0).ends_with(&lower(1)).into(),
        "format" => format(&text(&arguments[0]), &arguments[1..])?.into(),
        "join" => join(&arguments[0], arguments.get(1)).into(),
        "tojson" => format!("{:#}", arguments[0]).into(),
        "fromjson" => serde_json::from_str(&text(&arguments[0]))
            .map_err(|error| format!("fromJSON was given no JSON: {error}"))?,
        "success" => (scope.standing == Standing::Well).into(),
        "failure" => (scope.standing == Standing::Failed).into(),
        "cancelled" => (scope.standing == Standing::Cancelled).into(),
        // `always`: the check above lets nothing else through.
        _ => true.into(),
    })
}

fn join(list: &Value, separator: Option<&Value>) -> String {
    let separator = separator.map_or_else(|| ",".to_owned(), text);
    match list {
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(&separator),
        other => text(other),
    }
}

/// `{0}` is the first argument, `{{` and `}}` are braces.
fn format(pattern: &str, arguments: &[Value]) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find(['{', '}']) {
        filled.push_str(&rest[..at]);
        let (brace, after) = rest[at..].split_at(1);
        if let Some(after) = after.strip_prefix(brace) {
            filled.push_str(brace);
            rest = after;
            continue;
        }
        let (place, after) = after
            .split_once('}')
            .filter(|_| brace == "{")
            .ok_or_else(|| format!("format `{pattern}` has a lone `{brace}`"))?;
        let argument = place.parse().ok().and_then(|at: usize| arguments.get(at));
        filled.push_str(&text(
            argument.ok_or_else(|| format!("format `{pattern}` has no argument {place}"))?,
        ));
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}
