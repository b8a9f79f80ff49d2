//! Every reason that a request may fail with. `docs/errors.md` is generated from here.

use tonic::Code;

macro_rules! reasons {
    ($($(#[doc = $meaning:literal])+ $name:ident = $text:literal, $code:ident, $mend:literal;)+) => {
        /// Why a request failed: `reason` of the `google.rpc.ErrorInfo` in its status, domain `countersign`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[doc = $meaning])+ $name,)+
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Returns the text on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// Returns the gRPC code that goes with it.
            #[must_use]
            pub const fn code(self) -> Code {
                match self { $(Self::$name => Code::$code),+ }
            }

            /// Returns what it means.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($meaning),+).trim()),+ }
            }

            /// Returns what the caller can do about it.
            #[must_use]
            pub const fn mend(self) -> &'static str {
                match self { $(Self::$name => $mend),+ }
            }
        }
    };
}

reasons! {
    /// A field of the request is missing or malformed; `BadRequest` names it.
    FieldInvalid = "FIELD_INVALID", InvalidArgument, "Mend the field that `BadRequest` names.";
    /// The request is no message of the RPC: its bytes cannot be read, or a text in it is not UTF-8.
    RequestMalformed = "REQUEST_MALFORMED", InvalidArgument, "Encode the request by the schema of the RPC.";
    /// The request has more bytes than are read.
    RequestTooLarge = "REQUEST_TOO_LARGE", OutOfRange, "Send at most 64 KiB: every field has a bound far below that.";
    /// The message of the request did not arrive in time; nothing was changed.
    RequestTooSlow = "REQUEST_TOO_SLOW", DeadlineExceeded, "Send the whole message at once.";
    /// More came from the caller, the tenant, the source address or for the user than is allowed; metadata `limit` says from
    /// which. Nothing was changed.
    RateLimited = "RATE_LIMITED", ResourceExhausted, "Repeat with the same `request_id` after the delay in `RetryInfo`, and send less.";
    /// The process has as much to do as it can; nothing was changed.
    Overloaded = "OVERLOADED", Unavailable, "Repeat with the same `request_id` after the delay in `RetryInfo`.";
    /// The caller is not known: the key, token or certificate is missing, unknown, expired or revoked.
    Unauthenticated = "UNAUTHENTICATED", Unauthenticated, "Send `authorization: Bearer <key>` with a key in use, or a token of an issuer that the operator has named.";
    /// The keys of the caller's issuer cannot be fetched, so that its token cannot be checked.
    IssuerUnavailable = "ISSUER_UNAVAILABLE", Unavailable, "Repeat after the delay in `RetryInfo`; the operator looks at why the issuer does not answer.";
    /// The caller's roles do not allow this, or the tenant, organisation or user is not the caller's.
    PermissionDenied = "PERMISSION_DENIED", PermissionDenied, "Use a key with one of the roles that the RPC lists.";
    /// The request id was used before for another request.
    RequestIdReused = "REQUEST_ID_REUSED", AlreadyExists, "Use a fresh `request_id` for a different request.";
    /// Other requests for the same user kept getting in between.
    Contended = "CONTENDED", Aborted, "Repeat with the same `request_id`.";
    /// The request was not answered in time; it may or may not have been carried out.
    DeadlineExceeded = "DEADLINE_EXCEEDED", DeadlineExceeded, "Repeat with the same `request_id`: it is carried out once.";
    /// The event log cannot be reached; nothing was changed.
    LogUnavailable = "LOG_UNAVAILABLE", Unavailable, "Repeat with the same `request_id` after the delay in `RetryInfo`; metadata `keys` is `changed` where the installation's keys were changed before it went away.";
    /// The store of data keys cannot be reached; nothing was changed.
    KeysUnavailable = "KEYS_UNAVAILABLE", Unavailable, "Repeat with the same `request_id` after the delay in `RetryInfo`.";
    /// The service that the RPC belongs to cannot be reached from the process that was called, or does not answer in time;
    /// the message says whether it may have been carried out.
    ServiceUnavailable = "SERVICE_UNAVAILABLE", Unavailable, "Repeat with the same `request_id` after the delay in `RetryInfo`.";
    /// The process that was called does not serve this RPC and was not told who does.
    ServiceNotServed = "SERVICE_NOT_SERVED", Unimplemented, "Call the service itself, or name it in the setting `peers` of the process that was called.";
    /// A process passed the RPC on to one that does not serve it; nothing was changed.
    PeersMisconfigured = "PEERS_MISCONFIGURED", FailedPrecondition, "The operator mends the setting `peers` of the process that was called.";
    /// Stored data is damaged, or was written by a newer release.
    DataDamaged = "DATA_DAMAGED", DataLoss, "The operator runs `countersign doctor`.";
    /// The user was erased: what was sealed for them cannot be read any more.
    UserErased = "USER_ERASED", FailedPrecondition, "Enrol the user afresh under another id.";
    /// Something went wrong that should not.
    Internal = "INTERNAL", Internal, "Report it with the correlation id in the server's log.";
    /// There is no such tenant.
    TenantNotFound = "TENANT_NOT_FOUND", NotFound, "Create the tenant first, or mend the metadata `countersign-tenant`.";
    /// There is a tenant of this name already.
    TenantExists = "TENANT_EXISTS", AlreadyExists, "Choose another id.";
    /// The tenant has no such organisation.
    OrganisationNotFound = "ORGANISATION_NOT_FOUND", NotFound, "Create the organisation first.";
    /// The tenant has an organisation of this name already.
    OrganisationExists = "ORGANISATION_EXISTS", AlreadyExists, "Choose another id.";
    /// The tenant has as many organisations as are allowed.
    TooManyOrganisations = "TOO_MANY_ORGANISATIONS", FailedPrecondition, "Use the organisations that are there.";
    /// The tenant has no such application.
    ApplicationNotFound = "APPLICATION_NOT_FOUND", NotFound, "Create the application first.";
    /// The tenant has an application of this name already.
    ApplicationExists = "APPLICATION_EXISTS", AlreadyExists, "Choose another id.";
    /// The tenant has as many applications as are allowed.
    TooManyApplications = "TOO_MANY_APPLICATIONS", FailedPrecondition, "Use an existing application.";
    /// The tenant has no such API key.
    ApiKeyNotFound = "API_KEY_NOT_FOUND", NotFound, "List the keys.";
    /// The tenant has as many API keys in use as are allowed.
    TooManyApiKeys = "TOO_MANY_API_KEYS", FailedPrecondition, "Revoke one first.";
    /// The key was shown when it was issued; only its hash is stored.
    KeyAlreadyShown = "KEY_ALREADY_SHOWN", FailedPrecondition, "Revoke that key and issue another with a fresh `request_id`.";
    /// No factor of this kind is known.
    FactorKindUnknown = "FACTOR_KIND_UNKNOWN", InvalidArgument, "Use a kind that the message lists.";
    /// The tenant has put this kind of factor out of use.
    FactorKindDisabled = "FACTOR_KIND_DISABLED", FailedPrecondition, "Use another kind, or have the tenant's administrator enable it.";
    /// This kind of factor is not enrolled by StartEnrollment.
    FactorKindNotEnrollable = "FACTOR_KIND_NOT_ENROLLABLE", InvalidArgument, "Call the RPC that the message names.";
    /// The user has no such authenticator.
    AuthenticatorNotFound = "AUTHENTICATOR_NOT_FOUND", NotFound, "List the user's authenticators.";
    /// The authenticator is not active.
    AuthenticatorNotActive = "AUTHENTICATOR_NOT_ACTIVE", FailedPrecondition, "Confirm or reinstate it first.";
    /// A temporary access pass is for a while: challenges never prefer it.
    AuthenticatorNeverDefault = "AUTHENTICATOR_NEVER_DEFAULT", FailedPrecondition, "Choose another of the user's authenticators.";
    /// The authenticator is not suspended.
    AuthenticatorNotSuspended = "AUTHENTICATOR_NOT_SUSPENDED", FailedPrecondition, "Only a suspended one can be reinstated.";
    /// The authenticator was removed for good.
    AuthenticatorRemoved = "AUTHENTICATOR_REMOVED", FailedPrecondition, "Enrol another.";
    /// The user has as many authenticators as are allowed.
    TooManyAuthenticators = "TOO_MANY_AUTHENTICATORS", FailedPrecondition, "Remove one first.";
    /// The enrolment was confirmed or abandoned.
    EnrollmentClosed = "ENROLLMENT_CLOSED", FailedPrecondition, "Start a new enrolment.";
    /// The enrolment was not confirmed in time.
    EnrollmentExpired = "ENROLLMENT_EXPIRED", FailedPrecondition, "Start a new enrolment.";
    /// The recovery codes were shown when they were issued; only their hashes are stored.
    CodesAlreadyShown = "CODES_ALREADY_SHOWN", FailedPrecondition, "Issue a fresh set with a fresh `request_id`.";
    /// The temporary access pass was shown when it was issued; only a hash of its code is stored.
    PassAlreadyShown = "PASS_ALREADY_SHOWN", FailedPrecondition, "Issue another with a fresh `request_id`; it ends that one.";
    /// The user has nothing to answer a challenge with.
    NoUsableAuthenticator = "NO_USABLE_AUTHENTICATOR", FailedPrecondition, "Enrol an authenticator first.";
    /// The user has no such challenge, or it was closed long ago.
    ChallengeNotFound = "CHALLENGE_NOT_FOUND", NotFound, "Create a challenge.";
    /// The challenge is over; metadata `state` says how it ended.
    ChallengeClosed = "CHALLENGE_CLOSED", FailedPrecondition, "Create a new challenge.";
    /// The challenge was not answered in time.
    ChallengeExpired = "CHALLENGE_EXPIRED", FailedPrecondition, "Create a new challenge.";
    /// The challenge is not for this authenticator.
    AuthenticatorNotAllowed = "AUTHENTICATOR_NOT_ALLOWED", FailedPrecondition, "Answer with one of the challenge's authenticators.";
    /// The authenticator takes no attempts for now; the answer was not looked at.
    Throttled = "THROTTLED", ResourceExhausted, "Wait for the delay in `RetryInfo`; without one, an administrator must release it.";
    /// The authenticator has no failures to clear.
    NotThrottled = "NOT_THROTTLED", FailedPrecondition, "Nothing needs doing.";
    /// The tenant lets nobody do this alone: others are asked to approve it now; metadata `approval_id` names the request.
    ApprovalRequired = "APPROVAL_REQUIRED", FailedPrecondition, "Let other administrators call ApproveRequest, then repeat the request with the metadata `countersign-approval`.";
    /// There is no such request for approval.
    ApprovalNotFound = "APPROVAL_NOT_FOUND", NotFound, "List the requests for approval.";
    /// More administrators must approve, or the delay after the last of them has not passed, as `RetryInfo` then says.
    ApprovalPending = "APPROVAL_PENDING", FailedPrecondition, "Wait for the others, or for the delay in `RetryInfo`, and repeat.";
    /// An administrator declined it.
    ApprovalDeclined = "APPROVAL_DECLINED", FailedPrecondition, "Settle it with whoever declined; without `countersign-approval` the request asks anew.";
    /// The approval has expired.
    ApprovalExpired = "APPROVAL_EXPIRED", FailedPrecondition, "Repeat the request without `countersign-approval`, which asks anew.";
    /// The approval was given for another request or to another caller.
    ApprovalMismatch = "APPROVAL_MISMATCH", FailedPrecondition, "Repeat exactly the request that was approved, as the caller who asked.";
    /// The approval was used or withdrawn; metadata `state` says which.
    ApprovalClosed = "APPROVAL_CLOSED", FailedPrecondition, "Repeat the request without `countersign-approval`, which asks anew.";
    /// Nobody decides on their own request.
    ApprovalOwnRequest = "APPROVAL_OWN_REQUEST", FailedPrecondition, "Let another administrator decide, or withdraw it.";
    /// Somebody else changes the installation's keys at this moment, or they are being wrapped anew.
    KeysBusy = "KEYS_BUSY", Aborted, "Repeat after the delay in `RetryInfo`; GetKeyring says how far wrapping anew has come.";
    /// The installation's keys are not those any more that the request goes out from.
    KeyringChanged = "KEYRING_CHANGED", Aborted, "Look at them with GetKeyring, and repeat with what it says if it is still wanted.";
    /// The rotation cannot be done as things stand; the message says why. Nothing was changed.
    RotationRefused = "ROTATION_REFUSED", FailedPrecondition, "Do what the message says, or wait for the delay in `RetryInfo`.";
    /// Replicas share the installation's keys and only read them.
    KeysShared = "KEYS_SHARED", FailedPrecondition, "The operator runs `countersign keyring --offline` on the directory of keys.";
    /// Whoever keeps the key-encryption key refuses, or has another one; the message says what it says. Nothing was changed.
    KeyProviderRefused = "KEY_PROVIDER_REFUSED", FailedPrecondition, "The operator looks at the settings `keys` and at the provider.";
    /// There is no such delivery.
    DeliveryNotFound = "DELIVERY_NOT_FOUND", NotFound, "List the deliveries.";
}
