//! The stand-in's expressions. `None` is a value that only the apply will know.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use hcl_edit::expr::{
    BinaryOperator, Expression, FuncCall, ObjectKey, Traversal, TraversalOperator, UnaryOperator,
};
use hcl_edit::template::{Element, Template};
use serde_json::{Map, Value};

use super::configuration::Configuration;
use super::state::{Instance, State};

/// How deep values may refer to each other: more is a circle, or no folder for a stand-in.
const DEEPEST: u32 = 100;

/// A value, if it is known already.
type Known = Option<Value>;

/// Whether unknown values are left open or made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Plan,
    Apply,
}

/// A folder together with what it is evaluated against.
pub(super) struct Evaluator<'a> {
    pub(super) configuration: &'a Configuration,
    pub(super) variables: &'a BTreeMap<String, Value>,
    pub(super) state: &'a State,
    phase: Phase,
    instances: RefCell<BTreeMap<String, Instance>>,
    depth: Cell<u32>,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(
        configuration: &'a Configuration,
        variables: &'a BTreeMap<String, Value>,
        state: &'a State,
        phase: Phase,
    ) -> Self {
        Self {
            configuration,
            variables,
            state,
            phase,
            instances: RefCell::default(),
            depth: Cell::new(0),
        }
    }

    /// A resource as it will be.
    pub(super) fn instance(&self, name: &str) -> Result<Instance> {
        if let Some(instance) = self.instances.borrow().get(name) {
            return Ok(instance.clone());
        }
        let resource = self.configuration.resources.get(name);
        let resource = resource.with_context(|| format!("there is no terraform_data.{name}"))?;
        let input = self.optional(resource.input.as_ref())?;
        let triggers_replace = self.optional(resource.triggers_replace.as_ref())?;
        let before = self.state.resources.get(name);
        let kept = before.filter(|before| before.triggers_replace == triggers_replace);
        let made = |value: fn() -> Value| (self.phase == Phase::Apply).then(value);
        let id = kept.map_or_else(|| made(new_id), |before| before.id.clone());
        let output = match kept.filter(|before| before.input == input && input.is_some()) {
            Some(before) => before.output.clone(),
            None if self.phase == Phase::Apply => input.clone(),
            None => None,
        };
        let instance = Instance { id, input, output, triggers_replace };
        self.instances.borrow_mut().insert(name.to_owned(), instance.clone());
        Ok(instance)
    }

    fn optional(&self, expression: Option<&Expression>) -> Result<Known> {
        expression.map_or(Ok(Some(Value::Null)), |expression| self.value(expression))
    }

    /// The value of an expression.
    pub(super) fn value(&self, expression: &Expression) -> Result<Known> {
        self.depth.set(self.depth.get() + 1);
        if self.depth.get() > DEEPEST {
            bail!("values refer to each other in a circle");
        }
        let value = self.value_of(expression);
        self.depth.set(self.depth.get() - 1);
        value
    }

    fn value_of(&self, expression: &Expression) -> Result<Known> {
        match expression {
            Expression::Null(_) => Ok(Some(Value::Null)),
            Expression::Bool(value) => Ok(Some(Value::Bool(*value.value()))),
            Expression::Number(value) => {
                Ok(Some(serde_json::from_str(&value.value().to_string())?))
            }
            Expression::String(value) => Ok(Some(Value::String(value.value().clone()))),
            Expression::Array(items) => {
                let items = items
                    .iter()
                    .map(|item| self.value(item))
                    .collect::<Result<Option<Vec<_>>>>()?;
                Ok(items.map(Value::Array))
            }
            Expression::Object(entries) => {
                let entries = entries.iter().map(|(key, value)| {
                    let entry = self.key(key)?.zip(self.value(value.expr())?);
                    Ok(entry)
                });
                Ok(entries.collect::<Result<Option<Map<_, _>>>>()?.map(Value::Object))
            }
            Expression::StringTemplate(template) => self.template(template.iter()),
            Expression::HeredocTemplate(heredoc) => {
                let mut heredoc = heredoc.clone();
                heredoc.dedent();
                let template: &Template = &heredoc.template;
                self.template(template.iter())
            }
            Expression::Parenthesis(inner) => self.value(inner.inner()),
            Expression::Conditional(conditional) => match self.value(&conditional.cond_expr)? {
                None => Ok(None),
                Some(Value::Bool(true)) => self.value(&conditional.true_expr),
                Some(_) => self.value(&conditional.false_expr),
            },
            Expression::Traversal(traversal) => self.traversal(traversal),
            Expression::UnaryOp(operation) => {
                let value = self.value(&operation.expr)?;
                Ok(value.map(|value| match *operation.operator.value() {
                    UnaryOperator::Not => Value::Bool(value != Value::Bool(true)),
                    UnaryOperator::Neg => number(-value.as_f64().unwrap_or_default()),
                }))
            }
            Expression::BinaryOp(operation) => {
                let sides = self.value(&operation.lhs_expr)?.zip(self.value(&operation.rhs_expr)?);
                sides
                    .map(|(left, right)| binary(*operation.operator.value(), &left, &right))
                    .transpose()
            }
            Expression::FuncCall(call) => self.call(call),
            Expression::Variable(name) => bail!("`{}` alone is no value", name.value().as_str()),
            Expression::ForExpr(_) => {
                bail!("the sandbox's own evaluator knows no `for` expressions")
            }
        }
    }

    fn key(&self, key: &ObjectKey) -> Result<Option<String>> {
        match key {
            ObjectKey::Ident(name) | ObjectKey::Expression(Expression::Variable(name)) => {
                Ok(Some(name.as_str().to_owned()))
            }
            ObjectKey::Expression(expression) => Ok(self.value(expression)?.map(|key| text(&key))),
        }
    }

    fn template<'t>(&self, elements: impl Iterator<Item = &'t Element>) -> Result<Known> {
        let mut filled = String::new();
        for element in elements {
            match element {
                Element::Literal(literal) => filled.push_str(literal),
                Element::Interpolation(interpolation) => match self.value(&interpolation.expr)? {
                    Some(value) => filled.push_str(&text(&value)),
                    None => return Ok(None),
                },
                Element::Directive(_) => {
                    bail!("the sandbox's own evaluator knows no `%{{ }}` directives")
                }
            }
        }
        Ok(Some(Value::String(filled)))
    }

    fn traversal(&self, traversal: &Traversal) -> Result<Known> {
        let mut steps = traversal.operators.iter().map(hcl_edit::Decorated::value);
        let mut name = || match steps.next() {
            Some(TraversalOperator::GetAttr(name)) => Ok(name.as_str().to_owned()),
            _ => bail!("a name is missing in a reference"),
        };
        let mut value = match &traversal.expr {
            Expression::Variable(root) => match root.as_str() {
                "var" => self.variable(&name()?)?,
                "local" => self.local(&name()?)?,
                "terraform_data" => self.attribute(&name()?, &name()?)?,
                other => bail!("the sandbox's own evaluator knows no `{other}`"),
            },
            inner => self.value(inner)?,
        };
        for step in steps {
            let key = match step {
                TraversalOperator::GetAttr(name) => Some(Value::from(name.as_str())),
                TraversalOperator::Index(index) => self.value(index)?,
                TraversalOperator::LegacyIndex(index) => Some(Value::from(*index.value())),
                _ => bail!("the sandbox's own evaluator knows no splat expressions"),
            };
            value = match value.zip(key) {
                Some((value, key)) => Some(member(&value, &key)?),
                None => None,
            };
        }
        Ok(value)
    }

    fn variable(&self, name: &str) -> Result<Known> {
        if let Some(value) = self.variables.get(name) {
            return Ok(Some(value.clone()));
        }
        match self.configuration.variables.get(name) {
            None => {
                bail!("Reference to undeclared input variable: there is no variable \"{name}\"")
            }
            Some(None) => {
                bail!("No value for required variable: \"{name}\" is not set and has no default")
            }
            Some(Some(default)) => self.value(default),
        }
    }

    fn local(&self, name: &str) -> Result<Known> {
        let local = self.configuration.locals.get(name);
        self.value(
            local.with_context(|| format!("Reference to undeclared local value \"{name}\""))?,
        )
    }

    fn attribute(&self, resource: &str, attribute: &str) -> Result<Known> {
        let instance = self.instance(resource)?;
        match attribute {
            "id" => Ok(instance.id),
            "input" => Ok(instance.input),
            "output" => Ok(instance.output),
            "triggers_replace" => Ok(instance.triggers_replace),
            other => bail!("Unsupported attribute: terraform_data.{resource} has no `{other}`"),
        }
    }

    fn call(&self, call: &FuncCall) -> Result<Known> {
        let arguments = call.args.iter().map(|argument| self.value(argument));
        let Some(arguments) = arguments.collect::<Result<Option<Vec<_>>>>()? else {
            return Ok(None);
        };
        let name = call.name.name.as_str();
        let value = match (name, arguments.as_slice()) {
            ("tostring", [value]) => Value::String(text(value)),
            ("jsonencode", [value]) => Value::String(value.to_string()),
            ("lower", [value]) => Value::String(text(value).to_lowercase()),
            ("upper", [value]) => Value::String(text(value).to_uppercase()),
            ("join", [separator, Value::Array(items)]) => {
                Value::String(items.iter().map(text).collect::<Vec<_>>().join(&text(separator)))
            }
            ("length", [Value::Array(items)]) => items.len().into(),
            ("length", [Value::Object(entries)]) => entries.len().into(),
            ("length", [Value::String(text)]) => text.chars().count().into(),
            _ => {
                bail!("the sandbox's own evaluator knows no function `{name}` with these arguments")
            }
        };
        Ok(Some(value))
    }
}

/// The outputs of a folder, in the form of the state.
pub(super) fn kind(value: Option<&Value>) -> Value {
    match value {
        None | Some(Value::Null) => "dynamic".into(),
        Some(Value::Bool(_)) => "bool".into(),
        Some(Value::Number(_)) => "number".into(),
        Some(Value::String(_)) => "string".into(),
        Some(Value::Array(items)) => {
            let kinds: Value = items.iter().map(|item| kind(Some(item))).collect();
            Value::Array(vec!["tuple".into(), kinds])
        }
        Some(Value::Object(entries)) => {
            let kinds: Map<String, Value> =
                entries.iter().map(|(name, value)| (name.clone(), kind(Some(value)))).collect();
            Value::Array(vec!["object".into(), Value::Object(kinds)])
        }
    }
}

fn member(value: &Value, key: &Value) -> Result<Value> {
    let found = match value {
        Value::Object(entries) => entries.get(&text(key)),
        Value::Array(items) => key.as_u64().and_then(|at| items.get(usize::try_from(at).ok()?)),
        _ => None,
    };
    found.cloned().with_context(|| format!("the value has no member {key}"))
}

fn binary(operator: BinaryOperator, left: &Value, right: &Value) -> Result<Value> {
    let truth = |value: &Value| *value == Value::Bool(true);
    let numbers = || left.as_f64().zip(right.as_f64()).context("an operator needs two numbers");
    Ok(match operator {
        BinaryOperator::Eq => Value::Bool(left == right),
        BinaryOperator::NotEq => Value::Bool(left != right),
        BinaryOperator::And => Value::Bool(truth(left) && truth(right)),
        BinaryOperator::Or => Value::Bool(truth(left) || truth(right)),
        BinaryOperator::Less => Value::Bool(numbers().map(|(left, right)| left < right)?),
        BinaryOperator::LessEq => Value::Bool(numbers().map(|(left, right)| left <= right)?),
        BinaryOperator::Greater => Value::Bool(numbers().map(|(left, right)| left > right)?),
        BinaryOperator::GreaterEq => Value::Bool(numbers().map(|(left, right)| left >= right)?),
        BinaryOperator::Plus => numbers().map(|(left, right)| number(left + right))?,
        BinaryOperator::Minus => numbers().map(|(left, right)| number(left - right))?,
        BinaryOperator::Mul => numbers().map(|(left, right)| number(left * right))?,
        BinaryOperator::Div => numbers().map(|(left, right)| number(left / right))?,
        BinaryOperator::Mod => numbers().map(|(left, right)| number(left % right))?,
    })
}

/// A number, whole where it can be.
fn number(value: f64) -> Value {
    serde_json::from_str(&value.to_string()).unwrap_or_default()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// An id in the form of those that Terraform gives: a random UUID.
fn new_id() -> Value {
    let hex = format!("{:032x}", fastrand::u128(..));
    Value::String(format!(
        "{}-{}-4{}-8{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[13..16],
        &hex[17..20],
        &hex[20..]
    ))
}
