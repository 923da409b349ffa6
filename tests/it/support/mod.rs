//! What stories share.

pub(crate) mod postgres;
