//! Whole runs: a workflow goes in, reports come out.

use std::io::{Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use git2::{IndexEntry, IndexTime, Oid, Repository, Signature};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc::unbounded_channel;

use super::*;

/// A bare repository and what is kept between its runs.
struct World {
    folder: TempDir,
    runs: u64,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Repository::init_bare(folder.path().join("git")).unwrap();
        Self { folder, runs: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Commits exactly these files to `main`.
    fn commit(&self, files: &[(&str, &str)]) -> String {
        let repository = Repository::open_bare(self.path("git")).unwrap();
        let mut index = git2::Index::new().unwrap();
        for (path, content) in files {
            let id = repository.blob(content.as_bytes()).unwrap();
            index.add(&entry(path, id)).unwrap();
        }
        let tree = index.write_tree_to(&repository).unwrap();
        let tree = repository.find_tree(tree).unwrap();
        let who = Signature::now("a", "a@example.com").unwrap();
        let parent = repository.refname_to_id("refs/heads/main").ok();
        let parent = parent.map(|id| repository.find_commit(id).unwrap());
        let parents: Vec<_> = parent.iter().collect();
        let commit = repository.commit(Some("refs/heads/main"), &who, &who, "x", &tree, &parents);
        commit.unwrap().to_string()
    }

    fn request(&mut self, workflow: &str, sha: &str) -> Request {
        self.runs += 1;
        Request {
            workspace: self.path(&format!("run-{}", self.runs)),
            git_dir: self.path("git"),
            state_dir: self.path("state"),
            stand_in: None,
            workflow: workflow.to_owned(),
            workflow_file: "test.yml".to_owned(),
            event_name: "workflow_dispatch".to_owned(),
            event: json!({"sender": {"login": "ann"}}),
            inputs: Map::new(),
            repository: "acme/infrastructure".to_owned(),
            git_ref: "refs/heads/main".to_owned(),
            sha: sha.to_owned(),
            run_id: self.runs,
            attempt: 1,
            approvals: Arc::new(|_| None),
        }
    }
}

fn entry(path: &str, id: Oid) -> IndexEntry {
    let time = IndexTime::new(0, 0);
    IndexEntry {
        ctime: time,
        mtime: time,
        dev: 0,
        ino: 0,
        mode: 0o100_644,
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: path.as_bytes().to_vec(),
    }
}

/// What a run reported.
struct Told(Vec<Report>);

impl Told {
    async fn of(request: Request) -> Self {
        let (sink, mut source) = unbounded_channel();
        execute(request, sink).await;
        let mut reports = Vec::new();
        while let Some(report) = source.recv().await {
            reports.push(report);
        }
        Self(reports)
    }

    fn conclusion(&self) -> Conclusion {
        match self.0.last() {
            Some(Report::RunCompleted { conclusion }) => *conclusion,
            other => panic!("the run ends with {other:?}"),
        }
    }

    fn log(&self) -> String {
        let lines = self.0.iter().filter_map(|report| match report {
            Report::Log { line, .. } => Some(line.as_str()),
            _ => None,
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    fn jobs(&self) -> Vec<(&str, &str)> {
        let jobs = self.0.iter().filter_map(|report| match report {
            Report::JobCompleted { job, conclusion } => Some((job.as_str(), conclusion.as_str())),
            _ => None,
        });
        jobs.collect()
    }

    fn steps(&self) -> Vec<(&str, u32, &str)> {
        let steps = self.0.iter().filter_map(|report| match report {
            Report::StepCompleted { name, number, conclusion, .. } => {
                Some((name.as_str(), *number, conclusion.as_str()))
            }
            _ => None,
        });
        steps.collect()
    }

    fn artifact(&self, wanted: &str, file: &str) -> Value {
        let zip = self.0.iter().find_map(|report| match report {
            Report::Artifact { name, zip } if name == wanted => Some(zip),
            _ => None,
        });
        let mut archive = zip::ZipArchive::new(Cursor::new(zip.unwrap())).unwrap();
        let mut text = String::new();
        archive.by_name(file).unwrap().read_to_string(&mut text).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

#[tokio::test]
async fn a_dispatch_with_a_failing_step_tells_every_step() {
    let workflow = r"
name: Roll back
run-name: Roll back to ${{ inputs.version }}
on:
  workflow_dispatch:
    inputs:
      version: {required: true}
      dry: {type: boolean, default: false}
env: {SERVICE: web}
jobs:
  rollback:
    runs-on: ubuntu-latest
    steps:
      - id: look
        run: echo ${{ github.actor }} found=$SERVICE-${{ inputs.version }}; echo found=$SERVICE >> $GITHUB_OUTPUT
      - name: Roll back ${{ steps.look.outputs.found }}
        run: |
          echo '::add-mask::hunter2'
          echo password hunter2
          exit 3
      - if: inputs.dry
        run: echo never
      - run: echo after
      - if: ${{ failure() }}
        run: echo cleaning up $GITHUB_REPOSITORY
  report:
    needs: rollback
    if: always()
    runs-on: ubuntu-latest
    steps:
      - run: echo it ended as ${{ needs.rollback.result }}
  skipped:
    needs: rollback
    runs-on: ubuntu-latest
    steps: [{run: echo never}]
";
    let mut world = World::new();
    let mut request = world.request(workflow, "");
    request.inputs = Map::from_iter([("version".to_owned(), json!("1.2"))]);
    assert_eq!(display_title(&request).as_deref(), Some("Roll back to 1.2"));
    let told = Told::of(request).await;
    assert_eq!(told.conclusion(), Conclusion::Failure);
    assert!(told.jobs().contains(&("rollback", "failure")));
    assert!(told.jobs().contains(&("report", "success")));
    assert!(told.jobs().contains(&("skipped", "skipped")));
    assert_eq!(
        &told.steps()[1..6],
        [
            (
                "Run echo ann found=$SERVICE-1.2; echo found=$SERVICE >> $GITHUB_OUTPUT",
                2,
                "success"
            ),
            ("Roll back web", 3, "failure"),
            ("Run echo never", 4, "skipped"),
            ("Run echo after", 5, "skipped"),
            ("Run echo cleaning up $GITHUB_REPOSITORY", 6, "success"),
        ]
    );
    let log = told.log();
    assert!(log.contains("ann found=web-1.2"));
    assert!(log.contains("password ***"));
    assert!(log.contains("##[error]Process completed with exit code 3."));
    assert!(log.contains("cleaning up acme/infrastructure"));
    assert!(log.contains("it ended as failure"));
}

#[tokio::test]
async fn a_matrix_is_made_from_the_output_of_a_job() {
    let workflow = r#"
on: push
jobs:
  find:
    outputs: {folders: "${{ steps.a.outputs.folders }}"}
    steps: [{id: a, run: "echo 'folders=[\"x\",\"y\"]' >> $GITHUB_OUTPUT"}]
  plan:
    needs: [find]
    strategy: {matrix: {folder: "${{ fromJSON(needs.find.outputs.folders) }}"}}
    steps: [{run: "echo planning ${{ matrix.folder }}"}]
"#;
    let mut world = World::new();
    let told = Told::of(world.request(workflow, "")).await;
    assert_eq!(told.conclusion(), Conclusion::Success, "{}", told.log());
    assert!(told.jobs().contains(&("plan (x)", "success")));
    assert!(told.log().contains("planning y"));
}

#[tokio::test]
async fn an_environment_holds_a_job_back_until_it_is_decided() {
    let workflow = "
on: push
jobs: {deploy: {environment: {name: production}, steps: [{run: echo deployed}]}}
";
    let mut world = World::new();
    for (answer, expected) in [(true, Conclusion::Success), (false, Conclusion::Failure)] {
        let mut request = world.request(workflow, "");
        request.approvals = Arc::new(move |_| Some(Box::pin(async move { answer })));
        let told = Told::of(request).await;
        assert_eq!(told.conclusion(), expected);
        let (job, environment) = ("deploy".to_owned(), "production".to_owned());
        assert!(told.0.contains(&Report::JobWaiting { job, environment }));
        assert_eq!(told.log().contains("\ndeployed"), answer);
    }
}

#[tokio::test]
async fn what_cannot_be_run_fails_with_its_name() {
    let mut world = World::new();
    let action = "on: push\njobs: {a: {steps: [{uses: acme/deploy@v1}]}}";
    let told = Told::of(world.request(action, "")).await;
    assert_eq!(told.conclusion(), Conclusion::Failure);
    assert!(told.log().contains("does not run the action acme/deploy"));
    let unknown = "on: push\njobs: {a: {steps: [{run: 'echo ${{ hashStuff(1) }}'}]}}";
    let told = Told::of(world.request(unknown, "")).await;
    assert_eq!(told.jobs(), [("test.yml", "failure")]);
    assert!(told.log().contains("`hashstuff`"), "{}", told.log());
}

#[tokio::test]
async fn a_checkout_has_the_history_that_was_asked_for() {
    if !script::finds("git") {
        return;
    }
    let mut world = World::new();
    world.commit(&[("a.txt", "one")]);
    let sha = world.commit(&[("a.txt", "two")]);
    let workflow = |depth: &str| {
        format!(
            "on: push\njobs:\n  a:\n    steps:\n      - uses: actions/checkout@v4\n        \
             with: {{fetch-depth: {depth}}}\n      - run: cat a.txt && git status --short && git rev-parse HEAD~1"
        )
    };
    let whole = Told::of(world.request(&workflow("0"), &sha)).await;
    assert_eq!(whole.conclusion(), Conclusion::Success, "{}", whole.log());
    let two = Told::of(world.request(&workflow("2"), &sha)).await;
    assert_eq!(two.conclusion(), Conclusion::Success, "{}", two.log());
    let one = Told::of(world.request(&workflow("1"), &sha)).await;
    assert_eq!(one.conclusion(), Conclusion::Failure, "{}", one.log());
}

const FOLDER: &str = "services/web/database";
const MAIN: &str = r#"
terraform {
  backend "s3" {
    bucket = "states"
  }
}
variable "size" { default = 2 }
resource "terraform_data" "cluster" {
  input = { name = "db", size = var.size }
}
output "endpoint" { value = "${terraform_data.cluster.output.name}.example.com" }
"#;

const TERRAFORM: &str = r"
on: workflow_dispatch
defaults: {run: {working-directory: services/web/database}}
jobs:
  plan:
    steps:
      - {uses: actions/checkout@v4, with: {fetch-depth: 0}}
      - {uses: hashicorp/setup-terraform@v3}
      - run: |
          terraform init -no-color -backend-config=key=x
          terraform plan -no-color -out=plan.bin
          terraform show -json plan.bin > plan.json
      - {uses: actions/upload-artifact@v4, with: {name: towpath-plan, path: services/web/database/plan.json}}
  apply:
    needs: plan
    steps:
      - {uses: actions/checkout@v4}
      - run: |
          terraform init -no-color
          terraform apply -no-color -auto-approve
          terraform output -json > outputs.json
      - {uses: actions/upload-artifact@v4, with: {name: towpath-outputs, path: services/web/database/outputs.json}}
";

const DESTROY: &str = r#"
on: workflow_dispatch
jobs:
  destroy:
    steps:
      - {uses: actions/checkout@v4, with: {fetch-depth: 0}}
      - run: |
          git worktree add "$RUNNER_TEMP/before" HEAD~1
          cd "$RUNNER_TEMP/before/services/web/database"
          terraform init -no-color
          terraform destroy -no-color -auto-approve
"#;

#[tokio::test]
async fn terraforms_state_lives_on_to_the_next_run_and_to_the_destroy() {
    if !script::finds("terraform") || !script::finds("git") {
        return;
    }
    let mut world = World::new();
    let path = format!("{FOLDER}/main.tf");
    let sha = world.commit(&[(&path, MAIN)]);
    let first = Told::of(world.request(TERRAFORM, &sha)).await;
    assert_eq!(first.conclusion(), Conclusion::Success, "{}", first.log());
    assert!(first.log().contains("Plan: 1 to add, 0 to change, 0 to destroy."));
    assert!(first.log().contains("Apply complete! Resources: 1 added"));
    let plan = first.artifact("towpath-plan", "plan.json");
    assert_eq!(plan["resource_changes"][0]["change"]["actions"], json!(["create"]));
    let outputs = first.artifact("towpath-outputs", "outputs.json");
    assert_eq!(outputs["endpoint"]["value"], "db.example.com");

    let sha = world.commit(&[(&path, &MAIN.replace("default = 2", "default = 3"))]);
    let second = Told::of(world.request(TERRAFORM, &sha)).await;
    assert!(
        second.log().contains("Plan: 0 to add, 1 to change, 0 to destroy."),
        "{}",
        second.log()
    );

    let sha = world.commit(&[("README.md", "gone")]);
    let third = Told::of(world.request(DESTROY, &sha)).await;
    assert_eq!(third.conclusion(), Conclusion::Success, "{}", third.log());
    assert!(third.log().contains("Destroy complete! Resources: 1 destroyed."), "{}", third.log());
}

#[tokio::test]
async fn without_terraform_the_stand_in_is_called_with_the_folders_own_state() {
    let mut world = World::new();
    let program = world.path("program");
    std::fs::write(&program, "#!/bin/sh\necho called: \"$@\"\n").unwrap();
    make_executable(&program);
    let sha = world.commit(&[(&format!("{FOLDER}/main.tf"), MAIN)]);
    let workflow = "on: push\njobs: {a: {steps: [{uses: actions/checkout@v4}, {run: 'terraform -chdir=services/web/database plan'}]}}";
    let mut request = world.request(workflow, &sha);
    request.stand_in = Some(program);
    let told = Told::of(request).await;
    assert!(told.log().contains("terraform is not installed"));
    let state = std::fs::canonicalize(world.path("state")).unwrap().join(FOLDER);
    let call = format!("called: sandbox-terraform {} -chdir={FOLDER} plan", state.display());
    assert!(told.log().contains(&call), "{}", told.log());
}

fn make_executable(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
}
