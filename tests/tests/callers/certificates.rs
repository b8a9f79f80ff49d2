//! Callers who show a certificate: who they are, and who is not let in.

use countersign_testkit::authority::{Authority, IssuedFiles, expired, workload};
use countersign_tests::{
    Caller, reason,
    tools::{checkout, python, said},
};
use tokio::process::Command;

use crate::{
    probes::{audits, is_nobody, knocks, newest, places},
    secured::{LOGIN, Secured},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_holder_of_a_certificate_is_whom_its_spiffe_id_says() {
    let secured = Secured::start().await;
    let login = Caller::stranger(secured.connect(secured.sign("login", LOGIN)).await);
    assert_eq!(knocks(&login).await.unwrap(), "acme");
    assert_eq!(reason(&audits(&login).await.unwrap_err()), "PERMISSION_DENIED");
    places(&login, "ann").await.unwrap();
    let event = newest(&secured.tenant.auditor, "ann").await;
    assert_eq!(event.requester, format!("certificate:{LOGIN}"));
    let watch = secured.sign("watch", "spiffe://example.org/ns/watch/sa/night");
    let watch = Caller::stranger(secured.connect(watch).await);
    assert_eq!(audits(&watch.naming("acme")).await.unwrap(), "acme");
    assert_eq!(reason(&audits(&login.naming("globex")).await.unwrap_err()), "PERMISSION_DENIED");
    assert!(secured.process.stop().await.status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_says_goes_before_what_it_shows() {
    let secured = Secured::start().await;
    let channel = secured.connect(secured.sign("login", LOGIN)).await;
    // The key of an administrator counts, and not the certificate of a platform.
    let administrator = secured.tenant.admin.over(channel.clone());
    places(&administrator, "ann").await.unwrap();
    assert_eq!(audits(&administrator).await.unwrap(), "acme");
    let event = newest(&secured.tenant.auditor, "ann").await;
    assert!(event.requester.starts_with("api-key:acme."), "{}", event.requester);
    // A wrong key is not made up for by a right certificate.
    for wrong in ["csk_acme_wrong", "css_acme.wrong", "a.b.c", ""] {
        is_nobody(&knocks(&Caller::new(channel.clone(), wrong)).await.unwrap_err());
    }
    assert!(secured.process.stop().await.status.success());
}

/// Calls as a Python program does, without a key, and returns what it is told.
async fn from_python(secured: &Secured, files: Option<&IssuedFiles>) -> String {
    let mut command = Command::new(python());
    command
        .args(["-B", "-W", "error"])
        .arg(checkout().join("tests/python/certificate_caller.py"))
        .arg(secured.address().to_string())
        .arg(secured.path("servers.pem"));
    if let Some(IssuedFiles { certificate, key }) = files {
        command.args([certificate, key]);
    }
    command.kill_on_drop(true);
    said(command).await.trim_end().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_let_in_and_who_is_not_is_the_same_for_a_client_of_other_people() {
    let secured = Secured::start().await;
    let directory = secured.directory.path();
    let right = secured.sign("right", LOGIN);
    assert_eq!(from_python(&secured, Some(&right)).await, "OK");
    // Known to an authority that is trusted, and to nobody else.
    for (name, id) in [
        ("unknown", "spiffe://example.org/ns/shop/sa/cart"),
        ("below", "spiffe://example.org/ns/shop/sa/login/x"),
        ("elsewhere", "spiffe://example.com/ns/shop/sa/login"),
    ] {
        let files = secured.sign(name, id);
        let told = from_python(&secured, Some(&files)).await;
        assert_eq!(told, "UNAUTHENTICATED UNAUTHENTICATED", "{id}");
    }
    assert_eq!(from_python(&secured, None).await, "UNAUTHENTICATED UNAUTHENTICATED");
    // No connection comes about, and so nothing of ours is said.
    let foreign = Authority::new("clients").workload(LOGIN).place(directory, "foreign");
    let expired = secured.clients.sign(&expired(workload(LOGIN))).place(directory, "expired");
    let muddled = secured.sign("muddled", "https://example.org/login");
    for files in [foreign, expired] {
        assert_eq!(from_python(&secured, Some(&files)).await, "UNAVAILABLE", "{files:?}");
    }
    // An id of another kind is none.
    let told = from_python(&secured, Some(&muddled)).await;
    assert_eq!(told, "UNAUTHENTICATED UNAUTHENTICATED");
    assert_eq!(from_python(&secured, Some(&right)).await, "OK");
    let ended = secured.process.stop().await;
    assert!(ended.status.success());
    for why in [
        "no rule of callers.certificates fits spiffe://example.org/ns/shop/sa/cart",
        "it shows no key, no token and no certificate with a SPIFFE id",
    ] {
        assert!(ended.log.contains(why), "{why}: {}", ended.log);
    }
    assert!(ended.log.matches("a client's certificate is refused").count() >= 2);
}
