//! What went wrong, in words that help: what failed, why, and what to try next.

use std::{io, io::Write as _, path::PathBuf, process::ExitCode};

use anstyle::{AnsiColor, Style};
use countersign_tls::TlsError;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{ServerAddress, tls::handshake_failure};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default();

/// Why a command came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line cannot be meant so.
    #[error("{0}")]
    Usage(String),
    /// There is no key to call with.
    #[error("cannot read the API key in {}", path.display())]
    KeyFile {
        /// Where it was looked for.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// No server answers.
    #[error("no server answers at {address}")]
    Unreachable {
        /// Where it was looked for.
        address: ServerAddress,
        /// What the transport said.
        source: tonic::transport::Error,
    },
    /// Somebody is there, and there is no TLS with them.
    #[error("no TLS with the server at {address}: {what}")]
    NoTls {
        /// Where it is.
        address: ServerAddress,
        /// What happened.
        what: String,
    },
    /// Somebody is there, and ends the connection before anything is answered.
    #[error("the server at {address} does not let us in: {what}")]
    ShutOut {
        /// Where it is.
        address: ServerAddress,
        /// What was seen of it.
        what: String,
    },
    /// What TLS is to be made of cannot be used.
    #[error("TLS cannot be spoken")]
    Tls(#[from] TlsError),
    /// The server answered with an error.
    #[error("{doing} failed")]
    Refused {
        /// What was being done, for example "creating the tenant".
        doing: &'static str,
        /// What the server answered.
        status: Box<Status>,
    },
    /// The server answered something that this program cannot use.
    #[error("{0}")]
    Unexpected(String),
    /// Nobody takes the output.
    #[error("cannot write the output")]
    Output(#[from] io::Error),
    /// The server ended with an error.
    #[error("the server ended with an error")]
    Serving(anyhow::Error),
    /// The process is there and does not serve yet.
    #[error("it is not ready: catching up with the log: {0}")]
    NotReady(String),
    /// A data directory cannot be checked.
    #[error("what is kept cannot be checked")]
    Unchecked(anyhow::Error),
    /// The check of a data directory found damage.
    #[error("what is kept is not sound")]
    Unsound(anyhow::Error),
    /// An event log cannot be opened, read or written, or is not what it should be.
    #[error("{doing} failed")]
    Log {
        /// What was being done, for example "copying the log".
        doing: &'static str,
        /// Why.
        source: anyhow::Error,
    },
}

impl Failure {
    /// Makes failures of calls that do one thing: `.map_err(Failure::refused("creating the tenant"))`.
    pub(crate) fn refused(doing: &'static str) -> impl Fn(Status) -> Self {
        move |status| Self::Refused { doing, status: Box::new(status) }
    }

    /// Says why there is no connection to `address`.
    pub(crate) fn unreachable(address: &ServerAddress, source: tonic::transport::Error) -> Self {
        let address = address.clone();
        match handshake_failure(&source) {
            Some(what) => Self::NoTls { address, what },
            None => Self::Unreachable { address, source },
        }
    }

    /// Says that the server at `address` broke the connection off, as far as `status` tells.
    pub(crate) fn shut_out(address: &ServerAddress, status: &Status) -> Self {
        let what = causes(status).pop().unwrap_or_else(|| status.message().to_owned());
        Self::ShutOut { address: address.clone(), what }
    }

    /// Prints itself to standard error and returns the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        // Whoever reads only the head of a list closes the pipe: that is an end and not a failure.
        if matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe) {
            return ExitCode::SUCCESS;
        }
        let mut stderr = anstream::stderr().lock();
        for line in self.lines() {
            // When even standard error is gone the exit code still tells.
            if writeln!(stderr, "{line}").is_err() {
                break;
            }
        }
        if matches!(self, Self::Usage(_)) { ExitCode::from(2) } else { ExitCode::FAILURE }
    }

    /// Returns what to print: one line that says what failed, then details, then what to try next.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut details = Vec::new();
        let mut hints = Vec::new();
        let headline = match self {
            Self::Refused { status, .. } => {
                let causes = causes(status);
                // What a server answers has no cause on this side; a connection that breaks has.
                hints = if causes.is_empty() {
                    status_hints(status)
                } else {
                    vec!["again in a moment".to_owned()]
                };
                details = status_details(status, causes);
                format!("{self}: {}", status_reason(status))
            }
            Self::Unreachable { source, .. } => {
                details = causes(source);
                hints.push("start one with: countersign serve --data-dir data".to_owned());
                hints
                    .push("or say where it listens with --server or COUNTERSIGN_SERVER".to_owned());
                self.to_string()
            }
            Self::NoTls { .. } => {
                hints.push(
                    "--ca FILE with the authorities that sign its certificate, or COUNTERSIGN_CA"
                        .to_owned(),
                );
                hints.push("--server-name NAME if its certificate names something else".to_owned());
                hints.push("an http:// address if it speaks in plain text".to_owned());
                self.to_string()
            }
            Self::ShutOut { address, .. } => {
                let mend = if address.is_tls() {
                    "--certificate and --key of somebody whom it lets in; its log names whom it refuses"
                } else {
                    "an https:// address if it speaks TLS"
                };
                hints.push(mend.to_owned());
                self.to_string()
            }
            Self::Tls(source) => {
                details = causes(source);
                hints.push("other files with --ca, --certificate and --key".to_owned());
                format!("{self}: {source}")
            }
            Self::KeyFile { source, .. } => {
                hints.push(
                    "name the file with --api-key-file, or set COUNTERSIGN_API_KEY".to_owned(),
                );
                hints.push("a server writes the first key into its data directory".to_owned());
                format!("{self}: {source}")
            }
            Self::Output(source) => format!("{self}: {source}"),
            Self::Serving(source)
            | Self::Unchecked(source)
            | Self::Unsound(source)
            | Self::Log { source, .. } => {
                details = source.chain().skip(1).map(ToString::to_string).collect();
                format!("{self}: {source}")
            }
            Self::Usage(_) => {
                hints.push("see: countersign --help".to_owned());
                self.to_string()
            }
            Self::Unexpected(_) | Self::NotReady(_) => self.to_string(),
        };
        let mut lines = vec![format!("{ERROR}error:{ERROR:#} {headline}")];
        lines.extend(details.into_iter().map(|detail| format!("  {detail}")));
        lines.extend(hints.into_iter().map(|hint| format!("  {HINT}try:{HINT:#} {hint}")));
        lines
    }
}

/// Returns the server's sentence with the reason that stands for it.
fn status_reason(status: &Status) -> String {
    let message = match status.message() {
        "" => code_words(status.code()),
        message => message,
    };
    match status.get_error_details().error_info() {
        Some(info) if !info.reason.is_empty() => format!("{message} ({})", info.reason),
        _ => message.to_owned(),
    }
}

fn status_details(status: &Status, causes: Vec<String>) -> Vec<String> {
    let details = status.get_error_details();
    let fields = details.bad_request().into_iter().flat_map(|request| &request.field_violations);
    let mut lines: Vec<_> =
        fields.map(|field| format!("{}: {}", field.field, field.description)).collect();
    let preconditions = details.precondition_failure().into_iter().flat_map(|all| &all.violations);
    lines.extend(preconditions.map(|found| found.description.clone()));
    lines.extend(causes);
    // Short refusals say everything in their sentence already.
    lines.retain(|line| !status.message().contains(line));
    lines
}

fn status_hints(status: &Status) -> Vec<String> {
    let details = status.get_error_details();
    let mut hints = Vec::new();
    if let Some(wait) = details.retry_info().and_then(|retry| retry.retry_delay) {
        // Rounded up: a second too early is refused again.
        hints.push(format!("again in {} s", wait.as_millis().div_ceil(1000)));
    }
    let reason = details.error_info().map_or("", |info| info.reason.as_str());
    let approval = details.error_info().and_then(|info| info.metadata.get("approval_id"));
    if let Some(id) = approval {
        hints.push(format!("others approve it with: countersign approvals approve {id}"));
        hints.push(format!("then the same command again with: --approval {id}"));
    }
    let hint = match (reason, status.code()) {
        ("TENANT_NOT_FOUND", _) => "another --tenant; see: countersign tenants list",
        ("AUTHENTICATOR_NOT_FOUND", _) => "another id; see: countersign authenticators list USER",
        ("API_KEY_NOT_FOUND", _) => "another id; see: countersign keys list",
        ("APPLICATION_NOT_FOUND", _) => "another id; see: countersign applications list",
        ("ORGANISATION_NOT_FOUND", _) => "another id; see: countersign organisations list",
        (_, Code::Unauthenticated) => {
            "another key, with --api-key-file or COUNTERSIGN_API_KEY; this one is unknown or has ended"
        }
        (_, Code::PermissionDenied) => {
            "a key with another role; see: countersign keys create --help"
        }
        (_, Code::Unavailable | Code::Aborted) if hints.is_empty() => "again in a moment",
        (_, Code::Unimplemented) => "a newer server: this one does not know the call",
        (_, Code::Internal | Code::DataLoss) => "the server's own log, which names the cause",
        _ => return hints,
    };
    hints.push(hint.to_owned());
    hints
}

/// Returns words for a status that came without any.
fn code_words(code: Code) -> &'static str {
    if code == Code::Unavailable {
        "the server is away"
    } else if code == Code::Unauthenticated {
        "the caller is not known"
    } else {
        code.description()
    }
}

/// Returns what lies below the error, one line each; the error itself is said by the headline.
fn causes(error: &dyn std::error::Error) -> Vec<String> {
    let mut lines = Vec::new();
    let mut below = error.source();
    while let Some(cause) = below {
        let line = cause.to_string();
        // Transports wrap an error in others that say the same.
        if lines.last() != Some(&line) {
            lines.push(line);
        }
        below = cause.source();
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, time::Duration};

    use tonic_types::{ErrorDetails, FieldViolation};

    use super::*;

    fn plain(failure: &Failure) -> String {
        anstream::adapter::strip_str(&failure.lines().join("\n")).to_string()
    }

    fn refused(status: Status) -> Failure {
        Failure::refused("verifying the code")(status)
    }

    #[test]
    fn a_refusal_says_what_failed_and_the_reason() {
        let details =
            ErrorDetails::with_error_info("TENANT_NOT_FOUND", "countersign", HashMap::new());
        let status = Status::with_error_details(Code::NotFound, "there is no such tenant", details);
        assert_eq!(
            plain(&refused(status)),
            "error: verifying the code failed: there is no such tenant (TENANT_NOT_FOUND)\n  \
             try: another --tenant; see: countersign tenants list"
        );
    }

    #[test]
    fn a_bad_field_is_named_with_its_mend() {
        let field = FieldViolation::new("user_id", "is required");
        let details = ErrorDetails::with_bad_request(vec![field]);
        let status = Status::with_error_details(Code::InvalidArgument, "a field is wrong", details);
        assert_eq!(
            plain(&refused(status)),
            "error: verifying the code failed: a field is wrong\n  user_id: is required"
        );
    }

    #[test]
    fn a_detail_that_the_sentence_says_already_is_not_said_again() {
        let details = ErrorDetails::with_bad_request_violation("user_id", "is required");
        let status =
            Status::with_error_details(Code::InvalidArgument, "user_id: is required", details);
        assert_eq!(plain(&refused(status)).lines().count(), 1);
    }

    #[test]
    fn a_wait_is_rounded_up_to_whole_seconds() {
        let details = ErrorDetails::with_retry_info(Some(Duration::from_millis(29_200)));
        let status = Status::with_error_details(Code::ResourceExhausted, "throttled", details);
        assert!(plain(&refused(status)).ends_with("try: again in 30 s"));
    }

    #[test]
    fn a_status_without_words_is_given_some() {
        let text = plain(&refused(Status::new(Code::Unauthenticated, "")));
        assert!(text.starts_with("error: verifying the code failed: the caller is not known"));
        assert!(text.contains("--api-key-file"));
    }

    #[test]
    fn a_missing_key_file_says_how_to_give_a_key() {
        let source = io::Error::new(io::ErrorKind::NotFound, "no such file");
        let text = plain(&Failure::KeyFile { path: "data/first-key".into(), source });
        assert!(text.starts_with("error: cannot read the API key in data/first-key: no such file"));
        assert!(text.contains("COUNTERSIGN_API_KEY"));
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_named_with_how_to_start_one() {
        // Port 9 of this machine is the discard service, which nobody runs.
        let address: ServerAddress = "http://127.0.0.1:9".parse().unwrap();
        let failure = super::super::connection::connect(&address, None).await.unwrap_err();
        let text = plain(&failure);
        assert!(text.starts_with("error: no server answers at http://127.0.0.1:9"), "{text}");
        assert!(text.contains("countersign serve"), "{text}");
    }
}
