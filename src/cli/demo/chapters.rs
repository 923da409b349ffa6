//! What happens in the demo. People act through the sandboxes; the service does the rest.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::told::Teller;
use crate::cli::playground::Playground;
use crate::domain::{Run, RunId, Status};
use crate::sandbox::github::{Fault, MergeMethod, SandboxPull, SandboxRepository};
use crate::sandbox::portal::Trigger;

/// How long the demo waits for something before it says that it did not come. Real plans and
/// applies take seconds on a slow machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// How a run of the demo ended.
pub(super) struct Played {
    /// What was asked for.
    pub(super) title: &'static str,
    /// The run.
    pub(super) run: String,
    /// How it ended.
    pub(super) status: Status,
    /// And with which label.
    pub(super) label: String,
    /// Whether that is how it should end.
    pub(super) as_expected: bool,
}

/// Plays everything, and answers how each run ended.
pub(super) async fn play(playground: &Playground, teller: &mut Teller) -> Vec<Played> {
    let mut stage = Stage { playground, teller };
    vec![
        stage.create().await,
        stage.refused().await,
        stage.day_2().await,
        stage.failed_apply().await,
        stage.cancelled().await,
        stage.delete().await,
        stage.rollback().await,
        stage.lost_answer().await,
    ]
}

struct Stage<'a> {
    playground: &'a Playground,
    teller: &'a mut Teller,
}

impl Stage<'_> {
    async fn create(&mut self) -> Played {
        const TITLE: &str = "Jane creates the database orders";
        self.teller.chapter(TITLE, "a template becomes one signed commit and a pull request");
        let inputs =
            json!({"name": "orders", "size": 20, "purpose": "Orders of the \"shop\", ${really}"});
        let run = self.press("create_database", inputs, None).await;
        let pull = self.planned(run.as_ref()).await;
        self.show_check(pull.as_ref()).await;
        self.review_and_merge(pull.as_ref());
        let ended = self.until_end(run.as_ref()).await;
        self.show_entity("orders");
        let good = self.playground.portal.entity("database", "orders").is_some();
        played(TITLE, ended, |run| run.status == Status::Success && good)
    }

    async fn refused(&mut self) -> Played {
        const TITLE: &str = "Mallory asks for something that the guardrails forbid";
        self.teller.chapter(TITLE, "nothing is written to GitHub, and every fault is named");
        let inputs = json!({"name": "../../prod\"; rm -rf /", "size": 100_000, "admin": true});
        let before = self.playground.github.requests().len();
        let run = self.press("create_database", inputs, None).await;
        let ended = self.until_end(run.as_ref()).await;
        let untouched = self.playground.github.requests().len() == before;
        played(TITLE, ended, |run| run.label == "Refused" && untouched)
    }

    async fn day_2(&mut self) -> Played {
        const TITLE: &str = "Jane makes orders larger";
        self.teller.chapter(TITLE, "a person has edited the file meanwhile; the edit is kept");
        let file = "databases/orders/main.tf";
        let edited = self.infrastructure().file_at("main", file).map(|text| {
            text.replace(
                "output \"endpoint\" {",
                "# The application reads this one.\noutput \"endpoint\" {",
            )
        });
        self.infrastructure().push(
            "olga",
            "main",
            &[(file, edited.as_deref())],
            "Say who reads it",
        );
        self.teller.person("Olga adds a comment to databases/orders/main.tf by hand");
        let run = self.press("resize_database", json!({"size": 50}), Some("orders")).await;
        let pull = self.planned(run.as_ref()).await;
        self.review_and_merge(pull.as_ref());
        let ended = self.until_end(run.as_ref()).await;
        self.show_entity("orders");
        let now = self.infrastructure().file_at("main", file).unwrap_or_default();
        let kept = now.contains("# The application reads this one.") && now.contains("50");
        played(TITLE, ended, |run| run.status == Status::Success && kept)
    }

    async fn failed_apply(&mut self) -> Played {
        const TITLE: &str = "An apply fails, and is mended";
        self.teller
            .chapter(TITLE, "the run says which step failed and why; the catalog is told later");
        let inputs = json!({"name": "billing", "purpose": "Invoices"});
        let run = self.press("create_database", inputs, None).await;
        let pull = self.planned(run.as_ref()).await;
        let state = self.playground.state_of(self.infrastructure()).join("databases/billing");
        let damaged = ["terraform.tfstate", "sandbox-terraform.json"].map(|name| state.join(name));
        let damage = || {
            std::fs::create_dir_all(&state)?;
            damaged.iter().try_for_each(|file| std::fs::write(file, "not a state"))
        };
        if damage().is_ok() {
            self.teller.person("The storage of Terraform's states is damaged");
        }
        self.review_and_merge(pull.as_ref());
        let ended = self.until_end(run.as_ref()).await;
        for file in &damaged {
            let _it_may_be_gone_already = std::fs::remove_file(file);
        }
        self.teller.person("Olga restores the storage, and runs the apply again");
        if let Some(apply) = newest_run(self.infrastructure(), "terraform-apply.yml") {
            self.infrastructure().workflow_run(apply).rerun("olga");
        }
        let in_catalog = self.until_entity("billing").await;
        self.teller.follow(&self.playground.service.store, run.as_ref()).await;
        self.show_entity("billing");
        played(TITLE, ended, |run| run.label == "Apply failed" && in_catalog)
    }

    async fn cancelled(&mut self) -> Played {
        const TITLE: &str = "Jane does not want it after all";
        self.teller.chapter(TITLE, "the pull request is closed with a word, and its branch goes");
        let inputs = json!({"name": "reports", "purpose": "A mistake"});
        let run = self.press("create_database", inputs, None).await;
        let pull = self.planned(run.as_ref()).await;
        if let Some(run) = &run {
            self.teller.person("Jane has the run cancelled, as the button of its page does");
            if let Err(error) = self.playground.service.store.request_cancel(run, "Jane").await {
                self.teller.unexpected(&error.to_string());
            }
        }
        let ended = self.until_end(run.as_ref()).await;
        let closed = pull.is_some_and(|pull| !pull.now().is_open);
        played(TITLE, ended, |run| run.label == "Cancelled" && closed)
    }

    async fn delete(&mut self) -> Played {
        const TITLE: &str = "Jane deletes orders";
        self.teller.chapter(TITLE, "destroyed first, and then taken out of the catalog");
        let run = self.press("delete_database", json!({}), Some("orders")).await;
        let pull = self.planned(run.as_ref()).await;
        self.review_and_merge(pull.as_ref());
        let ended = self.until_end(run.as_ref()).await;
        let gone = self.playground.portal.entity("database", "orders").is_none();
        if gone {
            self.teller.catalog("database orders is gone");
        }
        played(TITLE, ended, |run| run.status == Status::Success && gone)
    }

    async fn rollback(&mut self) -> Played {
        const TITLE: &str = "Jane rolls the shop back";
        self.teller.chapter(TITLE, "a workflow, followed to its end, with an approval on the way");
        let inputs = json!({"version": "v1.4.2", "reason": "Checkout is slow"});
        let run = self.press("rollback_service", inputs, Some("shop")).await;
        if self
            .until(run.as_ref(), |run| run.label == "Waiting for approval of production")
            .await
            .is_some()
        {
            self.approve_production();
        }
        let ended = self.until_end(run.as_ref()).await;
        played(TITLE, ended, |run| run.status == Status::Success)
    }

    async fn lost_answer(&mut self) -> Played {
        const TITLE: &str = "GitHub's answer to a dispatch is lost";
        self.teller.chapter(TITLE, "it has begun the workflow; it must not begin a second one");
        let dispatch = "POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches";
        self.playground.github.fail_next(dispatch, Fault::LoseAnswer);
        let before = self.playground.shop.workflow_runs().len();
        let run = self.press("rollback_service", json!({"version": "v1.4.1"}), Some("shop")).await;
        self.until(run.as_ref(), |run| run.label == "Waiting for approval of production").await;
        self.approve_production();
        let ended = self.until_end(run.as_ref()).await;
        let once = self.playground.shop.workflow_runs().len() == before + 1;
        if once {
            self.teller.catalog("one workflow run, found by looking before repeating");
        }
        played(TITLE, ended, |run| run.status == Status::Success && once)
    }

    fn infrastructure(&self) -> &SandboxRepository {
        &self.playground.infrastructure
    }

    async fn press(&mut self, action: &str, inputs: Value, entity: Option<&str>) -> Option<RunId> {
        self.teller.press(action, &inputs, entity);
        let user = if inputs.get("admin").is_some() { "mallory" } else { "jane" };
        let inputs: Map<String, Value> = inputs.as_object().cloned().unwrap_or_default();
        let trigger = Trigger {
            action: action.to_owned(),
            inputs,
            entity: entity.map(str::to_owned),
            user: Some(format!("{user}@acme.example")),
        };
        match self.playground.portal.trigger(trigger).await {
            Ok((run, _)) => RunId::new(run).ok(),
            Err(reason) => {
                self.teller.unexpected(&reason);
                None
            }
        }
    }

    /// Waits for the pull request and its plan.
    async fn planned(&mut self, run: Option<&RunId>) -> Option<SandboxPull> {
        self.until(run, |run| run.label.starts_with("Planned")).await?;
        let number = self.infrastructure().pull_numbers().into_iter().max()?;
        Some(self.infrastructure().pull_request(number))
    }

    /// What the reviewer sees beside the change.
    async fn show_check(&mut self, pull: Option<&SandboxPull>) {
        let Some(pull) = pull else { return };
        let infrastructure = self.infrastructure();
        let shown = async {
            loop {
                let mut checks = infrastructure.checks(&pull.now().head_sha).into_iter();
                if let Some(check) = checks.find(|check| check.title.contains("planned")) {
                    return check;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, shown).await {
            Ok(check) => {
                let said = format!("the check {} on the pull request: {}", check.name, check.title);
                self.teller.shown(&said);
            }
            Err(_) => self.teller.unexpected("the pull request carries no check"),
        }
    }

    fn review_and_merge(&mut self, pull: Option<&SandboxPull>) {
        let Some(pull) = pull else { return };
        self.teller.person("Olga approves and merges the pull request");
        pull.approve("olga");
        if let Err(reason) = pull.try_merge("olga", MergeMethod::Squash) {
            self.teller.unexpected(&reason);
        }
    }

    fn approve_production(&mut self) {
        self.teller.person("Olga approves the environment production");
        if let Some(id) = newest_run(&self.playground.shop, "rollback.yml") {
            self.playground.shop.workflow_run(id).approve("production");
        }
    }

    async fn until_end(&mut self, run: Option<&RunId>) -> Option<Run> {
        let ended = self.until(run, |run| run.status.is_end()).await;
        if let Some(run) = &ended {
            self.teller.ended(run);
        }
        ended
    }

    /// Tells a run's history until it is as it should be.
    async fn until(&mut self, run: Option<&RunId>, what: impl Fn(&Run) -> bool) -> Option<Run> {
        let id = run?;
        let store = &self.playground.service.store;
        let mut changes = store.changes();
        let waiting = async {
            loop {
                self.teller.follow(store, run).await;
                if let Ok(Some(run)) = store.run(id).await
                    && what(&run)
                {
                    self.teller.follow(store, Some(id)).await;
                    return Some(run);
                }
                let _looked_for_anyway =
                    tokio::time::timeout(Duration::from_millis(100), changes.recv()).await;
            }
        };
        if let Ok(found) = tokio::time::timeout(PATIENCE, waiting).await {
            return found;
        }
        self.teller.unexpected("what was waited for did not come");
        None
    }

    async fn until_entity(&mut self, identifier: &str) -> bool {
        let waiting = async {
            while self.playground.portal.entity("database", identifier).is_none() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.is_ok()
    }

    fn show_entity(&mut self, identifier: &str) {
        if let Some(entity) = self.playground.portal.entity("database", identifier) {
            self.teller.catalog(&format!("database {identifier} {}", entity["properties"]));
        }
    }
}

fn newest_run(repository: &SandboxRepository, file: &str) -> Option<u64> {
    let runs = repository.workflow_runs().into_iter();
    runs.filter(|run| run.path.ends_with(file)).map(|run| run.id).max()
}

fn played(title: &'static str, run: Option<Run>, good: impl Fn(&Run) -> bool) -> Played {
    let Some(run) = run else {
        return Played {
            title,
            run: String::new(),
            status: Status::InProgress,
            label: "did not end".to_owned(),
            as_expected: false,
        };
    };
    let as_expected = good(&run);
    Played { title, run: run.id.to_string(), status: run.status, label: run.label, as_expected }
}
