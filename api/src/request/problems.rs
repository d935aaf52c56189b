//! What is wrong with a request.

use serde::Serialize;

use crate::error::ApiError;

/// One problem of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where: a path into the body (`contact.phone`, `options[2]`), or the name of a header or
    /// query parameter.
    pub field: String,
    /// What is wrong and what is allowed.
    pub message: String,
}

/// Collects the problems of a request.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Adds one.
    pub fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem {
            field: field.into(),
            message: message.into(),
        });
    }

    /// All that were found.
    #[must_use]
    pub fn list(&self) -> &[Problem] {
        &self.0
    }

    /// Ends the request if anything was found.
    ///
    /// # Errors
    /// A `validation_error` with all of them.
    pub fn settle(&self) -> Result<(), ApiError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(ApiError::validation(self))
        }
    }
}
