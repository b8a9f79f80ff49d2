//! The first API key, in a file for the owner's eyes only.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use countersign_core::{Chain, SecretString};
use countersign_enrollment::{BootstrapError, bootstrap};
use countersign_service::Foundation;

/// Where the first API key is written, in the data directory.
pub const FIRST_KEY_FILE: &str = "first-key";

/// Makes the first API key if the installation has none, and returns whether it did.
pub(super) async fn make_first_key(
    foundation: &Foundation,
    directory: &Path,
) -> anyhow::Result<bool> {
    let path = directory.join(FIRST_KEY_FILE);
    let kept = bootstrap(foundation, |key| keep_first_key(&path, key)).await;
    kept.map_err(|error| match error {
        BootstrapError::Api(error) => {
            let below = error.source.as_deref().map(|source| Chain(source).to_string());
            let below = below.map_or_else(String::new, |below| format!(": {below}"));
            anyhow::anyhow!("the first start failed: {}{below}", error.message)
        }
        BootstrapError::Keep(error) => anyhow::Error::new(error)
            .context(format!("cannot write the first API key to {}", path.display())),
    })
}

/// Writes the key for the owner's eyes only, whole or not at all.
fn keep_first_key(path: &Path, key: &SecretString) -> io::Result<()> {
    let unfinished: PathBuf = path.with_extension("unfinished");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    writeln!(file, "{}", key.expose())?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    path.parent().map_or(Ok(()), |directory| fs::File::open(directory)?.sync_all())
}
