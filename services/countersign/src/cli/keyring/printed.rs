//! The keys as people read them, each state with what comes next.

use countersign_keys::ProviderKind;
use countersign_proto::keys::{AssertionAlgorithm, AssertionKey, Keyring, SecretRotation};

use super::super::{
    Failure, Screen,
    screen::{ALERT, HEADING, LITERAL, table_of},
    when::to_the_second,
};

const ASSERTION_KEY: &str = "countersign.keys.v1.AssertionKey";

/// Prints the ring, what comes next, the rotation of users' secrets, and the signing keys.
pub(super) fn keyring(keyring: &Keyring, screen: &mut Screen) -> Result<(), Failure> {
    let versions: Vec<_> = keyring.versions.iter().map(ToString::to_string).collect();
    let sharing = if keyring.shared { ", shared by replicas" } else { "" };
    screen.line(format_args!(
        "{HEADING}key-encryption key{HEADING:#} kept by {}{sharing}: version {} wraps; in the ring: {}",
        keyring.provider,
        keyring.wrapping_version,
        versions.join(", ")
    ))?;
    if let Some(next) = next(keyring) {
        screen.line(next)?;
    }
    if let Some(rotation) = &keyring.secret_rotation {
        screen.line(secrets(rotation))?;
    }
    assertion_keys(keyring, screen)
}

/// Says how far a rotation is, and what is to be done.
fn next(keyring: &Keyring) -> Option<String> {
    if keyring.versions.len() < 2 {
        return None;
    }
    let newest = keyring.versions.last().copied().unwrap_or_default();
    let retire = if keyring.shared { "retire --offline" } else { "retire" };
    Some(match &keyring.rewrapping {
        Some(rewrapping) if rewrapping.complete => format!(
            "everything is wrapped under version {newest}; take the others out with {LITERAL}countersign keyring \
             {retire}{LITERAL:#}"
        ),
        Some(rewrapping) if !keyring.shared => format!(
            "{ALERT}wrapping anew{ALERT:#} under version {newest}: {} of {} users' keys",
            rewrapping.done, rewrapping.total
        ),
        _ if keyring.wrapping_version == newest => format!(
            "version {newest} wraps; if {LITERAL}countersign keyring run{LITERAL:#} came to its end, take the others out \
             with {LITERAL}countersign keyring {retire}{LITERAL:#}"
        ),
        _ => format!(
            "{ALERT}version {newest} does not wrap yet{ALERT:#}: bring the directory of keys to all replicas, then use \
             {LITERAL}countersign keyring run{LITERAL:#}"
        ),
    })
}

/// Says how far sealing users' secrets anew has come.
fn secrets(rotation: &SecretRotation) -> String {
    let SecretRotation { rotation: number, users_done, users_total, .. } = rotation;
    let (begun, completed) = (
        to_the_second(rotation.begun_at.as_ref()),
        rotation.completed_at.as_ref().map(|at| to_the_second(Some(at))),
    );
    match completed {
        Some(completed) => format!(
            "{HEADING}users' secrets{HEADING:#} were sealed anew (rotation {number}, {users_done} users) at {completed}"
        ),
        None if *users_total == 0 => format!(
            "{HEADING}users' secrets{HEADING:#} {ALERT}are being sealed anew{ALERT:#} (rotation {number}, begun at {begun})"
        ),
        None => format!(
            "{HEADING}users' secrets{HEADING:#} {ALERT}are being sealed anew{ALERT:#} (rotation {number}, begun at {begun}): \
             {users_done} of {users_total} users"
        ),
    }
}

/// Prints the signing keys, or each as a line of JSON.
pub(super) fn assertion_keys(keyring: &Keyring, screen: &mut Screen) -> Result<(), Failure> {
    if screen.wants_json() {
        return keyring.assertion_keys.iter().try_for_each(|key| screen.json(ASSERTION_KEY, key));
    }
    let mut table =
        table_of(&["signing key!", "algorithm", "state", "signs from", "published until"]);
    for key in &keyring.assertion_keys {
        table.add_row([
            key.kid.clone(),
            algorithm(key.algorithm()).to_owned(),
            state(keyring, key).to_owned(),
            to_the_second(key.signs_from.as_ref()),
            to_the_second(key.published_until.as_ref()),
        ]);
    }
    screen.table(&table, "no keys are published")
}

/// Says what the settings must say from here on.
pub(super) fn after_moving(to: ProviderKind, screen: &mut Screen) -> Result<(), Failure> {
    if screen.wants_json() {
        return Ok(());
    }
    screen.line(format_args!(
        "before the next start, say {LITERAL}keys: {{ provider: {to} }}{LITERAL:#} in the settings; where replicas share keys, \
         bring the directory to all of them"
    ))
}

const fn algorithm(algorithm: AssertionAlgorithm) -> &'static str {
    match algorithm {
        AssertionAlgorithm::Es256 => "ES256",
        AssertionAlgorithm::EdDsa => "EdDSA",
        AssertionAlgorithm::Unspecified => "-",
    }
}

/// The keys are in the order in which they sign.
fn state(keyring: &Keyring, key: &AssertionKey) -> &'static str {
    let signs = keyring.assertion_keys.iter().position(|key| key.signs);
    let this = keyring.assertion_keys.iter().position(|other| other.kid == key.kid);
    match (key.signs, signs, this) {
        (true, ..) => "signs",
        (false, Some(signs), Some(this)) if this > signs => "will sign",
        _ => "has signed",
    }
}

#[cfg(test)]
mod tests {
    use countersign_proto::keys::Rewrapping;

    use super::{super::super::screen::tests::Printed, *};

    fn said(keyring: &Keyring) -> String {
        let printed = Printed::default();
        super::keyring(keyring, &mut Screen::to(printed.clone(), false)).unwrap();
        printed.text()
    }

    fn two_versions() -> Keyring {
        Keyring {
            provider: "vault".to_owned(),
            versions: vec![1, 2],
            wrapping_version: 2,
            ..Keyring::default()
        }
    }

    #[test]
    fn each_state_of_a_rotation_says_what_comes_next() {
        let mut keyring = two_versions();
        keyring.rewrapping = Some(Rewrapping { done: 3, total: 9, complete: false });
        let text = said(&keyring);
        assert!(text.contains("kept by vault: version 2 wraps; in the ring: 1, 2"), "{text}");
        assert!(text.contains("3 of 9 users' keys"), "{text}");
        keyring.rewrapping = Some(Rewrapping { done: 9, total: 9, complete: true });
        assert!(said(&keyring).contains("countersign keyring retire"), "{}", said(&keyring));

        let shared = Keyring { shared: true, wrapping_version: 1, ..two_versions() };
        let text = said(&shared);
        assert!(text.contains("does not wrap yet") && text.contains("to all replicas"), "{text}");
        let shared = Keyring { shared: true, ..two_versions() };
        assert!(said(&shared).contains("keyring retire --offline"), "{}", said(&shared));
        let one = Keyring { versions: vec![2], ..two_versions() };
        assert!(!said(&one).contains("keyring"), "{}", said(&one));
    }

    #[test]
    fn a_rotation_of_secrets_says_how_far_it_has_come() {
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let rotation = SecretRotation { rotation: 3, begun_at: at(60), ..Default::default() };
        let said = |rotation: SecretRotation| {
            said(&Keyring { secret_rotation: Some(rotation), ..Keyring::default() })
        };
        let begun = said(rotation);
        assert!(begun.contains("being sealed anew (rotation 3, begun at 1970-01-01"), "{begun}");
        let counted = SecretRotation { users_done: 2, users_total: 5, ..rotation };
        let counted = said(counted);
        assert!(counted.contains(": 2 of 5 users"), "{counted}");
        let completed =
            SecretRotation { users_done: 5, users_total: 5, completed_at: at(99), ..rotation };
        let completed = said(completed);
        assert!(completed.contains("were sealed anew (rotation 3, 5 users) at"), "{completed}");
    }

    #[test]
    fn a_signing_key_signs_or_has_signed_or_will() {
        let key = |kid: &str, signs| AssertionKey {
            kid: kid.to_owned(),
            algorithm: AssertionAlgorithm::EdDsa.into(),
            signs,
            ..AssertionKey::default()
        };
        let assertion_keys = vec![key("a", false), key("b", true), key("c", false)];
        let text = said(&Keyring { assertion_keys, ..Keyring::default() });
        let of = |kid: &str| {
            text.lines().find(|line| line.split_whitespace().next() == Some(kid)).unwrap()
        };
        assert!(of("a").contains("has signed"), "{text}");
        assert!(of("b").contains("EdDSA") && of("b").contains(" signs"), "{text}");
        assert!(of("c").contains("will sign"), "{text}");
    }
}
