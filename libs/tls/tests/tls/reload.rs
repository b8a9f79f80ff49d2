//! Certificates, keys and roots that change while connections are made.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use countersign_core::Chain;
use countersign_tls::{ClientTls, ExpectedPeer, Look, ServerTls};

use crate::{
    authority::{Authority, Folder},
    server::{Server, channel, check, client, eventually, house},
};

const CALLER: &str = "spiffe://example.org/caller";

fn server_id(number: u32) -> String {
    format!("spiffe://example.org/server/{number}")
}

/// Returns whether the server shows itself as `number` to someone new.
async fn is_server(server: &Server, files: &Folder, number: u32) -> bool {
    let tls = ClientTls::open(&files.client()).unwrap();
    let expected = ExpectedPeer::Spiffe(server_id(number).parse().unwrap());
    check(channel(server.address, tls.connector(expected))).await.is_ok()
}

/// Looks until nothing is settling any more.
fn look(tls: &ServerTls) -> Look {
    let first = tls.files().look();
    if first == Look::Settling { tls.files().look() } else { first }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_connection_fails_while_certificates_are_swapped() {
    const CONNECTIONS: usize = 100;
    const SWAPS: u32 = 20;
    let authority = Authority::new("house");
    let mut files = Folder::new(&authority.workload(&server_id(0)), &authority.pem);
    let callers = Folder::new(&authority.workload(CALLER), &authority.pem);
    let server = Server::with_tls(&files.server(true)).await;
    let tls = server.tls.clone().unwrap();
    let caller = ClientTls::open(&callers.client()).unwrap();
    let old = channel(server.address, caller.connector(ExpectedPeer::Host));
    check(old.clone()).await.unwrap();

    let made = Arc::<AtomicUsize>::default();
    let calling: Vec<_> = (0..10)
        .map(|_| {
            let (caller, made, address) = (caller.clone(), Arc::clone(&made), server.address);
            tokio::spawn(async move {
                for _ in 0..CONNECTIONS / 10 {
                    check(channel(address, caller.connector(ExpectedPeer::Host))).await.unwrap();
                    made.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for number in 1..=SWAPS {
        files.swap(&authority.workload(&server_id(number)), &authority.pem);
        assert_eq!(look(&tls), Look::Changed);
        assert_eq!(look(&tls), Look::Unchanged);
        // So that connections are made under each of the certificates.
        let enough =
            CONNECTIONS * usize::try_from(number).unwrap() / usize::try_from(SWAPS).unwrap();
        eventually(async || {
            tokio::task::yield_now().await;
            made.load(Ordering::SeqCst) >= enough - 2
        })
        .await;
        check(old.clone()).await.expect("connections that are there go on");
    }
    for task in calling {
        task.await.unwrap();
    }
    assert_eq!(made.load(Ordering::SeqCst), CONNECTIONS);
    assert!(is_server(&server, &callers, SWAPS).await, "the newest one is shown");
    assert!(!is_server(&server, &callers, SWAPS - 1).await);
}

#[tokio::test]
async fn a_half_written_file_keeps_the_old_certificate() {
    let authority = Authority::new("house");
    let files = Folder::new(&authority.workload(&server_id(0)), &authority.pem);
    let server = Server::with_tls(&files.server(true)).await;
    let tls = server.tls.clone().unwrap();
    let next = authority.workload(&server_id(1));
    for cut in (0..next.chain.len()).step_by(97) {
        files.overwrite("tls.crt", &next.chain[..cut]);
        let refused = Chain(&tls.files().reload().unwrap_err()).to_string();
        assert!(refused.contains("tls.crt"), "{refused}");
        assert_eq!(tls.files().trouble(), Some(refused));
    }
    // All of it, but the key is still the old one.
    files.overwrite("tls.crt", &next.chain);
    let refused = tls.files().reload().unwrap_err().to_string();
    assert!(refused.contains("tls.key is not a key that fits"), "{refused}");
    let callers = Folder::new(&authority.workload(CALLER), &authority.pem);
    assert!(is_server(&server, &callers, 0).await, "the old one is still shown");
    files.overwrite("tls.key", &next.key);
    assert_eq!(tls.files().look(), Look::Settling, "somebody may still be writing");
    assert_eq!(tls.files().look(), Look::Changed);
    assert_eq!(tls.files().trouble(), None);
    assert!(is_server(&server, &callers, 1).await);
}

#[tokio::test]
async fn what_changes_from_look_to_look_is_not_used_and_what_comes_back_is_no_trouble() {
    let (authority, files) = house();
    let tls = ServerTls::open(&files.server(true)).unwrap();
    let before = tls.files().current();
    let old = std::fs::read_to_string(files.path("ca.crt")).unwrap();
    // A bundle that grows: every beginning of it that ends with a certificate looks whole.
    let mut bundle = authority.pem.clone();
    for _ in 0..3 {
        bundle.push_str(&Authority::new("another").pem);
        files.overwrite("ca.crt", &bundle);
        assert_eq!(tls.files().look(), Look::Settling);
    }
    assert!(Arc::ptr_eq(&tls.files().current(), &before));
    files.overwrite("ca.crt", "");
    assert_eq!(look(&tls), Look::Refused);
    assert_eq!(tls.files().look(), Look::Refused);
    assert!(tls.files().trouble().is_some());
    files.overwrite("ca.crt", &old);
    assert_eq!(look(&tls), Look::Unchanged);
    assert_eq!(tls.files().trouble(), None);
    assert!(Arc::ptr_eq(&tls.files().current(), &before));
}

#[tokio::test]
async fn a_key_that_is_opened_to_others_later_is_not_taken() {
    let authority = Authority::new("house");
    let mut files = Folder::new(&authority.workload(&server_id(0)), &authority.pem);
    let tls = ServerTls::open(&files.server(true)).unwrap();
    files.swap(&authority.workload(&server_id(1)), &authority.pem);
    files.chmod("tls.key", 0o644);
    assert_eq!(look(&tls), Look::Refused);
    assert!(tls.files().trouble().unwrap().contains("open to others"));
}

#[tokio::test]
async fn an_authority_that_is_removed_lets_nobody_in_any_more() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let house = Authority::new("house");
    let issued = house.workload(&server_id(0));
    let mut files = Folder::new(&issued, &old.pem);
    let mut server = Server::with_tls(&files.server(true)).await;
    let shows = |authority: &Authority| Folder::new(&authority.workload(CALLER), &house.pem);
    let (of_old, of_new) = (shows(&old), shows(&new));
    // One that tries again and again with what it has, as a session to be resumed would be.
    let stubborn = ClientTls::open(&of_old.client()).unwrap();
    let stubborn = || channel(server.address, stubborn.connector(ExpectedPeer::Host));
    check(stubborn()).await.unwrap();
    check(client(server.address, &of_new)).await.unwrap_err();
    files.swap(&issued, &format!("{}{}", old.pem, new.pem));
    server.reload();
    check(stubborn()).await.unwrap();
    check(client(server.address, &of_new)).await.unwrap();
    files.swap(&issued, &new.pem);
    server.reload();
    check(stubborn()).await.unwrap_err();
    check(client(server.address, &of_new)).await.unwrap();
    for _ in 0..3 {
        assert_eq!(server.caller().await.as_deref(), Some(CALLER));
    }
}

#[tokio::test]
async fn a_client_shows_and_trusts_what_its_files_say_now() {
    let (authority, files) = house();
    let mut server = Server::with_tls(&files.server(true)).await;
    let mut callers = Folder::new(&authority.workload(CALLER), &authority.pem);
    let caller = ClientTls::open(&callers.client()).unwrap();
    // Of a connector that was made before.
    let connector = caller.connector(ExpectedPeer::Host);
    let call = || check(channel(server.address, connector.clone()));
    call().await.unwrap();
    callers.swap(&authority.workload("spiffe://example.org/renamed"), &authority.pem);
    call().await.unwrap();
    caller.files().reload().unwrap();
    call().await.unwrap();
    callers.overwrite("ca.crt", &Authority::new("another").pem);
    caller.files().reload().unwrap();
    call().await.unwrap_err();
    for id in [CALLER, CALLER, "spiffe://example.org/renamed"] {
        assert_eq!(server.caller().await.as_deref(), Some(id));
    }
}

#[tokio::test]
async fn files_are_followed() {
    let authority = Authority::new("house");
    let mut files = Folder::new(&authority.workload(&server_id(0)), &authority.pem);
    let server = Server::with_tls(&files.server(true)).await;
    let callers = Folder::new(&authority.workload(CALLER), &authority.pem);
    let tls = server.tls.clone().unwrap();
    let following = tokio::spawn(Arc::clone(tls.files()).follow());
    assert!(is_server(&server, &callers, 0).await);
    files.swap(&authority.workload(&server_id(1)), &authority.pem);
    let before = tokio::time::Instant::now();
    eventually(async || is_server(&server, &callers, 1).await).await;
    assert!(before.elapsed() < Duration::from_secs(10), "within a few seconds");
    following.abort();
}
