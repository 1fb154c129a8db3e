//! Queries: which documents, in which order, from where to where.

use super::documents::Live;
use super::filter::{compared_fields, fits};
use super::value::{NAME, compare, field, project};
use gcloud_sdk::google::firestore::v1::structured_query::{CollectionSelector, Direction};
use gcloud_sdk::google::firestore::v1::{Cursor, Document, StructuredQuery, Value};
use std::cmp::Ordering;
use std::sync::Arc;
use tonic::Status;

/// A query below a document or below the root of a database.
#[derive(Clone, Debug)]
pub(super) struct Query {
    parent: String,
    query: StructuredQuery,
    orders: Vec<Order>,
}

#[derive(Clone, Debug)]
struct Order {
    path: String,
    descending: bool,
}

impl Query {
    pub fn new(parent: String, query: StructuredQuery) -> Result<Self, Status> {
        if query.find_nearest.is_some() {
            return Err(Status::unimplemented("vector search is not part of this server"));
        }
        if query.offset < 0 || query.limit.is_some_and(|limit| limit < 0) {
            return Err(Status::invalid_argument("limit and offset of a query must not be negative"));
        }
        let orders = orders(&query);
        Ok(Self { parent, query, orders })
    }

    /// A limited query can change by documents that did not change: one leaves, the next moves up.
    pub fn is_limited(&self) -> bool {
        self.query.limit.is_some() || self.query.offset > 0
    }

    /// Whether a document of this name could be a result.
    pub fn covers(&self, name: &str) -> bool {
        let Some(below) = name.strip_prefix(self.parent.as_str()).and_then(|below| below.strip_prefix('/')) else {
            return false;
        };
        let segments: Vec<&str> = below.split('/').collect();
        let [.., collection, _] = segments[..] else { return false };
        let is_of = |from: &CollectionSelector| {
            (segments.len() == 2 || from.all_descendants && segments.len().is_multiple_of(2))
                && (from.collection_id.is_empty() || from.collection_id == collection)
        };
        self.query.from.is_empty() || self.query.from.iter().any(is_of)
    }

    /// Whether the document is a result, limit and offset aside.
    pub fn matches(&self, document: &Document) -> bool {
        self.key(document).is_some_and(|key| self.is_between_cursors(&key))
    }

    /// The results in their order, whole.
    pub fn run(&self, live: &Live) -> Vec<Arc<Document>> {
        let mut found: Vec<_> = self
            .candidates(live)
            .filter_map(|document| self.key(document).map(|key| (key, document)))
            .filter(|(key, _)| self.is_between_cursors(key))
            .collect();
        found.sort_by(|(a, _), (b, _)| self.compare(a, b));
        let offset = usize::try_from(self.query.offset).unwrap_or(0);
        let limit = self.query.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        found.into_iter().skip(offset).take(limit).map(|(_, document)| Arc::clone(document)).collect()
    }

    /// A result with the fields that the query asks for.
    pub fn project(&self, document: &Document) -> Document {
        let mask = self.query.select.as_ref().map(|select| select.fields.iter().map(|field| &field.field_path));
        project(document, mask)
    }

    fn candidates<'a>(&self, live: &'a Live) -> impl Iterator<Item = &'a Arc<Document>> {
        let prefix = match &self.query.from[..] {
            [one] if !one.all_descendants && !one.collection_id.is_empty() => format!("{}/{}/", self.parent, one.collection_id),
            _ => format!("{}/", self.parent),
        };
        live.range(prefix.clone()..).take_while(move |(name, _)| name.starts_with(&prefix)).map(|(_, document)| document)
    }

    /// The values by which the document is ordered. `None` if it is no result: a field of the order is missing, or a filter
    /// does not fit.
    fn key(&self, document: &Document) -> Option<Vec<Value>> {
        let fits = self.covers(&document.name) && self.query.r#where.as_ref().is_none_or(|filter| fits(document, filter));
        if !fits {
            return None;
        }
        self.orders.iter().map(|order| field(document, &order.path)).collect()
    }

    fn is_between_cursors(&self, key: &[Value]) -> bool {
        let against = |cursor: &Cursor| self.compare(key, &cursor.values);
        self.query.start_at.as_ref().is_none_or(|start| match start.before {
            true => against(start).is_ge(),
            false => against(start).is_gt(),
        }) && self.query.end_at.as_ref().is_none_or(|end| match end.before {
            true => against(end).is_lt(),
            false => against(end).is_le(),
        })
    }

    /// As far as both have values: a cursor may have fewer.
    fn compare(&self, a: &[Value], b: &[Value]) -> Ordering {
        let compared = self.orders.iter().zip(a.iter().zip(b)).map(|(order, (a, b))| match order.descending {
            true => compare(b, a),
            false => compare(a, b),
        });
        compared.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// The orders asked for, then the fields that filters compare, then the name: in the last direction asked for.
fn orders(query: &StructuredQuery) -> Vec<Order> {
    let path = |order: &gcloud_sdk::google::firestore::v1::structured_query::Order| {
        order.field.as_ref().map(|field| field.field_path.clone()).unwrap_or_default()
    };
    let asked = query.order_by.iter();
    let mut orders: Vec<Order> =
        asked.map(|order| Order { path: path(order), descending: order.direction() == Direction::Descending }).collect();
    let mut implied = Vec::new();
    query.r#where.iter().for_each(|filter| compared_fields(filter, &mut implied));
    implied.sort();
    implied.push(NAME.to_owned());
    let descending = orders.last().is_some_and(|order| order.descending);
    for path in implied {
        if !orders.iter().any(|order| order.path == path) {
            orders.push(Order { path, descending });
        }
    }
    orders
}
