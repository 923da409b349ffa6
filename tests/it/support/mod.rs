//! What stories share.

pub(crate) mod postgres;
pub(crate) mod process;
