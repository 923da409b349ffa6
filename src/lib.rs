//! Towpath: a self-hosted GitHub App that turns a button press in a developer portal into a
//! reviewed change or a workflow run on GitHub, and tells the portal what became of it.
//!
//! ```text
//! portal: webhook, Kafka, polling ─┐                                          ┌─► GitHub
//!                                  ├─► intake ─► store ─► plan ─► store ─► effects
//! GitHub: webhook, sweep ──────────┘   prove     delivery decide   steps      └─► portal
//!          ▲                           parse              (pure)      one step │
//!          └──────────── the answer comes back by the same door ───────────────┘
//! ```
//!
//! A message comes in, is proved, and is written down. A pure function decides. Small steps that
//! can be repeated act. What the world answers comes in by the same door. `docs/ARCHITECTURE.md`
//! has the invariants and two walkthroughs.

pub mod agent;
pub mod cli;
pub mod clock;
pub mod config;
pub mod doctor;
pub mod domain;
pub mod effects;
pub mod github;
pub mod http;
pub mod intake;
pub mod lifecycle;
pub mod listener;
pub mod plan;
pub mod portal;
pub mod sandbox;
pub mod seal;
pub mod source;
pub mod store;
pub mod telemetry;
pub mod template;
pub mod worker;

/// For the program, its tests and its benches alike.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
