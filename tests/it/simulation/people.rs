//! The people: they press buttons, review and merge, run workflows; and those who count afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use futures_util::future::join_all;
use serde_json::{Map, Value, json};
use tokio::time::sleep;
use towpath::sandbox::github::{MergeMethod, SandboxRun, WorkflowRun};
use towpath::sandbox::portal::{Delivered, Trigger};

use super::Simulation;
use super::plot::{Act, Change, plot};
use super::stage::{GLANCE, Stage, shop};

/// Lines that a run's log has once.
const ONCE: [&str; 5] =
    ["Received", "is open", "was merged by", "was applied", "written to the catalog"];

/// What a person did, and what went wrong.
pub(super) struct Person {
    number: usize,
    /// Each act with the id of its run.
    pub(super) ends: Vec<(Act, String)>,
    trouble: Option<String>,
}

/// Lets all people act.
pub(super) async fn play(stage: &Arc<Stage>, simulation: Simulation) -> Vec<Person> {
    let looked_at = Arc::clone(stage);
    #[expect(clippy::disallowed_methods, reason = "ends when all have acted")]
    let watcher = tokio::spawn(async move {
        loop {
            looked_at.glance();
            sleep(GLANCE).await;
        }
    });
    let mut chance = Rng::with_seed(simulation.seed);
    let people = (0..simulation.people).map(|number| {
        let acts = plot(number, simulation.runs_each, &mut chance);
        let patience = simulation.patience;
        Actor { stage: Arc::clone(stage), number, patience, chance: chance.fork() }.play(acts)
    });
    let told = join_all(people.collect::<Vec<_>>()).await;
    watcher.abort();
    told
}

struct Actor {
    stage: Arc<Stage>,
    number: usize,
    patience: Duration,
    chance: Rng,
}

impl Actor {
    async fn play(mut self, acts: Vec<Act>) -> Person {
        let mut person = Person { number: self.number, ends: Vec::new(), trouble: None };
        for act in acts {
            let run = match self.press(&act).await {
                Ok(run) => run,
                Err(trouble) => {
                    person.trouble = Some(trouble);
                    break;
                }
            };
            person.ends.push((act.clone(), run.clone()));
            if let Err(trouble) = self.follow(&act, &run).await {
                let told = self.stage.told(&run).await;
                person.trouble = Some(format!("{act:?} of {run}: {trouble}\n{told}"));
                break;
            }
        }
        person
    }

    /// Presses the button, until its message is answered.
    async fn press(&mut self, act: &Act) -> Result<String, String> {
        let (action, inputs, entity) = self.message(act);
        let trigger = Trigger {
            action: format!("{action}_{}", self.number),
            inputs,
            entity: Some(entity),
            user: Some("jane@acme.example".to_owned()),
        };
        let (run, mut delivered) = self.stage.portal.trigger(trigger).await?;
        // Where the answer was lost, the run may have ended already: then it is called no more.
        while !matches!(delivered, Delivered::Answered(202) | Delivered::Waiting) {
            if let Delivered::Answered(status @ 400..500) = delivered {
                return Err(format!("{act:?} was answered with {status}"));
            }
            sleep(Duration::from_millis(100)).await;
            delivered = self.stage.portal.deliver_again(&run).await;
        }
        if self.chance.u32(..100) < 20 {
            self.stage.portal.deliver_again(&run).await;
        }
        Ok(run)
    }

    fn message(&self, act: &Act) -> (&'static str, Map<String, Value>, String) {
        let shop = shop(self.number);
        let (action, inputs, entity) = match act {
            Act::Create { name, size, .. } => {
                ("add_database", json!({"name": name, "size": size}), shop)
            }
            Act::Resize { name, size, .. } => {
                ("resize_database", json!({"size": size}), name.clone())
            }
            Act::Delete { name, .. } => ("delete_database", json!({}), name.clone()),
            Act::Dispatch { .. } => ("rollback_service", json!({}), shop),
            Act::Refused => ("add_database", json!({"name": "No Name"}), shop),
        };
        let Value::Object(inputs) = inputs else { unreachable!("objects, above") };
        (action, inputs, entity)
    }

    /// Does what people do on GitHub, and waits for the run's end in the portal.
    async fn follow(&mut self, act: &Act, run: &str) -> Result<(), String> {
        match act {
            Act::Create { end, .. } | Act::Resize { end, .. } | Act::Delete { end, .. } => {
                self.review(run, *end).await?;
            }
            Act::Dispatch { conclusion } => {
                let workflow = self.workflow_run(1, "the workflow", |it| it.conclusion.is_none());
                let workflow = workflow.await?;
                self.think().await;
                workflow.start();
                self.think().await;
                workflow.complete(conclusion);
            }
            Act::Refused => {}
        }
        let ended = || {
            let status = self.stage.portal.run(run)?.status;
            matches!(status.as_str(), "SUCCESS" | "FAILURE").then_some(())
        };
        self.stage.until("the end", self.patience, ended).await
    }

    async fn review(&mut self, run: &str, end: Change) -> Result<(), String> {
        let proposed = || self.stage.seen.lock().unwrap().pulls.get(run)?.first().copied();
        let number = self.stage.until("the pull request", self.patience, proposed).await?;
        let pull = self.stage.places[self.number].infrastructure.pull_request(number);
        if self.chance.u32(..100) < 70 {
            let head = pull.now().head_sha;
            let of_plan = move |it: &WorkflowRun| it.path.ends_with("plan.yml") && it.sha == head;
            let plan = self.workflow_run(0, "the plan", of_plan).await?;
            plan.start();
            plan.complete(if self.chance.bool() { "success" } else { "failure" });
        }
        self.think().await;
        if end == Change::Declined {
            pull.close("octocat");
            return Ok(());
        }
        if self.chance.bool() {
            pull.approve("octocat");
        }
        let merged = || pull.try_merge("octocat", MergeMethod::Squash).ok();
        let commit = self.stage.until("the merge", self.patience, merged).await?;
        let of_apply = move |it: &WorkflowRun| it.path.ends_with("apply.yml") && it.sha == commit;
        let apply = self.workflow_run(0, "the apply", of_apply).await?;
        self.think().await;
        apply.start();
        self.think().await;
        apply.complete(if end == Change::Applied { "success" } else { "failure" });
        Ok(())
    }

    /// A workflow run of the infrastructure (0) or the service (1).
    async fn workflow_run(
        &self,
        of: usize,
        what: &str,
        is_it: impl Fn(&WorkflowRun) -> bool,
    ) -> Result<SandboxRun, String> {
        let look = || {
            let seen = self.stage.seen.lock().unwrap();
            seen.runs.get(self.number)?[of].iter().find(|run| is_it(run)).map(|run| run.id)
        };
        let id = self.stage.until(what, self.patience, look).await?;
        let place = &self.stage.places[self.number];
        Ok([&place.infrastructure, &place.shop][of].workflow_run(id))
    }

    async fn think(&mut self) {
        sleep(Duration::from_millis(self.chance.u64(..400))).await;
    }
}

/// Everything that is not as it must be.
pub(super) async fn count(stage: &Stage, people: &[Person]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut expected = BTreeMap::new();
    for person in people {
        problems.extend(person.trouble.clone());
        problems.extend(count_of(stage, person));
        expected.extend(entities(person));
    }
    let entities = stage.portal.entities("database").into_iter().map(|entity| {
        let name = entity["identifier"].as_str().unwrap_or_default().to_owned();
        (name, entity["properties"]["size"].as_u64().unwrap_or_default())
    });
    let entities: BTreeMap<String, u64> = entities.collect();
    if people.iter().all(|person| person.trouble.is_none()) && entities != expected {
        problems.push(format!("in the catalog is {entities:?}, and should be {expected:?}"));
    }
    let runs: usize = people.iter().map(|person| person.ends.len()).sum();
    let known = stage.known_runs().await;
    if known != runs {
        problems.push(format!("{runs} runs were asked for, and {known} are known"));
    }
    let store = stage.store().await;
    let parked = store.parked_steps(None, 10).await.unwrap();
    store.close().await;
    if !parked.is_empty() {
        problems.push(format!("parked: {parked:#?}"));
    }
    problems
}

fn count_of(stage: &Stage, person: &Person) -> Vec<String> {
    let mut problems = Vec::new();
    stage.glance();
    let seen = stage.seen.lock().unwrap();
    for (act, run) in &person.ends {
        let shown = stage.portal.run(run).expect("the portal has it");
        let (status, label) = act.end();
        if (shown.status.as_str(), shown.label.as_deref()) != (status, Some(label)) {
            problems.push(format!(
                "{act:?} of {run} ended as {} · {:?}:\n{}",
                shown.status,
                shown.label,
                shown.log_text()
            ));
        }
        let pulls = seen.pulls.get(run).map_or(0, Vec::len);
        if pulls != usize::from(act.proposes()) {
            problems.push(format!("{act:?} of {run} has {pulls} pull requests"));
        }
        let log = shown.log_text();
        for line in ONCE {
            if log.matches(line).count() > 1 {
                problems.push(format!("{act:?} of {run} says {line:?} more than once:\n{log}"));
            }
        }
    }
    let asked = person.ends.iter().filter(|(act, _)| matches!(act, Act::Dispatch { .. })).count();
    let dispatched = stage.places[person.number].shop.workflow_runs().len();
    if asked != dispatched {
        problems.push(format!(
            "{} was dispatched {dispatched} times, and should be {asked} times",
            shop(person.number)
        ));
    }
    problems
}

/// What stands when a person has done all that.
fn entities(person: &Person) -> BTreeMap<String, u64> {
    let mut standing = BTreeMap::new();
    for (act, _) in &person.ends {
        match act {
            Act::Create { name, size, end: Change::Applied }
            | Act::Resize { name, size, end: Change::Applied } => {
                standing.insert(name.clone(), *size);
            }
            Act::Delete { name, end: Change::Applied } => {
                standing.remove(name);
            }
            _ => {}
        }
    }
    standing
}
