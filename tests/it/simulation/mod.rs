//! A simulation with seeded chance: people press buttons, review, merge and give up, while webhooks
//! are lost, doubled, delayed and come in any order, answers are lost after their effect, limits are
//! hit, the portal is away, and processes are killed. Then it is counted: every run has the end that
//! it must have, and there is one pull request, one dispatch, one entity for each that was asked for.
//!
//! The processes are real and time is real. A short one runs with the tests; a long one by
//! `TOWPATH_TEST_SIMULATION="sqlite 1 5000" cargo test --test it the_long_simulation -- --nocapture`:
//! on which database, from which seed, and how many runs.

mod chaos;
mod front;
mod people;
mod plot;
mod stage;

use std::time::{Duration, Instant};

use stage::{Memory, Stage};

/// How many runs one world sees in a long simulation.
const RUNS_OF_A_WORLD: usize = 1_200;

/// What a simulation is like.
#[derive(Clone, Copy)]
struct Simulation {
    seed: u64,
    memory: Memory,
    /// People who press buttons side by side, and how often each.
    people: usize,
    runs_each: usize,
    /// How long it takes, at least and at most, until a process is killed: milliseconds.
    kills_after: (u64, u64),
    /// How many processes are killed at most.
    kills: usize,
    /// Whether limits are hit, which may last for a minute.
    has_long_waits: bool,
    /// How long a person waits for what must happen.
    patience: Duration,
}

impl Simulation {
    fn short(seed: u64, memory: Memory) -> Self {
        Self {
            seed,
            memory,
            people: 6,
            runs_each: 2,
            kills_after: (3_000, 6_000),
            kills: 6,
            has_long_waits: false,
            patience: Duration::from_mins(2),
        }
    }

    /// Plays it, and answers how many runs there were.
    async fn play(self) -> usize {
        let began = Instant::now();
        let stage = Stage::set(self).await;
        let chaos = chaos::begin(&stage, self);
        let told = people::play(&stage, self).await;
        let kills = chaos.end().await;
        stage.come_to_rest(self.patience).await;
        let mut problems = people::count(&stage, &told).await;
        let runs = told.iter().map(|person| person.ends.len()).sum();
        let took = began.elapsed().as_secs();
        let Self { seed, memory, .. } = self;
        let patience = stage.github.patience();
        let limited = stage.limited().await;
        eprintln!(
            "simulation {seed} on {memory:?}: {runs} runs, {kills} kills, {} told to wait, \
             {limited} steps waited for a limit, {took} s",
            patience.told
        );
        if self.has_long_waits && limited == 0 {
            problems.push("no limit was met".to_owned());
        }
        for early in &patience.impatient {
            problems.push(format!("GitHub was asked before it had said so: {early}"));
        }
        assert!(
            problems.is_empty(),
            "seed {seed} on {memory:?}:\n{}\n{}",
            problems.join("\n"),
            stage.logs()
        );
        runs
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_run_ends_as_it_must_on_sqlite_with_a_process_that_is_killed() {
    Simulation::short(1, Memory::Sqlite).play().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_run_ends_as_it_must_with_three_processes_of_which_one_is_killed() {
    if stage::has(Memory::Postgres) {
        Simulation::short(2, Memory::Postgres).play().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_long_simulation() {
    #[expect(clippy::disallowed_methods, reason = "a switch of the tests, no setting")]
    let Ok(asked) = std::env::var("TOWPATH_TEST_SIMULATION") else { return };
    let words: Vec<&str> = asked.split_whitespace().collect();
    let [memory, seed, runs] = words[..] else { panic!("not DATABASE SEED RUNS: {asked:?}") };
    let memory = if memory == "postgres" { Memory::Postgres } else { Memory::Sqlite };
    let (first, runs): (u64, usize) = (seed.parse().unwrap(), runs.parse().unwrap());
    let mut played = 0;
    for seed in first.. {
        if played >= runs {
            break;
        }
        let people = 60;
        let simulation = Simulation {
            people,
            runs_each: (runs - played).min(RUNS_OF_A_WORLD).div_ceil(people),
            kills_after: (10_000, 40_000),
            kills: usize::MAX,
            has_long_waits: true,
            patience: Duration::from_mins(15),
            ..Simulation::short(seed, memory)
        };
        played += simulation.play().await;
    }
    eprintln!("simulation: {played} runs in all");
}
