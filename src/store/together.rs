//! What many ask of the database at the same moment, it is asked once. On SQLite, whose readers and
//! one writer are threads of their own, that is what most of a short statement costs.

use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

/// Questions that wait for their turn.
pub(super) struct Together<Q, A> {
    waiting: Mutex<Vec<Asked<Q, A>>>,
    turn: tokio::sync::Mutex<()>,
    most: usize,
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

/// A question that was put, and waits for its answer.
pub(super) struct Put<Q, A> {
    question: Q,
    answered: oneshot::Receiver<A>,
}

/// What comes next for who has put a question.
pub(super) enum Next<'a, Q, A> {
    /// Its answer.
    Answer(A),
    /// The turn to answer all that wait, this one's own among them or among the next.
    Turn(Turn<'a, Q, A>),
}

/// Nobody else has the turn before this is dropped.
pub(super) struct Turn<'a, Q, A> {
    pub(super) asked: Vec<Asked<Q, A>>,
    _turn: tokio::sync::MutexGuard<'a, ()>,
}

impl<Q: Clone, A> Together<Q, A> {
    /// At most so many questions are answered at once.
    pub(super) fn new(most: usize) -> Self {
        Self { waiting: Mutex::default(), turn: tokio::sync::Mutex::default(), most }
    }

    /// Puts a question to those that wait. It is answered while somebody asks for what comes
    /// [`next`](Self::next).
    pub(super) fn put(&self, question: Q) -> Put<Q, A> {
        let answered = self.push(question.clone());
        Put { question, answered }
    }

    /// Waits for the answer, or for the turn to give answers.
    pub(super) async fn next<'a>(&'a self, put: &mut Put<Q, A>) -> Next<'a, Q, A> {
        loop {
            tokio::select! {
                biased;
                answer = &mut put.answered => match answer {
                    Ok(answer) => return Next::Answer(answer),
                    // Whoever had the question went away in the middle.
                    Err(_) => put.answered = self.push(put.question.clone()),
                },
                turn = self.turn.lock() => {
                    // Whoever is about to ask asks now.
                    tokio::task::yield_now().await;
                    return Next::Turn(Turn { asked: self.take(), _turn: turn });
                }
            }
        }
    }

    fn push(&self, question: Q) -> oneshot::Receiver<A> {
        let (answer, answered) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(Asked { question, answer });
        answered
    }

    fn take(&self) -> Vec<Asked<Q, A>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.len().min(self.most);
        waiting.drain(..count).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// Asks for the double of a number, and notes how many were answered in each turn.
    async fn double(together: &Together<u32, u32>, n: u32, turns: &RefCell<Vec<usize>>) -> u32 {
        let mut put = together.put(n);
        loop {
            match together.next(&mut put).await {
                Next::Answer(answer) => return answer,
                Next::Turn(turn) => {
                    tokio::task::yield_now().await;
                    turns.borrow_mut().push(turn.asked.len());
                    for asked in turn.asked {
                        let twice = asked.question * 2;
                        asked.answer(twice);
                    }
                }
            }
        }
    }

    #[tokio::test]
    async fn those_who_wait_are_answered_together_and_so_many_at_most() {
        let (together, turns) = (Together::new(3), RefCell::default());
        let asked = (1..=7).map(|n| double(&together, n, &turns));
        let answers = futures_util::future::join_all(asked).await;
        assert_eq!(answers, [2, 4, 6, 8, 10, 12, 14]);
        assert_eq!(turns.into_inner(), [3, 3, 1]);
    }

    #[tokio::test]
    async fn a_question_is_put_again_when_who_had_it_goes_away() {
        let together: Together<u32, u32> = Together::new(8);
        let (mut one, mut other) = (together.put(1), together.put(2));
        let Next::Turn(turn) = together.next(&mut one).await else { panic!("nobody answers") };
        assert_eq!(turn.asked.len(), 2);
        drop(turn);
        let Next::Turn(turn) = together.next(&mut other).await else { panic!("nobody answers") };
        assert_eq!(turn.asked.iter().map(|asked| asked.question).collect::<Vec<_>>(), [2]);
    }
}
