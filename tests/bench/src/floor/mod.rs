//! Loading the durable floor. It is a process of its own, as the server is, so that the two compare.

mod server;

use std::{net::SocketAddr, ops::ControlFlow, path::Path, process::Stdio, time::Duration};

use anyhow::Context as _;
use countersign_proto::challenge::{
    VerificationOutcome, VerifyChallengeRequest, challenge_service_client::ChallengeServiceClient,
};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    args::{Plan, Section},
    bare,
    child::Child,
    client::{Credentials, Service, connect_all},
    clock,
    load::{Caller, Load, drive},
    report::Report,
};

/// Loads the floor.
pub(crate) async fn measure(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    report.section(
        Section::Floor,
        "A bare gRPC server that checks a TOTP code and commits one event of 187 bytes, in groups, before it answers.",
    )?;
    let floor = RunningFloor::start(plan).await?;
    for callers in plan.bare_callers {
        report.load(Section::Floor, "floor", floor.load(*callers, plan.load).await?)?;
    }
    floor.stop().await
}

/// Is the floor, until ended.
pub(crate) async fn serve(directory: &Path) -> anyhow::Result<()> {
    let floor = server::Floor::open(directory)?;
    let (listener, address) = bare::listen().await?;
    // The parent waits for this line.
    std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{address}\n"))?;
    bare::serve(listener, floor).await
}

/// A floor to be loaded.
#[derive(Debug)]
pub(crate) struct RunningFloor {
    child: Child,
    address: SocketAddr,
    /// Removed when dropped, so last.
    _directory: TempDir,
}

impl RunningFloor {
    /// Starts it on the disk that the server's log is on.
    pub(crate) async fn start(plan: &Plan) -> anyhow::Result<Self> {
        let directory = plan.directory()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--serve-floor").arg(directory.path()).stdout(Stdio::piped());
        let mut child = Child::spawn(command)?;
        let line = child.first_line().await?;
        let address = line.parse().with_context(|| format!("the floor is not at {line:?}"))?;
        Ok(Self { child, address, _directory: directory })
    }

    /// Warms it up, then loads it.
    pub(crate) async fn load(&self, callers: usize, span: Duration) -> anyhow::Result<Load> {
        drive(self.callers(callers).await?, span / 10).await?;
        self.child.drive(self.callers(callers).await?, span).await
    }

    /// Ends it.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.child.stop().await
    }

    async fn callers(&self, count: usize) -> anyhow::Result<Vec<FloorCaller>> {
        let channels = connect_all(self.address, count).await?.into_iter();
        let callers = channels.map(|channel| FloorCaller {
            client: ChallengeServiceClient::with_interceptor(channel, Credentials::default()),
            authenticator: authenticator(),
        });
        Ok(callers.collect())
    }
}

/// The only authenticator of the floor, with the secret of RFC 6238 appendix B.
fn authenticator() -> totp_rs::Totp {
    let secret = totp_rs::Secret::new_stack(*b"12345678901234567890");
    totp_rs::Builder::new().with_secret(secret).build_noncompliant()
}

struct FloorCaller {
    client: ChallengeServiceClient<Service>,
    authenticator: totp_rs::Totp,
}

impl Caller for FloorCaller {
    async fn ask(&mut self) -> anyhow::Result<ControlFlow<()>> {
        let code = self.authenticator.generate(clock::unix_seconds()).to_string();
        // As long as those of a real verification.
        let request = VerifyChallengeRequest {
            request_id: "verify-1-00000000".to_owned(),
            user_id: "user-00000000".to_owned(),
            challenge_id: "0190163d-8694-739b-aea5-966c26f8ad91".to_owned(),
            authenticator_id: "0190163d-8694-739b-aea5-966c26f8ad92".to_owned(),
            code,
            with_assertion: false,
            source: None,
        };
        let answer = self.client.verify_challenge(request).await?.into_inner();
        anyhow::ensure!(
            answer.outcome() == VerificationOutcome::Verified,
            "the floor refused a right code"
        );
        Ok(ControlFlow::Continue(()))
    }
}
