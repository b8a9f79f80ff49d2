//! How much memory a server takes, with nothing to do and with many users.

use std::time::Duration;

use crate::{
    args::{Plan, Section},
    child::Memory,
    platform::Platform,
    report::{Figure, Goal, Report, Unit},
    server::RunningServer,
    users,
};

/// How long a server is left alone before it is looked at, so that what follows the log has caught up.
const SETTLE: Duration = Duration::from_secs(2);

/// Looks at a server on an empty directory, then with users, then after another start.
pub(crate) async fn measure(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    report.section(
        Section::Memory,
        "Resident memory of the server's process, and the most that it ever had.",
    )?;
    let directory = plan.directory()?;
    let server = RunningServer::start(plan, directory.path()).await?;
    let idle = settled(&server).await?;
    tell(report, "idle on an empty directory", idle, Some(60.0))?;
    let platform = Platform::set_up(&server).await?;
    let count = plan.remembered_users;
    let (_users, enrolled) = users::enroll(&server, &platform, count).await?;
    report.load(Section::Memory, "enrol", enrolled)?;
    let most = Some(200.0);
    tell(report, &format!("having enrolled {count} users"), settled(&server).await?, most)?;
    server.stop().await?;
    let server = RunningServer::start(plan, directory.path()).await?;
    let again = settled(&server).await?;
    tell(report, &format!("started again with {count} users"), again, most)?;
    server.stop().await
}

async fn settled(server: &RunningServer) -> anyhow::Result<Memory> {
    tokio::time::sleep(SETTLE).await;
    server.process.memory()
}

fn tell(report: &mut Report, when: &str, memory: Memory, goal: Option<f64>) -> anyhow::Result<()> {
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let figure =
        |what: String, bytes| Figure::new(Section::Memory, what, mebibytes(bytes), Unit::Mebibytes);
    let resident = figure(format!("memory {when}"), memory.resident);
    report.figure(match goal {
        Some(most) => resident.with_goal(Goal::AtMost(most)),
        None => resident,
    })?;
    report.figure(figure(format!("memory {when}, at most"), memory.peak))?;
    Ok(())
}
