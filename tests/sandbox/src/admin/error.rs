//! Errors of the admin API: `{"error":{"code","message"}}`.

use std::sync::Arc;

use axum::Json;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::accounts::Account;
use crate::error::{PairingError, PhoneError, StartError};
use crate::peer::FileError;
use crate::world::World;

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdminError {
    /// The request makes no sense.
    #[error("{0}")]
    BadRequest(String),
    /// What it names does not exist.
    #[error("{0}")]
    NotFound(String),
    #[error("the companion could not be linked: {0}")]
    Pairing(#[from] PairingError),
    #[error("the key could not be changed")]
    Key(#[from] StartError),
    #[error("the phone could not do that")]
    Phone(#[from] PhoneError),
    #[error("{0}")]
    File(#[from] FileError),
}

impl AdminError {
    fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::BadRequest(_)
            | Self::Pairing(PairingError::BadCode(_) | PairingError::BadPhone) => {
                (StatusCode::BAD_REQUEST, "bad_request")
            }
            Self::NotFound(_) | Self::Pairing(PairingError::UnknownCode) => {
                (StatusCode::NOT_FOUND, "not_found")
            }
            Self::Pairing(PairingError::ClientLeft | PairingError::Timeout(_)) => {
                (StatusCode::CONFLICT, "client_gone")
            }
            Self::File(FileError::NoFile | FileError::NotUploaded) => {
                (StatusCode::NOT_FOUND, "not_found")
            }
            Self::File(FileError::Damaged(_) | FileError::OtherHash) => {
                (StatusCode::CONFLICT, "damaged")
            }
            Self::File(FileError::Disk(_)) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
            Self::Pairing(PairingError::PasskeyWanted) => (StatusCode::CONFLICT, "passkey_wanted"),
            Self::Pairing(PairingError::CouldNotLink) => (StatusCode::CONFLICT, "could_not_link"),
            Self::Pairing(PairingError::Crypto(_)) | Self::Phone(_) | Self::Key(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal")
            }
        }
    }
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        let (status, code) = self.status();
        let message = match std::error::Error::source(&self) {
            Some(source) => format!("{self}: {source}"),
            None => self.to_string(),
        };
        (
            status,
            Json(json!({ "error": { "code": code, "message": message } })),
        )
            .into_response()
    }
}

/// The account with this phone number.
pub(super) fn account(world: &World, phone: &str) -> Result<Arc<Account>, AdminError> {
    world
        .accounts
        .by_phone(phone)
        .ok_or_else(|| AdminError::NotFound(format!("no account has the phone number {phone}")))
}

pub(super) async fn unknown_path(method: Method, uri: Uri) -> AdminError {
    AdminError::NotFound(format!("there is no {method} {}", uri.path()))
}

pub(super) async fn wrong_method(method: Method, uri: Uri) -> Response {
    let message = format!("{} does not take {method}", uri.path());
    let body = json!({ "error": { "code": "method_not_allowed", "message": message } });
    (StatusCode::METHOD_NOT_ALLOWED, Json(body)).into_response()
}
