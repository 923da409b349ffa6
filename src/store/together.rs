//! What many ask of the database at the same moment, it is asked once. On SQLite, whose readers and
//! one writer are threads of their own, that is what most of a short statement costs.

use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

/// How many questions are answered at once: enough to make the disk's wait small for each, few
/// enough that nobody waits for long.
const MOST: usize = 64;

/// Whoever has it answers the questions that wait.
pub(super) type Turn = tokio::sync::Mutex<()>;

/// Questions that wait for their answers.
pub(super) struct Queue<Q, A> {
    waiting: Mutex<Vec<Asked<Q, A>>>,
}

/// A question, and where its answer goes.
pub(super) struct Asked<Q, A> {
    pub(super) question: Q,
    answer: oneshot::Sender<A>,
}

impl<Q, A> Asked<Q, A> {
    /// Answers it.
    pub(super) fn answer(self, answer: A) {
        let _asker_went_away = self.answer.send(answer);
    }
}

impl<Q, A> Default for Queue<Q, A> {
    fn default() -> Self {
        Self { waiting: Mutex::default() }
    }
}

impl<Q: Clone, A> Queue<Q, A> {
    /// Puts a question to those that wait, and answers what it is answered. `answer_those` is called
    /// when it is this one's turn: it answers those that wait then, this one among them or among the
    /// next.
    pub(super) async fn ask<F: Future<Output = ()>>(
        &self,
        question: Q,
        turn: &Turn,
        answer_those: impl Fn() -> F,
    ) -> A {
        let mut answered = self.put(question.clone());
        loop {
            tokio::select! {
                biased;
                answer = &mut answered => match answer {
                    Ok(answer) => return answer,
                    // Whoever had the question went away in the middle.
                    Err(_) => answered = self.put(question.clone()),
                },
                _turn = turn.lock() => {
                    // Whoever is about to ask asks now.
                    tokio::task::yield_now().await;
                    answer_those().await;
                }
            }
        }
    }

    fn put(&self, question: Q) -> oneshot::Receiver<A> {
        let (answer, answered) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(Asked { question, answer });
        answered
    }
}

impl<Q, A> Queue<Q, A> {
    /// Takes those that have waited longest.
    pub(super) fn take(&self) -> Vec<Asked<Q, A>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.len().min(MOST);
        waiting.drain(..count).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn those_who_wait_are_answered_together_and_so_many_at_most() {
        let (queue, turn, turns) = (Queue::default(), Turn::default(), RefCell::new(Vec::new()));
        let double_those = || async {
            let those: Vec<Asked<usize, usize>> = queue.take();
            tokio::task::yield_now().await;
            turns.borrow_mut().push(those.len());
            for asked in those {
                let twice = asked.question * 2;
                asked.answer(twice);
            }
        };
        let count = 2 * MOST + 1;
        let answers = join_all((0..count).map(|n| queue.ask(n, &turn, double_those))).await;
        assert_eq!(answers, (0..count).map(|n| n * 2).collect::<Vec<_>>());
        assert_eq!(turns.into_inner(), [MOST, MOST, 1]);
    }

    #[tokio::test]
    async fn a_question_is_put_again_when_who_had_it_goes_away() {
        let (queue, turn, taken) = (Queue::<u32, u32>::default(), Turn::default(), RefCell::new(0));
        let take_and_stay = || async {
            let those = queue.take();
            *taken.borrow_mut() += those.len();
            std::future::pending::<()>().await;
            drop(those);
        };
        let take_and_answer = || async {
            for asked in queue.take() {
                let twice = asked.question * 2;
                asked.answer(twice);
            }
        };
        let mut other = std::pin::pin!(queue.ask(2, &turn, take_and_answer));
        {
            let mut one = std::pin::pin!(queue.ask(1, &turn, take_and_stay));
            assert!(futures_util::poll!(&mut one).is_pending());
            while *taken.borrow() < 2 {
                assert!(futures_util::poll!(&mut other).is_pending());
                assert!(futures_util::poll!(&mut one).is_pending());
            }
        }
        assert_eq!(other.await, 4);
    }
}
