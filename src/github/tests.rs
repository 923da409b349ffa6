//! The calls of this room against a small GitHub: what goes over the wire, and what is made of
//! what comes back.

use base64::Engine as _;
use futures_util::future::join_all;
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use std::time::Duration;

use super::fake::{Fake, Reply, claims_of, infra};
use super::*;
use crate::domain::CommitSha;
use crate::domain::check::{Annotation, AnnotationLevel, Check};
use crate::domain::observation::{Conclusion, SignalKind, Verdict};
use crate::domain::standing::{FileAddition, FileChanges, FileMode, Proposal, ReviewerId};
use crate::domain::{PullRequestNumber, WorkflowRunId};

mod calls;
mod checks;
mod looks;
mod writes;

const DISPATCH: &str = "POST /repos/acme/infra/actions/workflows/deploy.yml/dispatches";

fn send(status: u16, body: Value) -> Reply {
    (status, body).into()
}

fn sha(digit: char) -> CommitSha {
    CommitSha::new(digit.to_string().repeat(40)).unwrap()
}

fn proposal() -> Proposal {
    let file =
        FileAddition { path: "a/main.tf".to_owned(), contents: b"x".to_vec(), executable: false };
    Proposal {
        repository: infra(),
        repository_node_id: "R_1".to_owned(),
        base: BranchName::new("main").unwrap(),
        base_sha: sha('a'),
        branch: BranchName::new("towpath/add/r_1").unwrap(),
        headline: "Add".to_owned(),
        message: String::new(),
        changes: FileChanges { additions: vec![file], deletions: vec!["a/old.tf".to_owned()] },
        title: "Add".to_owned(),
        body: "Body".to_owned(),
        draft: false,
        new_labels: vec!["towpath".to_owned()],
    }
}

fn pull() -> Value {
    json!({
        "id": "PR_1", "number": 7, "url": "https://x/7", "state": "OPEN", "isDraft": false,
        "isInMergeQueue": false, "isCrossRepository": false, "headRefName": "towpath/add/r_1",
        "headRefOid": sha('b'), "baseRefName": "main", "mergeCommit": null, "mergedBy": null,
    })
}

async fn dispatch(app: &GitHub) -> Result<Dispatched, Error> {
    let mut inputs = Map::new();
    inputs.insert("size".to_owned(), json!("small"));
    app.dispatch_workflow(&infra(), "deploy.yml", "main", &inputs).await
}
