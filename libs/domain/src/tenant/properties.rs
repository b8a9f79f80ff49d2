//! What must hold for every history.

use std::{collections::BTreeSet, time::Duration};

use countersign_core::KeyId;
use countersign_eventsourcing::EventCodec as _;
use proptest::prelude::*;

use super::*;
use crate::approval::{DangerousAct, Terms};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

fn application(n: u8) -> ApplicationId {
    ApplicationId::parse(&format!("app-{n}")).unwrap()
}

fn organisation(n: u8) -> OrganisationId {
    OrganisationId::parse(&format!("org-{n}")).unwrap()
}

fn key(n: u8) -> KeyId {
    KeyId::parse(&format!("key{n}")).unwrap()
}

fn requirements() -> impl Strategy<Value = MfaRequirement> {
    prop_oneof![
        Just(MfaRequirement::Never),
        Just(MfaRequirement::Always),
        Just(MfaRequirement::PerApplication),
    ]
}

fn settings() -> impl Strategy<Value = FactorSettings> {
    let throttle = (prop::option::of(1..10u32), prop::option::of(1..200u32)).prop_map(
        |(free_attempts, hard_limit)| ThrottleOverrides {
            free_attempts,
            hard_limit,
            ..ThrottleOverrides::default()
        },
    );
    (any::<bool>(), prop::option::of(0..10u32), throttle).prop_map(
        |(disabled, totp_skew_steps, throttle)| FactorSettings {
            disabled,
            throttle,
            totp_skew_steps,
            ..FactorSettings::default()
        },
    )
}

fn quorums() -> impl Strategy<Value = Option<Quorum>> {
    let acts = prop::collection::vec(prop::sample::select(DangerousAct::ALL), 0..4);
    (acts, 1..4u32, 0..3u64).prop_map(|(acts, approvers, seconds)| {
        Quorum::new(acts, Terms { approvers, delay: Duration::from_secs(seconds) })
    })
}

fn commands() -> impl Strategy<Value = Command> {
    let n = 1..5u8;
    let maybe = || prop::option::of(1..5u8);
    prop_oneof![
        Just(Command::Create { display_name: "Acme".to_owned(), now: at(0) }),
        (n.clone(), prop::option::of(requirements())).prop_map(|(n, requirement)| {
            let display_name = "App".to_owned();
            Command::CreateApplication { application_id: application(n), display_name, requirement }
        }),
        (maybe(), requirements()).prop_map(|(n, requirement)| Command::SetMfaRequirement {
            application_id: n.map(application),
            requirement,
        }),
        (prop_oneof!["totp", "recovery_code"], settings()).prop_map(|(kind, settings)| {
            Command::SetFactorSettings { kind: kind.into(), settings }
        }),
        (n.clone(), prop::option::of(0..100i64), maybe()).prop_map(|(n, end, organisation_id)| {
            Command::IssueApiKey(IssueApiKey {
                key_id: key(n),
                display_name: "platform".to_owned(),
                secret_hash: [n; 32],
                roles: vec![Role::Verifier],
                now: at(0),
                expires_at: end.map(at),
                organisation_id: organisation_id.map(organisation),
                allowed_addresses: vec![],
            })
        }),
        (n.clone(), 0..100i64, 0..100u64).prop_map(|(n, now, overlap)| {
            Command::RotateApiKey(RotateApiKey {
                key_id: key(n),
                // Drawn at random in life, and so never the same again.
                secret_hash: std::array::from_fn(|i| {
                    n ^ u8::try_from(i).unwrap() ^ u8::try_from(now).unwrap()
                }),
                now: at(now),
                overlap: Duration::from_secs(overlap),
            })
        }),
        (n.clone(), 0..9_000i64).prop_map(|(n, now)| Command::NoteApiKeyUse(NoteApiKeyUse {
            key_id: key(n),
            now: at(now)
        })),
        n.clone().prop_map(|n| Command::CreateOrganisation {
            organisation_id: organisation(n),
            display_name: "North".to_owned(),
        }),
        (0..3u32).prop_map(|days| Command::SetRetention(Retention {
            inactive_user_days: std::num::NonZeroU32::new(days * 30),
        })),
        quorums().prop_map(Command::SetQuorum),
        quorums().prop_map(|quorum| Command::Allowed(Box::new(Command::SetQuorum(quorum)))),
        (maybe(), 1..100i64).prop_map(|(n, until)| Command::BreakGlass {
            application_id: n.map(application),
            reason: "no phones".to_owned(),
            now: at(0),
            until: at(until),
        }),
        maybe().prop_map(|n| Command::MendGlass { application_id: n.map(application) }),
        Just(Command::Erase { now: at(1) }),
        n.prop_map(|n| Command::RevokeApiKey(RevokeApiKey { key_id: key(n) })),
    ]
}

proptest! {
    #[test]
    fn every_history_keeps_its_promises(commands in prop::collection::vec(commands(), 0..60)) {
        let mut state = State::default();
        let mut history = Vec::new();
        let mut issued = BTreeSet::new();
        let mut revoked = BTreeSet::new();
        for command in commands {
            // Ids of keys are random: one is issued once.
            if let Command::IssueApiKey(command) = &command
                && !issued.insert(command.key_id.clone())
            {
                continue;
            }
            let is_allowed = matches!(command, Command::Allowed(_));
            let Ok(events) = Tenant::decide(&state, command) else { continue };
            for event in events {
                if !is_allowed {
                    prop_assert_eq!(quorum::act_in_need(&state, &event), None);
                }
                prop_assert!(state.erased_at().is_none(), "nothing comes after the end");
                let first = history.is_empty();
                prop_assert_eq!(first, matches!(event, Event::TenantCreated(_)), "created once, first");
                if let Event::ApiKeyRevoked(event) = &event {
                    prop_assert!(revoked.insert(event.key_id.clone()), "revoked twice");
                }
                let stored = Tenant::encode(&event);
                let read =
                    Tenant::decode(stored.event_type, stored.schema_version, &stored.payload);
                prop_assert_eq!(read.as_ref(), Ok(&event));
                let before = state.clone();
                state = Tenant::evolve(state, &event);
                prop_assert_ne!(&state, &before, "an event that changes nothing");
                history.push(event);
            }
            // What was ended opens nothing again, and no limit passes what NIST allows.
            for id in &revoked {
                prop_assert!(state.api_key(id).is_none_or(|key| !key.is_usable(at(0))));
            }
            for kind in ["totp", "recovery_code"] {
                let limit = state.factor_settings(kind).throttle_policy(kind).hard_limit;
                prop_assert!(limit <= crate::throttle::ThrottlePolicy::NIST_LIMIT);
            }
        }
        let replayed = history.iter().fold(State::default(), Tenant::evolve);
        prop_assert_eq!(replayed, state);
    }
}
