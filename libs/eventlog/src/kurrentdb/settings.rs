//! The connection string, with what the client's defaults lack.

use eventstore::ClientSettings;

use super::OpenError;

/// What is added unless the operator says otherwise. The client waits for the discovery interval before every connection,
/// also the first; and a node that does not lead could only send it elsewhere.
const DEFAULTS: [(&str, &str); 4] = [
    ("discoveryInterval", "20"),
    ("gossipTimeout", "1000"),
    ("maxDiscoverAttempts", "5"),
    ("nodePreference", "leader"),
];

/// Parses a connection string. What the parser says is kept back: it repeats the password.
pub(super) fn parse(connection_string: &str) -> Result<ClientSettings, OpenError> {
    complete(connection_string).parse().map_err(|_| OpenError::Settings)
}

fn complete(connection_string: &str) -> String {
    let (_, query) = connection_string.split_once('?').unwrap_or_default();
    let given: Vec<_> =
        query.split('&').filter_map(|pair| pair.split('=').next()).map(str::to_lowercase).collect();
    let mut completed = connection_string.to_owned();
    let mut separator = if connection_string.contains('?') { '&' } else { '?' };
    for (name, value) in DEFAULTS {
        if !given.contains(&name.to_lowercase()) {
            completed.push(separator);
            completed.push_str(name);
            completed.push('=');
            completed.push_str(value);
            separator = '&';
        }
    }
    completed
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_the_operator_says_stays() {
        let settings = parse("esdb://a:1,b:2?tls=false&DiscoveryInterval=7").unwrap();
        assert_eq!(settings.discovery_interval(), Duration::from_millis(7));
        assert_eq!(settings.gossip_timeout(), Duration::from_secs(1));
        assert_eq!(settings.hosts().len(), 2);
        assert!(!settings.is_secure_mode_enabled());
        let settings = parse("kurrentdb://localhost").unwrap();
        assert_eq!(settings.max_discover_attempts(), 5);
        assert!(settings.is_secure_mode_enabled());
    }

    #[test]
    fn a_string_that_cannot_be_used_is_not_repeated() {
        for wrong in ["http://u:secret@h:1", "kurrentdb://u:secret@h:x", "secret", ""] {
            let error = parse(wrong).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("secret"));
        }
    }
}
