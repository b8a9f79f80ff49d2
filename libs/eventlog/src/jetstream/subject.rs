//! Names: which JetStream stream holds the log, and which subject a stream of events has.
//!
//! ```text
//! {prefix}_log                              the JetStream stream
//! {prefix}_log.{category}.{tenant}.{key}    one stream of events
//! ```
//!
//! A key may contain dots, which separate a subject's tokens; they are written as `~`, which no key contains. So every
//! subject has the same number of tokens, and a follower of one category or tenant names it with wildcards.

use std::collections::BTreeSet;

use countersign_eventsourcing::{Filter, StreamId};

/// Names in one installation.
#[derive(Clone, Debug)]
pub(super) struct Names {
    stream: String,
}

impl Names {
    pub(super) fn new(prefix: &str) -> Self {
        Self { stream: format!("{prefix}_log") }
    }

    /// Returns the name of the JetStream stream.
    pub(super) fn stream(&self) -> &str {
        &self.stream
    }

    /// Returns the pattern of all subjects.
    pub(super) fn pattern(&self) -> String {
        self.subject("*", "*", "*")
    }

    /// Returns the subject of `stream`.
    pub(super) fn of(&self, stream: &StreamId) -> String {
        self.subject(stream.category(), stream.tenant(), &stream.key().replace('.', "~"))
    }

    /// Returns the subjects of all streams that `filter` may want something of.
    pub(super) fn wanted(&self, filter: &Filter) -> Wanted {
        let patterns = if filter.streams.is_empty() {
            let tenant = filter.tenant.as_ref().map_or("*", |tenant| tenant.as_str());
            let named = filter.categories.iter().map(String::as_str);
            // What no category is called may contain what a pattern must not.
            let named = named.filter(|name| name.bytes().all(|b| b.is_ascii_lowercase()));
            let named = named.filter(|name| !name.is_empty());
            let any = filter.categories.is_empty().then_some("*");
            named.chain(any).map(|category| self.subject(category, tenant, "*")).collect()
        } else {
            let streams = filter.streams.iter();
            let streams = streams.filter(|stream| {
                let category = stream.category();
                (filter.categories.is_empty() || filter.categories.iter().any(|c| c == category))
                    && filter.tenant.as_ref().is_none_or(|t| t.as_str() == stream.tenant())
            });
            streams.map(|stream| self.of(stream)).collect()
        };
        Wanted { patterns, nothing: self.subject("-", "-", "-") }
    }

    fn subject(&self, category: &str, tenant: &str, key: &str) -> String {
        format!("{}.{category}.{tenant}.{key}", self.stream)
    }
}

/// Patterns of subjects; no two of them overlap.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    patterns: BTreeSet<String>,
    /// A subject that no stream has.
    nothing: String,
}

impl Wanted {
    /// Returns whether messages with `subject` are wanted.
    pub(super) fn matches(&self, subject: &str) -> bool {
        self.patterns.iter().any(|pattern| {
            let mut tokens = subject.split('.');
            let all = pattern
                .split('.')
                .all(|token| tokens.next().is_some_and(|found| token == "*" || token == found));
            all && tokens.next().is_none()
        })
    }

    /// Returns what a consumer is to filter by, so that messages with the subject `also` come along. JetStream refuses
    /// patterns of which one covers another, and takes an empty list for everything.
    pub(super) fn patterns(&self, also: Option<&str>) -> Vec<String> {
        let mut patterns: Vec<_> = self.patterns.iter().cloned().collect();
        patterns.extend(also.filter(|also| !self.matches(also)).map(str::to_owned));
        if patterns.is_empty() {
            patterns.push(self.nothing.clone());
        }
        patterns
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::TenantId;

    use super::*;

    fn stream(category: &str, tenant: &str, key: &str) -> StreamId {
        StreamId::new(category, &TenantId::parse(tenant).unwrap(), key).unwrap()
    }

    #[test]
    fn every_stream_has_a_subject_of_its_own_with_four_tokens() {
        let names = Names::new("countersign");
        let keys = ["k", "k.k", "k-k", "k_k", ".", "..", "-._-", "K"];
        let subjects: BTreeSet<_> = keys.map(|key| names.of(&stream("a", "x-1", key))).into();
        assert_eq!(subjects.len(), keys.len());
        assert!(subjects.iter().all(|subject| subject.split('.').count() == 4));
        assert!(subjects.iter().all(|subject| !subject.contains([' ', '*', '>'])));
        assert!(subjects.contains("countersign_log.a.x-1.k~k"));
    }

    #[test]
    fn a_filter_names_the_subjects_that_it_wants() {
        let names = Names::new("c");
        let streams = [stream("a", "x", "k"), stream("a", "y", "k.k"), stream("b", "x", "k")];
        let filters = [
            Filter::default(),
            Filter::category("a"),
            Filter::category("none"),
            Filter::category("*"),
            Filter::category(""),
            Filter { tenant: Some(TenantId::parse("x").unwrap()), ..Filter::default() },
            Filter { tenant: Some(TenantId::parse("x").unwrap()), ..Filter::category("a") },
            Filter { streams: streams[..2].to_vec(), ..Filter::default() },
            Filter { streams: streams.to_vec(), ..Filter::category("b") },
            Filter { streams: streams.to_vec(), ..Filter::category("none") },
        ];
        for filter in filters {
            let wanted = names.wanted(&filter);
            for stream in &streams {
                let subject = names.of(stream);
                assert_eq!(wanted.matches(&subject), filter.matches(stream, "t"), "{filter:?}");
                let patterns = wanted.patterns(Some(&subject));
                let covering =
                    Wanted { patterns: patterns.into_iter().collect(), ..wanted.clone() };
                assert!(covering.matches(&subject));
            }
            assert!(!wanted.patterns(None).is_empty());
        }
    }
}
