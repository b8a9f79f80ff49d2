//! Why a token is refused.

/// Why a token is refused. It says enough for a log and holds nothing of the token, which may be somebody's still.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is not three parts of which two are JSON objects.
    #[error("this is no signed token")]
    Malformed,
    /// It is longer than is read.
    #[error("the token is too long")]
    TooLarge,
    /// It is encrypted (RFC 7516), which we take from nobody.
    #[error("the token is encrypted")]
    Encrypted,
    /// It holds another token (RFC 7519 section 5.2).
    #[error("the token holds another token")]
    Nested,
    /// It must not be accepted by whoever does not know some extension (RFC 7515 section 4.1.11).
    #[error("the token needs an extension that is not known here")]
    CriticalExtension,
    /// Its `typ` says that it is for something else (RFC 8725 section 3.11).
    #[error("the token is of another kind than those that are taken")]
    WrongType,
    /// It is signed as its issuer is not allowed to sign, or not as its key is for.
    #[error("the token's signature algorithm is not allowed")]
    AlgorithmNotAllowed,
    /// Nobody who is trusted issued it.
    #[error("the token's issuer is not known here")]
    UnknownIssuer,
    /// Its issuer publishes no such key.
    #[error("the token's key is none that its issuer publishes")]
    UnknownKey,
    /// It does not say which of its issuer's keys signed it.
    #[error("the token does not say which of its issuer's keys signed it")]
    KeyNotNamed,
    /// It is not what its issuer signed.
    #[error("the token's signature is wrong")]
    BadSignature,
    /// A claim is missing, or has no value that makes sense.
    #[error("the token's claim {claim} is missing or makes no sense")]
    BadClaim {
        /// The claim's name.
        claim: &'static str,
    },
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It is for somebody else.
    #[error("the token is not for us")]
    WrongAudience,
    /// Its issuer's keys are not to be had, so that nothing can be said about it: try again later.
    #[error("the keys of issuer {issuer} cannot be fetched")]
    KeysUnavailable {
        /// What the issuer is called in the settings.
        issuer: String,
    },
}
