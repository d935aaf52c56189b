//! Lists as the contract gives them.

use schemars::JsonSchema;
use serde::Serialize;

/// One page of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "{T}Page")]
pub(crate) struct Page<T> {
    /// The entries.
    pub(crate) data: Vec<T>,
    /// What to ask for the next page with (`?cursor=`); empty on the last one.
    pub(crate) next_cursor: String,
}

impl<T> Page<T> {
    /// All there is, in one page.
    pub(crate) fn only(data: Vec<T>) -> Self {
        Self {
            data,
            next_cursor: String::new(),
        }
    }
}
