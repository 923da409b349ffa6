//! Includes and components: what they write, what is proved of it, and what is refused.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::template::render;
use crate::template::{RenderError, Templates};

const YAML: &str = r"title: Database
inputs:
  type: object
  properties:
    name: {type: string}
    tags: {type: object, additionalProperties: {type: string}}
    password: {type: string, secret: true}
actions: {add_db: {operation: create}}
target: {repository: acme/infrastructure, path: db}
";

fn load(files: &[(&str, &str)]) -> Result<Templates, Vec<Diagnostic>> {
    let file = |(path, contents): (&str, &str)| SourceFile {
        path: path.to_owned(),
        contents: contents.as_bytes().to_vec(),
        executable: false,
    };
    let own = [file(("db/template.yml", YAML))];
    Templates::load(&own.into_iter().chain(files.iter().copied().map(file)).collect::<Vec<_>>())
}

fn wrong(files: &[(&str, &str)]) -> String {
    load(files).unwrap_err().iter().map(ToString::to_string).collect()
}

/// The one file of the one template, with these inputs.
fn rendered(files: &[(&str, &str)], inputs: &Value) -> Result<String, RenderError> {
    let templates = load(files).unwrap_or_else(|found| {
        panic!("{}", found.iter().map(ToString::to_string).collect::<String>())
    });
    let template = templates.iter().next().unwrap();
    let files = render::files(&template.targets[0], &json!({"inputs": inputs}), "db")?;
    Ok(String::from_utf8(files[0].contents.clone()).unwrap())
}

const TAGS: (&str, &str) = (
    "_shared/tags.tf.tera",
    "{% component tags(of, note=\"none\") -%}\n  tags = {\n{% for key, value in of %}    \"{{ key }}\" = \"{{ value }}\"\n{% endfor %}    note = \"{{ note }}\"\n  }\n{%- endcomponent %}",
);

#[test]
fn a_component_writes_its_arguments_as_the_file_wants_them() {
    let main = ("db/files/main.tf.tera", "x {\n  {{ <tags of={inputs.tags} /> }}\n}\n");
    let written = rendered(&[TAGS, main], &json!({"tags": {"a": "${b}\"", "c": "d"}})).unwrap();
    assert_eq!(
        written,
        "x {\n  tags = {\n    \"a\" = \"$${b}\\\"\"\n    \"c\" = \"d\"\n    note = \"none\"\n  }\n}\n"
    );
    let yaml = ("db/files/main.yml.tera", "a: {{ <one of={inputs.name} /> }}\n");
    let one = ("_shared/one.tera", "{% component one(of) %}{{ of }}{% endcomponent one %}");
    assert_eq!(rendered(&[one, yaml], &json!({"name": "yes"})).unwrap(), "a: \"yes\"\n");
}

#[test]
fn an_include_sees_what_its_template_sees_and_is_escaped_for_its_file() {
    let shared = ("_shared/deep/name.tera", "\"{{ inputs.name }}\"");
    let around = ("_shared/around.tera", "[{% include \"deep/name.tera\" %}]");
    let hcl = ("db/files/a.tf.tera", "a = {% include \"around.tera\" %}\n");
    let json = ("db/files/a.json.tera", "{% include \"around.tera\" %}");
    let inputs = json!({"name": "${x}\n"});
    assert_eq!(rendered(&[shared, around, hcl], &inputs).unwrap(), "a = [\"$${x}\\n\"]\n");
    assert_eq!(rendered(&[shared, around, json], &inputs).unwrap(), "[\"${x}\\n\"]");
}

#[test]
fn a_value_that_would_be_code_is_refused_where_it_is_written() {
    let code =
        ("_shared/code.tera", "# shared\n{% component code(of) %}{{ of }}{% endcomponent %}");
    let main = ("db/files/main.tf.tera", "# {{ <code of={inputs.name} /> }}\n");
    assert_eq!(rendered(&[code, main], &json!({"name": "fine"})).unwrap(), "# fine\n");
    let error = rendered(&[code, main], &json!({"name": "a\nresource"})).unwrap_err();
    assert!(error.to_string().starts_with("_shared/code.tera, line 2: `{{ of }}`: "), "{error}");

    let failing = ("_shared/code.tera", "\n\n  {% if inputs.tags.zone %}{% endif %}");
    let main = ("db/files/main.tf.tera", "{% include \"code.tera\" %}");
    let error = rendered(&[failing, main], &json!({"tags": {}})).unwrap_err();
    assert!(error.to_string().starts_with("_shared/code.tera, line 3: "), "{error}");
    assert!(error.message.contains("`inputs.tags.zone` is not defined"), "{error}");
}

#[test]
fn every_mistake_with_what_is_shared_is_found_in_its_own_file() {
    let all = wrong(&[
        TAGS,
        (
            "_shared/uses.tera",
            "{{ inputs.name }}\n{{ inputs.nam }}{{ inputs.password }}{{ local }}",
        ),
        (
            "db/files/main.tf.tera",
            "{% include \"tag.tf.tera\" %}\n{{ <tag of={1} /> }}\n{{ <tags from={1} /> }}\n\
             {% include \"uses.tera\" %}",
        ),
    ]);
    for words in [
        "db/files/main.tf.tera:1:12: there is no file `tag.tf.tera` in `_shared`",
        "did you mean `tags.tf.tera`?",
        "db/files/main.tf.tera:2:5: there is no component `tag`",
        "db/files/main.tf.tera:3:5: the component `tags` needs `of`",
        "db/files/main.tf.tera:3:10: the component `tags` has no argument `from`",
        "_shared/uses.tera:2:4: there is no input `nam`, where `db/files/main.tf.tera` includes this",
        "_shared/uses.tera:2:20: `inputs.password` is a secret",
        "_shared/uses.tera:2:41: `local` is not defined",
    ] {
        assert!(all.contains(words), "{words} is missing in:\n{all}");
    }
}

#[test]
fn a_shared_file_is_held_to_the_same_rules_and_to_a_few_of_its_own() {
    for (text, words) in [
        ("{% component a() %}{{ inputs.name }}{% endcomponent %}", "not defined in a component"),
        ("{% component a(inputs) %}{% endcomponent %}", "has a meaning already"),
        ("{% component a(@x) %}{% endcomponent %}", "a component is made as"),
        ("{% component a(...x) %}{% endcomponent %}", "a component is made as"),
        ("{% component a() %}{% include \"b\" %}{% endcomponent %}", "includes nothing"),
        ("{% component a() %}{% set x %}{% endset %}{% endcomponent %}", "cannot be used"),
        ("{% component a() %}{{ <a /> }}{% endcomponent %}", "`a` leads back to itself"),
        ("{% include \"x.tera\" %}", "`x.tera` leads back to itself"),
        ("{% include inputs.name %}", "names one file, in quotes"),
        ("{% component a() %}", "_shared/x.tera:1"),
        ("{% if %}", "_shared/x.tera:1"),
        ("{{ inputs.name | safe }}{{ 1 | nope }}", "there is no filter `nope`"),
    ] {
        let all = wrong(&[("_shared/x.tera", text), ("db/files/a", "")]);
        assert!(all.contains("_shared/x.tera:") && all.contains(words), "{text}\n{all}");
    }
    let twice = "{% component a() %}{% endcomponent %}";
    let all = wrong(&[("_shared/x.tera", twice), ("_shared/y.tera", twice), ("db/files/a", "")]);
    assert!(all.contains("the component `a` is made in `_shared/x.tera` too"), "{all}");
}

#[test]
fn nothing_that_a_component_writes_is_a_value() {
    let component = ("_shared/a.tera", "{% component a(x) %}{{ x }}{% endcomponent %}");
    for text in [
        "{% set y = <a x={1} /> %}",
        "{{ <a x={1} /> | upper }}",
        "{{ <a x={1} /> ~ '' }}",
        "{{ '' ~ <a x={1} /> }}",
        "{% if <a x={1} /> %}{% endif %}",
        "{{ <a {...inputs} /> }}",
        "{% <a x={1}> %}{% </a> %}",
        "{% component b() %}{% endcomponent %}",
    ] {
        assert!(load(&[component, ("db/files/m.tf.tera", text)]).is_err(), "{text}");
    }
    let expression = YAML.replace("path: db", "path: \"{{ <a x={1} /> }}\"");
    let all =
        wrong(&[component, ("e/template.yml", &expression), ("e/files/a", ""), ("db/files/a", "")]);
    assert!(all.contains("what is shared is for the files of a template"), "{all}");
}

#[test]
fn a_rendering_that_grows_with_every_level_ends() {
    let level = |n: usize| {
        let next = "{% include \"NEXT\" %}".replace("NEXT", &format!("{}.tera", n + 1));
        (format!("_shared/{n}.tera"), next.repeat(20))
    };
    let levels: Vec<_> = (0..7).map(level).collect();
    let mut files: Vec<_> =
        levels.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    files.extend([("_shared/7.tera", "x"), ("db/files/a.tera", "{% include \"0.tera\" %}")]);
    let error = rendered(&files, &json!({})).unwrap_err();
    assert!(error.message.contains("too many steps"), "{error}");

    let levels: Vec<_> = (0..20).map(level).collect();
    let mut files: Vec<_> =
        levels.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    files.extend([("_shared/20.tera", "x"), ("db/files/a", "")]);
    assert!(wrong(&files).contains("nested more than 8 levels deep"));
}

#[test]
fn the_digest_covers_what_is_used_and_nothing_else() {
    let digest = |tags: &str, other: &str| {
        let templates = load(&[
            ("_shared/tags.tera", &format!("{{% component t() %}}{{% endcomponent %}}{tags}")),
            ("_shared/uses.tera", "{{ <t /> }}"),
            ("_shared/other.tera", other),
            ("db/files/a.tera", "{% include \"uses.tera\" %}"),
        ]);
        templates.unwrap().iter().next().unwrap().digest.clone()
    };
    assert_eq!(digest("1", "a"), digest("1", "b"));
    assert_ne!(digest("1", "a"), digest("2", "a"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_shared_writes_what_would_stand_there_without_it(
        name in any::<String>(),
        key in any::<String>(),
        value in prop::sample::select(vec!["${", "\"", "\n", "{{ x }}", "yes", "\u{2028}", "EOT", "\u{1}0\u{2}1\u{3}", ""]),
    ) {
        let inputs = json!({"name": name, "tags": {key: value}});
        let shared = (
            "_shared/one.tera",
            "{% component one(v) %}{{ v }}{% endcomponent %}",
        );
        let included = ("_shared/name.tera", "{{ inputs.name }}");
        for (file, shape) in [
            ("main.tf", "a = \"A-B\"\nc = C\n# A\nd = <<EOT\n  A B\nEOT\n"),
            ("main.json", "{\"a\": \"A-B\", \"c\": C}"),
            ("main.yml", "a: \"A-B\"\nc: C\nd: A\ne: |\n  B\n"),
            ("main.md", "# A\n\n- B\n"),
            ("main.txt", "A B C"),
        ] {
            let path = format!("db/files/{file}.tera");
            let plain = shape
                .replace('A', "{{ inputs.name }}")
                .replace('B', "{{ inputs.tags | json }}")
                .replace('C', "{{ inputs.tags }}");
            let split = shape
                .replace('A', "{% include \"name.tera\" %}")
                .replace('B', "{{ inputs.tags | json }}")
                .replace('C', "{{ <one v={inputs.tags} /> }}");
            let plain = rendered(&[(&path, &plain)], &inputs).map_err(|error| error.message);
            let split = rendered(&[shared, included, (&path, &split)], &inputs);
            prop_assert_eq!(plain, split.map_err(|error| error.message));
        }
    }
}
