//! Catalog entities: what a run makes, changes or removes in the portal.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ids::{BlueprintId, EntityId};

/// Which entity of which blueprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntityRef {
    /// Its blueprint.
    pub blueprint: BlueprintId,
    /// Its identifier.
    pub identifier: EntityId,
}

/// An entity as it is to stand in the catalog. Properties and relations that are not named keep
/// the value that they have there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntityUpsert {
    /// Which entity.
    #[serde(flatten)]
    pub entity: EntityRef,
    /// What people read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Who owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<Value>,
    /// The portal's name of an icon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    /// By property identifier.
    #[serde(default)]
    pub properties: Map<String, Value>,
    /// By relation identifier: an identifier, a list of them, or null.
    #[serde(default)]
    pub relations: Map<String, Value>,
}
