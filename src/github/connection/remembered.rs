//! What GitHub has answered, by what was asked. Asked again with the tag of that answer, GitHub says
//! only that nothing has changed (304), which is taken from no budget.
//! <https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api>

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::header::ETAG;
use http::{HeaderValue, StatusCode};

use super::answer::Answer;

/// How many bytes are kept in all. A page of a hundred workflow runs is about a megabyte.
const MOST: usize = 32 << 20;

/// Answers that may be asked for again. Each account's are its own.
#[derive(Debug, Default)]
pub(super) struct Remembered(Mutex<Kept>);

/// Account, in lower case, and path.
type Key = (String, String);

#[derive(Debug, Default)]
struct Kept {
    answers: HashMap<Key, (HeaderValue, Bytes)>,
    /// The longest kept first.
    order: VecDeque<Key>,
    bytes: usize,
}

impl Remembered {
    /// The tag of what was answered last.
    pub(super) fn tag(&self, owner: &str, path: &str) -> Option<HeaderValue> {
        self.kept().answers.get(&key(owner, path)).map(|(tag, _)| tag.clone())
    }

    /// The answer as it is now: what was remembered, where nothing has changed. `None` where that has
    /// been forgotten meanwhile.
    pub(super) fn complete(&self, owner: &str, path: &str, mut answer: Answer) -> Option<Answer> {
        let key = key(owner, path);
        let mut kept = self.kept();
        if answer.status == StatusCode::NOT_MODIFIED {
            answer.body = kept.answers.get(&key)?.1.clone();
            answer.status = StatusCode::OK;
            return Some(answer);
        }
        kept.forget(&key);
        if let Some(tag) = answer.headers.get(ETAG) {
            kept.keep(key, tag.clone(), answer.body.clone());
        }
        Some(answer)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn keep(&mut self, key: Key, tag: HeaderValue, body: Bytes) {
        self.bytes += body.len();
        self.answers.insert(key.clone(), (tag, body));
        self.order.push_back(key);
        while self.bytes > MOST
            && let Some(oldest) = self.order.front().cloned()
        {
            self.forget(&oldest);
        }
    }

    fn forget(&mut self, key: &Key) {
        if let Some((_, body)) = self.answers.remove(key) {
            self.bytes -= body.len();
            self.order.retain(|other| other != key);
        }
    }
}

fn key(owner: &str, path: &str) -> Key {
    (owner.to_ascii_lowercase(), path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    fn answer(status: StatusCode, tag: &'static str, body: Bytes) -> Answer {
        let headers = HeaderMap::from_iter([(ETAG, HeaderValue::from_static(tag))]);
        Answer { status, headers, body }
    }

    #[test]
    fn an_unchanged_answer_is_the_one_of_the_same_account_and_path() {
        let remembered = Remembered::default();
        let first = answer(StatusCode::OK, "\"1\"", Bytes::from_static(b"one"));
        remembered.complete("Acme", "/a", first).unwrap();
        assert_eq!(remembered.tag("acme", "/a").unwrap(), "\"1\"");
        assert_eq!(remembered.tag("other", "/a"), None);
        assert_eq!(remembered.tag("acme", "/b"), None);
        let same = || answer(StatusCode::NOT_MODIFIED, "\"1\"", Bytes::new());
        let known = remembered.complete("acme", "/a", same()).unwrap();
        assert_eq!((known.status, &known.body[..]), (StatusCode::OK, &b"one"[..]));
        assert!(remembered.complete("other", "/a", same()).is_none());
    }

    #[test]
    fn what_was_kept_longest_makes_room() {
        let remembered = Remembered::default();
        let large = || Bytes::from(vec![b' '; MOST / 2]);
        for path in ["/a", "/b", "/a", "/c"] {
            remembered.complete("acme", path, answer(StatusCode::OK, "\"1\"", large())).unwrap();
        }
        assert_eq!(remembered.tag("acme", "/b"), None);
        assert!(remembered.tag("acme", "/a").is_some() && remembered.tag("acme", "/c").is_some());
    }
}
