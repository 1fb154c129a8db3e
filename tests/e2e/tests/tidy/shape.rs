//! How a file looks: it says what it is, it is not too long, it is not called `utils`, and it has nothing forbidden in it.

use crate::sources::{all, assert_none, root};

const FOLDERS: &[&str] = &["crates", "tests", "fuzz"];
const LONGEST_FILE: usize = 600;

#[test]
fn every_file_says_what_it_is() {
    let findings: Vec<String> = all(FOLDERS)
        .iter()
        .filter(|source| !source.text.starts_with("//! ") && !source.text.starts_with("#![no_main]\n//! "))
        .map(|source| source.path.clone())
        .collect();
    assert_none("a file opens with `//!`", &findings);
}

#[test]
fn no_file_is_longer_than_two_things() {
    let findings: Vec<String> = all(FOLDERS)
        .iter()
        .map(|source| (source.text.lines().count(), &source.path))
        .filter(|(lines, _)| *lines > LONGEST_FILE)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    assert_none("a file of more than 600 lines holds two things", &findings);
}

#[test]
fn no_file_is_a_drawer() {
    let drawers = ["utils", "util", "helpers", "helper", "manager", "common", "misc"];
    let findings: Vec<String> = all(FOLDERS)
        .iter()
        .filter(|source| source.path.trim_end_matches(".rs").split('/').any(|part| drawers.contains(&part)))
        .map(|source| source.path.clone())
        .collect();
    assert_none("modules are named after what they hold", &findings);
}

#[test]
fn lints_are_expected_not_allowed() {
    let findings: Vec<String> = all(FOLDERS)
        .iter()
        .flat_map(|source| source.product_lines().map(move |(line, text)| (source, line, text)))
        .filter(|(_, _, text)| text.trim_start().starts_with("#[allow(") || text.trim_start().starts_with("#![allow("))
        .map(|(source, line, text)| format!("{}:{line}: {}", source.path, text.trim()))
        .collect();
    assert_none("write #[expect(…, reason = \"…\")]", &findings);
}

#[test]
fn every_member_takes_the_workspaces_lints() {
    let root = root();
    let mut findings = Vec::new();
    for room in std::fs::read_dir(root.join("crates")).expect("crates/ is there").flatten() {
        let manifest = std::fs::read_to_string(room.path().join("Cargo.toml")).unwrap_or_default();
        if !manifest.contains("[lints]\nworkspace = true") {
            findings.push(room.path().display().to_string());
        }
    }
    assert_none("a manifest says [lints] workspace = true", &findings);
}

#[test]
fn every_decision_record_is_listed_and_short() {
    let folder = root().join("docs/adr");
    let index = std::fs::read_to_string(folder.join("README.md")).expect("docs/adr/README.md lists the records");
    let mut findings = Vec::new();
    for record in std::fs::read_dir(&folder).expect("docs/adr is there").flatten() {
        let name = record.file_name().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(record.path()).unwrap_or_default();
        if name != "README.md" && (!index.contains(&name) || text.lines().count() > 80) {
            findings.push(format!("{name}: {} lines, listed: {}", text.lines().count(), index.contains(&name)));
        }
    }
    assert_none("a decision record is one page and listed in the index", &findings);
}

#[test]
fn every_fault_of_a_service_has_the_tests_that_its_table_names() {
    let table = std::fs::read_to_string(root().join("docs/rfc-notes/engines.md")).expect("the table is there");
    let sources = all(&["crates"]);
    let exists = |name: &str| sources.iter().any(|source| source.text.contains(&format!("fn {name}()")));
    let tests = |row: &str| -> Vec<String> {
        let last = row.trim_end_matches([' ', '|']).rsplit_once('|').map_or("", |(_, last)| last);
        last.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| fault")).collect();
    let without: Vec<String> = rows.iter().filter(|row| tests(row).is_empty()).map(|row| (*row).to_owned()).collect();
    assert_none("a fault names the test that shows what is heard", &without);
    let missing: Vec<String> = rows.iter().flat_map(|row| tests(row)).filter(|name| !exists(name)).collect();
    assert_none("a test that the table of faults names is there", &missing);
}
