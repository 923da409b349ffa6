//! Changes to folders, by literals.

use serde_json::json;

use super::*;

const TARGET: &str = "services/orders/db";

fn rendered(files: &[(&str, &str)]) -> Vec<RenderedFile> {
    let file = |(name, text): &(&str, &str)| RenderedFile {
        path: format!("{TARGET}/{name}"),
        contents: text.as_bytes().to_vec(),
        executable: false,
    };
    files.iter().map(file).collect()
}

fn standing(files: &[(&str, &str)]) -> Vec<StandingFile> {
    let file = |(name, text): &(&str, &str)| StandingFile {
        path: format!("{TARGET}/{name}"),
        blob: blob_id(text.as_bytes()),
        mode: FileMode::Regular,
        text: Some((*text).to_owned()),
    };
    files.iter().map(file).collect()
}

fn manifest(run: &str, size: u64, files: &[(&str, &str)]) -> Manifest {
    let files = files.iter().map(|(name, text)| {
        let record = FileRecord { blob: blob_id(text.as_bytes()), rendered: None };
        ((*name).to_owned(), record)
    });
    let manifest = json!({"template": "db", "digest": "sha256:1", "run": run, "inputs": {"size": size}, "files": {}});
    Manifest { files: files.collect(), ..serde_json::from_value(manifest).unwrap() }
}

fn added(change: &Change, name: &str) -> Option<String> {
    let path = format!("{TARGET}/{name}");
    let file = change.changes.additions.iter().find(|file| file.path == path)?;
    Some(String::from_utf8(file.contents.clone()).unwrap())
}

const OLD: &str = "size = 1\n\n# end\n\nlast = 1\n";
const NEW: &str = "size = 2\n\n# end\n\nlast = 1\n";

fn updated(now: &[(&str, &str)], new: &[(&str, &str)]) -> Result<Change, Refusal> {
    let before = manifest("r_1", 1, &[("main.tf", OLD)]);
    let texts = |blob: &str| (blob == blob_id(OLD.as_bytes())).then(|| OLD.to_owned());
    update(TARGET, &rendered(new), &before, manifest("r_2", 2, &[]), &standing(now), texts)
}

#[test]
fn a_create_writes_the_files_and_says_what_they_were_made_from() {
    let change =
        create(TARGET, &rendered(&[("main.tf", OLD)]), manifest("r_1", 1, &[]), &[]).unwrap();
    assert_eq!(added(&change, "main.tf").unwrap(), OLD);
    let written = Manifest::parse("m", &added(&change, FILE_NAME).unwrap()).unwrap();
    assert_eq!(written, manifest("r_1", 1, &[("main.tf", OLD)]));
}

#[test]
fn creating_what_exists_is_refused_unless_it_is_the_runs_own() {
    let files = rendered(&[("main.tf", OLD)]);
    let refused =
        create(TARGET, &files, manifest("r_1", 1, &[]), &standing(&[("x.tf", "")])).unwrap_err();
    assert!(refused.to_string().contains("`services/orders/db` exists"), "{refused}");
    let first = create(TARGET, &files, manifest("r_1", 1, &[]), &[]).unwrap();
    let own = standing(&[("main.tf", OLD), (FILE_NAME, &added(&first, FILE_NAME).unwrap())]);
    let again = create(TARGET, &files, manifest("r_1", 1, &[]), &own).unwrap();
    assert!(again.changes.is_empty());
    let other = create(TARGET, &files, manifest("r_9", 1, &[]), &own).unwrap_err();
    assert!(other.to_string().contains("made by the run r_1"), "{other}");
}

#[test]
fn a_folder_with_a_like_name_is_another_folder() {
    let mut near = standing(&[("main.tf", OLD)]);
    near[0].path = format!("{TARGET}-2/main.tf");
    assert!(create(TARGET, &rendered(&[("main.tf", OLD)]), manifest("r_1", 1, &[]), &near).is_ok());
}

#[test]
fn a_file_that_nobody_touched_is_replaced() {
    let change = updated(&[("main.tf", OLD)], &[("main.tf", NEW)]).unwrap();
    assert_eq!(added(&change, "main.tf").unwrap(), NEW);
    assert!(change.notes.is_empty() && change.kept_edits.is_empty());
}

#[test]
fn an_edit_elsewhere_survives_this_change_and_the_next() {
    let edited = "size = 1\n\n# end\n\nlast = 1 # mine\n";
    let change = updated(&[("main.tf", edited)], &[("main.tf", NEW)]).unwrap();
    let merged = added(&change, "main.tf").unwrap();
    assert_eq!(merged, "size = 2\n\n# end\n\nlast = 1 # mine\n");
    let kept = change.manifest.unwrap();
    assert_eq!(kept.files["main.tf"].rendered.as_deref(), Some(NEW));
    let next = "size = 3\n\n# end\n\nlast = 1\n";
    let change = update(
        TARGET,
        &rendered(&[("main.tf", next)]),
        &kept,
        manifest("r_3", 3, &[]),
        &standing(&[("main.tf", &merged)]),
        |_| None,
    )
    .unwrap();
    assert_eq!(added(&change, "main.tf").unwrap(), "size = 3\n\n# end\n\nlast = 1 # mine\n");
}

#[test]
fn an_edit_of_the_same_line_is_refused_with_file_and_line() {
    let refused = updated(&[("main.tf", "size = 9\n\n# end\n\nlast = 1\n")], &[("main.tf", NEW)])
        .unwrap_err();
    assert!(refused.to_string().starts_with("`services/orders/db/main.tf`, line 1:"), "{refused}");
}

#[test]
fn a_change_without_effect_is_no_change() {
    let before = manifest("r_1", 1, &[("main.tf", OLD)]);
    let now = standing(&[("main.tf", OLD), (FILE_NAME, &before.to_text())]);
    let change = update(
        TARGET,
        &rendered(&[("main.tf", OLD)]),
        &before,
        manifest("r_2", 1, &[]),
        &now,
        |_| None,
    )
    .unwrap();
    assert!(change.changes.is_empty());
}

#[test]
fn a_file_that_is_no_longer_rendered_goes_unless_it_was_edited() {
    let change = updated(&[("main.tf", OLD)], &[("other.tf", NEW)]).unwrap();
    assert_eq!(change.changes.deletions, ["services/orders/db/main.tf"]);
    let change = updated(&[("main.tf", "mine\n")], &[("other.tf", NEW)]).unwrap();
    assert!(change.changes.deletions.is_empty());
    assert_eq!(change.notes.len(), 1);
}

#[test]
fn a_delete_removes_what_was_rendered_and_keeps_what_was_added() {
    let before = manifest("r_1", 1, &[("main.tf", OLD)]);
    let now = standing(&[("main.tf", "edited\n"), ("mine.tf", ""), (FILE_NAME, "")]);
    let change = delete(TARGET, &before, &now).unwrap();
    assert_eq!(
        change.changes.deletions,
        ["services/orders/db/main.tf", "services/orders/db/.towpath.yml"]
    );
    assert_eq!(change.notes.len(), 2, "{:?}", change.notes);
}

#[test]
fn nothing_is_written_through_a_link() {
    let mut now = standing(&[("main.tf", OLD)]);
    now[0].mode = FileMode::Symlink;
    let before = manifest("r_1", 1, &[("main.tf", OLD)]);
    assert!(delete(TARGET, &before, &now).unwrap_err().to_string().contains("symbolic link"));
    now[0].path = "services/orders".to_owned();
    assert!(create(TARGET, &[], before, &now).is_err());
}
