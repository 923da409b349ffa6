//! A drawing of what is related to what: boxes in columns, from left to right along the relations.

use serde::Serialize;

const BOX_WIDTH: usize = 190;
const BOX_HEIGHT: usize = 46;
const COLUMN_GAP: usize = 110;
const ROW_GAP: usize = 18;
const MARGIN: usize = 8;
/// How many letters of the drawing's font fit into a box.
const LONGEST_TITLE: usize = 21;
/// How many rows' order is improved; more changes nothing that is seen.
const SWEEPS: usize = 4;

/// Something to be drawn as a box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Node {
    pub(in super::super) title: String,
    /// What kind of thing it is.
    pub(in super::super) kind: String,
    pub(in super::super) href: Option<String>,
    /// Whether the drawing is about it.
    pub(in super::super) is_focus: bool,
}

/// A relation between two nodes, by their positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Edge {
    pub(in super::super) from: usize,
    pub(in super::super) to: usize,
    pub(in super::super) name: String,
}

/// The drawing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in super::super) struct Drawing {
    width: usize,
    height: usize,
    boxes: Vec<Box>,
    lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Box {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
    title: String,
    short_title: String,
    kind: String,
    href: Option<String>,
    is_focus: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Line {
    path: String,
    name: String,
    /// Between which two, in words.
    sentence: String,
    name_x: usize,
    name_y: usize,
}

/// Draws the nodes and their relations; nothing, where there is nothing to draw.
pub(in super::super) fn draw(nodes: &[Node], edges: &[Edge]) -> Option<Drawing> {
    if nodes.is_empty() {
        return None;
    }
    let columns = ordered(columns(nodes.len(), edges), edges);
    let tallest = columns.iter().map(Vec::len).max().unwrap_or(0);
    let height = column_height(tallest) + 2 * MARGIN;
    let mut corners = vec![(0, 0); nodes.len()];
    for (column, members) in columns.iter().enumerate() {
        let x = MARGIN + column * (BOX_WIDTH + COLUMN_GAP);
        let top = (height - column_height(members.len())) / 2;
        for (row, node) in members.iter().enumerate() {
            corners[*node] = (x, top + row * (BOX_HEIGHT + ROW_GAP));
        }
    }
    Some(Drawing {
        width: 2 * MARGIN + columns.len() * (BOX_WIDTH + COLUMN_GAP) - COLUMN_GAP,
        height,
        boxes: nodes.iter().zip(&corners).map(|(node, corner)| boxed(node, *corner)).collect(),
        lines: edges.iter().map(|edge| line(nodes, edge, &corners)).collect(),
    })
}

fn column_height(rows: usize) -> usize {
    (rows * (BOX_HEIGHT + ROW_GAP)).saturating_sub(ROW_GAP)
}

/// The nodes by column: each to the right of everything that is related to it. Where relations go
/// in a circle, no node moves further right than there are nodes.
fn columns(nodes: usize, edges: &[Edge]) -> Vec<Vec<usize>> {
    let mut column = vec![0; nodes];
    for _ in 0..nodes {
        let mut has_moved = false;
        for edge in edges.iter().filter(|edge| edge.from != edge.to) {
            let right = column[edge.from] + 1;
            if column[edge.to] < right && right < nodes {
                column[edge.to] = right;
                has_moved = true;
            }
        }
        if !has_moved {
            break;
        }
    }
    let last = column.iter().max().copied().unwrap_or(0);
    let members = |wanted: usize| (0..nodes).filter(|node| column[*node] == wanted).collect();
    // A circle leaves columns empty.
    (0..=last).map(members).filter(|members: &Vec<usize>| !members.is_empty()).collect()
}

/// Brings each node near to the rows of those it is related to, so that few lines cross.
fn ordered(mut columns: Vec<Vec<usize>>, edges: &[Edge]) -> Vec<Vec<usize>> {
    for sweep in 0..SWEEPS {
        let rows: Vec<(usize, usize)> = columns
            .iter()
            .flat_map(|members| members.iter().copied().enumerate())
            .map(|(row, node)| (node, row))
            .collect();
        let row_of =
            |node: usize| rows.iter().find(|(known, _)| *known == node).map(|(_, row)| *row);
        let leftwards = sweep % 2 == 1;
        for members in &mut columns {
            members.sort_by_key(|node| {
                let related = edges.iter().filter_map(|edge| match leftwards {
                    true if edge.from == *node => row_of(edge.to),
                    false if edge.to == *node => row_of(edge.from),
                    _ => None,
                });
                let related: Vec<usize> = related.collect();
                match related.len() {
                    0 => row_of(*node).unwrap_or(0) * 100,
                    count => related.iter().sum::<usize>() * 100 / count,
                }
            });
        }
    }
    columns
}

fn boxed(node: &Node, (x, y): (usize, usize)) -> Box {
    Box {
        x,
        y,
        width: BOX_WIDTH,
        height: BOX_HEIGHT,
        title: node.title.clone(),
        short_title: short(&node.title),
        kind: short(&node.kind),
        href: node.href.clone(),
        is_focus: node.is_focus,
    }
}

fn short(title: &str) -> String {
    if title.chars().count() <= LONGEST_TITLE {
        return title.to_owned();
    }
    let kept: String = title.chars().take(LONGEST_TITLE - 1).collect();
    kept + "…"
}

/// A curve from the right side of one box to the left side of the other; over its own head, where
/// a box is related to itself or to one at its left.
fn line(nodes: &[Node], edge: &Edge, corners: &[(usize, usize)]) -> Line {
    let (from_x, from_y) = corners[edge.from];
    let (to_x, to_y) = corners[edge.to];
    let (start_x, start_y) = (from_x + BOX_WIDTH, from_y + BOX_HEIGHT / 2);
    let end_y = to_y + BOX_HEIGHT / 2;
    let bend = if to_x > start_x { (to_x - start_x) / 2 } else { COLUMN_GAP / 2 };
    let (bend_start, bend_end) = (start_x + bend, to_x.saturating_sub(bend));
    Line {
        path: format!(
            "M{start_x} {start_y}C{bend_start} {start_y} {bend_end} {end_y} {to_x} {end_y}"
        ),
        name: edge.name.clone(),
        sentence: format!("{} → {}: {}", nodes[edge.from].title, nodes[edge.to].title, edge.name),
        name_x: usize::midpoint(start_x, to_x),
        name_y: usize::midpoint(start_y, end_y) + 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn edge(from: usize, to: usize) -> Edge {
        Edge { from, to, name: "uses".to_owned() }
    }

    fn node(position: usize) -> Node {
        Node { title: position.to_string(), kind: String::new(), href: None, is_focus: false }
    }

    #[test]
    fn relations_lead_from_left_to_right() {
        assert_eq!(
            columns(4, &[edge(0, 1), edge(1, 2), edge(0, 2)]),
            [vec![0, 3], vec![1], vec![2]]
        );
    }

    #[test]
    fn lines_that_need_not_cross_do_not() {
        let edges = [edge(0, 3), edge(1, 2)];
        assert_eq!(ordered(columns(4, &edges), &edges), [vec![0, 1], vec![3, 2]]);
    }

    #[test]
    fn a_long_title_is_cut() {
        assert_eq!(short("orders"), "orders");
        assert_eq!(short(&"é".repeat(30)).chars().count(), LONGEST_TITLE);
    }

    proptest! {
        #[test]
        fn no_two_boxes_overlap(count in 1..9usize, pairs in prop::collection::vec((0..9usize, 0..9usize), 0..20)) {
            let nodes: Vec<_> = (0..count).map(node).collect();
            let edges: Vec<_> = pairs.into_iter().map(|(from, to)| edge(from % count, to % count)).collect();
            let drawing = draw(&nodes, &edges).unwrap();
            for (position, one) in drawing.boxes.iter().enumerate() {
                prop_assert!(one.x + one.width <= drawing.width && one.y + one.height <= drawing.height);
                for other in &drawing.boxes[position + 1..] {
                    let is_apart = one.x + one.width <= other.x || other.x + other.width <= one.x
                        || one.y + one.height <= other.y || other.y + other.height <= one.y;
                    prop_assert!(is_apart, "{one:?} {other:?}");
                }
            }
        }
    }
}
