//! The names of the account that sends.

/// The account that sends, by both of its names. Only votes, edits and quotations say them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Own {
    /// By number: `6281234567890@s.whatsapp.net`.
    pub number: Option<String>,
    /// By LID: `123456789@lid`.
    pub lid: Option<String>,
    /// Whether the chat that is written to names people by LID.
    pub by_lid: bool,
}

impl Own {
    /// How the chat names the account.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.by(self.by_lid)
    }

    /// The name in the name space of this other name: who answers somebody named by LID is named
    /// by LID.
    #[must_use]
    pub fn name_beside(&self, other: &str) -> Option<&str> {
        self.by(other.ends_with("@lid"))
    }

    fn by(&self, lid: bool) -> Option<&str> {
        let (first, second) = if lid {
            (&self.lid, &self.number)
        } else {
            (&self.number, &self.lid)
        };
        first.as_deref().or(second.as_deref())
    }
}

/// Names are personal data: logs do not show them.
impl std::fmt::Debug for Own {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Own")
            .field("by_lid", &self.by_lid)
            .finish_non_exhaustive()
    }
}
