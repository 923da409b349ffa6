//! The style sheet, the script and the icon: part of the binary, and kept by browsers for as long
//! as they stay the same.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::problem::{NotFound, Problem};

/// A file that pages refer to.
pub(super) struct Asset {
    name: &'static str,
    kind: &'static str,
    content: &'static str,
    /// Of its content, so that a new version has a new address.
    hash: String,
}

impl Asset {
    fn new(name: &'static str, kind: &'static str, content: &'static str) -> Self {
        let digest = Sha256::digest(content.as_bytes());
        Self { name, kind, content, hash: hex::encode(&digest[..8]) }
    }

    /// Where a page finds it.
    pub(super) fn href(&self) -> String {
        format!("/assets/{}?{}", self.name, self.hash)
    }
}

pub(super) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    let content = include_str!("../../../templates/dashboard/dashboard.css");
    Asset::new("dashboard.css", "text/css; charset=utf-8", content)
});
pub(super) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let content = include_str!("../../../templates/dashboard/dashboard.js");
    Asset::new("dashboard.js", "text/javascript; charset=utf-8", content)
});
pub(super) static ICON: LazyLock<Asset> = LazyLock::new(|| {
    let content = include_str!("../../../templates/dashboard/icon.svg");
    Asset::new("icon.svg", "image/svg+xml", content)
});

/// Answers with the asset, or with nothing where the browser has it.
pub(super) async fn serve(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let known: [&Asset; 3] = [&STYLE, &SCRIPT, &ICON];
    let Some(asset) = known.into_iter().find(|asset| asset.name == name) else {
        return Problem::from(NotFound).into_response();
    };
    let tag = format!("\"{}\"", asset.hash);
    let has_it = headers.get(header::IF_NONE_MATCH).is_some_and(|known| *known == *tag);
    let kept = [
        (header::ETAG, tag),
        // A year; a new version has a new address.
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable".to_owned()),
    ];
    if has_it {
        return (StatusCode::NOT_MODIFIED, kept).into_response();
    }
    (kept, [(header::CONTENT_TYPE, asset.kind)], asset.content).into_response()
}
