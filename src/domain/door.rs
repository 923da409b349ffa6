//! The ways in: by which messages reach this service.

/// A way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// What comes by it.
    pub name: &'static str,
    /// Whether it is open. One that is closed on purpose is not named at all.
    pub is_open: bool,
    /// Where it is, or why it is closed. A sentence.
    pub says: String,
}
