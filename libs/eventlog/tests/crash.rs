//! What was acknowledged survives `kill -9`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a failed test says so by panicking, and a child process speaks to its parent"
)]

mod support;

use std::{
    collections::HashMap,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::Path,
    sync::Arc,
};

use countersign_eventlog::embedded::{EmbeddedLog, EmbeddedOptions, OpenError, verify};
use countersign_eventsourcing::{
    EventLog as _, Revision,
    contract::{Sample, after, read},
};
use support::{child, child_directory, everything, journals, open, stream};

const WRITERS: usize = 8;
const ROUNDS: usize = 6;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a child process of other tests in this file"]
async fn child_appends_until_it_is_killed() {
    let log = Arc::new(open(&child_directory()));
    let sample = Arc::new(Sample::new());
    let writers = (0..WRITERS).map(|writer| {
        let (log, sample) = (Arc::clone(&log), Arc::clone(&sample));
        tokio::spawn(async move {
            let stream = stream(&format!("k{writer}"));
            let mut count = read(&*log, &stream, 0).await.len() as u64;
            loop {
                let events = sample.events(1 + writer % 3);
                let Ok(appended) = log.append(&stream, after(count), &events).await else { break };
                count = appended.last_revision.0 + 1;
                println!("ack {writer} {} {}", appended.last_revision, events[0].id);
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a child process of other tests in this file"]
async fn child_holds_the_log_until_its_input_ends() {
    let log = open(&child_directory());
    println!("held");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    drop(log);
}

/// Runs a child until it has acknowledged some appends, kills it in the middle of its work, and returns the last
/// acknowledged revision of each stream.
fn kill_under_load(directory: &Path, acknowledgements: usize) -> HashMap<String, (u64, String)> {
    let mut running = child("child_appends_until_it_is_killed", directory).spawn().unwrap();
    let mut output = BufReader::new(running.stdout.take().unwrap());
    let (mut seen, mut last) = (0, HashMap::new());
    let mut line = String::new();
    while output.read_line(&mut line).unwrap() > 0 {
        // The end of the output may be half a line.
        if let Some(rest) = line.strip_suffix('\n').and_then(|line| line.strip_prefix("ack ")) {
            let mut words = rest.split(' ');
            let writer = words.next().unwrap().to_owned();
            let revision = words.next().unwrap().parse().unwrap();
            last.insert(writer, (revision, words.next().unwrap().to_owned()));
            seen += 1;
            if seen == acknowledgements {
                running.kill().unwrap();
            }
        }
        line.clear();
    }
    running.wait().unwrap();
    assert!(seen >= acknowledgements, "the child ended by itself after {seen} appends");
    last
}

async fn assert_all_there(directory: &Path, acknowledged: &HashMap<String, (u64, String)>) {
    let log = open(directory);
    for (writer, (revision, first_id)) in acknowledged {
        let writer_number: u64 = writer.parse().unwrap();
        let stored = read(&log, &stream(&format!("k{writer}")), 0).await;
        let first = revision - writer_number % 3;
        assert!(stored.len() as u64 > *revision, "stream k{writer} lost revision {revision}");
        assert_eq!(
            stored[usize::try_from(first).unwrap()].event.id.to_string(),
            *first_id,
            "stream k{writer}",
        );
        // An append is there whole or not at all.
        assert_eq!(stored.len() as u64 % (1 + writer_number % 3), 0);
    }
    log.close().await;
    let report = verify(directory, |_, _| {}).unwrap();
    assert_eq!(report.problems, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_by_being_killed() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..ROUNDS {
        let acknowledged = kill_under_load(directory.path(), 500 + 300 * round);
        assert_all_there(directory.path(), &acknowledged).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_was_being_written_when_the_process_was_killed_is_cut() {
    let directory = tempfile::tempdir().unwrap();
    for torn_at in [1, 12, 13, 14, 60, 200, 300] {
        let acknowledged = kill_under_load(directory.path(), 200);
        let journal = journals(directory.path()).pop().unwrap();
        let whole = support::trim(&journal);
        let ends: Vec<_> =
            (0..whole.len() - 4).filter(|at| whole[*at..].starts_with(b"FJL\x03")).collect();
        let last = &whole[ends[ends.len() - 1] + 4..];
        let mut file = fs::OpenOptions::new().append(true).open(&journal).unwrap();
        file.write_all(&last[..torn_at.min(last.len() - 1)]).unwrap();
        // Pages of one batch may reach the disk in any order: here its end did, and its middle did not.
        file.write_all(&[0; 100]).unwrap();
        file.write_all(b"\x03\x01\x02\x03\x04\x05\x06\x07\x08FJL\x03").unwrap();
        drop(file);
        assert_all_there(directory.path(), &acknowledged).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_is_told_who_holds_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let mut holder = child("child_holds_the_log_until_its_input_ends", path).spawn().unwrap();
    let mut output = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert!(output.by_ref().any(|line| line.unwrap().ends_with("held")));
    let refused = EmbeddedLog::open(path, EmbeddedOptions::default()).unwrap_err();
    let text = refused.to_string();
    assert!(text.contains(&path.join("LOCK").display().to_string()), "{text}");
    assert!(text.contains(&format!("process {}", holder.id())), "{text}");
    assert!(matches!(refused, OpenError::Locked { pid: Some(pid), .. } if pid == holder.id()));
    assert!(matches!(verify(path, |_, _| {}), Err(OpenError::Locked { .. })));
    drop(holder.stdin.take());
    assert!(output.all(|line| line.is_ok()));
    assert!(holder.wait().unwrap().success());
    drop(open(path));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_waiting_when_the_log_closes_is_answered_and_durable() {
    let directory = tempfile::tempdir().unwrap();
    let log = Arc::new(open(directory.path()));
    let sample = Arc::new(Sample::new());
    let appends: Vec<_> = (0..200)
        .map(|number| {
            let (log, sample) = (Arc::clone(&log), Arc::clone(&sample));
            tokio::spawn(async move {
                log.append(&stream(&format!("k{number}")), after(0), &sample.events(1)).await
            })
        })
        .collect();
    let mut items = log.follow(&Default::default(), None).await.unwrap();
    log.close().await;
    let mut stored = 0;
    for append in appends {
        stored += usize::from(append.await.unwrap().is_ok());
    }
    assert!(log.append(&stream("late"), after(0), &sample.events(1)).await.is_err());
    assert!(log.read(&stream("late"), Revision::START).await.is_err());
    // Followers come to an end, by an error or in order.
    while let Some(Ok(_)) = futures_util::StreamExt::next(&mut items).await {}
    let log = open(directory.path());
    assert_eq!(everything(&log).await.len(), stored);
}
