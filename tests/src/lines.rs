//! What a program says, line by line, while it runs.

use std::time::Duration;

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    sync::watch,
    time::timeout,
};

/// How long a line may take: far longer than any does, so that a hang fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
struct Said {
    text: String,
    ended: bool,
}

/// The lines of a program's output, those to come included.
#[derive(Clone, Debug)]
pub struct Lines(watch::Receiver<Said>);

impl Lines {
    /// Reads `output` to its end, as fast as it comes, so that the program never waits for a reader.
    pub fn of(output: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let (sender, receiver) = watch::channel(Said::default());
        tokio::spawn(async move {
            let mut output = BufReader::new(output);
            let mut line = Vec::new();
            while output.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
                sender.send_modify(|said| said.text.push_str(&String::from_utf8_lossy(&line)));
                line.clear();
            }
            sender.send_modify(|said| said.ended = true);
        });
        Self(receiver)
    }

    /// Waits for a line that holds `part`, also one that was said before; `None` if the output ends without it.
    pub async fn wait_for(&self, part: &str) -> Option<String> {
        let mut receiver = self.0.clone();
        let mut looked_at = 0;
        let found = async {
            loop {
                let said = receiver.borrow_and_update();
                let fresh = said.text.get(looked_at..).unwrap_or_default();
                if let Some(line) = fresh.lines().find(|line| line.contains(part)) {
                    return Some(line.to_owned());
                }
                if said.ended {
                    return None;
                }
                looked_at = said.text.len();
                drop(said);
                receiver.changed().await.ok()?;
            }
        };
        let found = timeout(PATIENCE, found).await;
        found.unwrap_or_else(|_| panic!("{part:?} was not said; this was:\n{}", self.so_far()))
    }

    /// Waits for the end and returns everything.
    pub async fn all(&self) -> String {
        let mut receiver = self.0.clone();
        let ended = timeout(PATIENCE, receiver.wait_for(|said| said.ended)).await;
        ended.unwrap_or_else(|_| panic!("it does not end; it said:\n{}", self.so_far())).unwrap();
        self.so_far()
    }

    /// Returns everything that was said until now.
    #[must_use]
    pub fn so_far(&self) -> String {
        self.0.borrow().text.clone()
    }
}
