//! Whether a document fits the filter of a query.

use super::value::{compare, elements, field, is_null, number, rank};
use gcloud_sdk::google::firestore::v1::structured_query::{
    FieldFilter, Filter, UnaryFilter, composite_filter,
    field_filter::Operator,
    filter::FilterType,
    unary_filter::{OperandType, Operator as Unary},
};
use gcloud_sdk::google::firestore::v1::{Document, Value};
use std::cmp::Ordering;

pub(super) fn fits(document: &Document, filter: &Filter) -> bool {
    match &filter.filter_type {
        None => true,
        Some(FilterType::CompositeFilter(all)) if all.op() == composite_filter::Operator::Or => {
            all.filters.iter().any(|one| fits(document, one))
        }
        Some(FilterType::CompositeFilter(all)) => all.filters.iter().all(|one| fits(document, one)),
        Some(FilterType::UnaryFilter(filter)) => fits_unary(document, filter),
        Some(FilterType::FieldFilter(filter)) => fits_field(document, filter).unwrap_or(false),
    }
}

/// The fields that the filter compares by more than equality: a query is ordered by them.
pub(super) fn compared_fields(filter: &Filter, into: &mut Vec<String>) {
    use Operator::{GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual, NotEqual, NotIn};
    match &filter.filter_type {
        Some(FilterType::CompositeFilter(all)) => all.filters.iter().for_each(|one| compared_fields(one, into)),
        Some(FilterType::FieldFilter(one)) => {
            let ordering = matches!(one.op(), LessThan | LessThanOrEqual | GreaterThan | GreaterThanOrEqual | NotEqual | NotIn);
            into.extend(one.field.iter().filter(|_| ordering).map(|field| field.field_path.clone()));
        }
        _ => {}
    }
}

/// A field that is absent fits nothing, not even "is not null".
fn fits_unary(document: &Document, filter: &UnaryFilter) -> bool {
    let Some(OperandType::Field(operand)) = &filter.operand_type else { return false };
    let Some(value) = field(document, &operand.field_path) else { return false };
    let is_nan = number(&value).is_some_and(f64::is_nan);
    match filter.op() {
        Unary::IsNull => is_null(&value),
        Unary::IsNotNull => !is_null(&value),
        Unary::IsNan => is_nan,
        Unary::IsNotNan => !is_nan,
        Unary::Unspecified => false,
    }
}

fn fits_field(document: &Document, filter: &FieldFilter) -> Option<bool> {
    let wanted = filter.value.as_ref()?;
    let found = field(document, &filter.field.as_ref()?.field_path)?;
    let ordered = |fits: fn(Ordering) -> bool| rank(&found) == rank(wanted) && fits(compare(&found, wanted));
    Some(match filter.op() {
        Operator::Unspecified => false,
        Operator::Equal => compare(&found, wanted).is_eq(),
        Operator::NotEqual => !is_null(&found) && compare(&found, wanted).is_ne(),
        Operator::LessThan => ordered(Ordering::is_lt),
        Operator::LessThanOrEqual => ordered(Ordering::is_le),
        Operator::GreaterThan => ordered(Ordering::is_gt),
        Operator::GreaterThanOrEqual => ordered(Ordering::is_ge),
        Operator::In => holds(wanted, &found),
        Operator::NotIn => !is_null(&found) && !holds(wanted, &found),
        Operator::ArrayContains => holds(&found, wanted),
        Operator::ArrayContainsAny => elements(wanted).iter().any(|one| holds(&found, one)),
    })
}

fn holds(array: &Value, element: &Value) -> bool {
    elements(array).iter().any(|one| compare(one, element).is_eq())
}
