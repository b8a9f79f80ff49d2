//! Servers of a few lines that answer what a test wants, and what is the same for all providers.

use countersign_core::{Clock, Timestamp};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};

use super::*;

/// Says what time it is.
pub(super) struct At(pub(super) i64);

impl Clock for At {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.0)
    }
}

/// Answers one request, and returns it.
pub(super) async fn answering(status: &str, body: &str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let length = body.len();
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}");
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        let mut wanted = usize::MAX;
        while request.len() < wanted {
            let mut bytes = [0; 4096];
            let count = stream.read(&mut bytes).await.unwrap();
            request.extend_from_slice(&bytes[..count]);
            let text = String::from_utf8_lossy(&request).to_lowercase();
            if let Some(head) = text.find("\r\n\r\n") {
                let length = text.split("content-length: ").nth(1).unwrap();
                wanted = head + 4 + length.lines().next().unwrap().parse::<usize>().unwrap();
            }
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(request).unwrap()
    });
    (url, served)
}

/// Returns the address of a server that is not there.
pub(super) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn keys_are_sent_only_where_nobody_on_the_way_reads_along() {
    for address in [
        "https://vault.example.com:8200",
        "http://127.0.0.1:8200",
        "http://[::1]:1",
        "http://localhost",
    ] {
        safe_address("f", address).unwrap();
    }
    for (address, why) in [
        ("http://vault.example.com", "in the clear"),
        ("http://127.0.0.1.example.com", "in the clear"),
        ("https://me:secret@vault.example.com", "login"),
        ("http://localhost@evil.example", "login"),
        ("vault.example.com", "https://"),
        ("ftp://localhost", "https://"),
        ("/v1", "host"),
        ("not a url", "URL"),
    ] {
        let error = safe_address("keys.vault.address", address).unwrap_err().to_string();
        assert!(error.starts_with("keys.vault.address: ") && error.contains(why), "{error}");
        assert!(!error.contains("secret"));
    }
}

#[test]
fn settings_are_read_as_they_are_written() {
    let read = |text: &str| serde_json::from_str::<KeySettings>(text);
    assert_eq!(read("{}").unwrap().choice().unwrap(), KeyProviderChoice::Local);
    let both = r#"{"provider":"vault","vault":{"address":"https://v","key":"k","token_file":"/t"},
        "aws":{"region":"eu-west-1","key_id":"alias/kek"}}"#;
    let settings = read(both).unwrap();
    let KeyProviderChoice::Vault(vault) = settings.choice().unwrap() else { panic!("it is Vault") };
    assert_eq!((vault.mount.as_str(), vault.namespace), ("transit", None));
    let aws = settings.choice_of(ProviderKind::Aws).unwrap();
    let KeyProviderChoice::Aws(aws) = aws else { panic!("it is AWS") };
    assert_eq!((aws.profile.as_str(), aws.endpoint), ("default", None));
    for wrong in [
        r#"{"provider":"pkcs11"}"#,
        r#"{"vault":{"key":"k"}}"#,
        r#"{"aws":{"region":"eu-west-1","key_id":"k","regoin":""}}"#,
        r#"{"kms":{}}"#,
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
    for (kind, field) in
        [("vault", "keys.vault: it is missing"), ("aws", "keys.aws: it is missing")]
    {
        let settings = read(&format!(r#"{{"provider":"{kind}"}}"#)).unwrap();
        let error = settings.choice().unwrap_err().to_string();
        assert!(error.starts_with(field), "{error}");
    }
}
