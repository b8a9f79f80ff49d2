//! A [`Filter`] that looks at names as they are stored, before anything is copied out.

use countersign_eventsourcing::Filter;

/// Says which stored events a follower wants.
#[derive(Clone, Debug)]
pub(crate) struct Matcher(Filter);

impl Matcher {
    pub(crate) const fn new(filter: Filter) -> Self {
        Self(filter)
    }

    pub(crate) const fn filter(&self) -> &Filter {
        &self.0
    }

    /// Returns whether events of the stream named `stream` may be wanted.
    pub(crate) fn wants_stream(&self, stream: &str) -> bool {
        let filter = &self.0;
        let (category, rest) = stream.split_once('-').unwrap_or_default();
        (filter.categories.is_empty() || filter.categories.iter().any(|c| c == category))
            && filter.tenant.as_ref().is_none_or(|tenant| {
                rest.split_once('.').is_some_and(|(name, _)| name == tenant.as_str())
            })
            && (filter.streams.is_empty() || filter.streams.iter().any(|s| s.as_str() == stream))
    }

    /// Returns whether an event of `event_type` in the stream named `stream` is wanted.
    pub(crate) fn wants(&self, stream: &str, event_type: &str) -> bool {
        (self.0.event_types.is_empty() || self.0.event_types.iter().any(|t| t == event_type))
            && self.wants_stream(stream)
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::TenantId;
    use countersign_eventsourcing::StreamId;

    use super::*;

    #[test]
    fn it_wants_what_the_filter_matches() {
        let tenant = |name| TenantId::parse(name).unwrap();
        let stream = |category, name, key| StreamId::new(category, &tenant(name), key).unwrap();
        let streams = [stream("a", "x", "k"), stream("a", "x-y", "k"), stream("b", "x", "k.k-k")];
        let filters = [
            Filter::default(),
            Filter::category("a"),
            Filter { tenant: Some(tenant("x")), ..Filter::default() },
            Filter { streams: vec![stream("b", "x", "k.k-k")], ..Filter::default() },
            Filter { event_types: vec!["t".to_owned()], ..Filter::category("b") },
        ];
        for filter in filters {
            for stream in &streams {
                for event_type in ["t", "u"] {
                    assert_eq!(
                        Matcher::new(filter.clone()).wants(stream.as_str(), event_type),
                        filter.matches(stream, event_type),
                        "{filter:?} {stream} {event_type}",
                    );
                }
            }
        }
    }
}
