//! A client against a server of a few lines.

use std::time::Instant;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;

/// Answers every connection with `answer` and closes it; an empty answer is none at all.
async fn server(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            assert_ne!(stream.read(&mut request).await.unwrap(), 0);
            if answer.is_empty() {
                held.push(stream);
            } else {
                stream.write_all(answer).await.unwrap();
            }
        }
    });
    format!("http://user:pa55@{address}/path?token=s3cret")
}

fn client() -> Http {
    let settings =
        HttpSettings { timeout: Duration::from_millis(300), max_body: 16, extra_roots: None };
    Http::new(&settings).unwrap()
}

fn get(url: &str) -> Request<Bytes> {
    Request::get(url).body(Bytes::new()).unwrap()
}

#[tokio::test]
async fn an_answer_is_returned_whatever_its_status() {
    let url = server(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\nx-a: b\r\n\r\nno").await;
    let answer = client().send(get(&url)).await.unwrap();
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.headers()["x-a"], "b");
    assert_eq!(&answer.body()[..], b"no");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let url =
        server(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n")
            .await;
    assert_eq!(client().send(get(&url)).await.unwrap().status(), 302);
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let url = server(b"HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n12345678901234567").await;
    let error = client().send(get(&url)).await.unwrap_err();
    assert!(matches!(error, HttpError::TooLong { limit: 16, .. }), "{error:?}");
}

#[tokio::test]
async fn who_does_not_answer_is_given_up_and_no_secret_is_told() {
    let url = server(b"").await;
    let began = Instant::now();
    let error = client().send(get(&url)).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(3));
    let text = format!("{error} {error:?}");
    assert!(text.contains("no answer in time") && text.contains("127.0.0.1"), "{text}");
    assert!(!text.contains("s3cret") && !text.contains("pa55"), "{text}");
}

#[tokio::test]
async fn who_is_not_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = client().send(get(&format!("http://{address}/"))).await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("{address} does not answer")), "{error}");
}

#[test]
fn certificates_that_are_none_are_named() {
    let directory = std::env::temp_dir().join(format!("countersign-http-{}", std::process::id()));
    fs::write(&directory, "no certificate").unwrap();
    let with = |path: &Path| HttpSettings {
        extra_roots: Some(path.to_owned()),
        ..HttpSettings::default()
    };
    let error = Http::new(&with(&directory)).unwrap_err();
    assert!(error.to_string().ends_with("holds no certificates in PEM"), "{error}");
    fs::remove_file(&directory).unwrap();
    let error = Http::new(&with(&directory)).unwrap_err();
    assert!(error.to_string().ends_with("cannot be read"), "{error}");
}
