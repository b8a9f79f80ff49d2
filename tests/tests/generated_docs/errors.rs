//! `docs/errors.md`: why a request may fail.

use std::collections::{BTreeMap, BTreeSet};

use countersign_service::Reason;
use countersign_tests::schema::{general_reasons, rpcs};

use super::{assert_generated, table};

/// Returns the code's name as the gRPC documentation writes it.
fn code_name(reason: Reason) -> String {
    let mut name = String::new();
    for letter in format!("{:?}", reason.code()).chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// Returns the RPCs that name each reason, by service.
fn named() -> BTreeMap<String, BTreeMap<String, Vec<String>>> {
    let mut named: BTreeMap<_, BTreeMap<_, Vec<_>>> = BTreeMap::new();
    for rpc in rpcs() {
        for reason in rpc.reasons() {
            let service = rpc.0.parent_service().name().to_owned();
            let rpcs = named.entry(reason).or_default().entry(service).or_default();
            rpcs.push(rpc.0.name().to_owned());
        }
    }
    named
}

#[test]
fn the_page_of_errors_says_what_the_reasons_say() {
    let (general, named) = (general_reasons(), named());
    let rows = Reason::ALL.iter().map(|reason| {
        let text = reason.as_str();
        let by = named.get(text).into_iter().flatten();
        let by = by.map(|(service, rpcs)| format!("{service}: {}", rpcs.join(", ")));
        let by: Vec<_> =
            general.get(text).map(|_| "any".to_owned()).into_iter().chain(by).collect();
        vec![
            format!("`{text}`"),
            format!("`{}`", code_name(*reason)),
            reason.meaning().to_owned(),
            reason.mend().to_owned(),
            by.join("; "),
        ]
    });
    let head = ["Reason", "gRPC code", "What it means", "What to do", "RPCs"];
    let page = format!(
        "# Errors\n\nEvery status that the services answer with carries a `google.rpc.ErrorInfo` with domain \
         `countersign` and one of these reasons. Programs decide by the reason; the message is for people and may \
         change. `FIELD_INVALID` and other reasons of `INVALID_ARGUMENT` come with a `google.rpc.BadRequest` that \
         names the field, what may pass by waiting with a `google.rpc.RetryInfo`, and `FAILED_PRECONDITION` with a \
         `google.rpc.PreconditionFailure`.\n\nA wrong code is not an error: the answer is OK with outcome \
         `REFUSED`.\n\n{}",
        table(&head, rows)
    );
    assert_generated("errors.md", &page);
}

#[test]
fn every_reason_that_a_comment_names_exists() {
    let known: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    for rpc in rpcs() {
        for reason in rpc.reasons() {
            assert!(known.contains(reason.as_str()), "{}: {reason}", rpc.path());
        }
    }
    for reason in general_reasons() {
        assert!(known.contains(reason.as_str()), "any RPC: {reason}");
    }
}

#[test]
fn every_reason_is_general_or_named_by_the_comment_of_an_rpc() {
    let (general, named) = (general_reasons(), named());
    let texts = Reason::ALL.iter().map(|reason| reason.as_str());
    let orphans: Vec<_> =
        texts.filter(|text| !general.contains(*text) && !named.contains_key(*text)).collect();
    assert!(orphans.is_empty(), "no comment says which RPC fails with {orphans:?}");
}
