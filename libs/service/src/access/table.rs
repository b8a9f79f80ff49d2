//! The table of RPCs and the roles that may call them.

use countersign_domain::tenant::Role::{
    self, Auditor, HelpDesk, OrgAdmin, PlatformAdmin, SelfService, TenantAdmin, Verifier,
};

/// RPCs that anyone may call: health for the orchestrator, reflection of a schema that is public anyway.
pub const OPEN_PREFIXES: &[&str] =
    &["/grpc.health.v1.Health/", "/grpc.reflection.v1.", "/grpc.reflection.v1alpha."];

const ENROLS: &[Role] = &[Verifier, TenantAdmin, PlatformAdmin, OrgAdmin, SelfService];
const RESETS: &[Role] = &[Verifier, TenantAdmin, PlatformAdmin, OrgAdmin, HelpDesk, SelfService];
const SEES_USERS: &[Role] =
    &[Verifier, TenantAdmin, PlatformAdmin, Auditor, OrgAdmin, HelpDesk, SelfService];
const LOOKS_USERS_UP: &[Role] =
    &[Verifier, TenantAdmin, PlatformAdmin, Auditor, OrgAdmin, HelpDesk];
const PLACES: &[Role] = &[Verifier, TenantAdmin, PlatformAdmin];
const HELPS: &[Role] = &[TenantAdmin, PlatformAdmin, OrgAdmin, HelpDesk];
const ADMINISTERS: &[Role] = &[TenantAdmin, PlatformAdmin];
const VERIFIES: &[Role] = &[Verifier, PlatformAdmin];
const SEES_CHALLENGES: &[Role] = &[Verifier, PlatformAdmin, Auditor];
const READS_KEYS: &[Role] = &[Verifier, TenantAdmin, PlatformAdmin, Auditor];
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
    ("/countersign.admin.v1.AdminService/RotateApiKey", ADMINISTERS),
    ("/countersign.admin.v1.AdminService/RevokeApiKey", ADMINISTERS),
    ("/countersign.admin.v1.AdminService/ListApiKeys", AUDITS),
    ("/countersign.admin.v1.AdminService/CreateOrganisation", ADMINISTERS),
    ("/countersign.admin.v1.AdminService/ListOrganisations", AUDITS),
    ("/countersign.admin.v1.AdminService/SetRetention", ADMINISTERS),
    ("/countersign.admin.v1.AdminService/SetQuorum", ADMINISTERS),
    ("/countersign.admin.v1.AdminService/ListApprovals", AUDITS),
    ("/countersign.admin.v1.AdminService/GetApproval", AUDITS),
    ("/countersign.admin.v1.AdminService/ApproveRequest", ADMINISTERS),
    ("/countersign.admin.v1.AdminService/DeclineRequest", ADMINISTERS),
    ("/countersign.admin.v1.AdminService/WithdrawRequest", RESETS),
    ("/countersign.admin.v1.AdminService/BreakGlass", ADMINISTERS),
    ("/countersign.admin.v1.AdminService/MendGlass", ADMINISTERS),
    ("/countersign.admin.v1.AdminService/EraseTenant", RUNS),
    ("/countersign.audit.v1.AuditService/ReplayEvents", AUDITS),
    ("/countersign.audit.v1.AuditService/GetStateAsOf", AUDITS),
    ("/countersign.challenge.v1.ChallengeService/CreateChallenge", VERIFIES),
    ("/countersign.challenge.v1.ChallengeService/VerifyChallenge", VERIFIES),
    ("/countersign.challenge.v1.ChallengeService/CancelChallenge", VERIFIES),
    ("/countersign.challenge.v1.ChallengeService/GetChallenge", SEES_CHALLENGES),
    ("/countersign.challenge.v1.ChallengeService/WatchChallenge", SEES_CHALLENGES),
    ("/countersign.challenge.v1.ChallengeService/ListThrottles", SEES_USERS),
    ("/countersign.challenge.v1.ChallengeService/ReleaseThrottle", HELPS),
    ("/countersign.challenge.v1.ChallengeService/GetAssertionKeys", READS_KEYS),
    ("/countersign.enrollment.v1.EnrollmentService/StartEnrollment", ENROLS),
    ("/countersign.enrollment.v1.EnrollmentService/ConfirmEnrollment", ENROLS),
    ("/countersign.enrollment.v1.EnrollmentService/GetAuthenticator", SEES_USERS),
    ("/countersign.enrollment.v1.EnrollmentService/ListAuthenticators", SEES_USERS),
    ("/countersign.enrollment.v1.EnrollmentService/RenameAuthenticator", ENROLS),
    ("/countersign.enrollment.v1.EnrollmentService/SetDefaultAuthenticator", ENROLS),
    ("/countersign.enrollment.v1.EnrollmentService/SuspendAuthenticator", HELPS),
    ("/countersign.enrollment.v1.EnrollmentService/ReinstateAuthenticator", HELPS),
    ("/countersign.enrollment.v1.EnrollmentService/RemoveAuthenticator", RESETS),
    ("/countersign.enrollment.v1.EnrollmentService/IssueRecoveryCodes", ENROLS),
    ("/countersign.enrollment.v1.EnrollmentService/IssueTemporaryAccessPass", HELPS),
    ("/countersign.enrollment.v1.EnrollmentService/PlaceUser", PLACES),
    ("/countersign.enrollment.v1.EnrollmentService/GetUser", LOOKS_USERS_UP),
    ("/countersign.enrollment.v1.EnrollmentService/CreateSelfServiceToken", VERIFIES),
    ("/countersign.enrollment.v1.EnrollmentService/EraseUser", ADMINISTERS),
    ("/countersign.keys.v1.KeyService/GetKeyring", RUNS),
    ("/countersign.keys.v1.KeyService/BeginKeyRotation", RUNS),
    ("/countersign.keys.v1.KeyService/RetireKeyVersions", RUNS),
    ("/countersign.keys.v1.KeyService/RewrapKeyring", RUNS),
    ("/countersign.keys.v1.KeyService/RotateAssertionKey", RUNS),
    ("/countersign.keys.v1.KeyService/BeginSecretRotation", RUNS),
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
