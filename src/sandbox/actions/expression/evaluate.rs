//! The meaning of expressions, with JavaScript's loose comparisons as GitHub documents them.

use serde_json::{Map, Value};

use super::function;
use super::syntax::{Expression, Operator, number};

/// The contexts that GitHub has. One that holds nothing here is empty; any other is an error.
const CONTEXTS: [&str; 12] = [
    "github", "inputs", "env", "vars", "secrets", "steps", "needs", "matrix", "job", "jobs",
    "runner", "strategy",
];

/// What an expression can see.
#[derive(Debug, Clone, Default)]
pub(in crate::sandbox::actions) struct Scope {
    /// The contexts by name.
    pub(in crate::sandbox::actions) contexts: Map<String, Value>,
    /// How what came before has gone.
    pub(in crate::sandbox::actions) standing: Standing,
}

/// How the steps of a job, or the jobs that are needed, have gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::sandbox::actions) enum Standing {
    /// All succeeded.
    #[default]
    Well,
    /// One failed.
    Failed,
    /// None failed, but one was skipped.
    Skipped,
    /// One was cancelled.
    Cancelled,
}

impl Scope {
    /// Whether `success()` holds.
    pub(super) fn is_all_well(&self) -> bool {
        self.standing == Standing::Well
    }

    /// Sets one context.
    pub(in crate::sandbox::actions) fn set(&mut self, context: &str, value: Value) {
        self.contexts.insert(context.to_owned(), value);
    }
}

/// Checks that every context and function exists, also where evaluation would not come by.
pub(super) fn check(expression: &Expression) -> Result<(), String> {
    match expression {
        Expression::Literal(_) => Ok(()),
        Expression::Context(name) => context(name).map(|_| ()),
        Expression::Each(value) | Expression::Not(value) => check(value),
        Expression::Index(left, right) | Expression::Binary(_, left, right) => {
            check(left).and_then(|()| check(right))
        }
        Expression::Call(name, arguments) => {
            function::check(name, arguments.len())?;
            arguments.iter().try_for_each(check)
        }
    }
}

/// The value of an expression.
pub(super) fn evaluate(expression: &Expression, scope: &Scope) -> Result<Value, String> {
    match expression {
        Expression::Literal(value) => Ok(value.clone()),
        Expression::Context(name) => {
            let value = scope.contexts.get(context(name)?);
            Ok(value.cloned().unwrap_or_else(|| Value::Object(Map::new())))
        }
        Expression::Index(value, key) => {
            let key = evaluate(key, scope)?;
            let found = match value.as_ref() {
                Expression::Each(_) => each(&evaluate(value, scope)?, &key),
                _ => index(&evaluate(value, scope)?, &key),
            };
            Ok(found)
        }
        Expression::Each(value) => Ok(Value::Array(members(evaluate(value, scope)?))),
        Expression::Not(value) => Ok(Value::Bool(!is_true(&evaluate(value, scope)?))),
        Expression::Binary(operator, left, right) => binary(*operator, left, right, scope),
        Expression::Call(name, arguments) => {
            let arguments = arguments.iter().map(|argument| evaluate(argument, scope));
            function::call(name, &arguments.collect::<Result<Vec<_>, _>>()?, scope)
        }
    }
}

fn context(name: &str) -> Result<&str, String> {
    match CONTEXTS.contains(&name) {
        true => Ok(name),
        false => Err(format!("unrecognized named-value `{name}`")),
    }
}

fn index(value: &Value, key: &Value) -> Value {
    let found = match value {
        Value::Object(entries) => entry(entries, &text(key)),
        Value::Array(items) => key.as_u64().and_then(|at| items.get(usize::try_from(at).ok()?)),
        _ => None,
    };
    found.cloned().unwrap_or_default()
}

/// Names are found whatever their case, as on GitHub.
fn entry<'a>(entries: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let any_case = || entries.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    entries.get(name).or_else(|| any_case().map(|(_, value)| value))
}

/// `list.*.key`: the key of every member that has it.
fn each(list: &Value, key: &Value) -> Value {
    let members = list.as_array().into_iter().flatten();
    members.map(|member| index(member, key)).filter(|found| !found.is_null()).collect()
}

fn members(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        Value::Object(entries) => entries.into_iter().map(|(_, value)| value).collect(),
        _ => Vec::new(),
    }
}

fn binary(
    operator: Operator,
    left: &Expression,
    right: &Expression,
    scope: &Scope,
) -> Result<Value, String> {
    let left = evaluate(left, scope)?;
    match operator {
        Operator::Or if is_true(&left) => return Ok(left),
        Operator::And if !is_true(&left) => return Ok(left),
        _ => {}
    }
    let right = evaluate(right, scope)?;
    Ok(Value::Bool(match operator {
        Operator::Or | Operator::And => return Ok(right),
        Operator::Equal => equal(&left, &right),
        Operator::NotEqual => !equal(&left, &right),
        Operator::Less => compare(&left, &right).is_some_and(std::cmp::Ordering::is_lt),
        Operator::LessOrEqual => compare(&left, &right).is_some_and(std::cmp::Ordering::is_le),
        Operator::Greater => compare(&left, &right).is_some_and(std::cmp::Ordering::is_gt),
        Operator::GreaterOrEqual => compare(&left, &right).is_some_and(std::cmp::Ordering::is_ge),
    }))
}

/// Equality with conversion to numbers where the types differ; text without regard to case.
pub(super) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Array(_), Value::Array(_)) | (Value::Object(_), Value::Object(_)) => left == right,
        _ => compare(left, right).is_some_and(std::cmp::Ordering::is_eq),
    }
}

fn compare(left: &Value, right: &Value) -> Option<std::cmp::Ordering> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => {
            Some(left.to_lowercase().cmp(&right.to_lowercase()))
        }
        _ => as_number(left).partial_cmp(&as_number(right)),
    }
}

fn as_number(value: &Value) -> f64 {
    match value {
        Value::Null => 0.0,
        Value::Bool(value) => f64::from(*value),
        Value::Number(value) => value.as_f64().unwrap_or(f64::NAN),
        Value::String(value) if value.trim().is_empty() => 0.0,
        Value::String(value) => {
            number(value.trim()).and_then(|value| value.as_f64()).unwrap_or(f64::NAN)
        }
        Value::Array(_) | Value::Object(_) => f64::NAN,
    }
}

/// Whether a value counts as true in a condition.
pub(in crate::sandbox::actions) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(value) => value.as_f64().is_some_and(|value| value != 0.0),
        Value::String(value) => !value.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

/// A value as it stands in a text.
pub(in crate::sandbox::actions) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(value) => value.clone(),
        Value::Number(value) => match value.as_f64() {
            // A whole number is written without a decimal point, as JavaScript does.
            Some(float) if value.is_f64() => float.to_string(),
            _ => value.to_string(),
        },
        Value::Bool(value) => value.to_string(),
        Value::Array(_) => "Array".to_owned(),
        Value::Object(_) => "Object".to_owned(),
    }
}
