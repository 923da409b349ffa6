//! What a Terraform file says of its variables and outputs.

use hcl_edit::expr::{BinaryOperator, Expression, FuncCall, ObjectKey, TraversalOperator};
use hcl_edit::parser;
use hcl_edit::structure::{Block, BlockLabel};
use serde_json::{Map, Number, Value, json};

/// The variables and the outputs of a module.
pub(super) struct Module {
    pub(super) variables: Vec<Variable>,
    /// Names of the outputs that may be seen.
    pub(super) outputs: Vec<String>,
}

/// A `variable` block.
pub(super) struct Variable {
    pub(super) name: String,
    /// As JSON Schema.
    pub(super) schema: Value,
    pub(super) is_sensitive: bool,
    /// Conditions of its validations for which JSON Schema has no word that is known here.
    pub(super) not_understood: Vec<String>,
    has_default: bool,
}

impl Variable {
    pub(super) fn is_required(&self) -> bool {
        !self.has_default
    }
}

/// Reads a file. `Err` is a sentence.
pub(super) fn read(text: &str) -> Result<Module, String> {
    let body = parser::parse_body(text).map_err(|error| {
        format!(
            "the file is no valid Terraform, at line {}: {}",
            error.location().line(),
            error.message()
        )
    })?;
    let mut module = Module { variables: Vec::new(), outputs: Vec::new() };
    for block in body.iter().filter_map(|structure| structure.as_block()) {
        let Some(name) = block.labels.first().map(label) else { continue };
        match block.ident.as_str() {
            "variable" => module.variables.push(variable(name, block)),
            "output" if !is_true(block, "sensitive") => module.outputs.push(name),
            _ => {}
        }
    }
    Ok(module)
}

fn label(label: &BlockLabel) -> String {
    match label {
        BlockLabel::Ident(name) => name.as_str().to_owned(),
        BlockLabel::String(text) => text.as_str().to_owned(),
    }
}

fn attribute<'a>(block: &'a Block, name: &str) -> Option<&'a Expression> {
    block.body.get_attribute(name).map(|attribute| &attribute.value)
}

fn is_true(block: &Block, name: &str) -> bool {
    matches!(attribute(block, name), Some(Expression::Bool(value)) if *value.value())
}

fn variable(name: String, block: &Block) -> Variable {
    let mut schema = attribute(block, "type").map_or_else(|| json!({}), schema_of);
    if let Some(text) = attribute(block, "description").and_then(Expression::as_str) {
        schema["description"] = text.into();
    }
    let default = attribute(block, "default");
    if let Some(value) = default.and_then(literal).filter(|value| !value.is_null()) {
        schema["default"] = value;
    }
    let mut not_understood = Vec::new();
    for validation in block.body.get_blocks("validation") {
        if let Some(condition) = attribute(validation, "condition") {
            narrow(condition, &name, &mut schema, &mut not_understood);
        }
    }
    let is_sensitive = is_true(block, "sensitive");
    Variable { name, schema, is_sensitive, not_understood, has_default: default.is_some() }
}

/// A type constraint as JSON Schema. `any`, and what is not known, is any value.
fn schema_of(kind: &Expression) -> Value {
    match kind {
        Expression::Variable(name) => match name.value().as_str() {
            "string" => json!({"type": "string"}),
            "number" => json!({"type": "number"}),
            "bool" => json!({"type": "boolean"}),
            _ => json!({}),
        },
        Expression::FuncCall(call) => {
            let inner = || call.args.iter().next().map_or_else(|| json!({}), schema_of);
            match call.name.name.as_str() {
                "list" => json!({"type": "array", "items": inner()}),
                "set" => json!({"type": "array", "items": inner(), "uniqueItems": true}),
                "tuple" => json!({"type": "array"}),
                "map" => json!({"type": "object", "additionalProperties": inner()}),
                "object" => {
                    call.args.iter().next().map_or_else(|| json!({"type": "object"}), object)
                }
                "optional" => inner(),
                _ => json!({}),
            }
        }
        _ => json!({}),
    }
}

fn object(kind: &Expression) -> Value {
    let Expression::Object(fields) = kind else { return json!({"type": "object"}) };
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (key, value) in fields {
        let Some(name) = key_text(key) else { continue };
        let is_optional = matches!(value.expr(), Expression::FuncCall(call) if call.name.name.as_str() == "optional");
        if !is_optional {
            required.push(name.clone());
        }
        properties.insert(name, schema_of(value.expr()));
    }
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn key_text(key: &ObjectKey) -> Option<String> {
    match key {
        ObjectKey::Ident(name) => Some(name.as_str().to_owned()),
        ObjectKey::Expression(expression) => expression.as_str().map(str::to_owned),
    }
}

/// A value that stands there as it is; `None` for anything that has to be computed.
fn literal(expression: &Expression) -> Option<Value> {
    match expression {
        Expression::Null(_) => Some(Value::Null),
        Expression::Bool(value) => Some((*value.value()).into()),
        Expression::String(text) => Some(text.as_str().into()),
        Expression::Number(value) => number(&value.value().to_string()),
        Expression::UnaryOp(operation) => number(&format!("-{}", literal(&operation.expr)?)),
        Expression::Array(items) => items.iter().map(literal).collect(),
        Expression::Object(fields) => {
            let fields =
                fields.iter().map(|(key, value)| Some((key_text(key)?, literal(value.expr())?)));
            fields.collect::<Option<Map<_, _>>>().map(Value::Object)
        }
        _ => None,
    }
}

fn number(text: &str) -> Option<Value> {
    let number: Number = text.parse().ok()?;
    Some(Value::Number(number))
}

/// Takes a condition over into the schema, part by part, where it can be said there exactly.
fn narrow(condition: &Expression, name: &str, schema: &mut Value, rest: &mut Vec<String>) {
    if let Expression::Parenthesis(inner) = condition {
        return narrow(inner.inner(), name, schema, rest);
    }
    if let Expression::BinaryOp(operation) = condition
        && *operation.operator.value() == BinaryOperator::And
    {
        narrow(&operation.lhs_expr, name, schema, rest);
        return narrow(&operation.rhs_expr, name, schema, rest);
    }
    match rule(condition, name, schema["type"] == "array") {
        Some((keyword, value)) => schema[keyword] = value,
        None => rest.push(condition.to_string().split_whitespace().collect::<Vec<_>>().join(" ")),
    }
}

fn rule(condition: &Expression, name: &str, is_list: bool) -> Option<(&'static str, Value)> {
    match condition {
        Expression::FuncCall(call) => call_rule(call, name),
        Expression::BinaryOp(operation) => {
            let limit = literal(&operation.rhs_expr).filter(Value::is_number)?;
            let operator = *operation.operator.value();
            if is_variable(&operation.lhs_expr, name) {
                let keyword = match operator {
                    BinaryOperator::GreaterEq => "minimum",
                    BinaryOperator::LessEq => "maximum",
                    BinaryOperator::Greater => "exclusiveMinimum",
                    BinaryOperator::Less => "exclusiveMaximum",
                    _ => return None,
                };
                return Some((keyword, limit));
            }
            let length = call_of(&operation.lhs_expr, "length")?;
            if !is_variable(length.args.iter().next()?, name) {
                return None;
            }
            let whole = limit.as_u64()?;
            let (least, most) =
                if is_list { ("minItems", "maxItems") } else { ("minLength", "maxLength") };
            match operator {
                BinaryOperator::GreaterEq => Some((least, whole.into())),
                BinaryOperator::LessEq => Some((most, whole.into())),
                BinaryOperator::Greater => Some((least, (whole + 1).into())),
                BinaryOperator::Less => Some((most, whole.checked_sub(1)?.into())),
                _ => None,
            }
        }
        _ => None,
    }
}

/// `contains([…], var.x)` and `can(regex("…", var.x))`.
fn call_rule(call: &FuncCall, name: &str) -> Option<(&'static str, Value)> {
    let arguments: Vec<&Expression> = call.args.iter().collect();
    match (call.name.name.as_str(), arguments.as_slice()) {
        ("contains", [list, of]) if is_variable(of, name) => Some(("enum", literal(list)?)),
        ("can", [inner]) => {
            let arguments: Vec<&Expression> = call_of(inner, "regex")?.args.iter().collect();
            let [pattern, of] = arguments[..] else { return None };
            let pattern = pattern.as_str().filter(|_| is_variable(of, name))?;
            // The same words for the same thing in RE2 and in JSON Schema, or not taken over.
            let is_shared =
                !pattern.contains("(?") && !pattern.contains("\\p") && !pattern.contains("[[");
            let schema = json!({ "pattern": pattern });
            (is_shared && jsonschema::options().build(&schema).is_ok())
                .then(|| ("pattern", pattern.into()))
        }
        _ => None,
    }
}

fn call_of<'a>(expression: &'a Expression, name: &str) -> Option<&'a FuncCall> {
    match expression {
        Expression::FuncCall(call) if call.name.name.as_str() == name => Some(call),
        _ => None,
    }
}

/// `var.x`.
fn is_variable(expression: &Expression, name: &str) -> bool {
    let Expression::Traversal(traversal) = expression else { return false };
    let is_var =
        matches!(&traversal.expr, Expression::Variable(root) if root.value().as_str() == "var");
    let [step] = traversal.operators.as_slice() else { return false };
    is_var && matches!(step.value(), TraversalOperator::GetAttr(field) if field.as_str() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Variable {
        read(text).unwrap_or_else(|error| panic!("{error}")).variables.remove(0)
    }

    #[test]
    fn a_variable_is_read_with_type_default_and_validations() {
        let size = only(
            "variable \"size\" {\n  type = number\n  description = \"In GB.\"\n  default = 10\n\
             validation {\n condition = var.size >= 1 && var.size <= 100 && floor(var.size) == var.size\n\
             error_message = \"x\"\n }\n}\n",
        );
        assert_eq!(
            size.schema,
            json!({"type": "number", "description": "In GB.", "default": 10, "minimum": 1, "maximum": 100})
        );
        assert!(!size.is_required());
        assert_eq!(size.not_understood, ["floor(var.size) == var.size"]);
    }

    #[test]
    fn texts_lists_and_maps_keep_their_rules() {
        let class = only(
            "variable \"c\" {\n type = string\n validation {\n condition = contains([\"a\", \"b\"], var.c)\n }\n}\n",
        );
        assert_eq!(class.schema, json!({"type": "string", "enum": ["a", "b"]}));
        let name = only(
            "variable \"n\" {\n type = string\n validation {\n condition = can(regex(\"^[a-z]+$\", var.n)) && length(var.n) < 20\n }\n}\n",
        );
        assert_eq!(name.schema, json!({"type": "string", "pattern": "^[a-z]+$", "maxLength": 19}));
        let tags =
            only("variable \"t\" {\n type = map(list(string))\n default = { a = [\"b\"] }\n}\n");
        assert_eq!(tags.schema["additionalProperties"]["items"]["type"], "string");
        assert_eq!(tags.schema["default"], json!({"a": ["b"]}));
        let object =
            only("variable \"o\" {\n type = object({ a = string, b = optional(number, 3) })\n}\n");
        assert_eq!(object.schema["required"], json!(["a"]));
    }

    #[test]
    fn a_rule_of_another_variable_is_not_taken_over() {
        let one = only(
            "variable \"a\" {\n type = number\n validation {\n condition = var.b > 1\n }\n}\n",
        );
        assert_eq!((one.schema, one.not_understood.len()), (json!({"type": "number"}), 1));
        assert!(read("variable \"a\" {").is_err());
    }
}
