//! jq, as the mapping file uses it: an expression, a value in, the first value out.

use std::collections::BTreeMap;

use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Vars, data};
use jaq_json::{Val, read};
use serde_json::Value;

/// What stands before each expression. `env` is the environment that is given to it, and not the
/// process's own, which holds secrets of this program; nothing ends the process, or writes what
/// passes through to its log.
const PRELUDE: &str = "def env: $ENV; def debug: .; def debug(f): .; def stderr: .; \
                       def halt: error(\"halt\"); def halt(f): halt; \
                       def halt_error: halt; def halt_error(f): halt; ";

/// The environment that expressions see, by `env` and `$ENV`.
#[derive(Clone, Default)]
pub(super) struct Environment(BTreeMap<String, String>);

impl Environment {
    pub(super) fn new(variables: BTreeMap<String, String>) -> Self {
        Self(variables)
    }
}

/// What is wrong with an expression: where it is, and in which words.
pub(super) fn fault(expression: &str) -> Option<String> {
    let text = format!("{PRELUDE}{expression}");
    compiled(&text, |_| ()).err()
}

/// The first value that an expression makes of another. `None` is an error, or no value at all.
pub(super) fn first(expression: &str, input: &Value, environment: &Environment) -> Option<Value> {
    let text = format!("{PRELUDE}{expression}");
    let run = |filter: &Filter| {
        let variables = Vars::new([value(&Value::from_iter(environment.0.clone()))?]);
        let context = Ctx::<data::JustLut<Val>>::new(&filter.lut, variables);
        let made = filter.id.run((context, value(input)?)).next()?;
        // What is not an error is a wish to end the process, which is not heard.
        let made = made.map_err(|_| ()).ok()?;
        serde_json::from_str(&made.to_string()).ok()
    };
    compiled(&text, run).ok().flatten()
}

type Filter = jaq_core::compile::Filter<jaq_core::Native<data::JustLut<Val>>>;

fn compiled<T>(text: &str, then: impl FnOnce(&Filter) -> T) -> Result<T, String> {
    let definitions = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let functions = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let arena = Arena::default();
    let file = File { code: text, path: () };
    let modules = Loader::new(definitions)
        .load(&arena, file)
        .map_err(|errors| format!("{:?}", errors.first().map(|(_, error)| error)))?;
    let filter = Compiler::default()
        .with_funs(functions)
        .with_global_vars(["$ENV"])
        .compile(modules)
        .map_err(|errors| format!("{:?}", errors.first().map(|(_, error)| error)))?;
    Ok(then(&filter))
}

fn value(value: &Value) -> Option<Val> {
    read::parse_single(value.to_string().as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn environment() -> Environment {
        Environment([("GITLAB_URL".to_owned(), "https://git.example/".to_owned())].into())
    }

    fn made(expression: &str) -> Option<Value> {
        first(expression, &json!({"a": {"b": [1, "x"]}, "n": 1.5}), &environment())
    }

    #[test]
    fn the_first_value_counts_and_an_error_is_none() {
        assert_eq!(made(".a.b[]"), Some(json!(1)));
        assert_eq!(made(".missing // \"POST\""), Some(json!("POST")));
        assert_eq!(made("{n, first: .a.b[0]}"), Some(json!({"n": 1.5, "first": 1})));
        assert_eq!(made("empty"), None);
        assert_eq!(made(".n.b"), None);
        assert_eq!(made("nan"), None, "JSON has no such number");
        assert_eq!(made("halt"), None);
        assert_eq!(made("\"x\" | halt_error(3)"), None);
    }

    #[test]
    fn the_environment_is_the_one_that_is_given() {
        assert_eq!(made("env.GITLAB_URL"), Some(json!("https://git.example/")));
        assert_eq!(made("env[\"GITLAB\" + \"_URL\"]"), Some(json!("https://git.example/")));
        assert_eq!(made("$ENV.PATH"), Some(Value::Null));
        assert_eq!(made("env | length"), Some(json!(1)));
    }

    #[test]
    fn what_is_wrong_with_an_expression_is_said() {
        assert_eq!(fault(".a | map(tostring)"), None);
        assert!(fault(".a |").is_some());
        assert!(fault("unheard_of(1)").unwrap().contains("unheard_of"));
    }
}
