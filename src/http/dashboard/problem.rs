//! What is shown when there is nothing to show: not found, not allowed, not now.

use axum::extract::rejection::{FormRejection, PathRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::page::{Frame, Section};
use crate::domain::Right;
use crate::store;

/// A page that says what is the matter, and the way out.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    #[serde(skip)]
    status: StatusCode,
    code: u16,
    title: &'static str,
    message: String,
    advice: &'static str,
    /// Whether the rest of the dashboard can be gone to.
    is_inside: bool,
    /// Whether signing in, perhaps as somebody else, is the way out.
    can_sign_in: bool,
}

/// Nothing has this address.
pub(super) struct NotFound;

impl Problem {
    fn new(status: StatusCode, title: &'static str, message: String, advice: &'static str) -> Self {
        Self {
            status,
            code: status.as_u16(),
            title,
            message,
            advice,
            is_inside: true,
            can_sign_in: false,
        }
    }

    /// Whoever asks is not let in.
    pub(super) fn forbidden() -> Self {
        let message = "Your request came from another machine, through a proxy, or for another \
                       host name. This dashboard has no sign-in and opens only on its own \
                       machine, at localhost or 127.0.0.1."
            .to_owned();
        let advice = "On that machine, open it by the address that Towpath printed when it started. \
                      From elsewhere, forward a port: ssh -L 8080:localhost:8080 <machine>, then \
                      open http://localhost:8080. With GITHUB_APP_CLIENT_SECRET and \
                      TOWPATH_VIEWERS set, people sign in by GitHub.";
        let title = "Only for people at this machine";
        Self { is_inside: false, ..Self::new(StatusCode::FORBIDDEN, title, message, advice) }
    }

    /// There is no App yet.
    pub(super) fn waiting(reason: &str) -> Self {
        let title = "Towpath waits for its GitHub App";
        let advice = "The dashboard is here as soon as the App is registered.";
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        Self { is_inside: false, ..Self::new(unavailable, title, reason.to_owned(), advice) }
    }

    /// The token of the page on which the App is registered is missing, or an old one.
    pub(super) fn no_token() -> Self {
        let message = "This address opens only with the one-time token that Towpath printed when \
                       it was started, and only until its App is registered."
            .to_owned();
        let advice = "Open the whole address that stands in the log, or on the terminal. After a \
                      restart there is a new one.";
        let title = "Only with the one-time token";
        Self { is_inside: false, ..Self::new(StatusCode::FORBIDDEN, title, message, advice) }
    }

    /// Whoever asks may not do this.
    pub(super) fn not_allowed(right: Right) -> Self {
        let message = match right {
            Right::View => "You may not see this dashboard.",
            Right::Run => "You may look, but not start actions.",
            Right::Administer => "This needs an administrator of this Towpath.",
        };
        let advice = "Who may do what is in the service's settings: TOWPATH_VIEWERS, \
                      TOWPATH_RUNNERS and TOWPATH_ADMINS. Ask whoever runs it.";
        let title = "Not allowed";
        let problem = Self::new(StatusCode::FORBIDDEN, title, message.to_owned(), advice);
        // Who may not even look has nowhere to go from here.
        let is_inside = right != Right::View;
        Self { is_inside, can_sign_in: !is_inside, ..problem }
    }

    /// Outside, with the way in.
    fn outside(
        status: StatusCode,
        title: &'static str,
        message: impl Into<String>,
        advice: &'static str,
    ) -> Self {
        let problem = Self::new(status, title, message.into(), advice);
        Self { is_inside: false, can_sign_in: true, ..problem }
    }

    /// Somebody came back from GitHub who was not sent there from here, or long ago.
    pub(super) fn lost_way() -> Self {
        let message = "This sign-in was not begun in this browser, or it took too long.";
        let advice = "Begin it again. Cookies of this site must be allowed.";
        Self::outside(StatusCode::BAD_REQUEST, "The sign-in was lost", message, advice)
    }

    /// GitHub does not say who somebody is, or what they may do.
    pub(super) fn not_signed_in(reason: String) -> Self {
        let title = "GitHub did not take the sign-in";
        Self::outside(
            StatusCode::BAD_GATEWAY,
            title,
            reason,
            "Try again; the service's log may say more.",
        )
    }

    /// What somebody may do cannot be told, so they may not.
    pub(super) fn rights_unknown(reason: String) -> Self {
        let title = "Your rights cannot be looked up";
        let advice = "Nothing is wrong with your session. Try again shortly.";
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, title, reason, advice);
        Self { is_inside: false, ..problem }
    }

    /// Nobody is signed in who could do this.
    pub(super) fn session_ended() -> Self {
        let message = "You are not signed in, or your session has ended. Nothing was done.";
        let advice = "Sign in, and do it once more.";
        Self::outside(StatusCode::UNAUTHORIZED, "Sign in first", message, advice)
    }

    /// Somebody has gone.
    pub(super) fn signed_out() -> Self {
        let message = "This browser has forgotten who you are.";
        let advice = "On GitHub you are still signed in.";
        Self::outside(StatusCode::OK, "You are signed out", message, advice)
    }

    /// A form that was not sent from a page of this session.
    pub(super) fn stale_form() -> Self {
        let message = "This form does not belong to your session. Nothing was done.".to_owned();
        let advice = "Go back, load the page again, and send it once more.";
        Self::new(StatusCode::FORBIDDEN, "The form is out of date", message, advice)
    }

    /// What was sent cannot be used.
    pub(super) fn unusable(reason: String) -> Self {
        let advice = "Go back and correct it.";
        Self::new(StatusCode::BAD_REQUEST, "This cannot be used", reason, advice)
    }

    /// A run that cannot be cancelled.
    pub(super) fn not_cancelled(reason: String) -> Self {
        let title = "This run cannot be cancelled";
        Self::new(StatusCode::CONFLICT, title, reason, "Its page says how it stands now.")
    }

    /// A form that no browser sends.
    pub(super) fn unreadable(error: &FormRejection) -> Self {
        let title = "This form cannot be read";
        Self::new(error.status(), title, error.body_text(), "Go back, and send it once more.")
    }

    /// The database does not take anything at the moment.
    pub(super) fn not_now() -> Self {
        let message = "The database does not answer at the moment.".to_owned();
        let advice = "Nothing is lost. Try again shortly; the service's log says more.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "Not now", message, advice)
    }

    /// A thing that is not, or no longer, known.
    pub(super) fn missing(what: &'static str, name: &str) -> Self {
        let message = format!("There is no {what} “{name}” here.");
        let advice = "It may be spelled differently, or belong to another Towpath.";
        Self::new(StatusCode::NOT_FOUND, "Not found", message, advice)
    }
}

impl From<NotFound> for Problem {
    fn from(NotFound: NotFound) -> Self {
        let message = "Nothing has this address.".to_owned();
        let advice = "Runs, entities and the state of the service can be found from the top.";
        Self::new(StatusCode::NOT_FOUND, "Not found", message, advice)
    }
}

impl From<PathRejection> for Problem {
    /// What is no text (`%FF`) is nobody's name.
    fn from(_: PathRejection) -> Self {
        NotFound.into()
    }
}

impl From<QueryRejection> for Problem {
    fn from(error: QueryRejection) -> Self {
        let advice = "Start again from the list of runs.";
        let title = "This address cannot be read";
        Self::new(StatusCode::BAD_REQUEST, title, error.body_text(), advice)
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "reading for the dashboard");
        if error.is_unavailable() {
            return Self::not_now();
        }
        let message = "What the database holds could not be read.".to_owned();
        let advice = "The service's log says what it was.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Something is broken", message, advice)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let frame = Frame::new("problem.html", self.title, Section::None);
        (self.status, frame.render(&self)).into_response()
    }
}
