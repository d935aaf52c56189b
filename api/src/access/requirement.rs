//! What a route asks of its callers.

use std::fmt;

use gateway_shared::apikey::Capability;

/// What a route asks of its callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Requirement {
    /// Not even a token.
    Nothing,
    /// One of these capabilities.
    AnyOf(&'static [Capability]),
    /// To be an operator of the installation (`super_admin`).
    Operator,
}

/// The role that operators have, and what a refusal names.
pub(crate) const OPERATOR: &str = "super_admin";

impl<const N: usize> From<&'static [Capability; N]> for Requirement {
    fn from(any_of: &'static [Capability; N]) -> Self {
        Self::AnyOf(any_of)
    }
}

impl Requirement {
    /// The names of what satisfies it.
    pub(crate) fn names(self) -> Vec<&'static str> {
        match self {
            Self::Nothing => Vec::new(),
            Self::AnyOf(any_of) => any_of.iter().map(|one| one.as_str()).collect(),
            Self::Operator => vec![OPERATOR],
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("-"),
            _ => f.write_str(&self.names().join("|")),
        }
    }
}
