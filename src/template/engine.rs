//! Runs prepared texts through Tera, within bounds, and takes the values out again, still typed.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::{self, Write};
use std::sync::{Arc, LazyLock};

use serde_json::Value;
use tera::{Context, ErrorKind, Kwargs, State, Tera};

use super::diagnostic::Place;
use super::expression::{Form, MARKS, Name, Output, Prepared, Scope, SyntaxFault, prepare};
use super::shared::{Shared, SharedFile};

/// Steps that one text may take: a pass of a loop is ten, looking at a value one and more. Far
/// above any template that is meant to be read, and well below a second.
const MOST_STEPS: u64 = 500_000;
/// Bytes that Tera may write for one text, marks included.
const MOST_OUTPUT: usize = 4 * 1024 * 1024;
/// Bytes of one value that a template makes.
const MOST_VALUE: usize = 256 * 1024;
/// Elements of one `range()`.
const MOST_RANGE: i64 = 1_000;

/// A stretch of a rendered text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    /// What the author wrote.
    Text(String),
    /// What an expression gave.
    Value {
        /// Which `{{ … }}` of the text.
        output: usize,
        value: Value,
        form: Form,
    },
}

impl Piece {
    /// As plain text.
    pub(super) fn shown(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) | Self::Value { value: Value::String(text), .. } => text.into(),
            Self::Value { value, .. } => value.to_string().into(),
        }
    }
}

/// Why a text could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// The shared file that it is in, from the folder of all templates; else it is in the text.
    pub(super) file: Option<String>,
    pub(super) place: Place,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// A text that Tera has read, ready to be rendered many times.
#[derive(Clone)]
pub(super) struct Compiled {
    pub(super) prepared: Arc<Prepared>,
    /// The shared files that it needs.
    pub(super) needed: Arc<[Arc<SharedFile>]>,
    tera: Arc<Tera>,
}

/// What Tera calls the text; shared files are called by their names.
const TEXT: &str = "";

impl Compiled {
    /// Reads an expression.
    pub(super) fn new(text: &str) -> Result<Self, Fault> {
        Self::read(text, Scope::Expression, &Shared::default())
    }

    /// Reads a file.
    pub(super) fn file(text: &str, shared: &Shared) -> Result<Self, Fault> {
        Self::read(text, Scope::File, shared)
    }

    /// Reads a file that is shared.
    pub(super) fn shared(file: &SharedFile, shared: &Shared) -> Result<Self, Fault> {
        Self::compile(Prepared::including(&file.name), shared)
    }

    fn read(text: &str, scope: Scope, shared: &Shared) -> Result<Self, Fault> {
        let (prepared, mut faults) = prepare(text, scope, shared.outputs);
        faults.extend(shared.faults(&prepared));
        match faults.into_iter().next() {
            Some(SyntaxFault { place, message, help }) => {
                Err(Fault { file: None, place, message, help })
            }
            None => Self::compile(prepared, shared),
        }
    }

    fn compile(prepared: Prepared, shared: &Shared) -> Result<Self, Fault> {
        let needed: Arc<[_]> = shared.needed(&prepared).into();
        let mut tera = TERA.clone();
        let parts = needed.iter().map(|file| (file.name.as_str(), file.prepared.source.as_str()));
        tera.add_raw_templates(parts.chain([(TEXT, prepared.source.as_str())]))
            .map_err(|error| fault_of(&error, &prepared, &needed))?;
        Ok(Self { prepared: Arc::new(prepared), needed, tera: Arc::new(tera) })
    }

    /// Renders it.
    pub(super) fn render(&self, context: &Value) -> Result<Vec<Piece>, Fault> {
        let context = Context::from_serialize(context).map_err(|error| Fault {
            file: None,
            place: Place::START,
            message: format!("the values cannot be used in a template: {error}"),
            help: None,
        })?;
        LEFT.set(MOST_STEPS);
        let mut output = Capped(Vec::new());
        self.tera
            .render_to(TEXT, &context, &mut output)
            .map_err(|error| fault_of(&error, &self.prepared, &self.needed))?;
        self.pieces(&String::from_utf8_lossy(&output.0))
    }

    /// One of its `{{ … }}`, and the shared file that it stands in, if it stands in one.
    pub(super) fn output(&self, number: usize) -> Option<(&Output, Option<&str>)> {
        let own = (&*self.prepared, None);
        let shared = self.needed.iter().map(|file| (&file.prepared, Some(file.path.as_str())));
        [own].into_iter().chain(shared).find_map(|(prepared, file)| {
            let output = prepared.outputs.get(number.checked_sub(prepared.first_output)?)?;
            Some((output, file))
        })
    }

    /// The names that it reads from outside, by itself or by what it includes.
    pub(super) fn names(&self) -> impl Iterator<Item = &Name> {
        let shared = self.needed.iter().flat_map(|file| &file.prepared.names);
        self.prepared.names.iter().chain(shared)
    }

    fn pieces(&self, output: &str) -> Result<Vec<Piece>, Fault> {
        let [start, middle, end] = MARKS;
        let mut pieces = Vec::new();
        let push_text = |pieces: &mut Vec<Piece>, text: &str| match pieces.last_mut() {
            Some(Piece::Text(before)) => before.push_str(text),
            _ if text.is_empty() => {}
            _ => pieces.push(Piece::Text(text.to_owned())),
        };
        let mut rest = output;
        while let Some((before, marked)) = rest.split_once(start) {
            push_text(&mut pieces, before);
            let (value, after) = marked.split_once(end).unwrap_or((marked, ""));
            let (index, json) = value.split_once(middle).unwrap_or(("", value));
            let output = index.parse().unwrap_or(0);
            let written = self.output(output);
            let form = written.map_or(Form::Plain, |(written, _)| written.form);
            let value = serde_json::from_str(json).map_err(|error| Fault {
                file: written.and_then(|(_, file)| file.map(str::to_owned)),
                place: written.map_or(Place::START, |(written, _)| written.place),
                message: format!("the value cannot be used: {error}"),
                help: None,
            })?;
            pieces.push(Piece::Value { output, value, form });
            rest = after;
        }
        push_text(&mut pieces, rest);
        Ok(pieces)
    }
}

thread_local! {
    /// What the rendering on this thread may still spend. A rendering stays on its thread: Tera
    /// waits for nothing.
    static LEFT: Cell<u64> = const { Cell::new(0) };
}

fn spend(steps: u64) -> tera::TeraResult<()> {
    let left = LEFT.get().checked_sub(steps).ok_or_else(|| {
        tera::Error::message("this template takes too many steps: make its loops smaller")
    })?;
    LEFT.set(left);
    Ok(())
}

/// Tera, with our own filters beside and in the place of its own.
static TERA: LazyLock<Tera> = LazyLock::new(|| {
    let mut tera = Tera::new();
    tera.autoescape_on(Vec::<&'static str>::new());
    register(&mut tera);
    tera
});

fn register(tera: &mut Tera) {
    tera.register_filter("_known", |value: tera::Value, kwargs: Kwargs, _: &State<'_>| {
        let size = value.len().unwrap_or(1) as u64;
        spend(1 + size / 64)?;
        if value.is_undefined() {
            let name: &str = kwargs.must_get("name")?;
            return Err(tera::Error::message(format!("`{name}` is not defined")));
        }
        Ok(value)
    });
    tera.register_filter("_step", |_: tera::Value, _: Kwargs, _: &State<'_>| {
        spend(10).map(|()| false)
    });
    tera.register_filter("_held", |value: tera::Value, _: Kwargs, _: &State<'_>| {
        let json = to_json(&value)?;
        spend(1 + json.len() as u64 / 64)?;
        Ok::<_, tera::Error>(value)
    });
    tera.register_filter("_emit", |value: tera::Value, kwargs: Kwargs, _: &State<'_>| {
        if value.is_undefined() {
            return Err(tera::Error::message("the value is not defined"));
        }
        let json = to_json(&value)?;
        let index: i64 = kwargs.must_get("n")?;
        let [start, middle, end] = MARKS;
        Ok(format!("{start}{index}{middle}{json}{end}"))
    });
    tera.register_filter("replace", |text: &str, kwargs: Kwargs, _: &State<'_>| {
        let (from, to): (&str, &str) = (kwargs.must_get("from")?, kwargs.must_get("to")?);
        let size = text.len() + text.matches(from).count() * to.len();
        spend(1 + size as u64 / 64)?;
        bounded(size)?;
        Ok::<_, tera::Error>(text.replace(from, to))
    });
    tera.register_filter("join", |list: Vec<tera::Value>, kwargs: Kwargs, _: &State<'_>| {
        let separator: &str = kwargs.get("sep")?.unwrap_or_default();
        let texts: Vec<String> = list.iter().map(ToString::to_string).collect();
        bounded(texts.iter().map(|text| text.len() + separator.len()).sum())?;
        Ok::<_, tera::Error>(texts.join(separator))
    });
    tera.register_function("range", |kwargs: Kwargs, _: &State<'_>| {
        let start = kwargs.get::<i64>("start")?.unwrap_or(0);
        let end = kwargs.must_get::<i64>("end")?;
        let step = kwargs.get::<i64>("step_by")?.unwrap_or(1);
        let length = end.checked_sub(start).filter(|length| (0..=MOST_RANGE).contains(length));
        let length = length.ok_or_else(|| {
            let limit = format!("`range` goes upwards, over at most {MOST_RANGE} numbers");
            tera::Error::message(limit)
        })?;
        let step = usize::try_from(step).ok().filter(|step| *step > 0);
        let step = step.ok_or_else(|| tera::Error::message("`step_by` must be 1 or more"))?;
        spend(length.unsigned_abs())?;
        Ok::<_, tera::Error>((start..end).step_by(step).collect::<Vec<i64>>())
    });
}

fn bounded(size: usize) -> tera::TeraResult<()> {
    if size > MOST_VALUE {
        let message = format!("a value of {size} bytes is too large (limit {MOST_VALUE})");
        return Err(tera::Error::message(message));
    }
    Ok(())
}

fn to_json(value: &tera::Value) -> tera::TeraResult<String> {
    let is_finite = value.as_f64().is_none_or(f64::is_finite);
    if !is_finite {
        return Err(tera::Error::message("the number is infinite, or none"));
    }
    let json = serde_json::to_string(value)
        .map_err(|error| tera::Error::message(format!("the value cannot be written: {error}")))?;
    bounded(json.len())?;
    Ok(json)
}

/// Takes so many bytes and no more.
struct Capped(Vec<u8>);

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MOST_OUTPUT {
            return Err(io::Error::other(format!("the file grows beyond {MOST_OUTPUT} bytes")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Tera's error in our terms. The rewriting keeps every line, so the line is the author's; the
/// column is that of the line's first character that is no space.
fn fault_of(error: &tera::Error, text: &Prepared, needed: &[Arc<SharedFile>]) -> Fault {
    let (name, line, message) = match error.kind() {
        ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report) => {
            (report.filename(), report.span().start_line.max(1), report.message().to_owned())
        }
        ErrorKind::Io(_) => (TEXT, 1, "the rendered file grows too large".to_owned()),
        _ => (TEXT, 1, error.to_string()),
    };
    let file = needed.iter().find(|file| file.name == name);
    let source = file.map_or(&text.source, |file| &file.prepared.source);
    let text = source.lines().nth(line - 1).unwrap_or_default();
    let column = text.chars().take_while(|c| c.is_whitespace()).count() + 1;
    let file = file.map(|file| file.path.clone());
    Fault { file, place: Place { line, column }, message, help: None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn run(text: &str, context: &Value) -> Result<Vec<Piece>, Fault> {
        Compiled::new(text)?.render(context)
    }

    fn shown(text: &str, context: &Value) -> String {
        let pieces = run(text, context).unwrap();
        let shown = pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Value { value, .. } => value.to_string(),
        });
        shown.collect()
    }

    #[test]
    fn values_keep_their_types_and_filters_see_them_plain() {
        let context = json!({"a": "x\"", "n": 3, "l": [1, {"k": true}], "f": 1.5, "z": null});
        assert_eq!(
            shown("{{ a | upper }}|{{ n }}|{{ l }}|{{ f }}|{{ z }}", &context),
            "\"X\\\"\"|3|[1,{\"k\":true}]|1.5|null"
        );
        assert_eq!(shown("{{ n * 2 + 1 }} {{ l | length }}", &context), "7 2");
        assert_eq!(
            shown(
                "{% for i in l %}{{ loop.index }}{% if not loop.last %},{% endif %}{% endfor %}",
                &context
            ),
            "1,2"
        );
        assert_eq!(shown("{% set b = a ~ '!' %}{{ b if n > 2 else a }}", &context), "\"x\\\"!\"");
    }

    #[test]
    fn an_undefined_name_is_an_error_wherever_it_stands() {
        let context = json!({"inputs": {"a": 1, "l": [1]}});
        for text in [
            "{{ inputs.b }}",
            "{{ nothing }}",
            "{% if inputs.b %}x{% endif %}",
            "{% if not inputs.b %}x{% endif %}",
            "{% if inputs.a == 1 and inputs.b %}x{% endif %}",
            "{% if false %}{% elif inputs.b %}{% endif %}",
            "{% for x in inputs.b %}x{% endfor %}",
            "{{ inputs.a if inputs.b else 2 }}",
            "{{ 'x' | default(value=inputs.b) }}",
            "{{ inputs.z | default(value=inputs.b) }}",
            "{% set x = inputs.b %}",
            "{{ inputs[inputs.b] }}",
            "{{ inputs['b'] }}",
            "{{ inputs.l[5] }}",
            "{{ inputs?.b }}",
            "{% if inputs.b == inputs.c %}x{% endif %}",
            "{% if inputs.b is string %}x{% endif %}",
            "{{ {'k': inputs.b} }}",
            "{{ [inputs.b] }}",
            "{{ inputs.l | first ~ inputs.b }}",
        ] {
            let result = run(text, &context);
            assert!(result.is_err(), "{text}: {result:?}");
        }
        let fault = run("line\n  {% if inputs.b %}x{% endif %}", &context).unwrap_err();
        assert_eq!((fault.place.line, fault.place.column), (2, 3));
        assert!(fault.message.contains("`inputs.b` is not defined"), "{}", fault.message);
    }

    #[test]
    fn what_may_be_undefined_can_be_asked() {
        let context = json!({"inputs": {"a": 1}});
        assert_eq!(shown("{% if inputs.b is defined %}y{% else %}n{% endif %}", &context), "n");
        assert_eq!(shown("{{ inputs.b | default(value=7) }}", &context), "7");
    }

    #[test]
    fn a_template_cannot_run_for_long_or_grow_without_end() {
        let context = json!({"s": "x".repeat(10_000)});
        for text in [
            "{% for a in range(end=1000) %}{% for b in range(end=1000) %}{% endfor %}{% endfor %}",
            "{% for a in range(end=100000000) %}{% endfor %}",
            "{% set_global t = s %}{% for a in range(end=60) %}{% set_global t = t ~ t %}{% endfor %}",
            "{% for a in range(end=1000) %}{{ s }}{% endfor %}",
            "{{ s | replace(from=\"x\", to=s) }}",
            "{{ s | split(pat=\"\") | join(sep=s) }}",
        ] {
            assert!(run(text, &context).is_err(), "{text}");
        }
    }

    #[test]
    fn a_value_that_is_too_deep_is_refused_and_not_left_out() {
        let deep = (0..126).fold(json!(1), |inner, _| json!([inner]));
        let context = json!({ "a": deep });
        assert!(run("{{ a }}", &context).is_ok());
        let fault = run("{{ [[a]] }}", &context).unwrap_err();
        assert!(fault.message.contains("recursion limit"), "{}", fault.message);
    }

    #[test]
    fn whitespace_control_works_through_the_rewriting() {
        let context = json!({"l": [1, 2]});
        assert_eq!(
            shown("a\n{% for x in l -%}\n  {{ x }}\n{%- endfor %}\nb", &context),
            "a\n12\nb"
        );
        assert_eq!(shown("a {{- l | length -}} b", &context), "a2b");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_text_however_broken_makes_it_panic(parts in prop::collection::vec(prop::sample::select(vec![
            "{{", "}}", "{%", "%}", "{#", "#}", "-", " ", "a", "b.c", "if ", "for ", "in ", "endif",
            "endfor", "set ", "raw", "endraw", "=", "|", "[", "]", "?[", "?.", ".", "(", ")", "'", "\"",
            "\\", "1", "1.5", "~", "not ", "is ", "defined", "default(value=", "range(end=", "json",
            "identifier", ",", ":", "{", "}", "é", "\n", "loop", "loop.index", "...", "**", "else ",
        ]), 0..24)) {
            let _ = run(&parts.concat(), &json!({"a": [1, 2], "b": {"c": "x"}}));
        }
    }
}
