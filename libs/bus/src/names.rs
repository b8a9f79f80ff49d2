//! How streams and subjects are called: everything begins with the installation's prefix.

use std::collections::BTreeSet;

use countersign_eventsourcing::{Filter, StreamId};

use crate::escape::token;

/// Above this many subjects a consumer asks for whole categories, and leaves out by itself what it does not want.
const MOST_SUBJECTS: usize = 64;

/// Who parks what the log holds unreadable.
pub(crate) const PUBLISHER: &str = "publisher";

/// Names of streams, subjects and consumers.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    prefix: String,
}

impl Names {
    pub(crate) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// The stream of events.
    pub(crate) fn bus(&self) -> String {
        format!("{}_bus", self.prefix)
    }

    /// The stream of what was parked.
    pub(crate) fn dead(&self) -> String {
        format!("{}_dead", self.prefix)
    }

    /// The stream of how far publishers have come.
    pub(crate) fn state(&self) -> String {
        format!("{}_state", self.prefix)
    }

    /// Subjects of all events.
    pub(crate) fn events(&self) -> String {
        format!("{}.>", self.prefix)
    }

    /// Subjects of everything that is given out again.
    pub(crate) fn retries(&self) -> String {
        format!("{}_retry.>", self.prefix)
    }

    /// Subject of one event.
    pub(crate) fn event(&self, stream: &StreamId, event_type: &str) -> String {
        let (tenant, category) = (token(stream.tenant()), token(stream.category()));
        format!("{}.{tenant}.{category}.{}", self.prefix, token(event_type))
    }

    /// Subject of what `consumer` parks.
    pub(crate) fn parked(&self, consumer: &str) -> String {
        format!("{}_dead.{consumer}", self.prefix)
    }

    /// Returns who parked on `subject`.
    pub(crate) fn parked_by<'a>(&self, subject: &'a str) -> &'a str {
        let rest = subject.strip_prefix(&self.prefix);
        rest.and_then(|rest| rest.strip_prefix("_dead.")).unwrap_or(subject)
    }

    /// Subject of what is given out to `consumer` again.
    pub(crate) fn retry(&self, consumer: &str) -> String {
        format!("{}_retry.{consumer}", self.prefix)
    }

    /// Subject of how far the publisher of the log `log` has come.
    pub(crate) fn published(&self, log: &str) -> String {
        format!("{}_state.{PUBLISHER}.{log}", self.prefix)
    }

    /// Name of the consumer of a reactor: consumers have no dots.
    pub(crate) fn consumer(reactor: &str) -> String {
        token(&reactor.replace('.', "-"))
    }

    /// Subjects that hold everything `filter` wants, and what is given out to `consumer` again. None overlaps another.
    pub(crate) fn wanted(&self, filter: &Filter, consumer: &str) -> Vec<String> {
        let any = || BTreeSet::from(["*".to_owned()]);
        let of = |wanted: &mut dyn Iterator<Item = &str>| {
            let tokens: BTreeSet<_> = wanted.map(token).collect();
            if tokens.is_empty() { any() } else { tokens }
        };
        let tenants = match &filter.tenant {
            Some(tenant) => BTreeSet::from([token(tenant.as_str())]),
            None => of(&mut filter.streams.iter().map(StreamId::tenant)),
        };
        let categories = if filter.categories.is_empty() {
            of(&mut filter.streams.iter().map(StreamId::category))
        } else {
            of(&mut filter.categories.iter().map(String::as_str))
        };
        let mut types = of(&mut filter.event_types.iter().map(String::as_str));
        if tenants.len() * categories.len() * types.len() > MOST_SUBJECTS {
            types = any();
        }
        let mut subjects = vec![self.retry(consumer)];
        for tenant in &tenants {
            for category in &categories {
                let events = types.iter().map(|event| (tenant, category, event));
                subjects.extend(events.map(|(tenant, category, event)| {
                    format!("{}.{tenant}.{category}.{event}", self.prefix)
                }));
            }
        }
        subjects
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::TenantId;

    use super::*;

    #[test]
    fn a_filter_becomes_the_subjects_of_what_it_wants() {
        let names = Names::new("cs");
        let mut filter = Filter::category("deliveries");
        filter.event_types = vec!["A".to_owned(), "B.c".to_owned(), "A".to_owned()];
        assert_eq!(
            names.wanted(&filter, "sender-1"),
            ["cs_retry.sender-1", "cs.*.deliveries.A", "cs.*.deliveries.B%2Ec"]
        );
        assert_eq!(names.wanted(&Filter::default(), "x"), ["cs_retry.x", "cs.*.*.*"]);
        filter.event_types = (0..100).map(|n| n.to_string()).collect();
        assert_eq!(names.wanted(&filter, "x"), ["cs_retry.x", "cs.*.deliveries.*"]);
    }

    #[test]
    fn streams_are_narrowed_to_their_tenants_and_categories() {
        let names = Names::new("cs");
        let tenant = TenantId::parse("acme").unwrap();
        let stream = StreamId::new("signins", &tenant, "k").unwrap();
        let filter = Filter { streams: vec![stream], ..Filter::default() };
        assert_eq!(names.wanted(&filter, "x"), ["cs_retry.x", "cs.acme.signins.*"]);
    }

    #[test]
    fn who_parked_is_read_from_the_subject() {
        let names = Names::new("cs");
        assert_eq!(names.parked_by(&names.parked("delivery-sender-1")), "delivery-sender-1");
        assert_eq!(Names::consumer("delivery-sender.1"), "delivery-sender-1");
    }
}
