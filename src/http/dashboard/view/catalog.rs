//! The catalog: blueprints, entities, and what is related to what.
//!
//! An entity names what it is related to by identifier alone. Of several entities with that
//! identifier, the one whose blueprint has the relation's name is meant, else the first.

use serde::Serialize;
use serde_json::Value;

use super::graph::{Drawing, Edge, Node, draw};
use super::runs::{RunRow, row};
use super::text::Pair;
use super::{GitHub, Moment, Named, blueprint_href, entity_href, run_href};
use crate::domain::{BlueprintId, EntityRef, Run};
use crate::store::EntityRecord;

/// How many related entities are drawn together; more is a tangle.
const MOST_DRAWN: usize = 40;
/// How many entities of a blueprint the overview lists.
const MOST_LISTED: usize = 8;

/// A blueprint and its entities, by identifier.
pub(in super::super) type Shelf = (BlueprintId, Vec<EntityRecord>);

/// All blueprints.
#[derive(Debug, Serialize)]
pub(in super::super) struct CatalogView {
    blueprints: Vec<BlueprintView>,
    entities: usize,
    drawing: Option<Drawing>,
    is_too_large_to_draw: bool,
}

/// The page of one blueprint.
#[derive(Debug, Serialize)]
pub(in super::super) struct BlueprintPage {
    blueprint: BlueprintView,
}

/// One blueprint.
#[derive(Debug, Serialize)]
struct BlueprintView {
    identifier: String,
    href: String,
    count: usize,
    entities: Vec<EntityRow>,
    has_more: bool,
}

#[derive(Debug, Serialize)]
struct EntityRow {
    name: Named,
    identifier: String,
    place: Option<Named>,
    repository: Option<Named>,
    run: Named,
    at: Moment,
}

/// One entity.
#[derive(Debug, Serialize)]
pub(in super::super) struct EntityView {
    title: String,
    identifier: String,
    blueprint: Named,
    team: Option<Pair>,
    properties: Vec<Pair>,
    relations: Vec<RelationView>,
    related_by: Vec<RelationView>,
    place: Option<Named>,
    repository: Option<Named>,
    run: Named,
    at: Moment,
    drawing: Option<Drawing>,
    /// What can be done with it.
    actions: Vec<Named>,
    runs: Vec<RunRow>,
}

/// What else is known of an entity.
#[derive(Default)]
pub(in super::super) struct Around<'a> {
    /// What can be done with it.
    pub(in super::super) actions: Vec<Named>,
    /// The runs that concern it, newest first.
    pub(in super::super) runs: &'a [Run],
    /// What those ran on, as far as it has a page.
    pub(in super::super) known: Vec<EntityRef>,
}

#[derive(Debug, Serialize)]
struct RelationView {
    name: String,
    entity: Named,
}

/// The overview.
pub(in super::super) fn overview(shelves: &[Shelf], github: GitHub<'_>) -> CatalogView {
    let all = all(shelves);
    let (nodes, edges) = web(&all);
    let is_too_large_to_draw = nodes.len() > MOST_DRAWN;
    CatalogView {
        blueprints: shelves.iter().map(|shelf| listed(shelf, MOST_LISTED, github)).collect(),
        entities: all.len(),
        drawing: if is_too_large_to_draw { None } else { draw(&nodes, &edges) },
        is_too_large_to_draw,
    }
}

/// One blueprint with all its entities.
pub(in super::super) fn blueprint(shelf: &Shelf, github: GitHub<'_>) -> BlueprintPage {
    BlueprintPage { blueprint: listed(shelf, usize::MAX, github) }
}

fn listed((blueprint, records): &Shelf, most: usize, github: GitHub<'_>) -> BlueprintView {
    let row = |record: &EntityRecord| EntityRow {
        name: named(record),
        identifier: record.entity.entity.identifier.to_string(),
        place: place(record, github),
        repository: repository(record, github),
        run: run(record),
        at: record.updated_at.into(),
    };
    BlueprintView {
        identifier: blueprint.to_string(),
        href: blueprint_href(blueprint),
        count: records.len(),
        entities: records.iter().take(most).map(row).collect(),
        has_more: records.len() > most,
    }
}

/// One entity among the others.
pub(in super::super) fn entity(
    record: &EntityRecord,
    shelves: &[Shelf],
    around: Around<'_>,
    github: GitHub<'_>,
) -> EntityView {
    let all = all(shelves);
    let relations = targets(record).map(|(name, identifier)| RelationView {
        name: name.to_owned(),
        entity: find(&all, name, identifier)
            .map_or_else(|| Named::plain(identifier), |position| named(all[position])),
    });
    let upsert = &record.entity;
    EntityView {
        title: title(record).to_owned(),
        identifier: upsert.entity.identifier.to_string(),
        blueprint: Named::new(
            upsert.entity.blueprint.as_str(),
            blueprint_href(&upsert.entity.blueprint),
        ),
        team: upsert.team.as_ref().map(|team| Pair::of("Team", team)),
        properties: upsert.properties.iter().map(|(name, value)| Pair::of(name, value)).collect(),
        relations: relations.collect(),
        related_by: related_by(record, &all),
        place: place(record, github),
        repository: repository(record, github),
        run: run(record),
        at: record.updated_at.into(),
        drawing: neighbourhood(record, &all),
        actions: around.actions,
        runs: around.runs.iter().map(|run| row(run, false, &around.known)).collect(),
    }
}

fn related_by(record: &EntityRecord, all: &[&EntityRecord]) -> Vec<RelationView> {
    let mut related = Vec::new();
    for other in all {
        for (name, identifier) in targets(other) {
            let target = find(all, name, identifier).map(|position| &all[position].entity.entity);
            if target == Some(&record.entity.entity) {
                related.push(RelationView { name: name.to_owned(), entity: named(other) });
            }
        }
    }
    related
}

/// The entity, what it is related to, and what is related to it.
fn neighbourhood(record: &EntityRecord, all: &[&EntityRecord]) -> Option<Drawing> {
    let (nodes, edges) = web(all);
    let own = entity_href(&record.entity.entity.blueprint, &record.entity.entity.identifier);
    let focus = nodes.iter().position(|node| node.href.as_deref() == Some(own.as_str()))?;
    let near = |edge: &&Edge| edge.from == focus || edge.to == focus;
    let mut kept = vec![focus];
    for edge in edges.iter().filter(near) {
        for end in [edge.from, edge.to] {
            if !kept.contains(&end) && kept.len() < MOST_DRAWN {
                kept.push(end);
            }
        }
    }
    let place_of = |node: usize| kept.iter().position(|known| *known == node);
    let edges: Vec<Edge> = edges
        .iter()
        .filter(near)
        .filter_map(|edge| {
            let name = edge.name.clone();
            Some(Edge { from: place_of(edge.from)?, to: place_of(edge.to)?, name })
        })
        .collect();
    let nodes: Vec<Node> =
        kept.iter().map(|node| Node { is_focus: *node == focus, ..nodes[*node].clone() }).collect();
    draw(&nodes, &edges)
}

/// Everything that is related to something, and the relations. A name that no entity has is drawn
/// too: the catalog may know more than this program.
fn web(all: &[&EntityRecord]) -> (Vec<Node>, Vec<Edge>) {
    let mut nodes: Vec<(Key, Node)> = Vec::new();
    let mut edges = Vec::new();
    for record in all {
        for (name, identifier) in targets(record) {
            let from = position_of(&mut nodes, known(record));
            let target = find(all, name, identifier);
            let target = target.map_or_else(|| unknown(name, identifier), |at| known(all[at]));
            let to = position_of(&mut nodes, target);
            edges.push(Edge { from, to, name: name.to_owned() });
        }
    }
    (nodes.into_iter().map(|(_, node)| node).collect(), edges)
}

/// What tells two nodes apart: blueprint, or name of the relation, and identifier.
type Key = (String, String);

fn known(record: &EntityRecord) -> (Key, Node) {
    let EntityRef { blueprint, identifier } = &record.entity.entity;
    let node = Node {
        title: title(record).to_owned(),
        kind: blueprint.to_string(),
        href: Some(entity_href(blueprint, identifier)),
        is_focus: false,
    };
    ((blueprint.to_string(), identifier.to_string()), node)
}

fn unknown(relation: &str, identifier: &str) -> (Key, Node) {
    let node = Node {
        title: identifier.to_owned(),
        kind: relation.to_owned(),
        href: None,
        is_focus: false,
    };
    ((format!("?{relation}"), identifier.to_owned()), node)
}

fn position_of(nodes: &mut Vec<(Key, Node)>, (key, node): (Key, Node)) -> usize {
    if let Some(position) = nodes.iter().position(|(known, _)| *known == key) {
        return position;
    }
    nodes.push((key, node));
    nodes.len() - 1
}

fn all(shelves: &[Shelf]) -> Vec<&EntityRecord> {
    shelves.iter().flat_map(|(_, records)| records).collect()
}

/// Relation and identifier of everything that an entity is related to.
fn targets(record: &EntityRecord) -> impl Iterator<Item = (&str, &str)> {
    record.entity.relations.iter().flat_map(|(name, value)| {
        let several = value.as_array().map_or(&[][..], Vec::as_slice);
        let identifiers =
            value.as_str().into_iter().chain(several.iter().filter_map(Value::as_str));
        identifiers.map(move |identifier| (name.as_str(), identifier))
    })
}

fn find(all: &[&EntityRecord], relation: &str, identifier: &str) -> Option<usize> {
    let fits = |record: &EntityRecord| record.entity.entity.identifier.as_str() == identifier;
    let named = |record: &EntityRecord| record.entity.entity.blueprint.as_str() == relation;
    all.iter()
        .position(|record| fits(record) && named(record))
        .or_else(|| all.iter().position(|record| fits(record)))
}

fn title(record: &EntityRecord) -> &str {
    let title = record.entity.title.as_deref().filter(|title| !title.trim().is_empty());
    title.unwrap_or(record.entity.entity.identifier.as_str())
}

fn named(record: &EntityRecord) -> Named {
    let EntityRef { blueprint, identifier } = &record.entity.entity;
    Named::new(title(record), entity_href(blueprint, identifier))
}

fn run(record: &EntityRecord) -> Named {
    Named::new(record.run.as_str(), run_href(&record.run))
}

fn place(record: &EntityRecord, github: GitHub<'_>) -> Option<Named> {
    let place = record.place.as_ref()?;
    Some(github.tree(&place.repository, None, &place.path))
}

fn repository(record: &EntityRecord, github: GitHub<'_>) -> Option<Named> {
    record.place.as_ref().map(|place| github.repository(&place.repository))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(blueprint: &str, identifier: &str, relations: &Value) -> EntityRecord {
        let entity = json!({
            "blueprint": blueprint, "identifier": identifier, "relations": relations,
        });
        EntityRecord {
            entity: serde_json::from_value(entity).unwrap(),
            run: crate::domain::RunId::new("r_1").unwrap(),
            place: None,
            updated_at: chrono::DateTime::UNIX_EPOCH,
        }
    }

    fn shelves() -> Vec<Shelf> {
        let orders =
            record("database", "checkout", &json!({"service": "checkout", "owners": ["a", "b"]}));
        let checkout = record("service", "checkout", &json!({}));
        let shelf = |name: &str, record| (BlueprintId::new(name).unwrap(), vec![record]);
        vec![shelf("database", orders), shelf("service", checkout)]
    }

    #[test]
    fn of_two_entities_with_one_identifier_the_relations_name_decides() {
        let shelves = shelves();
        let shown =
            entity(&shelves[0].1[0], &shelves, Around::default(), GitHub("https://github.com"));
        let relations: Vec<_> = shown
            .relations
            .iter()
            .map(|relation| (relation.name.as_str(), relation.entity.href.as_deref()))
            .collect();
        let service = Some("/catalog/service/checkout");
        assert_eq!(relations, [("service", service), ("owners", None), ("owners", None)]);
    }

    #[test]
    fn an_entity_knows_who_is_related_to_it() {
        let shelves = shelves();
        let shown =
            entity(&shelves[1].1[0], &shelves, Around::default(), GitHub("https://github.com"));
        let names: Vec<_> =
            shown.related_by.iter().map(|relation| relation.name.as_str()).collect();
        assert_eq!(names, ["service"]);
        assert!(shown.drawing.is_some());
    }

    #[test]
    fn what_is_not_known_is_drawn_without_a_link() {
        let shelves = shelves();
        let (nodes, edges) = web(&all(&shelves));
        let shown: Vec<_> = nodes.iter().map(|n| (n.title.as_str(), n.href.is_some())).collect();
        assert_eq!(shown, [("checkout", true), ("checkout", true), ("a", false), ("b", false)]);
        assert_eq!(edges.len(), 3);
    }
}
