//! A form that was sent by somebody who meant it: from a page of this dashboard, in this session.

use axum::RequestExt as _;
use axum::extract::{Form, FromRequest, Request};
use axum::http::{HeaderMap, header};

use super::DashboardState;
use super::form::Typed;
use super::problem::Problem;
use super::visitor::Visitor;

/// The field that carries the proof.
pub(super) const TOKEN: &str = "form_token";

/// The largest form, in bytes. All inputs of an action together may have 256 KiB, and percent signs
/// make three of one.
pub(super) const LARGEST: usize = 1024 * 1024;

/// Who has sent it, and what.
pub(super) struct Submitted {
    /// Who.
    pub(super) visitor: Visitor,
    /// What.
    pub(super) typed: Typed,
}

impl FromRequest<DashboardState> for Submitted {
    type Rejection = Problem;

    async fn from_request(mut request: Request, state: &DashboardState) -> Result<Self, Problem> {
        let visitor: Visitor = request.extract_parts_with_state(state).await?;
        let is_ours = !comes_from_elsewhere(request.headers());
        let Form(sent) = Form::<Vec<(String, String)>>::from_request(request, state)
            .await
            .map_err(|error| Problem::unreadable(&error))?;
        let typed = Typed::new(sent);
        if !is_ours || !state.cookie_key.is_form_token(&visitor.session, typed.one(TOKEN)) {
            return Err(Problem::stale_form());
        }
        Ok(Self { visitor, typed })
    }
}

/// Browsers say from where a form comes. Old ones do not: for them the token stands alone.
fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site != "same-origin";
    }
    let (Some(origin), Some(host)) = (headers.get(header::ORIGIN), headers.get(header::HOST))
    else {
        return false;
    };
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    origin.is_none_or(|(_, origin)| host != origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_of_another_site_is_told_by_what_the_browser_says() {
        let from_elsewhere = |named: &[(&'static str, &'static str)]| {
            let headers = named.iter().map(|(name, value)| {
                (header::HeaderName::from_static(name), header::HeaderValue::from_static(value))
            });
            comes_from_elsewhere(&headers.collect())
        };
        assert!(!from_elsewhere(&[("sec-fetch-site", "same-origin")]));
        assert!(from_elsewhere(&[("sec-fetch-site", "cross-site")]));
        assert!(from_elsewhere(&[("sec-fetch-site", "same-site")]));
        assert!(!from_elsewhere(&[
            ("origin", "https://towpath.example"),
            ("host", "towpath.example")
        ]));
        assert!(from_elsewhere(&[("origin", "https://evil.example"), ("host", "towpath.example")]));
        assert!(from_elsewhere(&[("origin", "null"), ("host", "towpath.example")]));
        assert!(!from_elsewhere(&[("host", "towpath.example")]));
    }
}
