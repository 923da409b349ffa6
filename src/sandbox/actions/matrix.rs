//! `strategy.matrix`: one job in many variants.

use serde_json::{Map, Value};

use super::expression::text;

/// The most variants of one job (docs.github.com, usage limits).
const MOST_LEGS: usize = 256;

/// Every combination of a matrix whose expressions are already evaluated.
pub(super) fn legs(matrix: &Value) -> Result<Vec<Map<String, Value>>, String> {
    let matrix = matrix.as_object().ok_or("`strategy.matrix` is not a map")?;
    let mut legs = product(matrix)?;
    let excluded = maps(matrix.get("exclude"))?;
    legs.retain(|leg| !excluded.iter().any(|entry| contains(leg, entry)));
    for entry in maps(matrix.get("include"))? {
        include(&mut legs, entry, matrix);
    }
    match legs.len() {
        0 => Err("Matrix vector does not contain any values".to_owned()),
        1..=MOST_LEGS => Ok(legs),
        many => Err(format!("the matrix has {many} variants, more than {MOST_LEGS}")),
    }
}

/// What is added to a job's name to tell its variants apart: ` (a, b)`.
pub(super) fn suffix(leg: &Map<String, Value>) -> String {
    let values: Vec<String> = leg
        .values()
        .map(|value| match value {
            Value::Array(_) | Value::Object(_) => value.to_string(),
            plain => text(plain),
        })
        .collect();
    format!(" ({})", values.join(", "))
}

fn product(matrix: &Map<String, Value>) -> Result<Vec<Map<String, Value>>, String> {
    let axes = matrix.iter().filter(|(name, _)| !matches!(name.as_str(), "include" | "exclude"));
    let mut legs = vec![Map::new()];
    let mut has_axes = false;
    for (name, values) in axes {
        has_axes = true;
        let values = values.as_array().ok_or_else(|| format!("`matrix.{name}` is not a list"))?;
        let with = |leg: &Map<String, Value>, value: &Value| {
            let mut leg = leg.clone();
            leg.insert(name.clone(), value.clone());
            leg
        };
        legs =
            legs.iter().flat_map(|leg| values.iter().map(move |value| with(leg, value))).collect();
        if legs.len() > MOST_LEGS * MOST_LEGS {
            return Err(format!("the matrix has more than {MOST_LEGS} variants"));
        }
    }
    if !has_axes {
        legs.clear();
    }
    Ok(legs)
}

fn maps(value: Option<&Value>) -> Result<Vec<&Map<String, Value>>, String> {
    let entries = value.and_then(Value::as_array).into_iter().flatten();
    entries
        .map(|entry| {
            entry.as_object().ok_or_else(|| "`include` and `exclude` are lists of maps".to_owned())
        })
        .collect()
}

fn contains(leg: &Map<String, Value>, entry: &Map<String, Value>) -> bool {
    entry.iter().all(|(name, value)| leg.get(name) == Some(value))
}

/// Adds an entry to every combination whose own values it leaves alone, else as a new one.
fn include(
    legs: &mut Vec<Map<String, Value>>,
    entry: &Map<String, Value>,
    axes: &Map<String, Value>,
) {
    let mut found = false;
    for leg in legs.iter_mut() {
        let fits = entry
            .iter()
            .all(|(name, value)| !axes.contains_key(name) || leg.get(name) == Some(value));
        if fits {
            leg.extend(entry.clone());
            found = true;
        }
    }
    if !found {
        legs.push(entry.clone());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn combinations_are_made_excluded_and_included() {
        let matrix = json!({
            "os": ["a", "b"], "version": [1, 2],
            "exclude": [{"os": "b", "version": 1}],
            "include": [{"os": "a", "extra": true}, {"os": "c"}],
        });
        let legs = legs(&matrix).unwrap();
        let names: Vec<String> = legs.iter().map(suffix).collect();
        assert_eq!(names, [" (a, 1, true)", " (a, 2, true)", " (b, 2)", " (c)"]);
    }

    #[test]
    fn an_empty_matrix_is_refused() {
        assert!(legs(&json!({"folder": []})).is_err());
        assert!(legs(&json!("x")).is_err());
    }
}
