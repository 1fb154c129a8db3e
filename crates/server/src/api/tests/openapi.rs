//! The committed `openapi.json` is what the code says. `UPDATE_OPENAPI=1 cargo test -p callie-server openapi` writes it anew.

use crate::api::openapi::document_text;
use serde_json::Value;
use std::path::Path;

#[test]
fn the_committed_description_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi.json");
    let text = document_text();
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&path, &text).expect("written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "openapi.json is out of date: run UPDATE_OPENAPI=1 cargo test -p callie-server openapi");
}

/// Calls `check` with the name and the description of every operation.
fn each_operation(check: impl Fn(&str, &Value)) {
    let document: Value = serde_json::from_str(&document_text()).expect("json");
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            check(&format!("{method} {path}"), operation);
        }
    }
}

#[test]
fn every_operation_is_described() {
    each_operation(|name, operation| {
        for field in ["operationId", "summary", "tags"] {
            assert!(!operation[field].is_null(), "{name} has no {field}");
        }
        let responses = operation["responses"].as_object().expect("responses");
        let succeeds = |status: &String| status.starts_with('2') || ["101", "303"].contains(&status.as_str());
        assert!(responses.keys().any(succeeds), "{name} cannot succeed");
        for status in ["403", "421", "500"] {
            assert!(responses.contains_key(status), "{name} does not tell {status}");
        }
    });
}

#[test]
fn every_error_is_a_problem_document() {
    each_operation(|name, operation| {
        for (status, response) in operation["responses"].as_object().expect("responses") {
            if (status.starts_with('4') || status.starts_with('5')) && !name.contains("/health") {
                let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/Problem", "{name} {status}");
            }
        }
    });
}

#[test]
fn every_reference_leads_somewhere() {
    let text = document_text();
    let document: Value = serde_json::from_str(&text).expect("json");
    for reference in text.split("\"$ref\": \"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
}

#[test]
fn operation_names_are_unique() {
    let names = std::cell::RefCell::new(std::collections::BTreeSet::new());
    each_operation(|name, operation| {
        let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
        assert!(names.borrow_mut().insert(id.clone()), "{name}: {id} is taken");
    });
}
