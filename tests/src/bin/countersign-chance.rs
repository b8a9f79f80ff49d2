//! The program `countersign` with a chance that tests look into. Everything else is the real thing.
//!
//! Where `COUNTERSIGN_TEST_DRAWS` names a file, all that is drawn and as long as a key is written down there. Where
//! `COUNTERSIGN_TEST_PANIC` names one, chance has a defect while the file is there: it panics with what the file says.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "this is a test's: whatever goes wrong here has failed one"
)]

use std::{
    fs::{self, File},
    io::Write as _,
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use countersign::World;
use countersign_core::Rng;
use countersign_service::OsRandom;
use data_encoding::HEXLOWER;

/// How long our keys are in bytes.
const KEY_LEN: usize = 32;

struct Watched {
    draws: Option<PathBuf>,
    defect: Option<PathBuf>,
}

impl Rng for Watched {
    fn fill(&self, bytes: &mut [u8]) {
        let quoted = self.defect.as_ref().and_then(|path| fs::read_to_string(path).ok());
        if let Some(quoted) = quoted {
            panic!("somebody asked for {quoted}");
        }
        OsRandom.fill(bytes);
        if let Some(path) = self.draws.as_ref().filter(|_| bytes.len() == KEY_LEN) {
            let mut file = File::options().create(true).append(true).open(path).unwrap();
            file.write_all(format!("{}\n", HEXLOWER.encode(bytes)).as_bytes()).unwrap();
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let path = |variable| std::env::var_os(variable).map(PathBuf::from);
    let rng = Arc::new(Watched {
        draws: path("COUNTERSIGN_TEST_DRAWS"),
        defect: path("COUNTERSIGN_TEST_PANIC"),
    });
    countersign::run_in(World { rng, ..World::default() }).await
}
