//! The durable floor: the least that a durable verification can cost.
//!
//! For each request it checks a TOTP code, appends one event to a plain file, and answers when the event is on the disk.
//! One thread writes, and all that wait share one `fdatasync`. There are no users, keys, revisions or checksums.

use std::{
    fs::File,
    io::{self, Write as _},
    path::Path,
    sync::mpsc,
};

use anyhow::Context as _;
use countersign_proto::challenge::{
    VerificationOutcome, VerifyChallengeRequest, VerifyChallengeResponse,
};
use tokio::sync::oneshot;
use tonic::Status;

use crate::{bare::Judge, clock};

/// The size of a small event in its envelope, in bytes.
const EVENT: [u8; 187] = [b'.'; 187];

pub(super) struct Floor {
    authenticator: totp_rs::Totp,
    commits: mpsc::Sender<Commit>,
}

/// An event on its way to the disk.
struct Commit {
    durable: oneshot::Sender<()>,
}

impl Floor {
    /// Begins to write to a file in `directory`.
    pub(super) fn open(directory: &Path) -> anyhow::Result<Self> {
        let path = directory.join("events");
        let file =
            File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
        let (commits, received) = mpsc::channel();
        std::thread::Builder::new().name("writer".to_owned()).spawn(move || {
            if let Err(error) = commit_in_groups(file, &received) {
                eprintln!("the floor cannot write: {error}");
            }
        })?;
        Ok(Self { authenticator: super::authenticator(), commits })
    }
}

impl Judge for Floor {
    async fn judge(
        &self,
        request: VerifyChallengeRequest,
    ) -> Result<VerifyChallengeResponse, Status> {
        if self.authenticator.check(&request.code, clock::unix_seconds()).is_none() {
            return Ok(outcome(VerificationOutcome::Refused));
        }
        let (durable, on_disk) = oneshot::channel();
        let lost = |_| Status::unavailable("the writer has ended");
        self.commits.send(Commit { durable }).map_err(|_| Status::unavailable("no writer"))?;
        on_disk.await.map_err(lost)?;
        Ok(outcome(VerificationOutcome::Verified))
    }
}

fn outcome(outcome: VerificationOutcome) -> VerifyChallengeResponse {
    VerifyChallengeResponse { outcome: outcome.into(), ..Default::default() }
}

fn commit_in_groups(mut file: File, received: &mpsc::Receiver<Commit>) -> io::Result<()> {
    let (mut group, mut bytes) = (Vec::new(), Vec::new());
    while let Ok(first) = received.recv() {
        group.push(first);
        group.extend(received.try_iter());
        for _ in &group {
            bytes.extend_from_slice(&EVENT);
        }
        file.write_all(&bytes)?;
        file.sync_data()?;
        bytes.clear();
        for commit in group.drain(..) {
            // Refused if the caller has gone.
            commit.durable.send(()).ok();
        }
    }
    Ok(())
}
