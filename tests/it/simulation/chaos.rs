//! What goes wrong, by seeded chance: webhooks, answers, limits, the portal, processes.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use towpath::sandbox::github;
use towpath::sandbox::portal;

use super::Simulation;
use super::stage::{GLANCE, Stage};

/// The calls of the portal that can go wrong.
const PORTAL_CALLS: [(&str, &str); 5] = [
    ("POST", "/v1/auth/access_token"),
    ("PATCH", "/v1/actions/runs/{run}"),
    ("POST", "/v1/actions/runs/{run}/logs"),
    ("POST", "/v1/blueprints/{blueprint}/entities"),
    ("DELETE", "/v1/blueprints/{blueprint}/entities/{entity}"),
];

/// The parts of the one mutation that makes a pull request.
const FIELDS: [&str; 3] = ["createRef", "createCommitOnBranch", "createPullRequest"];

/// What goes on until it is ended.
pub(super) struct Chaos {
    stage: Arc<Stage>,
    stop: CancellationToken,
    rest: Vec<JoinHandle<()>>,
    killer: JoinHandle<usize>,
}

#[expect(clippy::disallowed_methods, reason = "all end with the chaos")]
pub(super) fn begin(stage: &Arc<Stage>, simulation: Simulation) -> Chaos {
    stage.github.hold_webhooks();
    let stop = CancellationToken::new();
    let mut chance = Rng::with_seed(simulation.seed ^ 0xc4a05);
    let mut fork = || (Arc::clone(stage), stop.clone(), chance.fork());
    let (of_postman, of_trouble, of_killer) = (fork(), fork(), fork());
    let rest = vec![
        tokio::spawn(deliver(of_postman.0, of_postman.1, of_postman.2)),
        tokio::spawn(trouble(of_trouble.0, of_trouble.1, of_trouble.2, simulation.has_long_waits)),
    ];
    let (own, until, luck) = of_killer;
    let killer = tokio::spawn(kill(own, until, luck, simulation));
    Chaos { stage: Arc::clone(stage), stop, rest, killer }
}

impl Chaos {
    /// From now on nothing goes wrong. Answers how many processes were killed.
    pub(super) async fn end(self) -> usize {
        self.stop.cancel();
        for task in self.rest {
            task.await.unwrap();
        }
        let kills = self.killer.await.unwrap();
        self.stage.github.clear_faults();
        self.stage.portal.clear_faults();
        self.stage.github.release_all_webhooks();
        kills
    }
}

/// Whether so much time has passed before it is over.
async fn passed(time: Duration, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        () = sleep(time) => true,
    }
}

/// The postman: in any order, twice, late, or not at all.
async fn deliver(stage: Arc<Stage>, stop: CancellationToken, mut chance: Rng) {
    while passed(GLANCE, &stop).await {
        let mut held: Vec<u64> = stage.github.held_webhooks().iter().map(|it| it.id).collect();
        chance.shuffle(&mut held);
        for id in held {
            match chance.u32(..100) {
                0..5 => stage.github.lose_webhook(id),
                5..10 => stage.github.drop_webhook(id),
                10..20 => stage.github.release_webhooks(&[id, id]),
                20..60 => stage.github.release_webhooks(&[id]),
                _ => {}
            }
        }
        // The lists of calls are not looked at, and would grow.
        stage.github.reset_requests();
        stage.portal.forget_requests();
    }
}

/// Answers that are lost, limits, and a portal that is away.
async fn trouble(
    stage: Arc<Stage>,
    stop: CancellationToken,
    mut chance: Rng,
    has_long_waits: bool,
) {
    while passed(Duration::from_millis(chance.u64(200..900)), &stop).await {
        // One fault at a time, which strikes if it is met in time: with few calls, not each goes wrong.
        stage.github.clear_faults();
        stage.portal.clear_faults();
        match chance.u32(..100) {
            0..50 => {
                let fault = of_github(&mut chance, has_long_waits);
                stage.github.fail("*", chance.u32(..6), 1, fault);
            }
            50..60 => {
                let field = FIELDS[chance.usize(..FIELDS.len())];
                stage.github.fail_field_next(field);
            }
            60..63 => stage.github.expire_tokens(),
            63..66 => stage.portal.revoke_token(),
            66..95 => {
                let (method, path) = PORTAL_CALLS[chance.usize(..PORTAL_CALLS.len())];
                stage.portal.inject(of_portal(method, path, 1, &mut chance));
            }
            _ => {
                for (method, path) in PORTAL_CALLS {
                    let away = portal::FaultKind::Answer { status: 503, headers: Vec::new() };
                    stage.portal.inject(portal_fault(method, path, usize::MAX, away));
                }
                passed(Duration::from_millis(chance.u64(500..3000)), &stop).await;
            }
        }
    }
}

fn of_github(chance: &mut Rng, has_long_waits: bool) -> github::Fault {
    let limit = Duration::from_secs(chance.u64(3..9));
    match chance.u32(..7) {
        0 | 1 => github::Fault::LoseAnswer,
        2 => github::Fault::AnswerAfter(502),
        3 => github::Fault::AnswerBefore(503),
        // GraphQL does not say how long it lasts: a minute, in which nothing is begun.
        4 if has_long_waits => github::Fault::SecondaryLimit(limit),
        5 if has_long_waits => github::Fault::TooManyRequests(limit),
        _ => github::Fault::Delay(Duration::from_millis(chance.u64(100..1500))),
    }
}

fn of_portal(method: &str, path: &str, times: usize, chance: &mut Rng) -> portal::Fault {
    let kind = match chance.u32(..5) {
        0 | 1 => portal::FaultKind::LoseAnswer,
        2 => portal::FaultKind::LoseRequest,
        3 => portal::FaultKind::Answer { status: 502, headers: Vec::new() },
        _ => {
            let headers = vec![("retry-after", "1".to_owned())];
            portal::FaultKind::Answer { status: 429, headers }
        }
    };
    portal_fault(method, path, times, kind)
}

fn portal_fault(method: &str, path: &str, times: usize, kind: portal::FaultKind) -> portal::Fault {
    portal::Fault { method: method.to_owned(), path: path.to_owned(), times, kind }
}

/// Processes end in the middle of what they do, and are started again.
async fn kill(
    stage: Arc<Stage>,
    stop: CancellationToken,
    mut chance: Rng,
    simulation: Simulation,
) -> usize {
    let mut kills = 0;
    let (least, most) = simulation.kills_after;
    let processes = stage.processes.lock().await.len();
    while kills < simulation.kills {
        let wait = Duration::from_millis(chance.u64(least..most));
        if !passed(wait, &stop).await {
            return kills;
        }
        let number = chance.usize(..processes);
        let address = stage.kill(number).await;
        kills += 1;
        sleep(Duration::from_millis(chance.u64(..800))).await;
        stage.start(number, address).await;
    }
    kills
}
