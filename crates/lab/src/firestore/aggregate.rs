//! Count, sum and average over the results of a query.

use super::value::{field, number, value};
use gcloud_sdk::google::firestore::v1::structured_aggregation_query::{Aggregation, aggregation::Operator};
use gcloud_sdk::google::firestore::v1::structured_query::FieldReference;
use gcloud_sdk::google::firestore::v1::{Document, Value, value::ValueType as V};
use std::collections::HashMap;
use std::sync::Arc;

/// The results by alias; without one `field_1`, `field_2`, ….
pub(super) fn aggregate(found: &[Arc<Document>], wanted: &[Aggregation]) -> HashMap<String, Value> {
    let alias = |(index, wanted): (usize, &Aggregation)| match wanted.alias.is_empty() {
        true => format!("field_{}", index + 1),
        false => wanted.alias.clone(),
    };
    wanted.iter().enumerate().map(|(index, one)| (alias((index, one)), value(result(found, one)))).collect()
}

fn result(found: &[Arc<Document>], wanted: &Aggregation) -> V {
    match &wanted.operator {
        Some(Operator::Count(count)) => {
            let all = i64::try_from(found.len()).unwrap_or(i64::MAX);
            V::IntegerValue(count.up_to.map_or(all, |bound| all.min(bound)))
        }
        Some(Operator::Sum(sum)) => total(&numbers(found, sum.field.as_ref())),
        Some(Operator::Avg(average)) => match &numbers(found, average.field.as_ref())[..] {
            [] => V::NullValue(0),
            all => V::DoubleValue(all.iter().filter_map(number).sum::<f64>() / all.len() as f64),
        },
        None => V::NullValue(0),
    }
}

/// Whole if all are whole.
fn total(all: &[Value]) -> V {
    let whole: Option<Vec<i64>> = all
        .iter()
        .map(|one| match one.value_type {
            Some(V::IntegerValue(number)) => Some(number),
            _ => None,
        })
        .collect();
    match whole.and_then(|whole| whole.iter().try_fold(0_i64, |sum, number| sum.checked_add(*number))) {
        Some(sum) => V::IntegerValue(sum),
        None => V::DoubleValue(all.iter().filter_map(number).sum()),
    }
}

fn numbers(found: &[Arc<Document>], of: Option<&FieldReference>) -> Vec<Value> {
    let Some(of) = of else { return Vec::new() };
    let values = found.iter().filter_map(|document| field(document, &of.field_path));
    values.filter(|value| number(value).is_some()).collect()
}
