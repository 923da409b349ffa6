//! GitHub's own scalars: texts with a name.

use serde::{Deserialize, Serialize};

use crate::sandbox::github::state::Time;

macro_rules! text_scalar {
    ($name:ident, $graphql:literal, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
        pub(crate) struct $name(pub(crate) String);
        async_graphql::scalar!($name, $graphql);
    };
}

text_scalar!(GitObjectId, "GitObjectID", "A full object id.");
text_scalar!(GitRefname, "GitRefname", "A fully qualified reference.");
text_scalar!(Base64String, "Base64String", "Bytes in Base64.");
text_scalar!(DateTime, "DateTime", "A time.");
text_scalar!(Uri, "URI", "A link.");
text_scalar!(BigInt, "BigInt", "A whole number of any size, written as text.");

impl From<Time> for DateTime {
    fn from(at: Time) -> Self {
        Self(at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
    }
}
