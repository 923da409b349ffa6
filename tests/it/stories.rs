//! Stories through the front door: a button is pressed, and it is looked at what became of it on
//! GitHub, in the portal and in the catalog.

pub(crate) mod agent;
mod cancel;
mod cancel_parts;
mod closed_firewall;
mod counts;
mod day2;
mod deadlines;
mod embedded_portal;
mod exactly_once;
mod faults;
mod guardrails;
mod limits;
mod lost_deliveries;
mod messages;
mod own_check;
mod parts;
mod parts_order;
mod poison;
mod portal;
mod pull_requests;
mod queue;
mod render_again;
mod repositories;
mod restarts;
mod sign_in;
mod sweep;
mod templates;
mod workflows;
