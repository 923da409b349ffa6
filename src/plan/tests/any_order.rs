//! Whatever is seen, in whatever order, nothing moves backwards.

use super::*;

proptest! {
    /// Whatever is seen, in whatever order and however often: the portal gets one end at most, it
    /// is the last thing that it gets, and the run keeps it.
    #[test]
    fn a_run_ends_once(first in any::<bool>(), seen in prop::collection::vec(anything(), 0..25)) {
        let mut run = if first { workflow() } else { change(by_workflow()) };
        let mut ended = None;
        for seen in seen {
            let mut decisions = vec![outcome(run.clone(), &seen, NOW)];
            while let Some(decision) = decisions.pop() {
                run = decision.run.clone();
                for step in &decision.steps {
                    let ends = matches!(step, Step::End(_));
                    let reports = ends || matches!(step, Step::Progress(_));
                    prop_assert!(!(reports && ended.is_some()), "{step:?} after the end");
                    if ends {
                        ended = Some((run.status, run.label.clone()));
                    }
                    if let Step::Upsert(_) = step {
                        decisions.push(answered(run.clone(), &Answer::Catalog(Ok(())), NOW));
                    }
                    if let Step::Explain(explain) = step {
                        let answer = Answer::Explained { explanation: Explanation::default(), then: explain.then };
                        decisions.push(answered(run.clone(), &answer, NOW));
                    }
                }
            }
            prop_assert_eq!(run.status.is_end(), ended.is_some());
            if let Some(ended) = &ended {
                prop_assert_eq!(&(run.status, run.label.clone()), ended);
            }
        }
    }

    /// The same thing seen twice in a row does nothing the second time.
    #[test]
    fn what_is_seen_twice_is_done_once(seen in prop::collection::vec(anything(), 1..15)) {
        let mut run = change(by_workflow());
        for seen in seen {
            run = outcome(run, &seen, NOW).run;
            let again = outcome(run.clone(), &seen, NOW);
            prop_assert!(again.steps.is_empty() && again.events.is_empty(), "{:?}", again.steps);
            prop_assert_eq!(again.run, run.clone());
        }
    }
}
