//! A [`Filter`] as the server takes it: a regular expression over the names of streams. It only spares traffic; what comes
//! is looked at again.

use std::borrow::Cow;

use countersign_eventsourcing::Filter;

/// How many streams are named one by one.
const MAX_STREAMS: usize = 64;

/// Writes the pattern of the streams that `filter` wants. Those of the system and, by their form, of most other
/// applications are never among them.
pub(super) fn pattern(filter: &Filter) -> String {
    if !filter.streams.is_empty() && filter.streams.len() <= MAX_STREAMS {
        let names: Vec<_> =
            filter.streams.iter().map(|stream| stream.as_str().replace('.', "\\.")).collect();
        return format!("^(?:{})$", names.join("|"));
    }
    // Others than these are no categories of ours, and could mean anything in a pattern.
    let plain = |category: &&String| {
        !category.is_empty() && category.bytes().all(|byte| byte.is_ascii_lowercase())
    };
    let categories: Vec<_> = filter.categories.iter().filter(plain).map(String::as_str).collect();
    let category: Cow<'_, str> = if categories.is_empty() {
        "[a-z]{1,32}".into()
    } else {
        format!("(?:{})", categories.join("|")).into()
    };
    let tenant = filter.tenant.as_ref().map_or("[a-z0-9-]{1,40}", |tenant| tenant.as_str());
    format!("^{category}-{tenant}\\.")
}

#[cfg(test)]
mod tests {
    use countersign_core::TenantId;
    use countersign_eventsourcing::StreamId;

    use super::*;

    #[test]
    fn the_pattern_says_what_the_filter_wants() {
        let tenant = TenantId::parse("acme-eu").unwrap();
        assert_eq!(pattern(&Filter::default()), r"^[a-z]{1,32}-[a-z0-9-]{1,40}\.");
        assert_eq!(pattern(&Filter::category("user")), r"^(?:user)-[a-z0-9-]{1,40}\.");
        let categories = vec!["a".to_owned(), "b".to_owned()];
        let some = Filter { categories, tenant: Some(tenant.clone()), ..Filter::default() };
        assert_eq!(pattern(&some), r"^(?:a|b)-acme-eu\.");
        let streams = ["k.1", "k-_2"].map(|key| StreamId::new("user", &tenant, key).unwrap());
        let one_by_one = Filter { streams: streams.into(), ..Filter::default() };
        assert_eq!(pattern(&one_by_one), r"^(?:user-acme-eu\.k\.1|user-acme-eu\.k-_2)$");
    }

    #[test]
    fn what_is_no_category_does_not_get_into_the_pattern() {
        let odd = Filter { categories: vec![".*".to_owned(), "".to_owned()], ..Filter::default() };
        assert_eq!(pattern(&odd), pattern(&Filter::default()));
    }
}
