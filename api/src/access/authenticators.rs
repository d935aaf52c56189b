//! The kinds of token, tried in turn.

use std::sync::Arc;

use gateway_shared::redis::RedisFailure;

use super::{Caller, KeyCache, Logins, Token};
use crate::error::ApiError;

/// What one kind of authenticator says of a token.
pub(crate) enum Verdict {
    /// It is this caller's.
    Accepted(Arc<Caller>),
    /// It is of this kind, and is unknown, expired, revoked or forged.
    Refused,
    /// It is not of this kind: the next one may know it.
    Foreign,
}

/// It can not be told at the moment whose token it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthFailure {
    /// Redis does not answer.
    #[error(transparent)]
    Redis(#[from] RedisFailure),
    /// The frontend's keys were never learnt.
    #[error("the keys of login tokens can not be fetched")]
    KeysUnreachable,
}

impl From<AuthFailure> for ApiError {
    fn from(failure: AuthFailure) -> Self {
        match failure {
            AuthFailure::Redis(failure) => failure.into(),
            AuthFailure::KeysUnreachable => Self::unavailable(
                "login_keys_unreachable",
                "login tokens can not be verified at the moment",
            ),
        }
    }
}

/// All kinds of token, in the order they are tried.
#[derive(Debug)]
pub(crate) struct Authenticators {
    keys: KeyCache,
    logins: Option<Logins>,
}

impl Authenticators {
    pub(crate) fn new(keys: KeyCache, logins: Option<Logins>) -> Self {
        Self { keys, logins }
    }

    /// The cache of API keys, to be told of changes.
    pub(crate) fn keys(&self) -> &KeyCache {
        &self.keys
    }

    /// The caller whose token this is; `None` = nobody's.
    ///
    /// # Errors
    /// When it can not be told at the moment.
    pub(crate) async fn authenticate(
        &self,
        token: &Token,
    ) -> Result<Option<Arc<Caller>>, AuthFailure> {
        let mut verdict = self.keys.check(token).await?;
        if let (Verdict::Foreign, Some(logins)) = (&verdict, &self.logins) {
            verdict = logins.check(token).await?;
        }
        Ok(match verdict {
            Verdict::Accepted(caller) => Some(caller),
            Verdict::Refused | Verdict::Foreign => None,
        })
    }

    /// Keeps fresh what is known of tokens, for as long as it is polled.
    pub(crate) async fn refresh(&self) {
        match &self.logins {
            Some(logins) => logins.refresh().await,
            None => std::future::pending().await,
        }
    }
}
