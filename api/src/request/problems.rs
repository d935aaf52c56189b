//! What is wrong with a request.

use serde::Serialize;

use crate::error::ApiError;

/// Most problems of a request that are reported. What is over is counted.
const MOST: usize = 100;
/// Most characters of a field's path in a problem: it may hold a name that the caller made up.
const PATH: usize = 200;

/// One problem of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where: a path into the body (`contact.phone`, `options[2]`), or the name of a header or
    /// query parameter.
    pub field: String,
    /// What is wrong and what is allowed.
    pub message: String,
}

/// Collects the problems of a request: the first 100 are reported, the others counted.
#[derive(Debug)]
pub struct Problems {
    list: Vec<Problem>,
    most: usize,
    omitted: usize,
}

impl Default for Problems {
    fn default() -> Self {
        Self::at_most(MOST)
    }
}

impl Problems {
    /// Reports at most so many, and never more than 100.
    #[must_use]
    pub fn at_most(most: usize) -> Self {
        Self {
            list: Vec::new(),
            most: most.min(MOST),
            omitted: 0,
        }
    }

    /// Adds one.
    pub fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        if self.list.len() >= self.most {
            self.omitted += 1;
            return;
        }
        self.list.push(Problem {
            field: shortened(field.into()),
            message: message.into(),
        });
    }

    /// Those that are reported.
    #[must_use]
    pub fn list(&self) -> &[Problem] {
        &self.list
    }

    /// How many more there are.
    #[must_use]
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    /// Counts so many more that are not reported.
    pub(crate) fn omit(&mut self, more: usize) {
        self.omitted += more;
    }

    /// Ends the request if anything was found.
    ///
    /// # Errors
    /// A `validation_error` with all of them.
    pub fn settle(&self) -> Result<(), ApiError> {
        if self.list.is_empty() {
            Ok(())
        } else {
            Err(ApiError::validation(self))
        }
    }
}

/// A path that is no longer than anybody reads.
fn shortened(mut path: String) -> String {
    if let Some((end, _)) = path.char_indices().nth(PATH) {
        path.truncate(end);
        path.push('…');
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_problems_are_told_and_the_others_counted() {
        let mut problems = Problems::default();
        assert!(problems.settle().is_ok());
        for index in 0..1_000 {
            problems.add(format!("f{index}"), "is unknown");
        }
        problems.add("x".repeat(1 << 20), "is unknown");
        assert_eq!((problems.list().len(), problems.omitted()), (100, 901));
        let mut problems = Problems::default();
        problems.add("é".repeat(1 << 20), "is unknown");
        assert_eq!(problems.list()[0].field.chars().count(), PATH + 1);
    }
}
