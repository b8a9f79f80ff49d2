//! `countersign doctor`: looks a data directory over while no server has it open, or what services share.

use super::{
    Failure, Screen,
    screen::{ALERT, HEADING, progress_bar},
};
use crate::{
    doctor::{self, Finding, Progress},
    serve::{Config, EngineChoice, Flags},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    flags: Flags,
}

pub(crate) async fn run(args: Args, screen: &mut Screen) -> Result<(), Failure> {
    let config = Config::load(args.flags).map_err(|error| Failure::Unchecked(error.into()))?;
    let bar = progress_bar("{msg} [{bar:40}] {human_pos}/{human_len} {eta}");
    let mut show = |progress: Progress<'_>| {
        bar.set_message(progress.step.to_owned());
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    };
    let findings = if config.event_log == EngineChoice::Embedded {
        match config.keys.choice() {
            Ok(provider) => doctor::run(&config.data_dir, &provider, &mut show).await,
            Err(error) => Err(error.into()),
        }
    } else {
        doctor::run_shared(&config, &mut show).await
    };
    bar.finish_and_clear();
    let findings = findings.map_err(Failure::Unchecked)?;
    for finding in &findings {
        print_finding(finding, screen)?;
    }
    let damaged = findings.iter().filter(|finding| !finding.sound).count();
    if damaged == 0 {
        return Ok(());
    }
    Err(Failure::Unsound(anyhow::anyhow!("{damaged} of {} checks found damage", findings.len())))
}

fn print_finding(finding: &Finding, screen: &mut Screen) -> Result<(), Failure> {
    if screen.wants_json() {
        let json = serde_json::json!({
            "check": finding.check,
            "sound": finding.sound,
            "detail": finding.detail,
        });
        return screen.line(json);
    }
    let (style, verdict) = if finding.sound { (HEADING, "sound") } else { (ALERT, "damage") };
    screen.line(format_args!("{style}{verdict:>7}{style:#}  {}: {}", finding.check, finding.detail))
}
