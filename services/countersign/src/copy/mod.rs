//! Copying a log into another one, whatever their engines: the same events with the same ids and metadata, at the same
//! revisions, in the same order.
//!
//! Both logs are followed from the start and compared event by event; where the destination ends, copying begins. So a
//! copy that was interrupted is resumed by doing it again, and nothing is ever written into a log that differs. One append
//! is under way at a time: two would change places if the first failed and was tried again. At the end both logs are read
//! once more, and their digests compared.

mod comparing;
mod digest;
mod error;
mod grouping;
mod patience;
mod reading;
mod writing;

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use countersign_eventsourcing::{EventLog, Position};
use futures_util::future::{join, try_join};

pub use self::{
    digest::{Digest, Summed},
    error::{CopyError, Side},
    reading::Unreadable,
};
use self::{grouping::Groups, reading::Reader, writing::append};

/// How many of the events that cannot be read are told one by one.
const MAX_TOLD: usize = 1_000;

/// How a copy is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Compare and count only.
    pub dry_run: bool,
    /// How long a log that is away is waited for before the copy is given up.
    pub patience: Duration,
}

/// How far a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done, for example "copying".
    pub step: &'static str,
    /// How many events that has been done with.
    pub events: u64,
    /// Where that is in the log that is read; positions say only roughly how many events lie before them.
    pub done: u64,
    /// Where it ends.
    pub total: u64,
}

/// What takes progress.
pub type Told<'a> = &'a mut (dyn FnMut(Progress) + Send);

/// What a copy did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Events that the destination had already.
    pub already: u64,
    /// Events that were copied; of a dry run, those that would be.
    pub copied: u64,
    /// How long copying took, without comparing and verifying.
    pub took: Duration,
    /// What the source has that cannot be read and was not copied.
    pub unreadable: Unreadable,
    /// Whether more came into the source meanwhile, which was not copied.
    pub grown: bool,
    /// The digests of the source and the destination; `None` of a dry run.
    pub digests: Option<(Summed, Summed)>,
}

impl Report {
    /// Returns whether both logs hold the same; a dry run claims nothing.
    #[must_use]
    pub fn same(&self) -> bool {
        self.digests.as_ref().is_none_or(|(source, destination)| source == destination)
    }
}

/// Copies `source` as it is now into `destination`.
///
/// # Errors
/// Says that the destination holds something else, or that a log cannot be read or written. Nothing that was copied is
/// taken back, and doing it again goes on.
pub async fn copy(
    source: &dyn EventLog,
    destination: &dyn EventLog,
    options: Options,
    told: Told<'_>,
) -> Result<Report, CopyError> {
    let from = Reader::open(source, Side::Source, options.patience).await?;
    let to = Reader::open(destination, Side::Destination, options.patience).await?;
    let (from, already) = comparing::compare(from, to, told).await?;
    let began = Instant::now();
    let (from, copied) = write(from, destination, options, told).await?;
    let took = began.elapsed();
    let until = from.until();
    let unreadable = from.into_unreadable();
    let digests = if options.dry_run {
        None
    } else {
        Some(verify(source, until, destination, options, told).await?)
    };
    let grown = reading::head(source, Side::Source, options.patience).await? > until;
    Ok(Report { already, copied, took, unreadable, grown, digests })
}

/// Copies what is left, and reads the next events while these are written.
async fn write<'a>(
    from: Reader<'a>,
    destination: &dyn EventLog,
    options: Options,
    told: Told<'_>,
) -> Result<(Reader<'a>, u64), CopyError> {
    let mut groups = Groups::new(from);
    let mut copied = 0;
    let mut next = groups.next().await?;
    while let Some(group) = next {
        let written = async {
            if options.dry_run {
                Ok(())
            } else {
                append(destination, &group, options.patience).await
            }
        };
        let (written, read) = join(written, groups.next()).await;
        written?;
        copied += group.len() as u64;
        told(groups.reader().progress("copying", copied));
        next = read?;
    }
    Ok((groups.into_reader(), copied))
}

async fn verify(
    source: &dyn EventLog,
    until: Option<Position>,
    destination: &dyn EventLog,
    options: Options,
    told: Told<'_>,
) -> Result<(Summed, Summed), CopyError> {
    let from = Reader::up_to(source, Side::Source, options.patience, until);
    let to = Reader::open(destination, Side::Destination, options.patience).await?;
    try_join(digest::sum(from, told), digest::sum(to, &mut |_| {})).await
}

/// Returns the digest of `log` as it is now.
///
/// # Errors
/// Says that it cannot be read.
pub async fn sum(
    log: &dyn EventLog,
    patience: Duration,
    told: Told<'_>,
) -> Result<(Summed, Unreadable), CopyError> {
    let mut reader = Reader::open(log, Side::Log, patience).await?;
    let summed = digest::sum_of(&mut reader, told).await?;
    Ok((summed, reader.into_unreadable()))
}
