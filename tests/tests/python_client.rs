//! A platform written in Python: client code generated from our schema, and other people's packages for all the rest.

#![expect(clippy::unwrap_used, reason = "what goes wrong in a test has failed it")]

use std::{ffi::OsStr, fs, path::Path};

use countersign_tests::{
    Process,
    tools::{checkout, python, said},
};
use tempfile::TempDir;
use tokio::process::Command;

/// A server with the client code of its own schema.
struct Platform {
    directory: TempDir,
    server: Process,
}

impl Platform {
    async fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        generate(&directory.path().join("stubs")).await;
        let server = Process::start(&directory.path().join("data")).await;
        Self { directory, server }
    }

    /// Runs a script of `tests/python` against the server.
    async fn run(&self, script: &str) -> String {
        let mut command = prepared();
        command
            .env("PYTHONPATH", self.directory.path().join("stubs"))
            .arg(checkout().join("tests/python").join(script))
            .arg(self.server.address().to_string())
            .arg(self.server.data_dir().join("first-key"));
        said(command).await
    }
}

/// Prepares to run Python: what it warns of is an error, and it leaves nothing in the checkout.
fn prepared() -> Command {
    let mut command = Command::new(python());
    command.args(["-B", "-W", "error"]).kill_on_drop(true);
    command
}

/// Generates the client code.
async fn generate(stubs: &Path) {
    fs::create_dir(stubs).unwrap();
    let proto = checkout().join("proto");
    let mut command = prepared();
    command
        .args(["-m", "grpc_tools.protoc", "-I"])
        .arg(&proto)
        .arg(format!("--python_out={}", stubs.display()))
        .arg(format!("--grpc_python_out={}", stubs.display()))
        .args(files(&proto));
    said(command).await;
}

/// Returns the files of the schema.
fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension() == Some(OsStr::new("proto")) {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn a_python_platform_goes_the_whole_way() {
    let platform = Platform::open().await;
    assert_eq!(platform.run("journey.py").await, "the whole journey went as it should\n");
    assert!(platform.server.stop().await.status.success());
}

#[tokio::test]
async fn the_first_calls_enrol_a_user_and_verify_a_code() {
    let platform = Platform::open().await;
    // The tenant and the application are those that the demo makes.
    platform.server.tenant("demo").await;
    let proof = platform.run("first_calls.py").await;
    assert!(proof.contains(r#"acr: "urn:countersign:acr:aal2""#), "{proof}");
    assert!(platform.server.stop().await.status.success());
}

/// Returns the block of `language` that follows a comment with the name of the file that it is taken from.
fn quoted<'a>(page: &'a str, file: &str, language: &str) -> Option<&'a str> {
    let (_, after) = page.split_once(&format!("<!-- {file} -->"))?;
    let block = after.trim_start().strip_prefix(&format!("```{language}\n"))?;
    block.split_once("```").map(|(block, _)| block)
}

#[test]
fn the_readme_quotes_the_first_calls_word_for_word() {
    let file = "tests/python/first_calls.py";
    let readme = fs::read_to_string(checkout().join("README.md")).unwrap_or_default();
    let quoted = quoted(&readme, file, "python");
    assert!(quoted.is_some(), "README.md needs `<!-- {file} -->` with a block ```python below it");
    assert_eq!(quoted, Some(fs::read_to_string(checkout().join(file)).unwrap().as_str()));
}

#[test]
fn a_block_is_found_only_right_below_the_name_of_its_file() {
    let page =
        "<!-- a.py -->\n\n```python\nx = 1\n```\n<!-- b.py -->\ntext\n```python\ny = 2\n```\n";
    assert_eq!(quoted(page, "a.py", "python"), Some("x = 1\n"));
    assert_eq!(quoted(page, "b.py", "python"), None);
    assert_eq!(quoted(page, "c.py", "python"), None);
}
