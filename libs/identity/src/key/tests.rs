//! Keys of specifications, and keys that are not to be used.

use serde_json::json;

use super::*;

/// The public key of RFC 7515 appendix A.2.1.
const RFC7515_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";

fn key(jwk: Value) -> Result<Key, Unfit> {
    let Value::Object(members) = jwk else { panic!("a JWK is an object") };
    Key::from_jwk(&members)
}

fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    jwk[name] = value;
    jwk
}

fn rsa() -> Value {
    json!({"kty": "RSA", "n": RFC7515_N, "e": "AQAB"})
}

/// The public key of RFC 7515 appendix A.3.1.
fn p256() -> Value {
    json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    })
}

/// The public key of RFC 8037 appendix A.2.
fn ed25519() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
}

fn check(jwk: Value, algorithm: Algorithm, token: &str) {
    let key = key(jwk).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut signature = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
    assert!(key.verifies(algorithm, signed.as_bytes(), &signature));
    assert!(!key.verifies(algorithm, &signed.as_bytes()[1..], &signature));
    for other in [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa] {
        let verifies = key.verifies(other, signed.as_bytes(), &signature);
        assert_eq!(verifies, other == algorithm, "{other}");
    }
    signature[10] ^= 1;
    assert!(!key.verifies(algorithm, signed.as_bytes(), &signature));
}

#[test]
fn the_token_of_rfc_7515_appendix_a_2_is_verified() {
    check(
        rsa(),
        Algorithm::Rs256,
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    );
}

#[test]
fn the_token_of_rfc_7515_appendix_a_3_is_verified() {
    check(
        p256(),
        Algorithm::Es256,
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    );
}

#[test]
fn the_token_of_rfc_8037_appendix_a_4_is_verified() {
    check(
        ed25519(),
        Algorithm::EdDsa,
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    );
}

#[test]
fn a_key_is_for_algorithms_of_its_kind() {
    use Algorithm::{EdDsa, Es256, Es384, Ps256, Rs256, Rs512};
    for (jwk, fitting, others) in [
        (rsa(), vec![Rs256, Rs512, Ps256], vec![Es256, Es384, EdDsa]),
        (p256(), vec![Es256], vec![Rs256, Es384, EdDsa]),
        (ed25519(), vec![EdDsa], vec![Rs256, Es256]),
    ] {
        let key = key(jwk).unwrap();
        assert!(fitting.into_iter().all(|algorithm| key.fits(algorithm)));
        assert!(!others.into_iter().any(|algorithm| key.fits(algorithm)));
    }
}

#[test]
fn a_key_that_says_its_algorithm_is_for_that_one_alone() {
    let key = key(with(rsa(), "alg", json!("PS256"))).unwrap();
    assert!(key.fits(Algorithm::Ps256));
    assert!(!key.fits(Algorithm::Rs256));
    assert_eq!(self::key(with(rsa(), "alg", json!("ES256"))).unwrap_err(), Unfit::Damaged);
    for alg in ["RSA-OAEP", "HS256", "none"] {
        assert_eq!(self::key(with(rsa(), "alg", json!(alg))).unwrap_err(), Unfit::UnknownKind);
    }
}

#[test]
fn a_key_for_something_else_is_passed_over() {
    assert!(key(with(rsa(), "use", json!("sig"))).is_ok());
    assert!(key(with(rsa(), "key_ops", json!(["verify"]))).is_ok());
    assert_eq!(key(with(rsa(), "use", json!("enc"))).unwrap_err(), Unfit::OtherUse);
    for operations in [json!(["encrypt", "wrapKey"]), json!(["sign"]), json!([])] {
        assert_eq!(key(with(rsa(), "key_ops", operations)).unwrap_err(), Unfit::OtherUse);
    }
    assert_eq!(key(with(rsa(), "key_ops", json!("verify"))).unwrap_err(), Unfit::Damaged);
}

#[test]
fn an_rsa_key_that_is_too_small_or_too_large_is_passed_over() {
    let of_bits = |bits: usize| {
        let mut n = vec![0xff; bits.div_ceil(8)];
        n[0] = 0xff >> (n.len() * 8 - bits);
        key(with(rsa(), "n", json!(BASE64URL_NOPAD.encode(&n))))
    };
    for bits in [8, 512, 1024, 2047, 8193, 16_384] {
        assert_eq!(of_bits(bits).unwrap_err(), Unfit::Size, "{bits}");
    }
    assert!(of_bits(2048).is_ok() && of_bits(8192).is_ok());
    assert_eq!(key(with(rsa(), "n", json!(""))).unwrap_err(), Unfit::Size);
}

#[test]
fn zeros_before_a_number_do_not_make_it_larger() {
    let n = BASE64URL_NOPAD.decode(RFC7515_N.as_bytes()).unwrap();
    let padded = BASE64URL_NOPAD.encode(&[vec![0; 3], n].concat());
    let key = key(with(rsa(), "n", json!(padded))).unwrap();
    assert!(matches!(&key.material, Material::Rsa { n, .. } if n.len() == 256));
    let small = BASE64URL_NOPAD.encode(&[vec![0; 128], vec![0xff; 128]].concat());
    assert_eq!(self::key(with(rsa(), "n", json!(small))).unwrap_err(), Unfit::Size);
}

#[test]
fn a_key_whose_private_part_is_published_is_passed_over() {
    assert_eq!(key(with(p256(), "d", json!("AA"))).unwrap_err(), Unfit::Private);
    assert_eq!(key(json!({"kty": "oct", "k": "c2VjcmV0"})).unwrap_err(), Unfit::Private);
}

#[test]
fn a_key_that_is_damaged_or_unknown_is_passed_over() {
    for (jwk, why) in [
        (json!({}), Unfit::Damaged),
        (json!({"kty": 1}), Unfit::Damaged),
        (json!({"kty": "RSA"}), Unfit::Damaged),
        (json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}), Unfit::Damaged),
        (with(ed25519(), "x", json!("AA")), Unfit::Damaged),
        (with(ed25519(), "x", json!("!")), Unfit::Damaged),
        (with(p256(), "kid", json!(7)), Unfit::Damaged),
        (with(p256(), "crv", json!("secp256k1")), Unfit::UnknownKind),
        (with(ed25519(), "crv", json!("X25519")), Unfit::UnknownKind),
        (json!({"kty": "AKP"}), Unfit::UnknownKind),
    ] {
        assert_eq!(key(jwk.clone()).unwrap_err(), why, "{jwk}");
    }
}

#[test]
fn a_point_beside_its_curve_verifies_nothing() {
    let off = key(with(p256(), "x", json!("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEQ"))).unwrap();
    assert!(!off.verifies(Algorithm::Es256, b"message", &[1; 64]));
}

#[test]
fn signatures_of_zeros_and_of_odd_lengths_are_wrong() {
    let key = key(p256()).unwrap();
    for length in [0, 1, 63, 64, 65, 72, 1000] {
        assert!(!key.verifies(Algorithm::Es256, b"message", &vec![0; length]), "{length}");
    }
}
