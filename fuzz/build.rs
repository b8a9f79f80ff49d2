//! Lists the messages that a stranger may send, so that no request is forgotten when the API grows.

use std::{env, error::Error, fmt::Write as _, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../proto/countersign");
    println!("cargo:rerun-if-changed={}", root.display());
    let mut list = "macro_rules! every_request { ($each:ident, $bytes:expr) => {\n".to_owned();
    for package in fs::read_dir(&root)? {
        let package = package?;
        let name = package.file_name().into_string().map_err(|_| "a package's name is text")?;
        for file in fs::read_dir(package.path().join("v1"))? {
            let text = fs::read_to_string(file?.path())?;
            let messages = text.lines().filter_map(|line| line.strip_prefix("message "));
            let messages = messages.filter_map(|line| line.split_whitespace().next());
            for message in messages.filter(|message| message.ends_with("Request")) {
                writeln!(
                    list,
                    "$each::<countersign_proto::countersign::{name}::v1::{message}>($bytes);"
                )?;
            }
        }
    }
    list.push_str("}; }\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("requests.rs"), list)?;
    Ok(())
}
