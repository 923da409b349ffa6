//! The entities that runs have made: the embedded portal's catalog, and where each one's files lie.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::rows::{from_json, id_from, time_from, to_json};
use super::seen::concerned;
use super::{Error, Result, Store, Tx};
use crate::domain::ids::InvalidId;
use crate::domain::{BlueprintId, EntityRef, EntityUpsert, RepositoryName, RunId, TargetName};

/// What a run has made of the catalog.
#[derive(Debug, Clone, PartialEq)]
pub enum EntityChange {
    /// It was written; what is not named keeps its value.
    Put {
        /// As it was written.
        entity: Box<EntityUpsert>,
        /// Where its files lie, where it has files.
        place: Option<Place>,
        /// The same for each target, where its template has several.
        part_places: Vec<(TargetName, Place)>,
    },
    /// It was removed.
    Remove(EntityRef),
}

/// Where an entity's files lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// In which repository.
    pub repository: RepositoryName,
    /// The folder, from the repository's root.
    pub path: String,
}

/// An entity as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityRecord {
    /// All that is known of it.
    pub entity: EntityUpsert,
    /// The run that last wrote it.
    pub run: RunId,
    /// Where its files lie, where it has files.
    pub place: Option<Place>,
    /// When it was last written.
    pub updated_at: DateTime<Utc>,
}

const COLUMNS: &str = "document, run_id, repository, path, updated_at";

impl Store {
    /// The entities of a blueprint, by identifier.
    pub async fn entities(&self, blueprint: &BlueprintId) -> Result<Vec<EntityRecord>> {
        let sql =
            format!("SELECT {COLUMNS} FROM entities WHERE blueprint = $1 ORDER BY identifier");
        let query = sqlx::query(AssertSqlSafe(sql)).bind(blueprint.as_str());
        self.shared.read.fetch_all(query).await?.iter().map(record_from).collect()
    }

    /// One entity, with the place of its files.
    pub async fn entity(&self, entity: &EntityRef) -> Result<Option<EntityRecord>> {
        let sql =
            format!("SELECT {COLUMNS} FROM entities WHERE blueprint = $1 AND identifier = $2");
        let query = sqlx::query(AssertSqlSafe(sql));
        let query = query.bind(entity.blueprint.as_str()).bind(entity.identifier.as_str());
        let row = self.shared.read.fetch_optional(query).await?;
        row.as_ref().map(record_from).transpose()
    }

    /// Those of these entities that stand in the catalog.
    pub async fn known_entities(&self, among: Vec<EntityRef>) -> Result<Vec<EntityRef>> {
        if among.is_empty() {
            return Ok(among);
        }
        let pairs: Vec<String> =
            (0..among.len()).map(|at| format!("(${}, ${})", 2 * at + 1, 2 * at + 2)).collect();
        let sql = format!(
            "SELECT blueprint, identifier FROM entities
             WHERE (blueprint, identifier) IN (VALUES {})",
            pairs.join(", ")
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for EntityRef { blueprint, identifier } in &among {
            query = query.bind(blueprint.as_str()).bind(identifier.as_str());
        }
        let rows = self.shared.read.fetch_all(query).await?;
        let name = |row: &AnyRow| Ok((row.try_get("blueprint")?, row.try_get("identifier")?));
        let known = rows.iter().map(name).collect::<Result<Vec<(String, String)>>>()?;
        let is_known = |entity: &EntityRef| {
            let EntityRef { blueprint, identifier } = entity;
            known.iter().any(|(of, name)| of == blueprint.as_str() && name == identifier.as_str())
        };
        Ok(among.into_iter().filter(is_known).collect())
    }

    pub(super) async fn change_entity(
        &self,
        tx: &mut Tx<'_>,
        run: &RunId,
        change: &EntityChange,
    ) -> Result<()> {
        let entity = match change {
            EntityChange::Put { entity, .. } => &entity.entity,
            EntityChange::Remove(entity) => entity,
        };
        self.write(tx, [concerned(std::iter::once((run, entity)))]).await?;
        match change {
            EntityChange::Put { entity, place, part_places } => {
                for (target, place) in part_places {
                    self.put_part_place(tx, &entity.entity, target, place).await?;
                }
                self.put_entity(tx, run, entity, place.as_ref()).await
            }
            EntityChange::Remove(entity) => {
                self.forget_part_places(tx, entity).await?;
                let delete =
                    sqlx::query("DELETE FROM entities WHERE blueprint = $1 AND identifier = $2");
                let delete = delete.bind(entity.blueprint.as_str());
                delete.bind(entity.identifier.as_str()).execute(&mut **tx).await?;
                Ok(())
            }
        }
    }

    async fn put_entity(
        &self,
        tx: &mut Tx<'_>,
        run: &RunId,
        upsert: &EntityUpsert,
        place: Option<&Place>,
    ) -> Result<()> {
        let EntityRef { blueprint, identifier } = &upsert.entity;
        let name = format!("entity:{blueprint}:{identifier}");
        self.shared.dialect.lock_names(tx, std::iter::once(name.as_str())).await?;

        let find =
            sqlx::query("SELECT document FROM entities WHERE blueprint = $1 AND identifier = $2");
        let find = find.bind(blueprint.as_str()).bind(identifier.as_str());
        let entity = match find.fetch_optional(&mut **tx).await? {
            Some(row) => merged(from_json("an entity", row.try_get("document")?)?, upsert),
            None => upsert.clone(),
        };
        let insert = sqlx::query(
            "INSERT INTO entities
               (blueprint, identifier, document, run_id, repository, path, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (blueprint, identifier) DO UPDATE SET
               document = excluded.document, run_id = excluded.run_id,
               repository = COALESCE(excluded.repository, entities.repository),
               path = COALESCE(excluded.path, entities.path), updated_at = excluded.updated_at",
        );
        insert
            .bind(blueprint.as_str())
            .bind(identifier.as_str())
            .bind(to_json("an entity", &entity)?)
            .bind(run.as_str())
            .bind(place.map(|place| place.repository.to_string()))
            .bind(place.map(|place| place.path.clone()))
            .bind(self.now())
            .execute(&mut **tx)
            .await?;
        Ok(())
    }
}

/// What is not named keeps its value.
fn merged(old: EntityUpsert, new: &EntityUpsert) -> EntityUpsert {
    EntityUpsert {
        entity: new.entity.clone(),
        title: new.title.clone().or(old.title),
        team: new.team.clone().or(old.team),
        icon: new.icon.clone().or(old.icon),
        properties: overlaid(old.properties, &new.properties),
        relations: overlaid(old.relations, &new.relations),
    }
}

fn overlaid(mut old: Map<String, Value>, new: &Map<String, Value>) -> Map<String, Value> {
    old.extend(new.clone());
    old
}

fn record_from(row: &AnyRow) -> Result<EntityRecord> {
    let repository: Option<String> = row.try_get("repository")?;
    let path: Option<String> = row.try_get("path")?;
    let place = repository.zip(path).map(|(repository, path)| place_from(&repository, path));
    Ok(EntityRecord {
        entity: from_json("an entity", row.try_get("document")?)?,
        run: id_from(row, "run_id")?,
        place: place.transpose()?,
        updated_at: time_from(row.try_get("updated_at")?)?,
    })
}

pub(super) fn place_from(repository: &str, path: String) -> Result<Place> {
    let repository = repository
        .parse()
        .map_err(|error: InvalidId| Error::unreadable("an entity's repository", error))?;
    Ok(Place { repository, path })
}
