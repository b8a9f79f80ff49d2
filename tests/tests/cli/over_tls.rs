//! Calling a server over TLS.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use countersign_testkit::authority::{Authority, IssuedFiles, certificate, replace};
use countersign_tests::{Process, process::serve};
use tempfile::TempDir;
use tokio::process::Command;

use super::Said;

/// The workload that may call with its certificate alone.
const OPERATOR: &str = "spiffe://example.org/operator";

/// Makes an authority, and the file by which it is trusted.
fn founded(directory: &Path, name: &str) -> (Authority, PathBuf) {
    let (authority, roots) = (Authority::new(name), directory.join(format!("{name}.pem")));
    replace(&roots, &authority.pem);
    (authority, roots)
}

/// A server over TLS with an authority that signs for it.
struct Secure {
    directory: TempDir,
    authority: Authority,
    roots: PathBuf,
    server: Process,
}

impl Secure {
    /// Serves with a certificate for `names`, and with more settings of `tls`, from a file as operators write it.
    async fn start(names: &[&str], settings: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (authority, roots) = founded(directory.path(), "house");
        let own = authority.sign(&certificate(names)).place(directory.path(), "server");
        let config = format!(
            "tls:\n  certificate: {}\n  key: {}\n  client_roots: {}\n  {settings}\ncallers:\n  certificates:\n    - \
             {{ spiffe_id: {OPERATOR}, tenant: platform, roles: [platform_admin] }}\n",
            own.certificate.display(),
            own.key.display(),
            roots.display(),
        );
        let path = directory.path().join("countersign.yaml");
        fs::write(&path, config).unwrap();
        let data_dir = directory.path().join("data");
        let mut command = serve(&data_dir);
        command.arg("--config").arg(path);
        let server = Process::spawn(command, &data_dir).await;
        Self { directory, authority, roots, server }
    }

    /// Prepares a command that knows the server's address and the first key, and trusts nobody yet.
    fn untrusting(&self, words: &[&str]) -> Command {
        let mut command = self.server.command(words);
        let address = self.server.address();
        command.env("COUNTERSIGN_SERVER", format!("https://{address}"));
        command
    }

    fn trusting(&self, words: &[&str]) -> Command {
        let mut command = self.untrusting(words);
        command.arg("--ca").arg(&self.roots);
        command
    }

    /// Prepares a command that shows a certificate.
    fn showing(&self, files: &IssuedFiles, words: &[&str]) -> Command {
        let mut command = self.trusting(words);
        command.arg("--certificate").arg(&files.certificate).arg("--key").arg(&files.key);
        command
    }

    /// Has the authority sign for who is called `id`.
    fn sign(&self, file: &str, id: &str) -> IssuedFiles {
        self.authority.sign(&certificate(&[id])).place(self.path(), file)
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }
}

#[tokio::test]
async fn a_server_whose_authority_is_trusted_is_called_over_tls() {
    let secure = Secure::start(&["127.0.0.1"], "").await;
    let created = Said::well(secure.trusting(&["tenants", "create", "acme"])).await;
    assert_eq!(created, "created acme\n");
    let mut by_environment = secure.untrusting(&["tenants", "list"]);
    by_environment.env("COUNTERSIGN_CA", &secure.roots);
    assert_eq!(Said::json(by_environment).await[0]["tenantId"], "acme");
    // What OpenSSL is told by this variable is whom the system trusts.
    let mut by_system = secure.untrusting(&["tenants", "list"]);
    by_system.env("SSL_CERT_FILE", &secure.roots);
    assert!(Said::well(by_system).await.contains("acme"));
    assert!(secure.server.stop().await.status.success());
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_gets_no_key() {
    let secure = Secure::start(&["127.0.0.1"], "").await;
    let (_, others) = founded(secure.path(), "other");
    let mut command = secure.untrusting(&["tenants", "list"]);
    command.arg("--ca").arg(others);
    let said = Said::failing(command).await;
    let address = secure.server.address();
    assert!(said.contains(&format!("no TLS with the server at https://{address}")), "{said}");
    assert!(said.contains("UnknownIssuer") && said.contains("try: --ca FILE"), "{said}");
    let mut plain = secure.server.command(&["tenants", "list"]);
    plain.env("COUNTERSIGN_SERVER", format!("http://{address}"));
    let said = Said::failing(plain).await;
    assert!(said.contains("try: an https:// address"), "{said}");
}

#[tokio::test]
async fn a_server_of_another_name_is_called_by_the_name_that_it_has() {
    let names = ["mfa.example.com", "spiffe://example.org/countersign"];
    let secure = Secure::start(&names, "").await;
    let said = Said::failing(secure.trusting(&["tenants", "list"])).await;
    assert!(said.contains("not valid for name") && said.contains("--server-name"), "{said}");
    for name in names {
        let mut command = secure.trusting(&["tenants", "list"]);
        command.args(["--server-name", name]);
        assert!(Said::well(command).await.contains("no tenants yet"));
    }
    let mut command = secure.trusting(&["tenants", "list"]);
    command.args(["--server-name", "spiffe://example.org/somebody"]);
    let said = Said::failing(command).await;
    assert!(said.contains("and not spiffe://example.org/somebody"), "{said}");
}

#[tokio::test]
async fn a_server_that_asks_who_calls_is_shown_a_certificate() {
    let secure = Secure::start(&["127.0.0.1"], "require_client_certificate: true").await;
    let nameless = secure.trusting(&["tenants", "list"]);
    let said = Said::failing(nameless).await;
    assert!(said.contains("try: --certificate"), "{said}");
    // Its holder is nobody to the server, and calls with the key.
    let guest = secure.sign("guest", "spiffe://example.org/guest");
    assert!(Said::well(secure.showing(&guest, &["tenants", "list"])).await.contains("no tenants"));
    let stranger = Authority::new("other").workload(OPERATOR).place(secure.path(), "stranger");
    let said = Said::failing(secure.showing(&stranger, &["tenants", "list"])).await;
    assert!(said.contains("try: --certificate"), "{said}");
}

#[tokio::test]
async fn whoever_is_known_by_a_certificate_needs_no_key() {
    let secure = Secure::start(&["127.0.0.1"], "").await;
    let without_key = |files: &IssuedFiles| {
        let mut command = secure.showing(files, &["tenants", "create", "acme"]);
        // Where there is no data directory there is no key.
        command.env_remove("COUNTERSIGN_API_KEY_FILE").current_dir(secure.path().join("data/keys"));
        command
    };
    let guest = secure.sign("guest", "spiffe://example.org/guest");
    let said = Said::failing(without_key(&guest)).await;
    assert!(said.contains("(UNAUTHENTICATED)"), "{said}");
    let operator = secure.sign("operator", OPERATOR);
    assert_eq!(Said::well(without_key(&operator)).await, "created acme\n");
    // A key file that was named is meant.
    let mut named = without_key(&operator);
    named.args(["--api-key-file", "nowhere"]);
    let said = Said::failing(named).await;
    assert!(said.contains("cannot read the API key in nowhere"), "{said}");
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let (authority, roots) = founded(directory.path(), "house");
    let files = authority.workload(OPERATOR).place(directory.path(), "me");
    let command = |words: &[&Path]| {
        let mut command =
            countersign_tests::process::command(["tenants", "list", "--api-key", "k"]);
        command.args(["--server", "https://127.0.0.1:1", "--ca"]).arg(words[0]);
        if let [_, certificate, key] = words {
            command.arg("--certificate").arg(certificate).arg("--key").arg(key);
        }
        command
    };
    let nowhere = directory.path().join("nowhere.pem");
    let said = Said::failing(command(&[&nowhere])).await;
    assert!(said.contains("nowhere.pem cannot be read") && said.contains("try: other files"));
    let said = Said::failing(command(&[&roots, &files.certificate, &roots])).await;
    assert!(said.contains("house.pem holds no private key"), "{said}");
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o644)).unwrap();
    let said = Said::failing(command(&[&roots, &files.certificate, &files.key])).await;
    assert!(said.contains("me.key is open to others") && said.contains("chmod"), "{said}");
    let said = Said::failing(command(&[&roots])).await;
    assert!(said.contains("no server answers at https://127.0.0.1:1"), "{said}");
}

#[tokio::test]
async fn flags_of_tls_are_refused_where_the_key_would_go_out_in_plain_text() {
    for (address, flag, value) in [
        ("http://127.0.0.1:1", "--ca", "ca.pem"),
        ("127.0.0.1:1", "--server-name", "mfa.example.com"),
        ("https://127.0.0.1:1", "--key", "me.key"),
        ("https://127.0.0.1:1", "--server-name", "spiffe://"),
    ] {
        let words = ["tenants", "list", "--api-key", "k", "--server", address, flag, value];
        let said = Said::by(countersign_tests::process::command(words)).await;
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{words:?}: {said:?}");
        assert!(said.err.contains(flag), "{words:?}: {said:?}");
    }
}
