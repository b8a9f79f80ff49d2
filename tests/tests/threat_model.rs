//! The threat model names the tests that prove it, and they are there.

#![expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the names of all tests below `directory`.
fn tests_below(directory: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("target") {
                tests_below(&path, names);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(tests_in(&fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Returns the names of functions that stand under a `test` attribute, or in a `proptest!`.
fn tests_in(text: &str) -> Vec<String> {
    let mut is_test = false;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            is_test |= line.contains("test]") || line.contains("test(");
            continue;
        }
        let function = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        if let Some((name, _)) = function.filter(|_| is_test).and_then(|f| f.split_once('(')) {
            found.push(name.to_owned());
        }
        is_test &= line.starts_with("//") || line.is_empty();
    }
    found
}

/// Returns the words in back quotes that look like names of tests, in the column `Proved by`.
fn named_in(page: &str) -> BTreeSet<String> {
    let rows = page.lines().filter(|line| line.starts_with('|'));
    let proofs = rows.filter_map(|line| line.trim_end_matches('|').rsplit('|').next());
    let quoted = proofs.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    quoted.filter(|word| word.matches('_').count() >= 3).map(str::to_owned).collect()
}

#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let page = fs::read_to_string(root().join("docs/threat-model.md")).unwrap();
    let named = named_in(&page);
    assert!(named.len() > 50, "{} tests are named", named.len());
    let mut known = BTreeSet::new();
    for directory in ["libs", "services", "tests"] {
        tests_below(&root().join(directory), &mut known);
    }
    let missing: Vec<_> = named.difference(&known).collect();
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}

#[test]
fn every_attack_in_the_threat_model_has_a_proof() {
    let page = fs::read_to_string(root().join("docs/threat-model.md")).unwrap();
    let (_, tables) = page.split_once("## What stops whom").unwrap();
    let rows = tables.lines().filter(|line| {
        line.starts_with("| ") && !line.starts_with("| ---") && !line.starts_with("| Attack")
    });
    let unproved: Vec<_> = rows.filter(|row| named_in(row).is_empty()).collect();
    assert!(unproved.is_empty(), "{unproved:#?}");
}

#[test]
fn a_test_is_told_from_other_functions() {
    let text = "fn helper() {}\n#[test]\nfn one_that_counts() {}\n#[tokio::test(start_paused = true)]\n// Why.\n\
                async fn another() {}\nfn no_test() {}\n";
    assert_eq!(tests_in(text), ["one_that_counts", "another"]);
}
