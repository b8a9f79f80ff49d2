//! The fastest that gRPC gets here: a bare server that sends the code back, in this process and on the callers' cores.

use std::ops::ControlFlow;

use countersign_proto::challenge::{
    VerifyChallengeRequest, VerifyChallengeResponse,
    challenge_service_client::ChallengeServiceClient,
};
use tokio::task::JoinSet;
use tonic::Status;

use crate::{
    args::{Plan, Section},
    bare::{self, Judge},
    client::{Credentials, Service, connect_all},
    load::{Caller, drive},
    report::Report,
};

/// Loads an echo.
pub(crate) async fn measure(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    report.section(
        Section::Echo,
        "A bare gRPC server that answers at once, in one process with its callers. Nothing is faster here.",
    )?;
    at(plan, report, Section::Echo, plan.bare_callers).await
}

/// Loads an echo with so many callers, as part of a section.
pub(crate) async fn at(
    plan: &Plan,
    report: &mut Report,
    section: Section,
    callers: &[usize],
) -> anyhow::Result<()> {
    let (listener, address) = bare::listen().await?;
    // Ends with the set.
    let mut server = JoinSet::new();
    server.spawn(bare::serve(listener, Echo));
    for callers in callers {
        let callers = || async {
            let channels = connect_all(address, *callers).await?.into_iter();
            let clients = channels.map(|channel| {
                ChallengeServiceClient::with_interceptor(channel, Credentials::default())
            });
            anyhow::Ok(clients.map(EchoCaller).collect::<Vec<_>>())
        };
        // Warms up first.
        drive(callers().await?, plan.load / 10).await?;
        report.load(section, "echo", drive(callers().await?, plan.load).await?)?;
    }
    Ok(())
}

struct Echo;

impl Judge for Echo {
    async fn judge(
        &self,
        request: VerifyChallengeRequest,
    ) -> Result<VerifyChallengeResponse, Status> {
        Ok(VerifyChallengeResponse { assertion: request.code, ..Default::default() })
    }
}

struct EchoCaller(ChallengeServiceClient<Service>);

impl Caller for EchoCaller {
    async fn ask(&mut self) -> anyhow::Result<ControlFlow<()>> {
        let code = "123456";
        let request = VerifyChallengeRequest { code: code.to_owned(), ..Default::default() };
        let answer = self.0.verify_challenge(request).await?.into_inner();
        anyhow::ensure!(answer.assertion == code, "the echo said something else");
        Ok(ControlFlow::Continue(()))
    }
}
