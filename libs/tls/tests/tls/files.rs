//! Files that cannot be used, and what is said of them.

use countersign_core::Chain;
use countersign_tls::{ClientTls, ServerTls, TlsError, TlsSettings};
use rcgen::date_time_ymd;

use crate::{
    authority::{Authority, Folder, changed, workload},
    server::house,
};

const ID: &str = "spiffe://example.org/server";

fn refused(files: &Folder) -> String {
    Chain(&ServerTls::open(&files.server(false)).unwrap_err()).to_string()
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let (_, files) = house();
    for mode in [0o644, 0o604, 0o660, 0o620, 0o601, 0o777] {
        files.chmod("tls.key", mode);
        let said = refused(&files);
        let mode = format!("tls.key is open to others (mode {mode:o})");
        assert!(said.contains(&mode) && said.contains("chmod 440"), "{said}");
        ClientTls::open(&files.client()).unwrap_err();
    }
    for mode in [0o600, 0o400, 0o440, 0o640] {
        files.chmod("tls.key", mode);
        ServerTls::open(&files.server(false)).unwrap();
    }
}

#[test]
fn what_is_wrong_names_the_file() {
    let (house, _) = house();
    let good = house.workload(ID);
    let other = house.workload(ID);
    let half = |text: &str| text[..text.len() / 2].to_owned();
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let locked = good.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    for (file, content, what) in [
        ("tls.crt", String::new(), "tls.crt holds no certificate in PEM"),
        ("tls.crt", good.key.clone(), "tls.crt holds no certificate in PEM"),
        ("tls.crt", half(&good.chain), "tls.crt is not PEM from beginning to end"),
        ("tls.crt", format!("{}{}", good.chain, half(&house.pem)), "tls.crt is not PEM"),
        ("tls.crt", no_certificate.to_owned(), "certificate 1 of"),
        ("tls.crt", format!("{}{no_certificate}", good.chain), "certificate 2 of"),
        ("tls.key", String::new(), "tls.key holds no private key without a password"),
        ("tls.key", locked, "tls.key holds no private key without a password"),
        ("tls.key", half(&good.key), "tls.key is not PEM from beginning to end"),
        ("tls.key", other.key, "tls.key is not a key that fits the certificate of"),
        ("ca.crt", String::new(), "ca.crt holds no certificate in PEM"),
        ("ca.crt", half(&house.pem), "ca.crt is not PEM from beginning to end"),
        ("ca.crt", format!("{}{no_certificate}", house.pem), "certificate 2 of"),
        ("ca.crt", "#".repeat(1_100_000), "ca.crt has more than 1048576 bytes"),
    ] {
        let files = Folder::new(&good, &house.pem);
        files.overwrite(file, &content);
        let said = refused(&files);
        assert!(said.contains(what) && said.contains(file), "{what}: {said}");
        assert!(!said.contains("MII"), "no part of a file is repeated: {said}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let (_, files) = house();
    let settings = TlsSettings { key: files.path("missing"), ..files.server(false) };
    let said = Chain(&ServerTls::open(&settings).unwrap_err()).to_string();
    assert!(said.contains("missing cannot be read: No such file"), "{said}");
}

#[test]
fn an_expired_certificate_of_our_own_is_refused() {
    let house = Authority::new("house");
    let expired = changed(workload(ID), |it| it.not_after = date_time_ymd(2020, 1, 1));
    let files = Folder::new(&house.sign(&expired), &house.pem);
    assert!(refused(&files).contains("expired at 2020-01-01T00:00:00Z: renew it"));
}

#[test]
fn certificates_are_required_of_clients_only_if_somebody_signs_them() {
    let (_, files) = house();
    let settings = TlsSettings { client_roots: None, ..files.server(true) };
    assert!(matches!(ServerTls::open(&settings), Err(TlsError::NoClientRoots)));
}

#[test]
fn it_is_known_when_our_own_certificate_expires() {
    let house = Authority::new("house");
    let params = changed(workload(ID), |it| it.not_after = date_time_ymd(2035, 1, 1));
    let files = Folder::new(&house.sign(&params), &house.pem);
    let expires_at = ServerTls::open(&files.server(false)).unwrap().files().expires_at();
    assert_eq!(expires_at.map(|at| at.to_string()).as_deref(), Some("2035-01-01T00:00:00Z"));
    let roots = ClientTls::from_roots(files.path("ca.crt")).unwrap();
    assert_eq!(roots.files().expires_at(), None);
}

#[test]
fn nothing_of_a_key_is_printed() {
    let (_, files) = house();
    let server = format!("{:?}", ServerTls::open(&files.server(true)).unwrap());
    let client = ClientTls::open(&files.client()).unwrap();
    let client = format!("{client:?} {:?}", client.files().current());
    for printed in [server, client] {
        assert!(printed.contains("tls.key") && printed.len() < 1_000, "{printed}");
    }
}
