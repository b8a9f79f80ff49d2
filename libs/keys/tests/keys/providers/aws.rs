//! AWS KMS, as moto plays it.

use std::fs;

use countersign_keys::{AwsSettings, KeyProviderChoice, ProviderError};
use http::Request;
use tempfile::TempDir;
use tokio::process::Command;

use super::{Server, a_life, a_move, open, refused, tool};
use crate::support::Keys;

/// AWS with a key, and how it is asked.
struct Aws {
    server: Server,
    directory: TempDir,
    key_id: String,
}

impl Aws {
    async fn start() -> Self {
        let server = Server::start(|port| {
            let mut command = Command::new(tool("moto_server"));
            command.args(["-H", "127.0.0.1", "-p"]).arg(port.to_string());
            command
        })
        .await;
        let directory = tempfile::tempdir().unwrap();
        let text = "[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = s3cr3t\n";
        fs::write(directory.path().join("credentials"), text).unwrap();
        let mut aws = Self { server, directory, key_id: String::new() };
        aws.key_id = aws.new_key().await;
        aws
    }

    async fn operator(&self, operation: &str, body: serde_json::Value) -> serde_json::Value {
        let scope = "Credential=operator/20260101/eu-west-1/kms/aws4_request";
        let request = Request::post(self.server.url())
            .header("content-type", "application/x-amz-json-1.1")
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"),
            )
            .header("x-amz-target", format!("TrentService.{operation}"));
        self.server.asked(request, body.to_string()).await
    }

    async fn new_key(&self) -> String {
        let made = self.operator("CreateKey", serde_json::json!({})).await;
        made["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned()
    }

    fn settings(&self) -> AwsSettings {
        AwsSettings {
            region: "eu-west-1".to_owned(),
            key_id: self.key_id.clone(),
            endpoint: Some(self.server.url()),
            credentials_file: Some(self.directory.path().join("credentials")),
            profile: "default".to_owned(),
            ca_file: None,
        }
    }

    fn choice(&self) -> KeyProviderChoice {
        KeyProviderChoice::Aws(self.settings())
    }
}

#[tokio::test]
async fn a_ring_that_kms_keeps_is_opened_rotated_and_retired() {
    a_life(&Aws::start().await.choice()).await;
}

#[tokio::test]
async fn a_ring_moves_to_kms_and_back_and_leaves_no_key_in_the_clear() {
    a_move(&Aws::start().await.choice()).await;
}

#[tokio::test]
async fn a_version_of_the_ring_opens_as_no_other_version() {
    let aws = Aws::start().await;
    let keys = Keys::none();
    let opened = open(&keys, &aws.choice()).await.unwrap();
    opened.rotation().begin_kek_rotation().await.unwrap();
    drop(opened);
    // The keys of the two versions change places.
    let file = keys.files()["kek"].clone();
    let length = usize::from(u16::from_le_bytes([file[20], file[21]]));
    let entry = 6 + length + 40;
    let (first, second) = (&file[16..16 + entry], &file[16 + entry..16 + 2 * entry]);
    let swapped = [&first[..4], &second[4..], &second[..4], &first[4..]].concat();
    let mut content = [&file[..16], &swapped].concat();
    assert_eq!(content.len() + 4, file.len());
    content.extend(crc32c::crc32c(&content).to_le_bytes());
    let mut files = keys.files();
    files.insert("kek".to_owned(), content);
    keys.put(&files);
    let error = refused(open(&keys, &aws.choice()).await);
    assert!(matches!(error, ProviderError::WrongKey { .. }), "{error:?}");
}

#[tokio::test]
async fn another_key_no_key_no_credentials_and_no_aws_are_told_apart() {
    let mut aws = Aws::start().await;
    let keys = Keys::none();
    open(&keys, &aws.choice()).await.unwrap();
    let before = keys.files();

    let other = AwsSettings { key_id: aws.new_key().await, ..aws.settings() };
    let error = refused(open(&keys, &KeyProviderChoice::Aws(other)).await);
    // AWS says IncorrectKeyException, moto AccessDeniedException.
    assert!(
        matches!(error, ProviderError::WrongKey { .. } | ProviderError::Forbidden { .. }),
        "{error:?}"
    );
    let nobody =
        AwsSettings { key_id: "00000000-0000-4000-8000-000000000000".to_owned(), ..aws.settings() };
    let error = refused(open(&keys, &KeyProviderChoice::Aws(nobody)).await);
    assert!(matches!(error, ProviderError::WrongKey { .. }), "{error:?}");
    let nowhere = AwsSettings { profile: "nobody".to_owned(), ..aws.settings() };
    let error = refused(open(&keys, &KeyProviderChoice::Aws(nowhere)).await);
    assert!(error.to_string().contains("profile nobody has no aws_access_key_id"), "{error}");

    aws.server.kill().await;
    let error = refused(open(&keys, &aws.choice()).await);
    assert!(matches!(error, ProviderError::Away { .. }), "{error:?}");
    assert_eq!(keys.files(), before);
}
