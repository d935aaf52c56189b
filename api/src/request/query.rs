//! Query parameters.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use axum::http::Uri;

use super::Problems;

/// The query parameters of a request. Unknown ones are ignored; of one given twice the last
/// counts, except where all are asked for.
#[derive(Debug)]
pub(crate) struct Query<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

/// Entries a page unless the client says otherwise, and the most it may ask for.
const PAGE: usize = 50;
const LARGEST_PAGE: usize = 200;

impl<'a> Query<'a> {
    pub(crate) fn of(uri: &'a Uri) -> Self {
        let pairs = uri.query().map_or_else(Vec::new, |query| {
            form_urlencoded::parse(query.as_bytes()).collect()
        });
        Self { pairs }
    }

    /// The value of a parameter that is given and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.given(name).filter(|value| !value.is_empty())
    }

    /// Every value of a parameter, also those with commas between them.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.pairs
            .iter()
            .filter(move |(key, _)| key == name)
            .flat_map(|(_, value)| value.split(','))
            .map(str::trim)
            .filter(|value| !value.is_empty())
    }

    /// `true` or `false`; `false` where it is not given. `?async` alone is no value.
    pub(crate) fn flag(&self, problems: &mut Problems, name: &str) -> bool {
        match self.given(name) {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => {
                problems.add(name, "must be true or false");
                false
            }
        }
    }

    /// The value of a parameter that is given, be it empty.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().rev().find(|(key, _)| key == name)?;
        Some(found.1.as_ref())
    }

    /// A parameter that is read as something else. An empty one is not left out.
    pub(crate) fn parsed<T>(&self, problems: &mut Problems, name: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        self.given(name)?
            .parse()
            .map_err(|error: T::Err| problems.add(name, error.to_string()))
            .ok()
    }

    /// `limit` of a list.
    pub(crate) fn limit(&self, problems: &mut Problems) -> usize {
        let Some(text) = self.given("limit") else {
            return PAGE;
        };
        match text.parse() {
            Ok(limit) if (1..=LARGEST_PAGE).contains(&limit) => limit,
            _ => {
                problems.add(
                    "limit",
                    format!("must be a whole number from 1 to {LARGEST_PAGE}"),
                );
                PAGE
            }
        }
    }
}
