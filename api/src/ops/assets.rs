//! Style and script, in the binary, under names that change with their content.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::Failure;

const STYLE: &str = include_str!("assets/ops.css");
const SCRIPT: &str = include_str!("assets/ops.js");

fn named(content: &str, ending: &str) -> String {
    let hash = hex::encode(Sha256::digest(content));
    format!("ops-{}.{ending}", hash.get(..12).unwrap_or_default())
}

/// The style's name.
pub(super) static STYLE_NAME: LazyLock<String> = LazyLock::new(|| named(STYLE, "css"));
/// The script's name.
pub(super) static SCRIPT_NAME: LazyLock<String> = LazyLock::new(|| named(SCRIPT, "js"));

/// `GET /ops/assets/{name}`.
pub(super) async fn serve(Path(name): Path<String>) -> Result<Response, Failure> {
    let (kind, content) = if name == *STYLE_NAME {
        ("text/css; charset=utf-8", STYLE)
    } else if name == *SCRIPT_NAME {
        ("text/javascript; charset=utf-8", SCRIPT)
    } else {
        return Err(Failure::missing("file"));
    };
    let headers = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((headers, content).into_response())
}
