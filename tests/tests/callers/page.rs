//! The examples of `docs/callers.md` are settings that can be used.

use std::{fs, path::Path, sync::Arc};

use countersign::serve::{Config, Flags};
use countersign_service::SystemClock;
use countersign_testkit::authority::{Authority, replace};
use countersign_tests::tools::checkout;

/// Where the page says that a cluster's authority is.
const CLUSTER_AUTHORITY: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

/// Returns the blocks of YAML in a page.
fn examples(page: &str) -> Vec<&str> {
    let after = page.split("```yaml\n").skip(1);
    after.map(|rest| rest.split_once("```").unwrap().0).collect()
}

fn loaded(directory: &Path, example: &str) -> Config {
    let path = directory.join("countersign.yaml");
    replace(&path, example);
    Config::load(Flags { config: Some(path), ..Flags::default() }).unwrap()
}

#[test]
fn every_example_of_the_page_can_be_used() {
    let page = fs::read_to_string(checkout().join("docs/callers.md")).unwrap();
    let examples = examples(&page);
    let directory = tempfile::tempdir().unwrap();
    let authority = directory.path().join("ca.crt");
    replace(&authority, &Authority::new("cluster").pem);
    let (mut issuers, mut certificates, mut listeners, mut peers) = (0, 0, 0, 0);
    for example in &examples {
        let here = example.replace(CLUSTER_AUTHORITY, authority.to_str().unwrap());
        let config = loaded(directory.path(), &here);
        config.callers.identities(Arc::new(SystemClock)).unwrap();
        config.peer_addresses().unwrap();
        issuers += config.callers.issuers.len();
        certificates += config.callers.certificates.len();
        listeners += usize::from(config.tls.is_some());
        peers += usize::from(config.peer_tls.is_some());
    }
    let found = [issuers, certificates, listeners, peers];
    assert!(found.iter().all(|count| *count > 0), "the page shows all of them: {found:?}");
}
