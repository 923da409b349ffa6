//! The grammar of expressions: text to tree.

use serde_json::{Number, Value};

/// An expression as a tree.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    Literal(Value),
    /// The name of a context, lower case.
    Context(String),
    /// `value.name` and `value[expression]`.
    Index(Box<Expression>, Box<Expression>),
    /// `value.*`.
    Each(Box<Expression>),
    /// The name of a function, lower case, and its arguments.
    Call(String, Vec<Expression>),
    Not(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// From the weakest to the strongest; of two with the same beginning the longer comes first.
const LEVELS: [&[(&str, Operator)]; 4] = [
    &[("||", Operator::Or)],
    &[("&&", Operator::And)],
    &[("==", Operator::Equal), ("!=", Operator::NotEqual)],
    &[
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ],
];

/// How deep an expression may be nested, so that no file can exhaust the stack.
const DEEPEST: usize = 50;

impl Expression {
    /// Whether one of `success()`, `failure()`, `always()` and `cancelled()` is called.
    pub(super) fn names_status(&self) -> bool {
        match self {
            Self::Literal(_) | Self::Context(_) => false,
            Self::Call(name, arguments) => {
                matches!(name.as_str(), "success" | "failure" | "always" | "cancelled")
                    || arguments.iter().any(Self::names_status)
            }
            Self::Each(value) | Self::Not(value) => value.names_status(),
            Self::Index(left, right) | Self::Binary(_, left, right) => {
                left.names_status() || right.names_status()
            }
        }
    }
}

/// Reads one expression, without the `${{ }}` around it.
pub(super) fn parse(source: &str) -> Result<Expression, String> {
    let mut parser = Parser { rest: source, depth: 0 };
    let expression = parser.binary(0)?;
    match parser.peek() {
        None => Ok(expression),
        Some(_) => Err(format!("unexpected `{}`", parser.rest)),
    }
}

/// Where the `}}` stands that ends an expression; one inside a string does not.
pub(super) fn end_of_expression(source: &str) -> Option<usize> {
    let mut is_quoted = false;
    source.char_indices().find_map(|(at, c)| {
        is_quoted ^= c == '\'';
        (!is_quoted && source[at..].starts_with("}}")).then_some(at)
    })
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn take(&mut self, token: &str) -> bool {
        self.peek();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        match self.take(token) {
            true => Ok(()),
            false => Err(format!("`{token}` is missing")),
        }
    }

    fn binary(&mut self, level: usize) -> Result<Expression, String> {
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.binary(level + 1)?;
        while let Some((_, operator)) = operators.iter().find(|(token, _)| self.take(token)) {
            let right = self.binary(level + 1)?;
            left = Expression::Binary(*operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("nested deeper than {DEEPEST}"));
        }
        let expression = match self.take("!") {
            true => Expression::Not(Box::new(self.unary()?)),
            false => self.postfix()?,
        };
        self.depth -= 1;
        Ok(expression)
    }

    fn postfix(&mut self) -> Result<Expression, String> {
        let mut value = self.primary()?;
        loop {
            if self.take("[") {
                let index = self.binary(0)?;
                self.expect("]")?;
                value = Expression::Index(Box::new(value), Box::new(index));
            } else if self.take(".") {
                value = match self.take("*") {
                    true => Expression::Each(Box::new(value)),
                    false => {
                        let name = Expression::Literal(Value::String(self.name()?));
                        Expression::Index(Box::new(value), Box::new(name))
                    }
                };
            } else {
                return Ok(value);
            }
        }
    }

    fn primary(&mut self) -> Result<Expression, String> {
        match self.peek() {
            None => Err("a value is missing".to_owned()),
            Some('(') => {
                self.expect("(")?;
                let inner = self.binary(0)?;
                self.expect(")")?;
                Ok(inner)
            }
            Some('\'') => self.string(),
            Some(c) if c.is_ascii_digit() || matches!(c, '-' | '+' | '.') => self.number(),
            Some(_) => self.word(),
        }
    }

    fn string(&mut self) -> Result<Expression, String> {
        let mut value = String::new();
        self.expect("'")?;
        loop {
            let (piece, rest) = self.rest.split_once('\'').ok_or("a quote is never closed")?;
            value.push_str(piece);
            self.rest = rest;
            if !self.rest.starts_with('\'') {
                return Ok(Expression::Literal(Value::String(value)));
            }
            value.push('\'');
            self.rest = &self.rest[1..];
        }
    }

    fn number(&mut self) -> Result<Expression, String> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.');
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        let number = number(digits).ok_or_else(|| format!("`{digits}` is not a number"))?;
        Ok(Expression::Literal(number))
    }

    fn word(&mut self) -> Result<Expression, String> {
        let word = self.name()?.to_lowercase();
        if self.take("(") {
            return Ok(Expression::Call(word, self.arguments()?));
        }
        Ok(match word.as_str() {
            "true" => Expression::Literal(Value::Bool(true)),
            "false" => Expression::Literal(Value::Bool(false)),
            "null" => Expression::Literal(Value::Null),
            _ => Expression::Context(word),
        })
    }

    fn arguments(&mut self) -> Result<Vec<Expression>, String> {
        let mut arguments = Vec::new();
        if self.take(")") {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.binary(0)?);
            if !self.take(",") {
                self.expect(")")?;
                return Ok(arguments);
            }
        }
    }

    fn name(&mut self) -> Result<String, String> {
        self.peek();
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        if end == 0 {
            return Err(format!("a name is missing before `{}`", self.rest));
        }
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(name.to_owned())
    }
}

/// A number as JavaScript reads it; whole ones stay whole.
pub(super) fn number(text: &str) -> Option<Value> {
    let value = match text.strip_prefix("0x") {
        Some(hexadecimal) => i64::from_str_radix(hexadecimal, 16).ok().map(Number::from),
        None => match text.parse::<i64>() {
            Ok(whole) => Some(Number::from(whole)),
            Err(_) => text.parse().ok().and_then(Number::from_f64),
        },
    };
    value.map(Value::Number)
}
