//! What the whole makes of its parts, whatever they tell and in whatever order.

use super::*;
use crate::domain::parts::{PartFacts, PartOf, PartReport, PartState, PartsWork};
use crate::plan::{
    Checked, Refusal, begin_part, cancel, cannot_be_cancelled, checked, heard, withdraw,
};

const TARGETS: [&str; 3] = ["infra", "config", "docs"];

/// A run of so many parts, none of which was looked at.
fn whole(parts: usize) -> Run {
    let Some(Work::PullRequest(work)) = change(by_workflow()).work else { unreachable!() };
    let facts = |place: usize| PartFacts {
        run: RunId::new("r_1").unwrap().part(place),
        target: TargetName::new(TARGETS[place]).unwrap(),
        repository: repository(),
        makes_repository: false,
        has_begun: false,
        is_told_to_cancel: false,
        heard: 0,
        state: PartState::received(),
    };
    run(Work::Parts(Box::new(PartsWork {
        template: work.template,
        context: work.context,
        context_of: None,
        entity: work.entity,
        parts: (0..parts).map(facts).collect(),
        outputs: Map::new(),
        outputs_awaited: 0,
    })))
}

/// A part that has begun and has nothing on GitHub yet.
fn part(place: usize) -> Run {
    let mut run = change(by_workflow());
    let Some(Work::PullRequest(work)) = &mut run.work else { unreachable!() };
    work.entity = None;
    work.pull_request = None;
    work.part = Some(PartOf {
        whole: run.id.clone(),
        target: TargetName::new(TARGETS[place]).unwrap(),
        has_begun: false,
        told: 0,
    });
    run.id = run.id.part(place);
    run.stage = Stage::Received;
    "Received".clone_into(&mut run.label);
    run.links.clear();
    begin_part(run, NOW).run
}

fn fine(parts: usize) -> Vec<Checked> {
    (0..parts).map(|place| Checked::Fine { path: place.to_string() }).collect()
}

/// The whole and its parts, and everything that came of them.
struct Play {
    whole: Run,
    parts: Vec<Run>,
    /// What the parts told.
    told: Vec<PartReport>,
    /// What the whole had done.
    done: Vec<Step>,
}

impl Play {
    fn of(parts: usize) -> Self {
        let begun = checked(whole(parts), fine(parts), NOW);
        assert_eq!(begun.others.len(), parts, "all begin");
        let mut play = Self {
            whole: begun.run,
            parts: (0..parts).map(part).collect(),
            told: Vec::new(),
            done: Vec::new(),
        };
        for place in 0..parts {
            let opened = open(play.parts[place].clone());
            play.take(place, opened);
        }
        play
    }

    /// Takes in what was decided for a part.
    fn take(&mut self, place: usize, decision: Decision) {
        self.parts[place] = decision.run.clone();
        assert!(
            !decision.steps.iter().any(|step| matches!(step, Step::Progress(_) | Step::End(_)))
        );
        for (other, step) in decision.others {
            assert_eq!(other, self.whole.id);
            let Step::Hear(report) = step else { panic!("{step:?}") };
            self.told.push(*report.clone());
            self.hear(&report);
        }
        for step in decision.steps {
            if let Step::Explain(explain) = step {
                let explanation = Explanation::default();
                let answer = Answer::Explained { explanation, then: explain.then };
                let explained = answered(self.parts[place].clone(), &answer, NOW);
                self.take(place, explained);
            }
        }
    }

    fn hear(&mut self, report: &PartReport) {
        let heard = heard(self.whole.clone(), report, NOW);
        self.whole = heard.run.clone();
        self.done.extend(heard.steps.iter().cloned());
        for _ in heard.steps.iter().filter(|step| matches!(step, Step::Upsert(_))) {
            let told = answered(self.whole.clone(), &Answer::Catalog(Ok(())), NOW);
            self.whole = told.run;
            self.done.extend(told.steps);
        }
        for (_, step) in heard.others {
            assert_eq!(step, Step::Withdraw);
        }
    }

    fn see(&mut self, place: usize, seen: &Observation) {
        let decision = outcome(self.parts[place].clone(), seen, NOW);
        self.take(place, decision);
    }

    fn apply(&mut self, place: usize) {
        self.see(place, &Observation::PullRequest(pull_request(PullRequestState::Merged)));
        self.see(place, &file_run("apply.yml", 40, 'c', "completed", Some("success")));
    }

    fn count(&self, is_it: fn(&Step) -> bool) -> usize {
        self.done.iter().filter(|step| is_it(step)).count()
    }
}

#[test]
fn the_label_counts_and_the_entity_comes_once_and_last() {
    let mut play = Play::of(2);
    assert_eq!(play.whole.label, "Waiting for review: 0 of 2 merged");
    play.see(1, &Observation::PullRequest(pull_request(PullRequestState::Merged)));
    assert_eq!(play.whole.label, "Waiting for review: 1 of 2 merged");
    play.apply(1);
    assert_eq!(play.whole.label, "Waiting for review: 1 of 2 merged");
    play.see(0, &Observation::PullRequest(pull_request(PullRequestState::Merged)));
    assert_eq!(play.whole.label, "Applying: 1 of 2 applied");
    assert_eq!(play.count(|step| matches!(step, Step::Upsert(_))), 0);
    play.apply(0);
    assert_eq!((play.whole.status, play.whole.label.as_str()), (Status::Success, "Applied"));
    assert_eq!(play.count(|step| matches!(step, Step::Upsert(_))), 1);
}

#[test]
fn one_refusal_refuses_all_and_nobody_begins() {
    let mut found = fine(2);
    found.push(Checked::Refused(Refusal::because("It exists already.")));
    let refused = checked(whole(3), found, NOW);
    assert_eq!((refused.run.status, refused.run.stage), (Status::Failure, Stage::Refused));
    assert!(refused.events[0].message.contains("It exists already."));
    assert_eq!(refused.others.len(), 3);
    assert!(refused.others.iter().all(|(_, step)| *step == Step::Withdraw));
    let Some(Work::PullRequest(mut work)) = part(0).work else { unreachable!() };
    work.part.as_mut().unwrap().has_begun = false;
    let idle = Run { work: Some(Work::PullRequest(work)), ..part(0) };
    assert!(withdraw(idle, NOW).run.status.is_end());
    assert!(!withdraw(part(0), NOW).run.status.is_end(), "it has begun");
}

#[test]
fn two_targets_that_are_one_folder_are_refused() {
    let same = || Checked::Fine { path: "x".to_owned() };
    let refused = checked(whole(2), vec![same(), same()], NOW);
    assert!(refused.events[0].message.contains("config is the same folder"), "{refused:?}");
}

#[test]
fn new_repositories_come_first() {
    let mut run = whole(3);
    let Some(Work::Parts(work)) = &mut run.work else { unreachable!() };
    work.parts[1].makes_repository = true;
    let begun = checked(run, fine(3), NOW);
    assert_eq!(begun.others, [(begun.run.id.part(1), Step::BeginPart)]);
    let landed = PartReport {
        run: begun.run.id.part(1),
        number: 1,
        repository: repository(),
        state: PartState { has_landed: true, stage: Stage::Merged, ..PartState::received() },
        links: None,
        events: Vec::new(),
        context: None,
    };
    let rest = heard(begun.run.clone(), &landed, NOW);
    let whose: Vec<_> = rest.others.iter().map(|(other, _)| other.clone()).collect();
    assert_eq!(whose, [begun.run.id.part(0), begun.run.id.part(2)]);
    let failed = PartReport {
        state: PartState { status: Status::Failure, stage: Stage::Failed, ..PartState::received() },
        ..landed
    };
    let ended = heard(begun.run, &failed, NOW);
    assert_eq!(ended.run.status, Status::Failure);
    assert!(ended.others.iter().all(|(_, step)| *step == Step::Withdraw));
    assert_eq!(ended.others.len(), 2);
}

proptest! {
    /// Whatever is seen of the parts, in whatever order, and whatever they say again: the portal gets
    /// one end at most, it is the last thing that it gets, and the catalog is told once, when
    /// everything is applied.
    #[test]
    fn the_whole_ends_once(
        parts in 1..4usize,
        seen in prop::collection::vec((0..3usize, anything(), any::<prop::sample::Index>()), 0..40),
    ) {
        let mut play = Play::of(parts);
        for (place, seen, again) in seen {
            play.see(place % parts, &seen);
            let before = (play.whole.clone(), play.done.len());
            let repeated = play.told[again.index(play.told.len())].clone();
            play.hear(&repeated);
            prop_assert_eq!((&play.whole, play.done.len()), (&before.0, before.1));
        }
        for place in 0..parts {
            prop_assert!(play.count(|step| matches!(step, Step::Upsert(_))) <= 1);
            play.apply(place);
        }
        prop_assert_eq!(play.count(|step| matches!(step, Step::Upsert(_))), 1);
        prop_assert!(play.whole.status.is_end());
        prop_assert_eq!(play.count(|step| matches!(step, Step::End(_))), 1);
        let is_report = |step: &&Step| matches!(step, Step::Progress(_) | Step::End(_));
        let last = play.done.iter().rev().find(is_report);
        prop_assert!(matches!(last, Some(Step::End(_))), "{:?} after the end", last);
    }

    /// In which order the parts come to their good ends does not matter.
    #[test]
    fn the_order_of_good_ends_does_not_matter(order in Just(vec![0, 1, 2]).prop_shuffle()) {
        let mut play = Play::of(3);
        for place in order {
            prop_assert_eq!(play.whole.status, Status::InProgress);
            play.apply(place);
        }
        prop_assert_eq!((play.whole.status, play.whole.label.as_str()), (Status::Success, "Applied"));
    }
    /// Somebody cancels it, and asks twice, when some parts are merged. What becomes of one may be known
    /// before another has heard of it: the run ends when it is known of all.
    #[test]
    fn a_cancelled_whole_ends_when_it_is_known_what_became_of_every_part(
        is_merged in prop::collection::vec(any::<bool>(), 3),
        order in Just(vec![0, 1, 2]).prop_shuffle(),
    ) {
        let mut play = Play::of(3);
        let merge = Observation::PullRequest(pull_request(PullRequestState::Merged));
        for place in (0..3).filter(|place| is_merged[*place]) {
            play.see(place, &merge);
        }
        let all_merged = is_merged.iter().all(|it| *it);
        prop_assert_eq!(cannot_be_cancelled(&play.whole).is_some(), all_merged);
        let cancelled = cancel(play.whole.clone(), "jane", NOW);
        prop_assert_eq!(cancelled.others.len(), if all_merged { 0 } else { 3 });
        play.whole = cancelled.run;
        play.done.extend(cancelled.steps);
        if !all_merged {
            let again = cancel(play.whole.clone(), "jane", NOW);
            prop_assert!(again.others.is_empty() && again.events.is_empty());
        }
        for place in order.iter().copied().filter(|_| !all_merged) {
            prop_assert_eq!(play.whole.status, Status::InProgress);
            let decision = cancel(play.parts[place].clone(), "jane", NOW);
            play.take(place, decision);
            if !is_merged[place] {
                play.see(place, &Observation::PullRequest(pull_request(PullRequestState::Closed)));
            }
        }
        for place in order.into_iter().filter(|place| is_merged[*place]) {
            prop_assert_eq!(play.whole.status, Status::InProgress);
            play.apply(place);
        }
        let end = if all_merged { "Applied" } else { "Cancelled" };
        prop_assert_eq!(play.whole.label.as_str(), end);
        prop_assert_eq!(play.count(|step| matches!(step, Step::End(_))), 1);
        let upserts = play.count(|step| matches!(step, Step::Upsert(_)));
        prop_assert_eq!(upserts, usize::from(all_merged));
    }
}
