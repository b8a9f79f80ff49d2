//! The table of RPCs and the roles that may call them.

use countersign_domain::tenant::Role::{self, Auditor, PlatformAdmin, TenantAdmin, Verifier};

/// RPCs that anyone may call: health for the orchestrator, reflection of a schema that is public anyway.
pub const OPEN_PREFIXES: &[&str] =
    &["/grpc.health.v1.Health/", "/grpc.reflection.v1.", "/grpc.reflection.v1alpha."];

const ENROLS: &[Role] = &[Verifier, TenantAdmin, PlatformAdmin];
const SEES_USERS: &[Role] = &[Verifier, TenantAdmin, PlatformAdmin, Auditor];
const ADMINISTERS: &[Role] = &[TenantAdmin, PlatformAdmin];
const VERIFIES: &[Role] = &[Verifier, PlatformAdmin];
const SEES_CHALLENGES: &[Role] = &[Verifier, PlatformAdmin, Auditor];
const AUDITS: &[Role] = &[Auditor, TenantAdmin, PlatformAdmin];
const RUNS: &[Role] = &[PlatformAdmin];

/// Every RPC with the roles that may call it.
pub const ROWS: &[(&str, &[Role])] = &[
    ("/countersign.admin.v1.AdminService/CreateTenant", RUNS),
    ("/countersign.admin.v1.AdminService/GetTenant", AUDITS),
    ("/countersign.admin.v1.AdminService/ListTenants", RUNS),
    ("/countersign.admin.v1.AdminService/CreateApplication", ADMINISTERS),
    ("/countersign.admin.v1.AdminService/SetMfaRequirement", ADMINISTERS),
    ("/countersign.admin.v1.AdminService/SetFactorSettings", ADMINISTERS),
    ("/countersign.admin.v1.AdminService/CreateApiKey", ADMINISTERS),
    ("/countersign.admin.v1.AdminService/RevokeApiKey", ADMINISTERS),
    ("/countersign.admin.v1.AdminService/ListApiKeys", AUDITS),
    ("/countersign.audit.v1.AuditService/ReplayEvents", AUDITS),
    ("/countersign.audit.v1.AuditService/GetStateAsOf", AUDITS),
    ("/countersign.challenge.v1.ChallengeService/CreateChallenge", VERIFIES),
    ("/countersign.challenge.v1.ChallengeService/VerifyChallenge", VERIFIES),
    ("/countersign.challenge.v1.ChallengeService/CancelChallenge", VERIFIES),
    ("/countersign.challenge.v1.ChallengeService/GetChallenge", SEES_CHALLENGES),
    ("/countersign.challenge.v1.ChallengeService/WatchChallenge", SEES_CHALLENGES),
    ("/countersign.challenge.v1.ChallengeService/ListThrottles", SEES_USERS),
    ("/countersign.challenge.v1.ChallengeService/ReleaseThrottle", ADMINISTERS),
    ("/countersign.challenge.v1.ChallengeService/GetAssertionKeys", SEES_USERS),
    ("/countersign.enrollment.v1.EnrollmentService/StartEnrollment", ENROLS),
    ("/countersign.enrollment.v1.EnrollmentService/ConfirmEnrollment", ENROLS),
    ("/countersign.enrollment.v1.EnrollmentService/GetAuthenticator", SEES_USERS),
    ("/countersign.enrollment.v1.EnrollmentService/ListAuthenticators", SEES_USERS),
    ("/countersign.enrollment.v1.EnrollmentService/RenameAuthenticator", ENROLS),
    ("/countersign.enrollment.v1.EnrollmentService/SetDefaultAuthenticator", ENROLS),
    ("/countersign.enrollment.v1.EnrollmentService/SuspendAuthenticator", ADMINISTERS),
    ("/countersign.enrollment.v1.EnrollmentService/ReinstateAuthenticator", ADMINISTERS),
    ("/countersign.enrollment.v1.EnrollmentService/RemoveAuthenticator", ENROLS),
    ("/countersign.enrollment.v1.EnrollmentService/IssueRecoveryCodes", ENROLS),
    ("/countersign.notification.v1.NotificationService/GetDelivery", AUDITS),
    ("/countersign.notification.v1.NotificationService/ListDeliveries", AUDITS),
    ("/countersign.policy.v1.PolicyService/EvaluateSignIn", VERIFIES),
    ("/countersign.status.v1.StatusService/GetStatus", RUNS),
];

/// Returns the roles that may call the RPC at `path`; `None` if it has no row.
#[must_use]
pub fn allowed_roles(path: &str) -> Option<&'static [Role]> {
    ROWS.iter().find(|(known, _)| *known == path).map(|(_, roles)| *roles)
}
