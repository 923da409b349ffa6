//! What a Terraform file says, read with the HCL crate.

use hcl_edit::expr::{Expression, ObjectKey, TraversalOperator, UnaryOperator};
use hcl_edit::structure::{BlockLabel, Body, Structure};
use hcl_edit::template::{Directive, Element, Interpolation, Strip, Template};
use hcl_edit::{parser, structure::Block};
use serde_json::Number;

use super::Unreadable;
use super::node::Node;

/// Reads a file.
pub(super) fn parse(text: &str) -> Result<Node, Unreadable> {
    parser::parse_body(text).map(|read| body(&read)).map_err(|error| unreadable(&error))
}

/// Reads a text that is a template.
pub(super) fn parse_template(text: &str) -> Result<Node, Unreadable> {
    parser::parse_template(text).map(|read| template(&read)).map_err(|error| unreadable(&error))
}

fn unreadable(error: &parser::Error) -> Unreadable {
    Unreadable { line: error.location().line(), message: error.message().to_owned() }
}

fn body(body: &Body) -> Node {
    let parts = body.iter().map(|structure| match structure {
        Structure::Attribute(attribute) => {
            Node::Branch("attribute", vec![word(&attribute.key), expression(&attribute.value)])
        }
        Structure::Block(inner) => block(inner),
    });
    Node::Branch("body", parts.collect())
}

fn block(block: &Block) -> Node {
    let labels = block.labels.iter().map(|label| match label {
        BlockLabel::Ident(name) => word(name),
        BlockLabel::String(text) => Node::Text(text.as_str().to_owned()),
    });
    let mut parts = vec![word(&block.ident)];
    parts.extend(labels);
    parts.push(body(&block.body));
    Node::Branch("block", parts)
}

fn word(name: &impl ToString) -> Node {
    // The name comes with the spaces and comments around it.
    Node::Word(name.to_string().trim().to_owned())
}

fn optional(part: Option<Node>) -> Node {
    Node::Branch("optional", part.into_iter().collect())
}

fn expression(expr: &Expression) -> Node {
    match expr {
        Expression::Null(_) => Node::Null,
        Expression::Bool(value) => Node::Bool(*value.value()),
        Expression::Number(value) => number(&value.value().to_string()),
        Expression::String(text) => Node::Text(text.as_str().to_owned()),
        Expression::StringTemplate(inner) => template(inner),
        Expression::HeredocTemplate(inner) => {
            let indent = inner.indent().map(|indent| Node::Number(indent.into()));
            Node::Branch("heredoc", vec![optional(indent), template(&inner.template)])
        }
        Expression::Array(items) => Node::List(items.iter().map(expression).collect()),
        Expression::Object(object) => {
            let entries =
                object.iter().map(|(key, value)| (object_key(key), expression(value.expr())));
            Node::Map(entries.collect())
        }
        Expression::Parenthesis(inner) => {
            Node::Branch("parenthesis", vec![expression(inner.inner())])
        }
        Expression::Variable(name) => Node::Branch("variable", vec![word(name.value())]),
        Expression::Conditional(c) => Node::Branch(
            "conditional",
            vec![expression(&c.cond_expr), expression(&c.true_expr), expression(&c.false_expr)],
        ),
        Expression::FuncCall(call) => {
            let name = &call.name;
            let path = name.namespace.iter().chain([&name.name]).map(|part| word(part.value()));
            let arguments = call.args.iter().map(expression);
            Node::Branch(
                "call",
                vec![
                    Node::Branch("name", path.collect()),
                    Node::Branch("arguments", arguments.collect()),
                    Node::Bool(call.args.expand_final()),
                ],
            )
        }
        Expression::Traversal(traversal) => {
            let mut parts = vec![expression(&traversal.expr)];
            parts.extend(traversal.operators.iter().map(|operator| step(operator.value())));
            Node::Branch("traversal", parts)
        }
        Expression::UnaryOp(operation) => {
            unary(*operation.operator.value(), expression(&operation.expr))
        }
        Expression::BinaryOp(operation) => Node::Branch(
            "binary",
            vec![
                expression(&operation.lhs_expr),
                word(operation.operator.value()),
                expression(&operation.rhs_expr),
            ],
        ),
        Expression::ForExpr(inner) => Node::Branch(
            "for",
            vec![
                optional(inner.intro.key_var.as_ref().map(|name| word(name.value()))),
                word(inner.intro.value_var.value()),
                expression(&inner.intro.collection_expr),
                optional(inner.key_expr.as_ref().map(expression)),
                expression(&inner.value_expr),
                Node::Bool(inner.grouping),
                optional(inner.cond.as_ref().map(|cond| expression(&cond.expr))),
            ],
        ),
    }
}

/// HCL has no negative numbers: `-1` is an operation.
fn unary(operator: UnaryOperator, operand: Node) -> Node {
    if let (UnaryOperator::Neg, Node::Number(value)) = (operator, &operand) {
        return number(&format!("-{value}"));
    }
    Node::Branch("unary", vec![Node::Word(operator.as_str().to_owned()), operand])
}

fn number(text: &str) -> Node {
    text.parse::<Number>().map_or_else(|_| Node::Word(text.to_owned()), Node::Number)
}

/// A key without quotes says the same as one with them, but only an author can write it.
fn object_key(key: &ObjectKey) -> Node {
    match key {
        ObjectKey::Ident(name) => Node::Branch("key", vec![word(name.value())]),
        ObjectKey::Expression(inner) => expression(inner),
    }
}

fn step(operator: &TraversalOperator) -> Node {
    match operator {
        TraversalOperator::AttrSplat(_) => Node::Word(".*".to_owned()),
        TraversalOperator::FullSplat(_) => Node::Word("[*]".to_owned()),
        TraversalOperator::GetAttr(name) => Node::Branch("attribute", vec![word(name.value())]),
        TraversalOperator::Index(index) => Node::Branch("index", vec![expression(index)]),
        TraversalOperator::LegacyIndex(index) => {
            Node::Branch("index", vec![Node::Number((*index.value()).into())])
        }
    }
}

/// A template without code in it is a text, however it was written. Around each piece of code
/// stands a text, if only an empty one, so that an empty value changes nothing.
fn template(template: &Template) -> Node {
    let mut parts = Vec::new();
    let mut text = String::new();
    for element in template {
        let code = match element {
            Element::Literal(literal) => {
                text.push_str(literal.as_str());
                continue;
            }
            // `${"$"}` is code that says a text and nothing else.
            Element::Interpolation(Interpolation {
                expr: Expression::String(said), strip, ..
            }) if *strip == Strip::None => {
                text.push_str(said.as_str());
                continue;
            }
            Element::Interpolation(inner) => {
                Node::Branch("interpolation", vec![strip(&inner.strip), expression(&inner.expr)])
            }
            Element::Directive(inner) => directive(inner),
        };
        parts.push(Node::Text(std::mem::take(&mut text)));
        parts.push(code);
    }
    if parts.is_empty() {
        return Node::Text(text);
    }
    parts.push(Node::Text(text));
    Node::Branch("template", parts)
}

fn strip(strip: &impl std::fmt::Debug) -> Node {
    Node::Word(format!("{strip:?}"))
}

fn directive(inner: &Directive) -> Node {
    match inner {
        Directive::If(inner) => Node::Branch(
            "if",
            vec![
                strip(&inner.if_expr.strip),
                expression(&inner.if_expr.cond_expr),
                template(&inner.if_expr.template),
                optional(inner.else_expr.as_ref().map(|other| template(&other.template))),
            ],
        ),
        Directive::For(inner) => Node::Branch(
            "for",
            vec![
                strip(&inner.for_expr.strip),
                optional(inner.for_expr.key_var.as_ref().map(|name| word(name.value()))),
                word(inner.for_expr.value_var.value()),
                expression(&inner.for_expr.collection_expr),
                template(&inner.for_expr.template),
            ],
        ),
    }
}
