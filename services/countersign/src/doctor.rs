//! Checks of a data directory that no server has open, and of what services share. The command line shows their progress
//! and findings.

use std::{os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use anyhow::Context as _;
use countersign_domain::catalog;
use countersign_eventlog::embedded::{self, EmbeddedLog, EmbeddedOptions, VerifyReport};
use countersign_eventsourcing::{EventLog, Filter, FollowItem, Poison};
use countersign_keys::{KeyProviderChoice, KeyReport};
use countersign_service::SystemClock;
use futures_util::TryStreamExt as _;

use crate::{
    World,
    serve::{Config, FIRST_KEY_FILE, Installation, KEYS_DIRECTORY},
};

/// How many events are decoded between two reports of progress.
const PROGRESS_INTERVAL: u64 = 4_096;

/// How many problems of one check are told.
const MAX_TOLD: usize = 20;

/// How far a check is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress<'a> {
    /// What is being checked, for example "reading the log".
    pub(crate) step: &'a str,
    /// How much is done, in units of the step.
    pub(crate) done: u64,
    /// How much there is.
    pub(crate) total: u64,
}

/// What one check found.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// What was checked.
    pub(crate) check: String,
    /// Whether it is as it should be.
    pub(crate) sound: bool,
    /// What was seen: counts if sound, the place of the damage if not.
    pub(crate) detail: String,
}

impl Finding {
    fn sound(check: &str, detail: String) -> Self {
        Self { check: check.to_owned(), sound: true, detail }
    }

    fn damage(check: &str, detail: String) -> Self {
        Self { check: check.to_owned(), sound: false, detail }
    }

    /// Tells problems one by one, up to a limit.
    fn of_problems(check: &str, seen: String, problems: &[String]) -> Vec<Self> {
        if problems.is_empty() {
            return vec![Self::sound(check, seen)];
        }
        let told = problems.iter().take(MAX_TOLD);
        let mut findings: Vec<_> = told.map(|what| Self::damage(check, what.clone())).collect();
        if let Some(more) = problems.len().checked_sub(MAX_TOLD).filter(|more| *more > 0) {
            findings.push(Self::damage(check, format!("and {more} more")));
        }
        findings
    }
}

/// Looks the data directory over and changes nothing in it but what every start does: a torn tail is cut.
///
/// # Errors
/// Says why the directory cannot be looked at, for example because a server has it open.
pub(crate) async fn run(
    data_dir: &Path,
    provider: &KeyProviderChoice,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> anyhow::Result<Vec<Finding>> {
    anyhow::ensure!(data_dir.is_dir(), "there is no directory {}", data_dir.display());
    let mut findings = Vec::new();
    let report = embedded::verify(data_dir, |done, total| {
        progress(Progress { step: "reading the log again", done, total });
    })?;
    findings.extend(log_findings(&report));
    let path = data_dir.to_owned();
    let open = move || EmbeddedLog::open(&path, EmbeddedOptions::default());
    let log = tokio::task::spawn_blocking(open).await??;
    let events = event_findings(&log, report.events, progress).await;
    log.close().await;
    findings.extend(events?);
    findings.extend(key_findings(data_dir, provider, progress).await?);
    findings.extend(first_key_finding(data_dir));
    Ok(findings)
}

/// Looks over what services share, while they may go on: every event of the log, and every data key.
///
/// # Errors
/// Says what does not answer or is missing.
pub(crate) async fn run_shared(
    config: &Config,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> anyhow::Result<Vec<Finding>> {
    let installation = Installation::join(config, World::default()).await?;
    // How many events a shared log has nobody knows before they are counted.
    let mut findings = event_findings(&*installation.foundation.log, 0, progress).await?;
    let report = installation.verify_keys(config, |done, total| {
        progress(Progress { step: "unwrapping keys", done, total });
    });
    findings.extend(findings_of_keys(&report.await.context("the keys in NATS")?));
    Ok(findings)
}

fn log_findings(report: &VerifyReport) -> Vec<Finding> {
    let problems: Vec<_> = report.problems.iter().map(ToString::to_string).collect();
    let seen = format!("{} events in {} streams", report.events, report.streams);
    Finding::of_problems("log", seen, &problems)
}

/// Decodes every event, as a start of every reader would.
async fn event_findings(
    log: &dyn EventLog,
    total: u64,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> anyhow::Result<Vec<Finding>> {
    let mut items = log.follow(&Filter::default(), None).await?;
    let mut problems = Vec::new();
    let mut done = 0;
    loop {
        match items.try_next().await {
            Ok(Some(FollowItem::Event(recorded))) => {
                let (stream, event) = (&recorded.stream, &recorded.event);
                let read = catalog::check(
                    stream.category(),
                    &event.event_type,
                    event.schema_version,
                    &event.payload,
                );
                if let Err(error) = read {
                    let position = recorded.position;
                    problems.push(format!("position {position}, stream {stream}: {error}"));
                }
                done += 1;
                if done % PROGRESS_INTERVAL == 0 {
                    progress(Progress { step: "decoding events", done, total });
                }
            }
            Ok(Some(FollowItem::Poison(poison))) => {
                let Poison { position, place, what, .. } = poison;
                problems.push(format!("position {position}, {place}: {what}"));
            }
            Ok(Some(FollowItem::Checkpoint(_))) => {}
            Ok(Some(FollowItem::CaughtUp(_)) | None) => break,
            Err(error) => {
                problems.push(error.to_string());
                break;
            }
        }
    }
    Ok(Finding::of_problems("events", format!("{done} events can be read"), &problems))
}

async fn key_findings(
    data_dir: &Path,
    provider: &KeyProviderChoice,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> anyhow::Result<Vec<Finding>> {
    let directory = data_dir.join(KEYS_DIRECTORY);
    let clock = Arc::new(SystemClock);
    let report = countersign_keys::verify_with(&directory, provider, clock, |done, total| {
        progress(Progress { step: "unwrapping keys", done, total });
    });
    let report = report.await.with_context(|| format!("the keys in {}", directory.display()))?;
    Ok(findings_of_keys(&report))
}

fn findings_of_keys(report: &KeyReport) -> Vec<Finding> {
    let seen = format!("{} data keys, {} erased", report.keys, report.erased);
    let problems: Vec<_> = report.problems.iter().map(ToString::to_string).collect();
    Finding::of_problems("keys", seen, &problems)
}

/// The first key may be gone, as it should be once others are in use; but nobody else may read it.
fn first_key_finding(data_dir: &Path) -> Option<Finding> {
    let path = data_dir.join(FIRST_KEY_FILE);
    let mode = std::fs::metadata(&path).ok()?.permissions().mode() & 0o777;
    Some(if mode & 0o077 == 0 {
        Finding::sound("first key", format!("{} is its owner's alone", path.display()))
    } else {
        let what = format!("{} can be read by others: chmod 600", path.display());
        Finding::damage("first key", what)
    })
}
