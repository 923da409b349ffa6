//! Check runs: what the App says on a commit.

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::connection::encoded;
use super::{Error, GitHub};
use crate::domain::RepositoryName;
use crate::domain::check::{Annotation, Check};
use crate::domain::observation::Conclusion;

/// Annotations that one request may carry. Each request adds its own to those that are there.
const ANNOTATIONS: usize = 50;
/// Characters of a summary.
const SUMMARY: usize = 65_535;
/// Bytes of an annotation's message.
const MESSAGE: usize = 64 * 1024;

#[derive(Deserialize)]
struct CheckRuns {
    check_runs: Vec<CheckRun>,
}

#[derive(Deserialize)]
struct CheckRun {
    id: u64,
    html_url: String,
    external_id: Option<String>,
    conclusion: Option<Conclusion>,
    app: Option<App>,
    output: Output,
}

#[derive(Deserialize)]
struct App {
    slug: String,
}

#[derive(Deserialize)]
struct Output {
    annotations_count: usize,
}

impl GitHub {
    /// Puts a check run on a commit, or changes the one that is there: its page. May be repeated:
    /// what stands there already is not written again.
    pub async fn set_check(
        &self,
        repository: &RepositoryName,
        check: &Check,
    ) -> Result<String, Error> {
        let known = self.own_check(repository, check).await?;
        if let Some(known) = known.as_ref().filter(|known| known.is_done(check)) {
            return Ok(known.html_url.clone());
        }
        let sent = known.as_ref().map_or(0, |known| known.output.annotations_count);
        let mut batches = check.annotations.get(sent..).unwrap_or_default().chunks(ANNOTATIONS);
        let first = batches.next().unwrap_or_default();
        let id = known.map(|known| known.id);
        let mut written = self.write_check(repository, id, check, first).await?;
        for batch in batches {
            written = self.write_check(repository, Some(written.id), check, batch).await?;
        }
        Ok(written.html_url)
    }

    /// The App's own check run like this one, where there is one: an answer may have been lost.
    pub async fn find_check(
        &self,
        repository: &RepositoryName,
        check: &Check,
    ) -> Result<Option<u64>, Error> {
        Ok(self.own_check(repository, check).await?.map(|known| known.id))
    }

    /// Makes a check run, or writes this one anew: its id. One without remarks on lines.
    pub async fn put_check(
        &self,
        repository: &RepositoryName,
        id: Option<u64>,
        check: &Check,
    ) -> Result<u64, Error> {
        Ok(self.write_check(repository, id, check, &[]).await?.id)
    }

    /// The App's own check run of this id. Whoever else may write checks could use the same.
    async fn own_check(
        &self,
        repository: &RepositoryName,
        check: &Check,
    ) -> Result<Option<CheckRun>, Error> {
        let (name, commit) = (encoded(&check.name), &check.commit);
        let path =
            format!("/commits/{commit}/check-runs?check_name={name}&filter=all&per_page=100");
        let doing = format!("looking for the check {} in {repository}", check.name);
        let found: CheckRuns = self.get(repository, doing, &path).await?;
        let login = self.bot_login().await?;
        let is_own = |run: &CheckRun| {
            let app = run.app.as_ref().map(|app| format!("{}[bot]", app.slug));
            run.external_id.as_deref() == Some(&*check.external_id) && app.as_ref() == Some(&login)
        };
        Ok(found.check_runs.into_iter().find(is_own))
    }

    async fn write_check(
        &self,
        repository: &RepositoryName,
        id: Option<u64>,
        check: &Check,
        annotations: &[Annotation],
    ) -> Result<CheckRun, Error> {
        let doing = format!("writing the check {} in {repository}", check.name);
        let (method, path) = match id {
            Some(id) => (Method::PATCH, format!("/check-runs/{id}")),
            None => (Method::POST, "/check-runs".to_owned()),
        };
        let mut body = body(check, annotations);
        if id.is_none() {
            body["head_sha"] = json!(check.commit);
        }
        self.write(repository, method, doing, &path, body).await
    }
}

impl CheckRun {
    fn is_done(&self, check: &Check) -> bool {
        self.conclusion.is_some()
            && self.conclusion == check.conclusion
            && self.output.annotations_count >= check.annotations.len()
    }
}

fn body(check: &Check, annotations: &[Annotation]) -> Value {
    let mut body = json!({
        "name": check.name,
        "external_id": check.external_id,
        "output": {
            "title": check.title,
            "summary": check.summary.chars().take(SUMMARY).collect::<String>(),
            "annotations": annotations.iter().map(annotation).collect::<Vec<_>>(),
        },
        "actions": check.buttons,
    });
    if let Some(page) = &check.details_url {
        body["details_url"] = json!(page);
    }
    match check.conclusion {
        Some(conclusion) => body["conclusion"] = json!(conclusion),
        None => body["status"] = json!("in_progress"),
    }
    body
}

fn annotation(annotation: &Annotation) -> Value {
    let Annotation { path, line, column, level, message } = annotation;
    let message = &message[..message.floor_char_boundary(MESSAGE)];
    let mut body = json!({
        "path": path,
        "start_line": line,
        "end_line": line,
        "annotation_level": level,
        "message": message,
    });
    if let Some(column) = column {
        body["start_column"] = json!(column);
        body["end_column"] = json!(column);
    }
    body
}
