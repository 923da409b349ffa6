//! What readers of a file disagree about, so that a value may decide who is right.

use super::*;

#[test]
fn a_line_that_ends_for_some_readers_only_is_refused() {
    let kinds = [FileKind::Hcl, FileKind::Yaml, FileKind::Markdown];
    for (kind, template) in kinds.into_iter().zip(["a = 1 # {{ v }}", "a: 1 # {{ v }}", "{{ v }}"])
    {
        let template = format!("\n{template}\r# more\n");
        let refused = written(kind, &template, &json!("x")).unwrap_err();
        assert_eq!(refused.line, Some(2), "{kind:?}: {}", refused.message);
        assert!(refused.message.contains("carriage return"), "{}", refused.message);
        written(kind, &template.replace('\r', "\r\n"), &json!("x")).unwrap();
    }
    for old in ['\u{85}', '\u{2028}', '\u{2029}'] {
        let template = format!("a: {{{{ v }}}}\nb: c{old}\"d\n");
        let refused = written(FileKind::Yaml, &template, &json!("x")).unwrap_err();
        assert_eq!(refused.line, Some(2), "{}", refused.message);
    }
}

#[test]
fn a_tab_that_indents_a_line_of_yaml_is_refused_and_one_in_a_text_is_kept() {
    for template in ["{{ v }}\n\n\t\n", "a: {{ v }}\n\t# more\n", "a: {{ v }}\nb: |\n  text\n\t\n"]
    {
        let refused = written(FileKind::Yaml, template, &json!("null")).unwrap_err();
        assert!(refused.message.contains("tab"), "{template:?}: {}", refused.message);
        assert_eq!(
            refused.line,
            template
                .lines()
                .position(|line| line == "\t" || line.starts_with("\t#"))
                .map(|at| at + 1)
        );
    }
    for template in [
        "a: {{ v }}\nb: |\n  all:\n  \tcc\n  \t# more\n",
        "a: \"{{ v }}\"\t# more\n",
        "a: \"{{ v }}\n  \tb\"\n",
    ] {
        let written = written(FileKind::Yaml, template, &json!("null"));
        assert!(written.is_ok(), "{template:?}: {written:?}");
    }
}
