//! In Markdown, what is seen with values is what is seen with words in their places.

use comrak::Options;

use super::*;

/// No value is this.
const WORD: &str = "towpathword";

/// What GitHub shows of a text; empty comments show nothing.
fn html(text: &str) -> String {
    let mut options = Options::default();
    let knows = &mut options.extension;
    (knows.table, knows.strikethrough, knows.tasklist) = (true, true, true);
    (knows.autolink, knows.footnotes, knows.alerts, knows.math_dollars) = (true, true, true, true);
    options.render.r#unsafe = true;
    comrak::markdown_to_html(text, &options).replace("<!-- -->", "")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A value as it is seen in running text.
fn line(text: &str) -> String {
    let is_space = |c: char| matches!(c, ' ' | '\n' | '\r' | '\t');
    let visible: String = text.chars().filter(|c| is_space(*c) || !is_hidden(*c)).collect();
    let words = visible.split(is_space).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_value_in_running_text_is_seen_and_nothing_else(value in text()) {
        for template in [
            "{{ v }}\n",
            "a ({{ v }}) b\n",
            "# {{ v }}\n\ntext\n",
            "- {{ v }}\n- b\n",
            "1. {{ v }}\n",
            "> {{ v }}\n",
            "| a | b |\n|---|---|\n| {{ v }} | c |\n",
            "a\n{{ v }}\nb\n",
        ] {
            let file = written(FileKind::Markdown, template, &json!(value));
            let file = file.map_err(|refusal| TestCaseError::fail(format!("{refusal:?}")))?;
            if line(&value).is_empty() {
                continue;
            }
            let expected = html(&template.replace("{{ v }}", WORD));
            let expected = expected.replace(WORD, &escaped(&line(&value)));
            prop_assert_eq!(html(&file), expected, "{}", file);
        }
    }

    #[test]
    fn a_value_in_code_is_exact_or_refused(value in text()) {
        for template in [
            "a `{{ v }}` b\n",
            "a `x {{ v }}` b\n",
            "a\n\n    {{ v }}\n\nb\n",
            "- a\n\n      b {{ v }}\n",
            "```\n{{ v }}\n```\n",
            "~~~~ sh\na {{ v }} b\n~~~~\nc\n",
            "1. a\n   ```\n   {{ v }}\n   ```\n2. b\n",
            "> ```\n> {{ v }}\n> ```\n",
        ] {
            let Ok(file) = written(FileKind::Markdown, template, &json!(value)) else { continue };
            if line(&value).is_empty() {
                continue;
            }
            let expected = html(&template.replace("{{ v }}", WORD));
            prop_assert_eq!(html(&file), expected.replace(WORD, &escaped(&value)), "{}", file);
        }
    }

    #[test]
    fn wherever_else_a_value_stands_nothing_changes_but_it(value in text()) {
        for template in [
            "a **{{ v }}** b\n",
            "_{{ v }}_\n",
            "~~{{ v }}~~\n",
            "[{{ v }}](https://example.com/a)\n",
            "[a](https://example.com/{{ v }}/b?c={{ v }})\n",
            "![{{ v }}](a.png)\n",
            "a https://example.com/{{ v }} b\n",
            "<details>\n<summary>{{ v }}</summary>\n\n{{ v }}\n\n</details>\n",
            "<b title=\"{{ v }}\">a</b> c\n",
            "<!-- {{ v }} -->\n\na\n",
            "a {{ v }}{{ v }} b\n",
            "[^1]: {{ v }}\n\na[^1]\n",
        ] {
            let Ok(file) = written(FileKind::Markdown, template, &json!(value)) else { continue };
            if line(&value).is_empty() {
                continue;
            }
            let tags = |html: &str| {
                let (before, rest) = html.split_once("<!--").unwrap_or((html, "-->"));
                let html = format!("{before}{}", rest.split_once("-->").unwrap().1);
                let mut parts = html.split('<');
                let first = parts.next().unwrap_or_default().len().min(1);
                let names = parts.map(|part| {
                    part.split([' ', '>', '\n']).next().unwrap_or_default().to_owned()
                });
                (first, names.collect::<Vec<_>>())
            };
            let expected = html(&template.replace("{{ v }}", WORD));
            prop_assert_eq!(tags(&html(&file)), tags(&expected), "{}", file);
        }
    }
}

#[test]
fn code_says_what_was_given() {
    for (template, value, expected) in [
        ("    cost: {{ v }}\n", "5$ *", "    cost: 5$ *\n"),
        ("`{{ v }}`\n", "a_b <c>", "`a_b <c>`\n"),
        ("```\n{{ v }}\n```\n", "a\n_b_ @c", "```\na\n_b_ @c\n```\n"),
        ("- a\n  ```\n  {{ v }}\n  ```\n", "b\nc", "- a\n  ```\n  b\n  c\n  ```\n"),
        ("> ```\n> {{ v }}\n> ```\n", "b\nc", "> ```\n> b\n> c\n> ```\n"),
        ("````\n{{ v }}\n````\n", "```\na\n```", "````\n```\na\n```\n````\n"),
        ("a {{ v }}.\n", "5$ *", "a 5\\$ \\*.\n"),
        ("[a](https://b/{{ v }})\n", "c d_e", "[a](https://b/c%20d_e)\n"),
        ("https://b/{{ v }}\n", "c_d", "https://b/c_d\n"),
        ("https://b/\u{202f}{{ v }}\n", "c d", "https://b/\u{202f}c%20d\n"),
        ("<b>\n{{ v }}\n</b>\n", "c & d", "<b>\nc &amp; d\n</b>\n"),
        ("a <b>{{ v }}</b>\n", "@c", "a <b>@<!-- -->c</b>\n"),
        ("**Note** {{ v }}\n\nend\n", "", "**Note** \n\nend\n"),
        ("{{ v }}\n\nend\n", "   ", "\n\nend\n"),
    ] {
        let file = written(FileKind::Markdown, template, &json!(value));
        assert_eq!(file.as_deref(), Ok(expected), "{template}");
    }
}

#[test]
fn what_would_not_be_exact_is_refused_with_the_way_out() {
    for (template, value, way_out) in [
        ("`{{ v }}`\n", "a`b", "backtick"),
        ("    {{ v }}\n", "a\nb", "use a fence"),
        ("```\n{{ v }}\n```\n", "a\n```\n[b](c)", "change the text around it"),
        ("<b title=\"{{ v }}\">\n", "@acme/all", "write the value in Markdown"),
        ("<!-- {{ v }} -->\n", "--> a", "comment"),
        ("---\ntitle: {{ v }}\n---\n", "a: b", "cannot stand here"),
    ] {
        let refusal = written(FileKind::Markdown, template, &json!(value)).unwrap_err();
        assert!(refusal.message.contains(way_out), "{template} {}", refusal.message);
    }
}

#[test]
fn a_file_that_readers_read_differently_is_refused_with_its_line() {
    // One reader takes the first line for a blank one, and what follows for code, where nothing is
    // escaped; another for text.
    let refused = written(FileKind::Markdown, "\u{b}\n\t{{ v }}\n", &json!("$x$")).unwrap_err();
    assert_eq!(refused.line, Some(1));
    assert!(refused.message.contains("control character"), "{}", refused.message);
    let read = written(FileKind::Markdown, "\n\t{{ v }}\n", &json!("$x$")).unwrap();
    assert_eq!(read, "\n\t$x$\n");
}

#[test]
fn a_byte_order_mark_before_markdown_with_values_is_refused() {
    let template = "\u{feff}<!{{ v }}\n";
    let refused = written(FileKind::Markdown, template, &json!("1")).unwrap_err();
    assert_eq!(refused.line, Some(1));
    assert!(refused.message.contains("byte order mark"), "{}", refused.message);
    assert!(written(FileKind::Markdown, "\u{feff}text\n", &json!("1")).is_ok());
}

#[test]
fn a_dollar_in_code_makes_no_formula_with_one_of_the_author() {
    let of = |template: &str| written(FileKind::Markdown, template, &json!("a$b"));
    let refused = of("costs 5$ and `{{ v }}`\n").unwrap_err();
    assert!(refused.message.contains("formula"), "{}", refused.message);
    assert_eq!(of("costs 5 and `{{ v }}`\n").unwrap(), "costs 5 and `a$b`\n");
    assert!(of("costs 5$\n\n```\n{{ v }}\n```\n").is_ok());
}

#[test]
fn a_dollar_before_code_leaves_room_for_plain_words_alone() {
    for open in ["costs $5 in `{{ v }}`\n", "${$`$es{{ v }}-`$\n", "a $`x` b\n{{ v }}\n"] {
        let refused = written(FileKind::Markdown, open, &json!("a{b}")).unwrap_err();
        assert!(refused.message.contains("write `\\$`"), "{open} {}", refused.message);
        assert!(written(FileKind::Markdown, open, &json!("plain-word")).is_ok(), "{open}");
    }
    for closed in [
        "`$HOME` and `$PATH` {{ v }}\n",
        "costs \\$5 in `eu` {{ v }}\n",
        "costs 5$ in `eu` {{ v }}\n",
        "costs $5\n\nin `eu` {{ v }}\n",
        "```sh\n\necho $HOME\n```\n\n{{ v }}\n",
        "- ```\n  $ ls\n\n  $ `x`\n  ```\n- {{ v }}\n",
        "`` a`$ `` `b` {{ v }}\n",
    ] {
        let text = written(FileKind::Markdown, closed, &json!("a{b}")).unwrap();
        assert!(html(&text).contains("a{b}"), "{text}");
    }
}

#[test]
fn a_value_makes_no_address_with_what_the_author_wrote_beside_it() {
    let nothing = "{{ '\u{200b}' }}{{ '' }}{{ ' ' }}";
    for (template, value, seen) in [
        ("a {{ v }}w.example.com\n", "ww", "a www.example.com"),
        ("a {{ v }}.{{ 'example.com' }}\n", "www", "a www.example.com"),
        ("a W{{ v }}w.example.com\n", "w", "a Www.example.com"),
        ("a ww{{ v }}.example.com\n", "w", "a www.example.com"),
        ("a www{{ v }}\n", ".example.com", "a www.example.com"),
        ("a {{ v }}://example.com\n", "https", "a https://example.com"),
        ("a htt{{ v }}://example.com\n", "p", "a http://example.com"),
        ("a {{ v }}tp://example.com\n", "f", "a ftp://example.com"),
        ("a http{{ v }}\n", "://example.com", "a http://example.com"),
        ("a http:{{ v }}\n", "//example.com", "a http://example.com"),
        ("a http:/{{ v }}\n", "/example.com", "a http://example.com"),
        (&format!("a {{{{ v }}}}{nothing}w.example.com\n"), "ww", "a www.example.com"),
        (&format!("a {{{{ v }}}}{nothing}://example.com\n"), "http", "a http://example.com"),
    ] {
        let file = written(FileKind::Markdown, template, &json!(value)).unwrap();
        assert_eq!(html(&file), format!("<p>{seen}</p>\n"), "{file}");
    }
    for (template, value, plain) in [
        ("The {{ v }}.\n", "new overview", "The new overview.\n"),
        ("{{ v }} https://example.com\n", "see", "see https://example.com\n"),
        ("{{ v }} .\n", "www", "www .\n"),
    ] {
        assert_eq!(written(FileKind::Markdown, template, &json!(value)).unwrap(), plain);
    }
}

#[test]
fn a_value_is_no_part_of_a_footnote_that_the_author_has_begun() {
    for open in ["[^note {{ v }} more\n", "[^{{ v }}]]\n", "[^ a] {{ v }}\n", "[^a\\] {{ v }}\n"] {
        for value in ["a]: b", "www.w", "a b", "a]"] {
            let refused = written(FileKind::Markdown, open, &json!(value)).unwrap_err();
            assert!(refused.message.contains("write `\\[^`"), "{open} {}", refused.message);
        }
        assert!(written(FileKind::Markdown, open, &json!("plain-word")).is_ok(), "{open}");
    }
    for whole in ["a[^1] {{ v }}\n\n[^1]: {{ v }}\n", "[a-z]: `[^a-z]` {{ v }}\n", "\\[^ {{ v }}\n"]
    {
        let text = written(FileKind::Markdown, whole, &json!("a]: b")).unwrap();
        assert!(html(&text).contains("a]: b"), "{text}");
    }
    assert_eq!(html("[\\^1]\n\n[^1]: x\n"), "<p>[^1]</p>\n");
}
