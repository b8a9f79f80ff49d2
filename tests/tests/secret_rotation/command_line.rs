//! `countersign keyring secrets`, as an operator uses it.

use countersign_tests::{
    Process,
    process::{run, text},
    tools::said,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_has_everything_sealed_anew_and_is_told_when_it_is_done() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(&directory.path().join("data")).await;
    let tenant = process.tenant("acme").await;
    tenant.enrol("ann").await;
    let status = ["keyring", "status"];
    assert!(!said(process.command(&status)).await.contains("secrets"));
    let begun = said(process.command(&["keyring", "secrets", "rotate"])).await;
    assert!(begun.contains("rotation 1"), "{begun}");
    loop {
        let seen = said(process.command(&status)).await;
        if seen.contains("were sealed anew (rotation 1, 1 users)") {
            break;
        }
        assert!(seen.contains("are being sealed anew"), "{seen}");
    }
    let replayed = said(process.command(&["audit", "replay", "--tenant", "acme"])).await;
    assert!(replayed.contains("SecretsResealed"), "{replayed}");
    let mut verifier = process.command(&["keyring", "secrets", "rotate"]);
    verifier.env_remove("COUNTERSIGN_API_KEY_FILE");
    verifier.env("COUNTERSIGN_API_KEY", tenant.platform.key().unwrap());
    let refused = run(verifier).await;
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("PERMISSION_DENIED"), "{}", text(&refused.stderr));
    assert!(process.stop().await.status.success());
}
