//! Writes: preconditions, field masks, transforms. All of a commit or nothing.

use super::documents::{Documents, Version};
use super::transforms::transform;
use super::value::{Fields, Path};
use gcloud_sdk::google::firestore::v1::{
    Document, DocumentMask, Precondition, Write, WriteResult, document_transform::FieldTransform, precondition::ConditionType,
    write::Operation,
};
use prost::Message;
use std::collections::BTreeMap;
use tonic::Status;

/// What Firestore allows one document.
const DOCUMENT_LIMIT_BYTES: usize = 1_048_576;

/// Carries out the writes in their order as one commit; on an error nothing is done.
pub(super) fn write_all(documents: &mut Documents, writes: &[Write], at: Version) -> Result<Vec<WriteResult>, Status> {
    let mut staged = BTreeMap::new();
    let results = writes.iter().map(|write| stage(documents, &mut staged, write, at)).collect::<Result<_, _>>()?;
    documents.commit(at, staged);
    Ok(results)
}

type Staged = BTreeMap<String, Option<Document>>;

fn stage(documents: &Documents, staged: &mut Staged, write: &Write, at: Version) -> Result<WriteResult, Status> {
    let operation = write.operation.as_ref().ok_or_else(|| Status::invalid_argument("a write has no operation"))?;
    let name = name_of(operation);
    check_name(name)?;
    let stored = documents.get(name).map(|document| document.as_ref());
    let current = staged.get(name).map_or(stored, Option::as_ref);
    check_precondition(name, current, write.current_document.as_ref())?;

    let mut told = Vec::new();
    let new = match operation {
        Operation::Delete(_) => None,
        Operation::Update(given) => {
            let mut fields = match &write.update_mask {
                None => given.fields.clone(),
                Some(mask) => masked(current, given, mask),
            };
            told = transform_all(&mut fields, &write.update_transforms, at)?;
            Some(renewed(name, current, fields, at)?)
        }
        Operation::Transform(transforms) => {
            let mut fields = current.map(|document| document.fields.clone()).unwrap_or_default();
            told = transform_all(&mut fields, &transforms.field_transforms, at)?;
            Some(renewed(name, current, fields, at)?)
        }
    };
    let update_time = new.as_ref().and_then(|document| document.update_time);
    staged.insert(name.to_owned(), new);
    Ok(WriteResult { update_time, transform_results: told })
}

fn name_of(operation: &Operation) -> &str {
    match operation {
        Operation::Update(document) => &document.name,
        Operation::Delete(name) => name,
        Operation::Transform(transform) => &transform.document,
    }
}

/// `projects/P/databases/D/documents/` and then collection and id in turn.
fn check_name(name: &str) -> Result<(), Status> {
    let segments: Vec<&str> = name.split('/').collect();
    let whole = segments.len() >= 7 && segments.len() % 2 == 1 && segments.iter().all(|segment| !segment.is_empty());
    if whole && segments[0] == "projects" && segments[2] == "databases" && segments[4] == "documents" {
        return Ok(());
    }
    Err(Status::invalid_argument(format!("Document name \"{name}\" is not the name of a document.")))
}

fn check_precondition(name: &str, current: Option<&Document>, wanted: Option<&Precondition>) -> Result<(), Status> {
    match (wanted.and_then(|wanted| wanted.condition_type.as_ref()), current) {
        (Some(ConditionType::Exists(true)), None) => Err(Status::not_found(format!("No document to update: {name}"))),
        (Some(ConditionType::Exists(false)), Some(_)) => Err(Status::already_exists(format!("Document already exists: {name}"))),
        (Some(ConditionType::UpdateTime(_)), None) => {
            Err(Status::failed_precondition(format!("the stored version does not match the required one: {name} does not exist")))
        }
        (Some(ConditionType::UpdateTime(base)), Some(document)) if Version::of(document) != Version::from_timestamp(base) => {
            let stored = document.update_time.unwrap_or_default();
            let text = format!("the stored version ({stored}) does not match the required base version ({base})");
            Err(Status::failed_precondition(text))
        }
        _ => Ok(()),
    }
}

/// Fields of the mask come from `given`, or go away if it lacks them; the others stay.
fn masked(current: Option<&Document>, given: &Document, mask: &DocumentMask) -> Fields {
    let mut fields = current.map(|document| document.fields.clone()).unwrap_or_default();
    for path in mask.field_paths.iter().map(|path| Path::parse(path)) {
        match path.get(&given.fields) {
            Some(value) => path.set(&mut fields, value.clone()),
            None => path.remove(&mut fields),
        }
    }
    fields
}

fn transform_all(
    fields: &mut Fields,
    transforms: &[FieldTransform],
    at: Version,
) -> Result<Vec<gcloud_sdk::google::firestore::v1::Value>, Status> {
    transforms.iter().map(|one| transform(fields, one, at)).collect()
}

/// The document with these fields. One that is as it was keeps its update time.
fn renewed(name: &str, current: Option<&Document>, fields: Fields, at: Version) -> Result<Document, Status> {
    let now = Some(at.timestamp());
    let (create_time, update_time) = match current {
        Some(old) if old.fields == fields => (old.create_time, old.update_time),
        Some(old) => (old.create_time, now),
        None => (now, now),
    };
    let document = Document { name: name.to_owned(), fields, create_time, update_time };
    let size = document.encoded_len();
    if size > DOCUMENT_LIMIT_BYTES {
        let text = format!(
            "Document '{name}' cannot be written because its size ({size} bytes) exceeds the maximum allowed size of {DOCUMENT_LIMIT_BYTES} bytes."
        );
        return Err(Status::invalid_argument(text));
    }
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::super::value::value;
    use super::*;
    use gcloud_sdk::google::firestore::v1::value::ValueType as V;
    use tonic::Code;

    const ALICE: &str = "projects/p/databases/(default)/documents/users/alice";

    fn update(fields: &[(&str, i64)], mask: Option<&[&str]>, wanted: Option<ConditionType>) -> Write {
        let mut document = Document { name: ALICE.to_owned(), ..Document::default() };
        for (path, number) in fields {
            Path::parse(path).set(&mut document.fields, value(V::IntegerValue(*number)));
        }
        let update_mask = mask.map(|mask| DocumentMask { field_paths: mask.iter().map(|path| (*path).to_owned()).collect() });
        let current_document = wanted.map(|wanted| Precondition { condition_type: Some(wanted) });
        Write { operation: Some(Operation::Update(document)), update_mask, current_document, ..Write::default() }
    }

    fn write(documents: &mut Documents, writes: &[Write]) -> Result<Vec<WriteResult>, Code> {
        let at = documents.next_version();
        write_all(documents, writes, at).map_err(|status| status.code())
    }

    fn numbers(documents: &Documents, paths: &[&str]) -> Vec<Option<i64>> {
        let number = |path: &&str| match Path::parse(path).get(&documents.get(ALICE)?.fields)?.value_type {
            Some(V::IntegerValue(number)) => Some(number),
            _ => None,
        };
        paths.iter().map(number).collect()
    }

    #[test]
    fn a_mask_changes_what_it_names_and_nothing_else() {
        let mut documents = Documents::new();
        write(&mut documents, &[update(&[("a.b", 1), ("a.c", 2), ("d", 3)], None, None)]).unwrap();
        write(&mut documents, &[update(&[("a.b", 9), ("d", 9)], Some(&["a.b", "a.c"]), None)]).unwrap();
        assert_eq!(numbers(&documents, &["a.b", "a.c", "d"]), [Some(9), None, Some(3)]);
        write(&mut documents, &[update(&[("e", 1)], None, None)]).unwrap();
        assert_eq!(numbers(&documents, &["a.b", "d", "e"]), [None, None, Some(1)]);
    }

    #[test]
    fn a_write_that_changes_nothing_keeps_the_update_time() {
        let mut documents = Documents::new();
        let first = write(&mut documents, &[update(&[("a", 1)], None, None)]).unwrap();
        let same = write(&mut documents, &[update(&[("a", 1)], None, None)]).unwrap();
        let other = write(&mut documents, &[update(&[("a", 2)], None, None)]).unwrap();
        assert_eq!(first, same);
        assert_ne!(first, other);
        assert_eq!(documents.get(ALICE).unwrap().create_time, first[0].update_time);
    }

    #[test]
    fn preconditions_hold_or_nothing_is_written() {
        let mut documents = Documents::new();
        let exists = |wanted| Some(ConditionType::Exists(wanted));
        assert_eq!(write(&mut documents, &[update(&[("a", 1)], None, exists(true))]), Err(Code::NotFound));
        let first = write(&mut documents, &[update(&[("a", 1)], None, exists(false))]).unwrap();
        assert_eq!(write(&mut documents, &[update(&[("a", 2)], None, exists(false))]), Err(Code::AlreadyExists));
        let at = || Some(ConditionType::UpdateTime(first[0].update_time.unwrap()));
        write(&mut documents, &[update(&[("a", 3)], None, at())]).unwrap();
        assert_eq!(write(&mut documents, &[update(&[("a", 4)], None, at())]), Err(Code::FailedPrecondition));
        // The second write of a commit fails: the first is not done either.
        let both = [update(&[("a", 5)], None, None), update(&[("a", 6)], None, exists(false))];
        assert_eq!(write(&mut documents, &both), Err(Code::AlreadyExists));
        assert_eq!(numbers(&documents, &["a"]), [Some(3)]);
    }

    #[test]
    fn names_and_sizes_are_checked() {
        let mut documents = Documents::new();
        for name in ["", "users/alice", "projects/p/databases/d/documents/users", "projects/p/databases/d/documents/users//x/y"] {
            let delete = Write { operation: Some(Operation::Delete(name.to_owned())), ..Write::default() };
            assert_eq!(write(&mut documents, &[delete]), Err(Code::InvalidArgument), "{name}");
        }
        let mut huge = update(&[], None, None);
        if let Some(Operation::Update(document)) = &mut huge.operation {
            document.fields.insert("a".to_owned(), value(V::BytesValue(vec![0; DOCUMENT_LIMIT_BYTES])));
        }
        assert_eq!(write(&mut documents, &[huge]), Err(Code::InvalidArgument));
    }
}
