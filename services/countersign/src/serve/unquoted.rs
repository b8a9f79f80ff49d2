//! What is wrong with a file of settings, without what it says: a text in the wrong place may be an address with a password.

/// Takes the text out of a complaint of serde's about one: `invalid type: string "nats://a:b@c", expected a sequence`.
pub(super) fn unquoted(problem: &str) -> String {
    let quoting = problem.split_once("string \"").and_then(|(before, rest)| {
        // The last one: the text itself may say the same.
        rest.rsplit_once("\", expected ").map(|(_, expected)| (before, expected))
    });
    match quoting {
        Some((before, expected)) => format!("{before}a text, expected {expected}"),
        None => problem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::{Config, Flags};

    #[test]
    fn passwords_of_misplaced_addresses_are_not_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("countersign.yaml");
        for settings in [
            r#"nats: { servers: "nats://a:hunter2@b:4222" }"#,
            r#"nats: "nats://a:hunter2@b:4222""#,
            r#"nats: { replicas: "nats://a:hunter2\", expected @b:4222" }"#,
            r#"nats: { credentials: ["nats://a:hunter2@b:4222"] }"#,
            r#"event_log: { url: "kurrentdb://a:hunter2@b" }"#,
            r#"event_log: "mysql://a:hunter2@b""#,
            r#"log: "kurrentdb://a:hunter2@b""#,
            r#"limits: "kurrentdb://a:hunter2@b""#,
            r#"peers: { challenge: ["https://a:hunter2@b:1"] }"#,
        ] {
            std::fs::write(&path, settings).unwrap();
            let flags = Flags { config: Some(path.clone()), ..Flags::default() };
            let config = Config::load(flags);
            let told = match &config {
                Err(error) => error.to_string(),
                Ok(config) => config.peer_addresses().unwrap_err().to_string(),
            };
            assert!(!told.contains("hunter2") && !told.is_empty(), "{told}");
        }
    }

    #[test]
    fn the_rest_of_a_complaint_stays() {
        let told = unquoted(r#"invalid type: string "a", expected an integer for key `b` in c"#);
        assert_eq!(told, "invalid type: a text, expected an integer for key `b` in c");
        assert_eq!(
            unquoted("unknown field `lisen`, expected one of"),
            "unknown field `lisen`, expected one of"
        );
    }
}
