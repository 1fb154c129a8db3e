//! Values of fields: paths into them, and the order Firestore gives them across all types.

use gcloud_sdk::google::firestore::v1::{ArrayValue, Document, MapValue, Value, value::ValueType};
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

pub(super) type Fields = HashMap<String, Value>;

/// The pseudo field that every document has: its own name.
pub(super) const NAME: &str = "__name__";

pub(super) fn value(of: ValueType) -> Value {
    Value { value_type: Some(of) }
}

pub(super) fn array(values: Vec<Value>) -> Value {
    value(ValueType::ArrayValue(ArrayValue { values }))
}

/// The elements of an array; of anything else none.
pub(super) fn elements(of: &Value) -> &[Value] {
    match &of.value_type {
        Some(ValueType::ArrayValue(array)) => &array.values,
        _ => &[],
    }
}

/// A field path in segments. A segment that is no plain identifier stands in backquotes: `` a.`b.c` `` has two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path(Vec<String>);

impl Path {
    pub fn parse(text: &str) -> Self {
        let (mut segments, mut segment, mut quoted, mut escaped) = (Vec::new(), String::new(), false, false);
        for letter in text.chars() {
            match letter {
                _ if escaped => {
                    segment.push(letter);
                    escaped = false;
                }
                '\\' if quoted => escaped = true,
                '`' => quoted = !quoted,
                '.' if !quoted => segments.push(std::mem::take(&mut segment)),
                _ => segment.push(letter),
            }
        }
        segments.push(segment);
        Self(segments)
    }

    pub fn get<'a>(&self, fields: &'a Fields) -> Option<&'a Value> {
        let (last, above) = self.0.split_last()?;
        above.iter().try_fold(fields, |fields, segment| map_of(fields.get(segment)?))?.get(last)
    }

    /// Puts a value there; what stands in the way and is no map becomes one.
    pub fn set(&self, fields: &mut Fields, new: Value) {
        let Some((last, above)) = self.0.split_last() else { return };
        above.iter().fold(fields, |fields, segment| open_map(fields, segment)).insert(last.clone(), new);
    }

    pub fn remove(&self, fields: &mut Fields) {
        let Some((last, above)) = self.0.split_last() else { return };
        let mut fields = fields;
        for segment in above {
            match fields.get_mut(segment).map(|value| &mut value.value_type) {
                Some(Some(ValueType::MapValue(map))) => fields = &mut map.fields,
                _ => return,
            }
        }
        fields.remove(last);
    }
}

fn map_of(value: &Value) -> Option<&Fields> {
    match &value.value_type {
        Some(ValueType::MapValue(map)) => Some(&map.fields),
        _ => None,
    }
}

fn open_map<'a>(fields: &'a mut Fields, segment: &str) -> &'a mut Fields {
    let slot = &mut fields.entry(segment.to_owned()).or_default().value_type;
    if !matches!(slot, Some(ValueType::MapValue(_))) {
        *slot = Some(ValueType::MapValue(MapValue::default()));
    }
    match slot {
        Some(ValueType::MapValue(map)) => &mut map.fields,
        _ => unreachable!("made a map one line above"),
    }
}

/// A field of a document by its path; [`NAME`] is the document's name.
pub(super) fn field(document: &Document, path: &str) -> Option<Value> {
    if path == NAME {
        return Some(value(ValueType::ReferenceValue(document.name.clone())));
    }
    Path::parse(path).get(&document.fields).cloned()
}

/// The document with only these fields; all of them without a mask.
pub(super) fn project<'a>(document: &Document, mask: Option<impl IntoIterator<Item = &'a String>>) -> Document {
    let Some(mask) = mask else { return document.clone() };
    let mut fields = Fields::new();
    for path in mask.into_iter().filter(|path| *path != NAME).map(|path| Path::parse(path)) {
        if let Some(value) = path.get(&document.fields) {
            path.set(&mut fields, value.clone());
        }
    }
    Document { fields, ..document.clone() }
}

/// The place of a value's type in the order of types; numbers are one type.
pub(super) fn rank(of: &Value) -> u8 {
    match &of.value_type {
        None | Some(ValueType::NullValue(_)) => 0,
        Some(ValueType::BooleanValue(_)) => 1,
        Some(ValueType::IntegerValue(_) | ValueType::DoubleValue(_)) => 2,
        Some(ValueType::TimestampValue(_)) => 3,
        Some(ValueType::StringValue(_)) => 4,
        Some(ValueType::BytesValue(_)) => 5,
        Some(ValueType::ReferenceValue(_)) => 6,
        Some(ValueType::GeoPointValue(_)) => 7,
        Some(ValueType::ArrayValue(_)) => 8,
        Some(ValueType::MapValue(_)) => 9,
        Some(_) => 10,
    }
}

pub(super) fn is_null(of: &Value) -> bool {
    rank(of) == 0
}

/// A number of either kind.
pub(super) fn number(of: &Value) -> Option<f64> {
    match of.value_type {
        Some(ValueType::IntegerValue(number)) => Some(number as f64),
        Some(ValueType::DoubleValue(number)) => Some(number),
        _ => None,
    }
}

/// Firestore's order of values: by type, then within it. 1 and 1.0 are equal; NaN stands before all numbers.
pub(super) fn compare(a: &Value, b: &Value) -> Ordering {
    rank(a).cmp(&rank(b)).then_with(|| within_type(a, b))
}

fn within_type(a: &Value, b: &Value) -> Ordering {
    use ValueType as V;
    match (&a.value_type, &b.value_type) {
        (Some(V::BooleanValue(a)), Some(V::BooleanValue(b))) => a.cmp(b),
        (Some(V::IntegerValue(a)), Some(V::IntegerValue(b))) => a.cmp(b),
        (Some(V::TimestampValue(a)), Some(V::TimestampValue(b))) => (a.seconds, a.nanos).cmp(&(b.seconds, b.nanos)),
        (Some(V::StringValue(a)), Some(V::StringValue(b))) => a.cmp(b),
        (Some(V::BytesValue(a)), Some(V::BytesValue(b))) => a.cmp(b),
        (Some(V::ReferenceValue(a)), Some(V::ReferenceValue(b))) => a.split('/').cmp(b.split('/')),
        (Some(V::GeoPointValue(a)), Some(V::GeoPointValue(b))) => {
            a.latitude.total_cmp(&b.latitude).then(a.longitude.total_cmp(&b.longitude))
        }
        (Some(V::ArrayValue(a)), Some(V::ArrayValue(b))) => arrays(&a.values, &b.values),
        (Some(V::MapValue(a)), Some(V::MapValue(b))) => maps(&a.fields, &b.fields),
        _ => numbers(number(a), number(b)),
    }
}

fn numbers(a: Option<f64>, b: Option<f64>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => b.is_nan().cmp(&a.is_nan()).then(a.partial_cmp(&b).unwrap_or(Ordering::Equal)),
        _ => Ordering::Equal,
    }
}

fn arrays(a: &[Value], b: &[Value]) -> Ordering {
    let different = a.iter().zip(b).map(|(a, b)| compare(a, b)).find(|order| order.is_ne());
    different.unwrap_or_else(|| a.len().cmp(&b.len()))
}

fn maps(a: &Fields, b: &Fields) -> Ordering {
    let (a, b): (BTreeMap<_, _>, BTreeMap<_, _>) = (a.iter().collect(), b.iter().collect());
    let pairs = a.iter().zip(&b).map(|((key_a, a), (key_b, b))| key_a.cmp(key_b).then_with(|| compare(a, b)));
    pairs.into_iter().find(|order| order.is_ne()).unwrap_or_else(|| a.len().cmp(&b.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ValueType as V;

    fn text(of: &str) -> Value {
        value(V::StringValue(of.to_owned()))
    }

    #[test]
    fn paths_are_cut_at_dots_outside_backquotes() {
        let check = |text: &str, wanted: &[&str]| assert_eq!(Path::parse(text).0, wanted, "{text}");
        check("a", &["a"]);
        check("sip.sip_password", &["sip", "sip_password"]);
        check("a.`b.c`.d", &["a", "b.c", "d"]);
        check(r"`b\`c\\`", &[r"b`c\"]);
    }

    #[test]
    fn paths_reach_into_maps() {
        let mut fields = Fields::new();
        let (deep, beside) = (Path::parse("a.`b.c`"), Path::parse("a.d"));
        deep.set(&mut fields, text("x"));
        beside.set(&mut fields, text("y"));
        assert_eq!((deep.get(&fields), beside.get(&fields)), (Some(&text("x")), Some(&text("y"))));
        deep.remove(&mut fields);
        assert_eq!((deep.get(&fields), beside.get(&fields)), (None, Some(&text("y"))));
        Path::parse("a.d.e").set(&mut fields, text("z"));
        assert_eq!(Path::parse("a.d.e").get(&fields), Some(&text("z")));
        Path::parse("missing.e").remove(&mut fields);
        assert_eq!(fields.len(), 1);
    }

    #[test]
    fn values_have_firestores_order() {
        let ordered = [
            value(V::NullValue(0)),
            value(V::BooleanValue(false)),
            value(V::BooleanValue(true)),
            value(V::DoubleValue(f64::NAN)),
            value(V::IntegerValue(-3)),
            value(V::DoubleValue(0.5)),
            value(V::IntegerValue(1)),
            value(V::DoubleValue(1.5)),
            text("a"),
            text("ab"),
            text("b"),
            array(vec![text("a")]),
            array(vec![text("a"), text("a")]),
            array(vec![text("b")]),
        ];
        for (i, a) in ordered.iter().enumerate() {
            for (j, b) in ordered.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a:?} {b:?}");
            }
        }
        assert_eq!(compare(&value(V::IntegerValue(1)), &value(V::DoubleValue(1.0))), Ordering::Equal);
    }
}
