//! The services that a process may serve, by name.

use std::fmt;

use clap::ValueEnum;
use serde::Deserialize;

/// A service that a process can serve alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ServiceName {
    /// Binds authenticators to users, and sets tenants up.
    Enrollment,
    /// Asks users for proof and judges their answers.
    Challenge,
    /// Says whether a sign-in needs more proof.
    Policy,
    /// Tells users what happened to their account.
    Notification,
    /// Replays what happened.
    Audit,
}

impl ServiceName {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Enrollment, Self::Challenge, Self::Policy, Self::Notification, Self::Audit];

    /// Returns its name as in commands and settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enrollment => "enrollment",
            Self::Challenge => "challenge",
            Self::Policy => "policy",
            Self::Notification => "notification",
            Self::Audit => "audit",
        }
    }

    /// Returns the full names of the gRPC services that it serves.
    #[must_use]
    pub const fn grpc_services(self) -> &'static [&'static str] {
        match self {
            Self::Enrollment => &[
                "countersign.enrollment.v1.EnrollmentService",
                "countersign.admin.v1.AdminService",
            ],
            Self::Challenge => &["countersign.challenge.v1.ChallengeService"],
            Self::Policy => &["countersign.policy.v1.PolicyService"],
            Self::Notification => &["countersign.notification.v1.NotificationService"],
            Self::Audit => &["countersign.audit.v1.AuditService"],
        }
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
