//! Stored payloads of every event: what was read is written so that it reads the same, and any history folds into a state
//! that survives being a snapshot.

#![no_main]

use bytes::Bytes;
use countersign_domain::{
    delivery::Delivery, tenant::Tenant, user_authenticators::UserAuthenticators,
    user_challenges::UserChallenges, user_sign_ins::UserSignIns,
};
use countersign_eventsourcing::EventCodec;
use countersign_fuzz::Parts;
use libfuzzer_sys::fuzz_target;

/// The events of a fuzzed history that are looked at.
const LONGEST: usize = 64;

fuzz_target!(|bytes: &[u8]| {
    history::<Tenant>(Tenant::EVENT_TYPES, bytes);
    history::<UserAuthenticators>(UserAuthenticators::EVENT_TYPES, bytes);
    history::<UserChallenges>(UserChallenges::EVENT_TYPES, bytes);
    history::<UserSignIns>(UserSignIns::EVENT_TYPES, bytes);
    history::<Delivery>(Delivery::EVENT_TYPES, bytes);
});

/// Folds the events of one aggregate; those of others are passed over. Each is its type, its version and its payload.
fn history<D: EventCodec>(types: &[(&str, u32)], bytes: &[u8]) {
    let mut parts = Parts::new(bytes);
    let mut state = D::State::default();
    for _ in 0..LONGEST {
        if parts.is_empty() {
            break;
        }
        let name = String::from_utf8_lossy(parts.part());
        let version = parts.byte();
        let payload = Bytes::copy_from_slice(parts.long_part());
        let Ok(event) = D::decode(&name, version.into(), &payload) else { continue };
        let encoded = D::encode(&event);
        let newest = encoded.schema_version;
        assert!(encoded.event_type == name && types.contains(&(encoded.event_type, newest)));
        assert_eq!(D::decode(&name, newest, &encoded.payload).as_ref(), Ok(&event));
        state = D::evolve(state, &event);
    }
    let snapshot = postcard::to_allocvec(&state).expect("a state can be written");
    assert_eq!(postcard::from_bytes::<D::State>(&snapshot).as_ref(), Ok(&state));
}
