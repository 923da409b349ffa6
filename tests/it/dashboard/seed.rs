//! A store with a life behind it: runs of every kind, at every stage, made through the front of the
//! store as the service makes them.

use std::time::Duration;

use serde_json::{Value, json};
use towpath::clock::Clock;
use towpath::domain::standing::ReviewerId;
use towpath::domain::{Event, Observation, Run, RunId, Stage, Status};
use towpath::plan::Decision;
use towpath::plan::step::{Decorate, End, Lane, Progress, ReadPlan, Step};
use towpath::store::{ClaimedStep, EntityChange, Place, Store};

const LEASE: Duration = Duration::from_mins(10);
pub(crate) const SHA: &str = "9f2c1ab4e7d05c3386fa1b7be2c94d50a1c7e3f8";
pub(crate) const MERGE: &str = "4be81d07c2f94c0f93a7d1c53d0f7a1e6b2c8d95";

/// Makes runs.
pub(crate) struct Seed {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
}

impl Seed {
    /// A run that was just received.
    pub(crate) async fn receive(&self, id: &str, request: Value) -> RunId {
        let mut message = json!({
            "id": id, "kind": "action", "action": "add_documentdb", "action_title": null,
            "operation": "create", "inputs": {"name": "orders", "instances": 2},
            "entity": {"identifier": "checkout", "blueprint": "service"},
            "user": {"id": null, "email": "mara@acme.example", "name": "Mara Lindqvist"},
            "organization": "acme", "encrypted": [], "invocation": "template",
        });
        for (name, value) in request.as_object().unwrap() {
            message[name] = value.clone();
        }
        let request = serde_json::from_value(message).unwrap();
        self.store.accept_run(&request).await.unwrap();
        RunId::new(id).unwrap()
    }

    /// Does the next step of the run's work lane, after a while.
    pub(crate) async fn step(
        &self,
        id: &RunId,
        after_seconds: u64,
        change: impl FnOnce(&mut Run),
        events: Vec<Event>,
        steps: Vec<Step>,
    ) {
        self.settle(id, after_seconds, change, events, steps, None).await;
    }

    async fn settle(
        &self,
        id: &RunId,
        after_seconds: u64,
        change: impl FnOnce(&mut Run),
        events: Vec<Event>,
        steps: Vec<Step>,
        entity: Option<&EntityChange>,
    ) {
        self.clock.advance(Duration::from_secs(after_seconds));
        let claimed = self.claimed(id).await;
        let mut run = claimed.run.clone();
        change(&mut run);
        let decision = Decision { events, steps, ..Decision::unchanged(run) };
        self.store.settle(&claimed, &decision, entity).await.unwrap();
    }

    /// The next step of the run's work lane.
    async fn claimed(&self, id: &RunId) -> ClaimedStep {
        let mut own = None;
        for claimed in self.store.claim(&[Lane::Work], 1000, LEASE).await.unwrap() {
            if claimed.run.id == *id {
                own = Some(claimed);
            } else {
                self.store.release(&claimed, self.clock.now()).await.unwrap();
            }
        }
        own.expect("the run has a step that is due")
    }

    /// A change of two repositories: in one it is merged, in the other it waits for review.
    pub(crate) async fn in_parts(&self, id: &str) {
        let id = self.receive(id, json!({})).await;
        let claimed = self.claimed(&id).await;
        let mut whole = claimed.run.clone();
        let mut parts = Vec::new();
        let mut facts = Vec::new();
        for (place, target, repository, state) in
            [(0, "infra", "acme/infrastructure", "merged"), (1, "gitops", "acme/gitops", "open")]
        {
            let mut run = Run { id: id.part(place), ..whole.clone() };
            let mut work = change_work(&run.id, 43);
            let page = format!("https://github.com/{repository}/pull/43");
            work["repository"] = json!(repository);
            work["part"] = json!({"whole": id, "target": target, "has_begun": true, "told": 1});
            work["pull_request"]["html_url"] = json!(page);
            work["pull_request"]["state"] = json!(state);
            run.work = Some(serde_json::from_value(work).unwrap());
            let has_landed = state == "merged";
            if has_landed {
                at(&mut run, Stage::Merged, "Applying");
            } else {
                at(&mut run, Stage::Proposed, "Waiting for review");
            }
            facts.push(json!({
                "run": run.id, "target": target, "repository": repository,
                "makes_repository": false, "has_begun": true, "heard": 1,
                "state": {
                    "stage": run.stage, "status": run.status, "label": run.label,
                    "pull_request": {"number": 43, "html_url": page, "state": state},
                    "path": null, "has_landed": has_landed, "outcome": null,
                },
            }));
            parts.push(Decision::unchanged(run));
        }
        let work = json!({
            "kind": "parts", "template": "documentdb", "context": {}, "context_of": null,
            "entity": null, "parts": facts, "outputs": {}, "outputs_awaited": 0,
        });
        whole.work = Some(serde_json::from_value(work).unwrap());
        at(&mut whole, Stage::Proposed, "Waiting for review: 1 of 2 merged");
        let events = vec![Event::progress("acme/infrastructure: Pull request #43 was merged.")];
        let patches = parts.iter().map(|part| part.run.id.clone()).collect::<Vec<_>>();
        let decision = Decision { events, parts, ..Decision::unchanged(whole) };
        self.store.settle(&claimed, &decision, None).await.unwrap();
        let diff = "--- /dev/null\n+++ b/things/orders/main.tf\n@@ -0,0 +1 @@\n+size = 4\n";
        for part in patches {
            self.store.keep_patches(&part, &[diff.to_owned()]).await.unwrap();
        }
    }

    /// Tells the portal what waits to be told of the run; with a reason, it refuses it.
    pub(crate) async fn tell(&self, id: &RunId, refused: Option<&str>) {
        for claimed in self.store.claim(&[Lane::Report], 1000, LEASE).await.unwrap() {
            let also: Vec<_> = claimed.following.iter().map(|(id, _)| *id).collect();
            match refused {
                _ if claimed.run.id != *id => {
                    self.store.release(&claimed, self.clock.now()).await.unwrap();
                }
                Some(reason) => self.store.park(&claimed, reason).await.unwrap(),
                None => self.store.settle_report(&claimed, &also).await.unwrap(),
            }
        }
    }

    /// Puts the run's next step aside.
    pub(crate) async fn park(&self, id: &RunId, error: &str) {
        for claimed in self.store.claim(&[Lane::Work], 1000, LEASE).await.unwrap() {
            if claimed.run.id == *id {
                self.store.park(&claimed, error).await.unwrap();
            } else {
                self.store.release(&claimed, self.clock.now()).await.unwrap();
            }
        }
    }

    /// Writes an entity in the name of a run.
    pub(crate) async fn entity(&self, id: &str, entity: Value, path: Option<&str>) {
        let id = self.receive(id, json!({})).await;
        let place = path.map(|path| Place {
            repository: "acme/infrastructure".parse().unwrap(),
            path: path.to_owned(),
        });
        let entity = Box::new(serde_json::from_value(entity).unwrap());
        let change = EntityChange::Put { entity, place, part_places: Vec::new() };
        let applied = vec![Event::progress("Applied.")];
        self.settle(&id, 1, done, applied, vec![], Some(&change)).await;
    }

    /// A change from the request to an open pull request with a plan.
    pub(crate) async fn proposed(&self, id: &str, request: Value, number: u64) -> RunId {
        let id = self.receive(id, request).await;
        let work = change_work(&id, number);
        let opened = "Opened pull request #N: https://github.com/acme/infrastructure/pull/N.";
        let opened = Event::progress(opened.replace('N', &number.to_string()));
        self.step(&id, 2, |_| {}, vec![], vec![Step::Propose]).await;
        let read_plan = Step::ReadPlan(ReadPlan {
            repository: "acme/infrastructure".parse().unwrap(),
            workflow_run: towpath::domain::WorkflowRunId(17_204_911),
            attempt: 1,
        });
        let url = format!("https://github.com/acme/infrastructure/pull/{number}");
        let link = url.clone();
        let propose = |run: &mut Run| {
            run.work = Some(serde_json::from_value(work).unwrap());
            run.links = vec![link];
            at(run, Stage::Proposed, "Waiting for review");
        };
        let told = Step::Progress(Progress {
            log: vec![opened.message.clone()],
            label: Some("Waiting for review".to_owned()),
            links: Some(vec![url]),
            external_run_id: Some(format!("acme/infrastructure#{number}")),
            ..Progress::default()
        });
        let decorate = Step::Decorate(Decorate {
            repository: "acme/infrastructure".parse().unwrap(),
            pull_request_node_id: "PR_1".to_owned(),
            labels: Vec::new(),
            reviewers: vec![("@acme/devops".to_owned(), ReviewerId::Team("T_1".to_owned()))],
        });
        self.step(&id, 3, propose, vec![opened], vec![decorate, read_plan, told]).await;
        self.tell(&id, None).await;
        self.step(&id, 1, |_| {}, vec![], vec![]).await;
        let planned = Event::progress("The plan would add 2, change 1 and destroy 0.");
        self.step(
            &id,
            74,
            |run| at(run, Stage::Proposed, "Planned +2 ~1 -0"),
            vec![planned],
            vec![],
        )
        .await;
        id
    }

    /// The same, on to the end.
    pub(crate) async fn applied(&self, id: &str, request: Value, number: u64) -> RunId {
        let id = self.merged(id, request, number).await;
        let finish = |run: &mut Run| {
            done(run);
            "Applied".clone_into(&mut run.label);
            edit_work(run, |work| {
                work["applies"] = json!([apply("success", 2)]);
            });
        };
        let end = Step::End(End {
            status: Status::Success,
            label: "Applied".to_owned(),
            log: vec!["Applied by run 17205002.".to_owned()],
            summary: None,
            links: None,
            response: None,
            external_run_id: None,
        });
        let applied = Event::progress("Applied by run 17205002.");
        self.step(&id, 212, finish, vec![applied], vec![end]).await;
        self.tell(&id, None).await;
        id
    }

    /// The same, up to the merge; a look at GitHub waits.
    pub(crate) async fn merged(&self, id: &str, request: Value, number: u64) -> RunId {
        let id = self.proposed(id, request, number).await;
        self.clock.advance(Duration::from_mins(41));
        self.see(&id, review(number)).await;
        self.clock.advance(Duration::from_mins(10));
        self.see(&id, merge(&id, number)).await;
        let approved = Event::progress("jonas-k approved the pull request.");
        let approve = |run: &mut Run| {
            edit_work(run, |work| {
                work["pull_request"]["reviews"] = json!([["jonas-k", "approved"]]);
            });
        };
        self.step(&id, 1, approve, vec![approved], vec![]).await;
        let merge = |run: &mut Run| {
            at(run, Stage::Merged, "Applying");
            edit_work(run, |work| {
                work["pull_request"]["state"] = json!("merged");
                work["pull_request"]["merge_commit"] = json!(MERGE);
            });
        };
        let told = Event::progress("Merged as 4be81d0 by jonas-k.");
        self.step(&id, 1, merge, vec![told], vec![Step::Look]).await;
        id
    }

    /// Writes down an observation as a step of the run.
    async fn see(&self, id: &RunId, seen: Value) {
        let seen: Observation = serde_json::from_value(seen).unwrap();
        // The run has no links here: the step comes from a step, as after a look.
        self.store.request_look(std::slice::from_ref(id)).await.unwrap();
        self.step(id, 1, |_| {}, vec![], vec![Step::Observe(seen)]).await;
    }
}

pub(crate) fn at(run: &mut Run, stage: Stage, label: &str) {
    run.stage = stage;
    label.clone_into(&mut run.label);
}

pub(crate) fn done(run: &mut Run) {
    at(run, Stage::Done, "Done");
    run.status = Status::Success;
}

pub(crate) fn failed(run: &mut Run, stage: Stage, label: &str) {
    at(run, stage, label);
    run.status = Status::Failure;
}

pub(crate) fn edit_work(run: &mut Run, edit: impl FnOnce(&mut Value)) {
    let mut work = serde_json::to_value(&run.work).unwrap();
    edit(&mut work);
    run.work = serde_json::from_value(work).unwrap();
}

pub(crate) fn change_work(id: &RunId, number: u64) -> Value {
    json!({
        "kind": "pull_request", "template": "documentdb", "repository": "acme/infrastructure",
        "base": "main", "branch": format!("towpath/add_documentdb/{id}"),
        "path": "services/checkout/documentdb-orders", "context": {},
        "own_check": {
            "request": "", "plan": "passed", "left": null, "decided": null,
            "written": [SHA, 4711], "may_be_there": false, "is_refused": false,
        },
        "plan": "terraform-plan.yml", "apply": {"workflow": "terraform-apply.yml"}, "entity": null,
        "pull_request": {
            "number": number, "node_id": null,
            "html_url": format!("https://github.com/acme/infrastructure/pull/{number}"),
            "state": "open", "own_sha": SHA, "head_sha": SHA, "merge_commit": null, "reviews": [],
        },
        "planned": {
            "id": 17_204_911, "html_url": "https://github.com/acme/infrastructure/actions/runs/17204911",
            "attempt": 1, "phase": "completed", "conclusion": "success",
        },
        "plan_summary": {
            "add": 2, "change": 1, "destroy": 0,
            "resources": [["aws_docdb_cluster.this", "create"], ["aws_iam_role.this", "update"]],
        },
    })
}

pub(crate) fn apply(conclusion: &str, attempt: u32) -> Value {
    json!({
        "id": 17_205_002, "sha": MERGE, "contains": true,
        "url": "https://github.com/acme/infrastructure/actions/runs/17205002",
        "attempt": attempt, "phase": "completed", "conclusion": conclusion,
    })
}

pub(crate) fn workflow_work(phase: &str, conclusion: Option<&str>) -> Value {
    json!({
        "kind": "workflow", "repository": "acme/checkout", "workflow": "rollback.yml",
        "reference": "main", "inputs": {"version": "2.14.1"}, "report_status": true,
        "entity": null, "context": {},
        "workflow_run": {
            "id": 17_206_640, "html_url": "https://github.com/acme/checkout/actions/runs/17206640",
            "attempt": 1, "phase": phase, "conclusion": conclusion,
        },
    })
}

fn review(number: u64) -> Value {
    json!({
        "seen": "review", "repository": "acme/infrastructure", "number": number, "review": 1,
        "verdict": "approved", "reviewer": "jonas-k", "html_url": "https://github.com/x",
    })
}

fn merge(id: &RunId, number: u64) -> Value {
    json!({
        "seen": "pull_request", "repository": "acme/infrastructure", "number": number,
        "node_id": null, "html_url": "https://github.com/x", "state": "merged", "draft": false,
        "head": format!("towpath/add_documentdb/{id}"), "head_sha": SHA, "base": "main",
        "merge_commit": MERGE, "ended_by": "jonas-k",
    })
}
