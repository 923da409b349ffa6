//! Tests of forms: what is typed comes back as JSON, and what stands in a form is read as itself.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn field(schema: &Value, first: First, is_required: bool) -> Field<'_> {
    Field { name: "it", schema, first, is_required }
}

fn form(field: Field<'_>) -> Form<'_> {
    Form { runs_on_entity: false, blueprint: None, fields: vec![field] }
}

fn read(schema: &Value, typed: &[&str]) -> Value {
    let form = form(field(schema, First::Default, false));
    let typed = typed.iter().map(|text| ("in.it".to_owned(), (*text).to_owned()));
    let filled = Filled::read(&form, &Typed::new(typed));
    match filled.faults.first() {
        Some(fault) => json!({ "fault": fault.message }),
        None => filled.inputs.get("it").cloned().unwrap_or(Value::Null),
    }
}

#[test]
fn what_is_typed_becomes_what_the_schema_wants() {
    let choice = json!({"enum": ["1", 2, true]});
    for (schema, typed, expected) in [
        (json!({"type": "string"}), &["  a "][..], json!("a")),
        (json!({"type": "string", "format": "multi-line"}), &["a\r\nb "], json!("a\nb ")),
        (json!({"type": "string"}), &[""], json!(null)),
        (json!({"type": "string", "default": "x"}), &[""], json!("")),
        (
            json!({"type": "string", "format": "date-time"}),
            &["2026-01-31T12:00"],
            json!("2026-01-31T12:00:00Z"),
        ),
        (json!({"type": "integer"}), &["7"], json!(7)),
        (json!({"type": ["number", "null"]}), &["0.5"], json!(0.5)),
        (json!({"type": "integer"}), &["many"], json!("many")),
        (json!({"type": "boolean", "default": true}), &[], json!(false)),
        (json!({"type": "boolean", "default": false}), &["true"], json!(true)),
        (json!({"type": "boolean"}), &[""], json!(null)),
        (json!({"type": "boolean"}), &["false"], json!(false)),
        (choice.clone(), &["1"], json!("1")),
        (choice.clone(), &["2"], json!(2)),
        (choice, &["other"], json!("other")),
        (json!({"type": "array", "items": {"type": "integer"}}), &["1\r\n\r\n2"], json!([1, 2])),
        (json!({"type": "array", "items": {"enum": ["a", "b"]}}), &["a", "b"], json!(["a", "b"])),
        (
            json!({"type": "object", "additionalProperties": {"type": "string"}}),
            &["a = 1=1\nb="],
            json!({"a": "1=1", "b": ""}),
        ),
        (json!({"type": "array", "items": {"type": "object"}}), &["[{}]"], json!([{}])),
        (json!({}), &["null"], json!(null)),
    ] {
        assert_eq!(read(&schema, typed), expected, "{schema} {typed:?}");
    }
    let pairs = json!({"type": "object", "additionalProperties": {"type": "string"}});
    assert_eq!(read(&pairs, &["a"]), json!({"fault": "has the line “a” without a “=”"}));
    assert!(read(&json!({}), &["{"])["fault"].as_str().unwrap().starts_with("is no JSON"));
}

#[test]
fn the_members_of_a_map_are_questions_of_their_own() {
    let schema = json!({"type": "object", "properties": {"owner": {"type": "string"}, "keep": {"type": "integer"}}});
    let form = form(field(&schema, First::Default, false));
    let typed = [("in.it.owner", "jane"), ("in.it.keep", "3")];
    let typed = typed.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let filled = Filled::read(&form, &Typed::new(typed));
    assert_eq!(Value::Object(filled.inputs), json!({"it": {"owner": "jane", "keep": 3}}));
    assert!(Filled::read(&form, &Typed::default()).inputs.is_empty());
}

#[test]
fn a_secret_is_kept_sealed_until_another_is_typed() {
    let schema = json!({"type": "string", "secret": true});
    let form = form(field(&schema, First::Default, true));
    let read = |typed: &str| {
        let sent = [("in.it", typed), ("sealed.it", "Y2lwaGVy")];
        let sent = sent.map(|(name, text)| (name.to_owned(), text.to_owned()));
        Filled::read(&form, &Typed::new(sent)).inputs["it"].clone()
    };
    assert_eq!(read(""), json!("Y2lwaGVy"));
    assert_eq!(read(" new "), json!(" new "));
}

#[test]
fn a_fault_stands_at_its_field_and_a_secret_nowhere() {
    let schema = json!({"type": "array", "items": {"type": "string"}, "title": "Names"});
    let form = form(field(&schema, First::Default, true));
    let fault = |field: &str| crate::template::InputFault {
        field: field.to_owned(),
        message: "is too short".to_owned(),
    };
    let faults = [fault("it.0"), fault("item")];
    let shown = Shown { faults: &faults, ..Shown::default() };
    let view = serde_json::to_value(FormView::new(&form, &shown)).unwrap();
    assert_eq!(view["groups"][0]["fields"][0]["error"], "Is too short.");
    assert_eq!(view["general"], json!(["`item`: is too short."]));

    let secret = json!({"type": "string", "secret": true, "default": "hush"});
    let form = self::form(field(&secret, First::Default, true));
    let typed = Typed::new([("in.it".to_owned(), "hush".to_owned())]);
    let view = FormView::new(&form, &Shown { typed: Some(&typed), ..Shown::default() });
    assert!(!serde_json::to_string(&view).unwrap().contains("hush"));
}

proptest! {
    #[test]
    fn a_form_that_is_sent_as_it_stands_says_what_stood_there(
        number in any::<i32>(),
        words in prop::collection::vec("[a-z]{1,5}", 1..4),
    ) {
        let pairs: serde_json::Map<String, Value> =
            words.iter().map(|word| (word.clone(), json!(word))).collect();
        for schema in [
            json!({"type": "integer", "default": number}),
            json!({"type": "string", "default": words[0]}),
            json!({"type": "array", "items": {"type": "string"}, "default": words}),
            json!({"type": "object", "additionalProperties": {"type": "string"}, "default": pairs}),
            json!({"type": "array", "items": {"type": "array"}, "default": [words]}),
            json!({"enum": [number, "x"], "default": number}),
        ] {
            let form = form(field(&schema, First::Default, false));
            let view = serde_json::to_value(FormView::new(&form, &Shown::default())).unwrap();
            let field = &view["groups"][0]["fields"][0];
            let options = field["options"].as_array().unwrap().iter();
            let chosen = options.filter(|option| option["is_chosen"] == true);
            let chosen: Vec<&str> = chosen.filter_map(|option| option["value"].as_str()).collect();
            let typed = match field["control"].as_str() {
                Some("choice") => chosen,
                _ => vec![field["value"].as_str().unwrap()],
            };
            prop_assert_eq!(read(&schema, &typed), schema["default"].clone());
        }
    }
}
