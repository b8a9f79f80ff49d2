//! Whom a certificate stands for.

use countersign_core::Timestamp;
use countersign_tls::{IdentityError, SpiffeIdError, identity_of};
use proptest::{prelude::*, sample::Index};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, KeyUsagePurpose, SanType,
    date_time_ymd,
};

use crate::authority::{Authority, changed, dns, nameless, uri, with_names, workload};

const ID: &str = "spiffe://example.org/audit";

fn identify(params: &CertificateParams) -> Result<Option<String>, IdentityError> {
    let issued = Authority::new("house").sign(params);
    Ok(identity_of(&issued.der)?.map(|peer| peer.spiffe_id().to_string()))
}

#[test]
fn a_certificate_stands_for_its_one_spiffe_id_until_it_expires() {
    let params = changed(workload(ID), |it| it.not_after = date_time_ymd(2035, 1, 1));
    let peer = identity_of(&Authority::new("house").sign(&params).der).unwrap().unwrap();
    assert_eq!(peer.spiffe_id().as_str(), ID);
    assert_eq!(peer.expires_at(), "2035-01-01T00:00:00Z".parse::<Timestamp>().unwrap());
}

#[test]
fn names_of_other_kinds_may_stand_beside_it() {
    let names = vec![dns("audit.example.org"), uri(ID), dns("spiffe.example.org")];
    assert_eq!(identify(&with_names(names)), Ok(Some(ID.to_owned())));
}

#[test]
fn without_a_spiffe_id_among_its_uris_it_stands_for_nobody() {
    let mut by_subject = nameless();
    by_subject.distinguished_name.push(DnType::CommonName, ID);
    for params in [
        nameless(),
        by_subject,
        with_names(vec![dns("audit.example.org")]),
        with_names(vec![uri("https://example.org/audit")]),
        with_names(vec![uri("https://example.org/a"), uri("urn:x:b")]),
        with_names(vec![uri("https://example.org/?spiffe://example.org/audit")]),
        with_names(vec![dns(ID)]),
        with_names(vec![SanType::Rfc822Name(ID.try_into().unwrap())]),
    ] {
        assert_eq!(identify(&params), Ok(None), "{:?}", params.subject_alt_names);
    }
}

#[test]
fn a_spiffe_id_stands_alone() {
    for other in ["spiffe://example.org/other", ID, "https://example.org/audit", "x:"] {
        let params = with_names(vec![uri(ID), uri(other)]);
        assert_eq!(identify(&params), Err(IdentityError::SeveralUris(2)), "{other}");
        let params = with_names(vec![uri(other), uri(ID)]);
        assert_eq!(identify(&params), Err(IdentityError::SeveralUris(2)), "{other}");
    }
}

#[test]
fn a_wrong_spiffe_id_is_no_other_uri() {
    for (id, error) in [
        ("spiffe://example.org", SpiffeIdError::NoPath),
        ("spiffe://Example.org/audit", SpiffeIdError::TrustDomain),
        ("SPIFFE://example.org/audit", SpiffeIdError::Scheme),
        ("spiffe:example.org/audit", SpiffeIdError::Scheme),
        ("spiffe://example.org/a/../audit", SpiffeIdError::Path),
        ("spiffe://example.org/audit\0", SpiffeIdError::Path),
    ] {
        assert_eq!(identify(&workload(id)), Err(IdentityError::Id(error)), "{id:?}");
    }
    let long = format!("spiffe://example.org/{}", "a".repeat(2_048));
    assert_eq!(identify(&workload(&long)), Err(IdentityError::Id(SpiffeIdError::TooLong)));
}

#[test]
fn who_signs_for_others_speaks_for_nobody() {
    let authority = IsCa::Ca(BasicConstraints::Unconstrained);
    let params = changed(workload(ID), |it| it.is_ca = authority);
    assert_eq!(identify(&params), Err(IdentityError::Authority));
    for usage in [KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign] {
        let key_usages = vec![KeyUsagePurpose::DigitalSignature, usage];
        let params = changed(workload(ID), |it| it.key_usages = key_usages);
        assert_eq!(identify(&params), Err(IdentityError::Authority));
    }
}

#[test]
fn names_that_are_there_twice_are_not_chosen_from() {
    // SubjectAltName (2.5.29.17) again, with another id.
    let other = b"spiffe://example.org/other";
    let length = u8::try_from(other.len()).unwrap();
    let names = [&[0x30, length + 2, 0x86, length], &other[..]].concat();
    let mut params = workload(ID);
    params.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 17], names)];
    assert_eq!(identify(&params), Err(IdentityError::Repeated));
}

#[test]
fn a_uri_that_is_no_text_is_refused() {
    let names = [&[0x30, 5, 0x86, 3], &b"\xff\xfe:"[..]].concat();
    let mut params = nameless();
    params.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 17], names)];
    assert!(matches!(identify(&params), Err(IdentityError::Unreadable(_))));
}

proptest! {
    #[test]
    fn hostile_bytes_are_read_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(identity_of(&bytes).is_err());
    }

    #[test]
    fn a_damaged_certificate_is_read_to_an_end(
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
        cut in any::<Index>(),
    ) {
        let der = Authority::new("house").workload(ID).der;
        let mut changed = der.clone();
        for (at, byte) in changes {
            let at = at.index(changed.len());
            changed[at] = byte;
        }
        // Whatever is left of it is an id or none.
        identity_of(&changed).ok();
        prop_assert!(identity_of(&der[..cut.index(der.len())]).is_err());
    }
}
