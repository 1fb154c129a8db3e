//! Field transforms: values that the server works out when it writes.

use super::documents::Version;
use super::value::{Fields, Path, array, compare, elements, number, rank, value};
use gcloud_sdk::google::firestore::v1::Value;
use gcloud_sdk::google::firestore::v1::document_transform::{FieldTransform, field_transform::TransformType};
use gcloud_sdk::google::firestore::v1::value::ValueType as V;
use std::cmp::Ordering;
use tonic::Status;

/// Changes the fields and returns what a [`WriteResult`](gcloud_sdk::google::firestore::v1::WriteResult) says of it.
pub(super) fn transform(fields: &mut Fields, transform: &FieldTransform, at: Version) -> Result<Value, Status> {
    let path = Path::parse(&transform.field_path);
    let current = path.get(fields);
    let mut told = None;
    let new = match &transform.transform_type {
        Some(TransformType::SetToServerValue(_)) => value(V::TimestampValue(at.server_timestamp())),
        Some(TransformType::Increment(by)) => increment(current, by),
        Some(TransformType::Maximum(bound)) => extreme(current, bound, Ordering::is_ge),
        Some(TransformType::Minimum(bound)) => extreme(current, bound, Ordering::is_le),
        Some(TransformType::AppendMissingElements(new)) => {
            told = Some(value(V::NullValue(0)));
            let mut all = current.map(elements).unwrap_or_default().to_vec();
            for element in &new.values {
                if !contains(&all, element) {
                    all.push(element.clone());
                }
            }
            array(all)
        }
        Some(TransformType::RemoveAllFromArray(gone)) => {
            told = Some(value(V::NullValue(0)));
            let all = current.map(elements).unwrap_or_default();
            array(all.iter().filter(|element| !contains(&gone.values, element)).cloned().collect())
        }
        None => return Err(Status::invalid_argument(format!("field transform of {} has no type", transform.field_path))),
    };
    path.set(fields, new.clone());
    Ok(told.unwrap_or(new))
}

fn contains(all: &[Value], element: &Value) -> bool {
    all.iter().any(|one| compare(one, element).is_eq())
}

/// Whole numbers stay whole and saturate; what is no number counts as absent.
fn increment(current: Option<&Value>, by: &Value) -> Value {
    let Some(current) = current else { return by.clone() };
    if let (Some(V::IntegerValue(a)), Some(V::IntegerValue(b))) = (&current.value_type, &by.value_type) {
        return value(V::IntegerValue(a.saturating_add(*b)));
    }
    match (number(current), number(by)) {
        (Some(a), Some(b)) => value(V::DoubleValue(a + b)),
        _ => by.clone(),
    }
}

fn extreme(current: Option<&Value>, bound: &Value, keeps: fn(Ordering) -> bool) -> Value {
    match current {
        Some(current) if rank(current) == rank(bound) && keeps(compare(current, bound)) => current.clone(),
        _ => bound.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gcloud_sdk::google::firestore::v1::ArrayValue;

    fn check(before: Option<V>, by: TransformType, after: V) {
        let mut fields: Fields = before.map(|before| ("f".to_owned(), value(before))).into_iter().collect();
        let change = FieldTransform { field_path: "f".to_owned(), transform_type: Some(by) };
        transform(&mut fields, &change, Version::default()).unwrap();
        assert_eq!(fields["f"], value(after));
    }

    #[test]
    fn numbers_are_counted_up_and_bounded() {
        use TransformType::{Increment, Maximum, Minimum};
        let whole = |number| value(V::IntegerValue(number));
        check(None, Increment(whole(2)), V::IntegerValue(2));
        check(Some(V::IntegerValue(40)), Increment(whole(2)), V::IntegerValue(42));
        check(Some(V::IntegerValue(i64::MAX)), Increment(whole(2)), V::IntegerValue(i64::MAX));
        check(Some(V::DoubleValue(0.5)), Increment(whole(2)), V::DoubleValue(2.5));
        check(Some(V::StringValue("x".to_owned())), Increment(whole(2)), V::IntegerValue(2));
        check(Some(V::IntegerValue(3)), Maximum(whole(2)), V::IntegerValue(3));
        check(Some(V::IntegerValue(3)), Minimum(whole(2)), V::IntegerValue(2));
    }

    #[test]
    fn arrays_are_sets() {
        use TransformType::{AppendMissingElements, RemoveAllFromArray};
        let list = |numbers: &[i64]| numbers.iter().map(|number| value(V::IntegerValue(*number))).collect::<Vec<_>>();
        let stored = |numbers| V::ArrayValue(ArrayValue { values: list(numbers) });
        let given = |numbers| ArrayValue { values: list(numbers) };
        check(None, AppendMissingElements(given(&[1, 1, 2])), stored(&[1, 2]));
        check(Some(stored(&[2, 3])), AppendMissingElements(given(&[1, 2])), stored(&[2, 3, 1]));
        check(Some(stored(&[2, 3, 2])), RemoveAllFromArray(given(&[2])), stored(&[3]));
    }
}
