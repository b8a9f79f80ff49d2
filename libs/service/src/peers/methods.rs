//! What each RPC does, and so whether it may be carried out twice.

use prost::Message;

/// What an RPC does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It changes nothing: it may be repeated.
    Read,
    /// It changes nothing and answers with a stream.
    Follow,
    /// It changes something: it may be repeated if it carries a `request_id`.
    Mutation,
}

use Effect::{Follow, Mutation, Read};

/// Every RPC with what it does.
pub const METHODS: &[(&str, Effect)] = &[
    ("/countersign.admin.v1.AdminService/CreateTenant", Mutation),
    ("/countersign.admin.v1.AdminService/GetTenant", Read),
    ("/countersign.admin.v1.AdminService/ListTenants", Read),
    ("/countersign.admin.v1.AdminService/CreateApplication", Mutation),
    ("/countersign.admin.v1.AdminService/SetMfaRequirement", Mutation),
    ("/countersign.admin.v1.AdminService/SetFactorSettings", Mutation),
    ("/countersign.admin.v1.AdminService/CreateApiKey", Mutation),
    ("/countersign.admin.v1.AdminService/RotateApiKey", Mutation),
    ("/countersign.admin.v1.AdminService/RevokeApiKey", Mutation),
    ("/countersign.admin.v1.AdminService/ListApiKeys", Read),
    ("/countersign.admin.v1.AdminService/CreateOrganisation", Mutation),
    ("/countersign.admin.v1.AdminService/ListOrganisations", Read),
    ("/countersign.admin.v1.AdminService/SetRetention", Mutation),
    ("/countersign.admin.v1.AdminService/SetQuorum", Mutation),
    ("/countersign.admin.v1.AdminService/ListApprovals", Read),
    ("/countersign.admin.v1.AdminService/GetApproval", Read),
    ("/countersign.admin.v1.AdminService/ApproveRequest", Mutation),
    ("/countersign.admin.v1.AdminService/DeclineRequest", Mutation),
    ("/countersign.admin.v1.AdminService/WithdrawRequest", Mutation),
    ("/countersign.admin.v1.AdminService/BreakGlass", Mutation),
    ("/countersign.admin.v1.AdminService/MendGlass", Mutation),
    ("/countersign.admin.v1.AdminService/EraseTenant", Mutation),
    ("/countersign.audit.v1.AuditService/ReplayEvents", Follow),
    ("/countersign.audit.v1.AuditService/GetStateAsOf", Read),
    ("/countersign.challenge.v1.ChallengeService/CreateChallenge", Mutation),
    ("/countersign.challenge.v1.ChallengeService/VerifyChallenge", Mutation),
    ("/countersign.challenge.v1.ChallengeService/CancelChallenge", Mutation),
    ("/countersign.challenge.v1.ChallengeService/GetChallenge", Read),
    ("/countersign.challenge.v1.ChallengeService/WatchChallenge", Follow),
    ("/countersign.challenge.v1.ChallengeService/ListThrottles", Read),
    ("/countersign.challenge.v1.ChallengeService/ReleaseThrottle", Mutation),
    ("/countersign.challenge.v1.ChallengeService/GetAssertionKeys", Read),
    ("/countersign.enrollment.v1.EnrollmentService/StartEnrollment", Mutation),
    ("/countersign.enrollment.v1.EnrollmentService/ConfirmEnrollment", Mutation),
    ("/countersign.enrollment.v1.EnrollmentService/GetAuthenticator", Read),
    ("/countersign.enrollment.v1.EnrollmentService/ListAuthenticators", Read),
    ("/countersign.enrollment.v1.EnrollmentService/RenameAuthenticator", Mutation),
    ("/countersign.enrollment.v1.EnrollmentService/SetDefaultAuthenticator", Mutation),
    ("/countersign.enrollment.v1.EnrollmentService/SuspendAuthenticator", Mutation),
    ("/countersign.enrollment.v1.EnrollmentService/ReinstateAuthenticator", Mutation),
    ("/countersign.enrollment.v1.EnrollmentService/RemoveAuthenticator", Mutation),
    ("/countersign.enrollment.v1.EnrollmentService/IssueRecoveryCodes", Mutation),
    ("/countersign.enrollment.v1.EnrollmentService/IssueTemporaryAccessPass", Mutation),
    ("/countersign.enrollment.v1.EnrollmentService/PlaceUser", Mutation),
    ("/countersign.enrollment.v1.EnrollmentService/GetUser", Read),
    ("/countersign.enrollment.v1.EnrollmentService/CreateSelfServiceToken", Mutation),
    ("/countersign.enrollment.v1.EnrollmentService/EraseUser", Mutation),
    ("/countersign.keys.v1.KeyService/GetKeyring", Read),
    ("/countersign.keys.v1.KeyService/BeginKeyRotation", Mutation),
    ("/countersign.keys.v1.KeyService/RetireKeyVersions", Mutation),
    ("/countersign.keys.v1.KeyService/RewrapKeyring", Mutation),
    ("/countersign.keys.v1.KeyService/RotateAssertionKey", Mutation),
    ("/countersign.keys.v1.KeyService/BeginSecretRotation", Mutation),
    ("/countersign.notification.v1.NotificationService/GetDelivery", Read),
    ("/countersign.notification.v1.NotificationService/ListDeliveries", Read),
    ("/countersign.policy.v1.PolicyService/EvaluateSignIn", Mutation),
    ("/countersign.status.v1.StatusService/GetStatus", Read),
];

/// Bytes before a message: whether it is compressed, and its length (gRPC over HTTP/2, Length-Prefixed-Message).
pub(super) const PREFIX: usize = 5;

/// How a call may be treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Treatment {
    /// Whether it may be repeated though it may have been carried out.
    pub(super) may_repeat: bool,
    /// Whether its answer is passed on message by message.
    pub(super) streams: bool,
}

/// Returns how the call of `path` with the request `framed` may be treated. An RPC that is not known here, for example
/// because the peer's release is newer, is passed on and never repeated.
pub(super) fn treatment(path: &str, framed: &[u8]) -> Treatment {
    let effect = METHODS.iter().find(|(known, _)| *known == path).map(|(_, effect)| *effect);
    match effect {
        Some(Read) => Treatment { may_repeat: true, streams: false },
        Some(Follow) => Treatment { may_repeat: true, streams: true },
        Some(Mutation) => Treatment { may_repeat: has_request_id(framed), streams: false },
        None => Treatment { may_repeat: false, streams: true },
    }
}

/// What every mutation's request has in common.
#[derive(Clone, PartialEq, Eq, Message)]
struct Keyed {
    #[prost(string, tag = "1")]
    request_id: String,
}

/// Returns whether the message carries a `request_id`. A compressed message is not looked into.
fn has_request_id(framed: &[u8]) -> bool {
    let Some((prefix, message)) = framed.split_at_checked(PREFIX) else { return false };
    prefix.first() == Some(&0)
        && Keyed::decode(message).is_ok_and(|keyed| !keyed.request_id.is_empty())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use countersign_proto::{FILE_DESCRIPTOR_SET, policy::EvaluateSignInRequest};
    use prost_types::{
        DescriptorProto, FileDescriptorSet, MethodDescriptorProto,
        field_descriptor_proto::{Label, Type},
    };

    use super::*;

    const EVALUATE: &str = "/countersign.policy.v1.PolicyService/EvaluateSignIn";

    fn framed(compressed: u8, request: &EvaluateSignInRequest) -> Vec<u8> {
        let message = request.encode_to_vec();
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        [&[compressed][..], &length, &message].concat()
    }

    fn has_request_id_field(message: &DescriptorProto) -> bool {
        message.field.iter().any(|field| {
            field.name() == "request_id"
                && field.number() == 1
                && field.r#type() == Type::String
                && field.label() == Label::Optional
        })
    }

    #[test]
    fn every_rpc_has_a_row_that_fits_the_schema_and_every_row_an_rpc() {
        let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
        let messages: BTreeMap<_, _> = set
            .file
            .iter()
            .flat_map(|file| {
                let named = |m: &DescriptorProto| format!(".{}.{}", file.package(), m.name());
                file.message_type.iter().map(move |message| (named(message), message))
            })
            .collect();
        let fits = |method: &MethodDescriptorProto, effect: Effect| {
            let is_keyed = has_request_id_field(messages[method.input_type()]);
            assert!(!method.client_streaming(), "{}: requests are held whole", method.name());
            match effect {
                Read => !method.server_streaming() && !is_keyed,
                Follow => method.server_streaming() && !is_keyed,
                Mutation => !method.server_streaming() && is_keyed,
            }
        };
        let mut rows: BTreeMap<_, _> = METHODS.iter().copied().collect();
        assert_eq!(rows.len(), METHODS.len(), "no RPC has two rows");
        for file in &set.file {
            for service in &file.service {
                for method in &service.method {
                    let (service, name) = (service.name(), method.name());
                    let path = format!("/{}.{service}/{name}", file.package());
                    let effect = rows.remove(&*path);
                    assert!(
                        effect.is_some_and(|effect| fits(method, effect)),
                        "{path}: {effect:?}"
                    );
                }
            }
        }
        assert!(rows.is_empty(), "no such RPC: {rows:?}");
    }

    #[test]
    fn a_mutation_may_be_repeated_only_with_a_request_id() {
        let mut request =
            EvaluateSignInRequest { user_id: "ada".to_owned(), ..EvaluateSignInRequest::default() };
        assert!(!treatment(EVALUATE, &framed(0, &request)).may_repeat);
        request.request_id = "r-1".to_owned();
        assert!(treatment(EVALUATE, &framed(0, &request)).may_repeat);
        assert!(!treatment(EVALUATE, &framed(1, &request)).may_repeat, "compressed");
        assert!(!treatment(EVALUATE, b"\0\0\0\0\x02\xff\xff").may_repeat, "no message");
        assert!(!treatment(EVALUATE, b"").may_repeat);
    }

    #[test]
    fn an_rpc_that_is_not_known_is_never_repeated() {
        let unknown = treatment("/countersign.audit.v1.AuditService/Prove", b"\0\0\0\0\0");
        assert_eq!(unknown, Treatment { may_repeat: false, streams: true });
    }
}
