//! Check runs and their annotations.

use super::*;

fn check(annotations: usize) -> Check {
    let annotation = |line| Annotation {
        path: "queue/template.yml".to_owned(),
        line,
        column: Some(3),
        level: AnnotationLevel::Failure,
        message: "unknown key".to_owned(),
    };
    Check {
        name: "Towpath templates".to_owned(),
        commit: sha('c'),
        external_id: "templates-1".to_owned(),
        details_url: None,
        conclusion: Some(Conclusion::Failure),
        title: "Wrong".to_owned(),
        summary: "é".repeat(70_000),
        annotations: (1..=annotations).map(annotation).collect(),
        buttons: Vec::new(),
    }
}

fn check_run(external_id: &str, slug: &str, annotations: usize) -> Value {
    json!({
        "id": 5, "html_url": "https://x/runs/5", "external_id": external_id,
        "app": {"slug": slug}, "output": {"annotations_count": annotations},
    })
}

#[tokio::test]
async fn a_check_run_gets_its_annotations_in_batches() {
    let fake = Fake::start().await;
    fake.on("GET /repos/acme/infra/commits/", [send(200, json!({"check_runs": []}))]);
    fake.on(
        "POST /repos/acme/infra/check-runs",
        [send(201, check_run("templates-1", "towpath", 50))],
    );
    fake.on(
        "PATCH /repos/acme/infra/check-runs/5",
        [send(200, check_run("templates-1", "towpath", 70))],
    );
    assert_eq!(fake.app().set_check(&infra(), &check(70)).await.unwrap(), "https://x/runs/5");

    let made = &fake.seen("POST /repos/acme/infra/check-runs")[0].body;
    assert_eq!(made["output"]["annotations"].as_array().unwrap().len(), 50);
    assert_eq!(made["output"]["summary"].as_str().unwrap().chars().count(), 65_535);
    assert_eq!((&made["conclusion"], &made["head_sha"]), (&json!("failure"), &json!(sha('c'))));
    let changed = &fake.seen("PATCH /repos/acme/infra/check-runs/5")[0].body;
    assert_eq!(changed["head_sha"], json!(null), "a check run stays on its commit");
    let added = changed["output"]["annotations"].as_array().unwrap();
    assert_eq!(
        (added.len(), &added[0]["start_line"], &added[0]["start_column"]),
        (20, &json!(51), &json!(3))
    );
}

#[tokio::test]
async fn a_check_run_whose_answer_was_lost_is_found_and_completed() {
    let fake = Fake::start().await;
    let foreign = check_run("templates-1", "somebody-else", 0);
    let found = json!({"check_runs": [foreign, check_run("templates-1", "towpath", 50)]});
    fake.on(
        "GET /repos/acme/infra/commits/",
        [send(200, json!({"check_runs": []})), send(200, found)],
    );
    fake.on("POST /repos/acme/infra/check-runs", [Reply::HangUp]);
    fake.on(
        "PATCH /repos/acme/infra/check-runs/5",
        [send(200, check_run("templates-1", "towpath", 60))],
    );
    let app = fake.app();
    assert!(matches!(app.set_check(&infra(), &check(60)).await, Err(Error::Unclear { .. })));
    app.set_check(&infra(), &check(60)).await.unwrap();
    assert_eq!(fake.seen("POST /repos/acme/infra/check-runs").len(), 1);
    let changed = fake.seen("PATCH /repos/acme/infra/check-runs/5");
    assert_eq!(changed[0].body["output"]["annotations"].as_array().unwrap().len(), 10);
}
