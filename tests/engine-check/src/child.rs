//! Writers in a process of their own, which can be killed.

use std::{
    io::{self, Write as _},
    path::Path,
    process::Stdio,
};

use anyhow::Context as _;
use countersign::engines::{LogAddress, open_log};
use countersign_core::TenantId;
use countersign_eventsourcing::Revision;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::load::{Acknowledged, Maker, write};

/// Ends a line, by which one that was cut off is known.
const WHOLE: &str = " .";

/// Writes as the words say, and tells each acknowledged append in a line.
pub(crate) async fn be(address: &LogAddress, words: &[String]) -> anyhow::Result<()> {
    let [tenant, writer, appends] = words else { anyhow::bail!("a writer has three words") };
    let maker = Maker::new(TenantId::parse(tenant)?, writer.parse()?);
    let log = open_log(address).await?;
    write(&*log.log(), maker, appends.parse()?, |one| say(&one).unwrap()).await;
    log.close().await;
    Ok(())
}

fn say(Acknowledged { stream, last, ids }: &Acknowledged) -> io::Result<()> {
    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    let mut out = io::stdout().lock();
    writeln!(out, "{stream} {last} {}{WHOLE}", ids.join(" "))?;
    out.flush()
}

fn heard(line: &str) -> Option<Acknowledged> {
    let mut words = line.strip_suffix(WHOLE)?.split(' ');
    let (stream, last) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let ids = words.map(|id| id.parse().ok()).collect::<Option<Vec<_>>>()?;
    Some(Acknowledged { stream, last: Revision(last), ids })
}

/// A process that writes; it ends with its handle.
pub(crate) struct Writing {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    noted: Vec<Acknowledged>,
}

impl Writing {
    pub(crate) fn start(
        program: &Path,
        address: &LogAddress,
        tenant: &TenantId,
        writer: u64,
        appends: u64,
    ) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .arg("--write")
            .args([tenant.as_str(), &writer.to_string(), &appends.to_string()])
            // Not an argument, which everybody can list.
            .env("COUNTERSIGN_LOG", address.expose())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start a writer")?;
        let lines =
            BufReader::new(child.stdout.take().context("its output was asked for")?).lines();
        Ok(Self { child, lines, noted: Vec::new() })
    }

    /// Waits until it was told of so many appends.
    ///
    /// # Errors
    /// Says that it ended before.
    pub(crate) async fn until(&mut self, count: usize) -> anyhow::Result<()> {
        while self.noted.len() < count {
            let line = self.lines.next_line().await?.context("a writer ended by itself")?;
            self.noted.extend(heard(&line));
        }
        Ok(())
    }

    /// Waits until it has written everything, and returns what it was told.
    pub(crate) async fn finish(mut self) -> anyhow::Result<Vec<Acknowledged>> {
        let noted = self.rest().await?;
        let status = self.child.wait().await?;
        anyhow::ensure!(status.success(), "a writer ended with {status}");
        Ok(noted)
    }

    /// Ends it as a power cut would, and returns what it was told before.
    pub(crate) async fn kill(mut self) -> anyhow::Result<Vec<Acknowledged>> {
        self.child.start_kill()?;
        let noted = self.rest().await?;
        self.child.wait().await?;
        Ok(noted)
    }

    async fn rest(&mut self) -> anyhow::Result<Vec<Acknowledged>> {
        while let Some(line) = self.lines.next_line().await? {
            // The last one may have been cut off.
            self.noted.extend(heard(&line));
        }
        Ok(std::mem::take(&mut self.noted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_off_is_not_heard() {
        let id = "0190163d-8694-739b-aea5-966c26f8ad91";
        let line = format!("fault-t.k1 7 {id} {id} .");
        let whole = heard(&line).unwrap();
        assert_eq!((whole.last, whole.ids.len()), (Revision(7), 2));
        for cut in 0..line.len() {
            assert_eq!(heard(&line[..cut]), None, "{cut}");
        }
    }
}
