//! The filters of a trigger: of branches, and of the paths of changed files.

use serde_json::Value;

use super::file::plain;

fn patterns(settings: &Value, key: &str) -> Option<Vec<String>> {
    match settings.get(key)? {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(all) => Some(all.iter().map(plain).collect()),
        _ => None,
    }
}

pub(super) fn branch_matches(settings: &Value, branch: &str) -> bool {
    let ignored = patterns(settings, "branches-ignore")
        .is_some_and(|all| all.iter().any(|it| glob(it, branch)));
    let wanted =
        patterns(settings, "branches").is_none_or(|all| all.iter().any(|it| glob(it, branch)));
    // `on: push: tags:` alone means no branch at all.
    let only_tags = settings.get("tags").is_some() && settings.get("branches").is_none();
    wanted && !ignored && !only_tags
}

pub(super) fn paths_match(settings: &Value, paths: &[String]) -> bool {
    if let Some(ignored) = patterns(settings, "paths-ignore") {
        return paths.iter().any(|path| !ignored.iter().any(|it| glob(it, path)));
    }
    let Some(wanted) = patterns(settings, "paths") else {
        return true;
    };
    // A pattern with `!` takes away from what the ones before it gave.
    paths.iter().any(|path| {
        wanted.iter().fold(false, |matched, pattern| match pattern.strip_prefix('!') {
            Some(excluded) => matched && !glob(excluded, path),
            None => matched || glob(pattern, path),
        })
    })
}

/// GitHub's filter patterns: `*` stops at a slash, `**` does not.
fn glob(pattern: &str, text: &str) -> bool {
    if let Some(rest) = pattern.strip_prefix("**/") {
        let below = text.match_indices('/').any(|(at, _)| glob(rest, &text[at + 1..]));
        return glob(rest, text) || below;
    }
    if let Some(rest) = pattern.strip_prefix("**") {
        return (0..=text.len()).any(|at| text.is_char_boundary(at) && glob(rest, &text[at..]));
    }
    if let Some(rest) = pattern.strip_prefix('*') {
        let end = text.find('/').unwrap_or(text.len());
        return (0..=end).any(|at| text.is_char_boundary(at) && glob(rest, &text[at..]));
    }
    match (pattern.chars().next(), text.chars().next()) {
        (None, None) => true,
        (Some(one), Some(other)) if one == other => {
            glob(&pattern[one.len_utf8()..], &text[other.len_utf8()..])
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stops_at_a_slash_and_two_stars_do_not() {
        assert!(glob("infra/**", "infra/a/main.tf"));
        assert!(!glob("infra/*", "infra/a/main.tf"));
        assert!(glob("**/*.tf", "main.tf"));
        assert!(glob("**/*.tf", "a/b/main.tf"));
        assert!(!glob("main", "main2"));
        assert!(glob("release/*", "release/1"));
    }
}
