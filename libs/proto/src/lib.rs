//! Generated wire types of the API and of the stored events.
//!
//! The schema is `proto/`, a buf module; the build script compiles it with `protox`, so no `protoc` is needed.
//! Without the feature `grpc` only the messages are here, which is all that pure crates use; with it come clients,
//! servers and [`FILE_DESCRIPTOR_SET`].

#![expect(
    missing_docs,
    clippy::all,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated code; its documentation comes from the comments in proto/"
)]

mod upcast;

/// What is printed of messages with secrets in them.
mod redacted_debug {
    include!(concat!(env!("OUT_DIR"), "/redacted_debug.rs"));
}

/// The package `countersign`.
pub mod countersign {
    /// Words that several services share.
    pub mod common {
        /// Version 1.
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/countersign.common.v1.rs"));
        }
    }
    /// Setting tenants up.
    pub mod admin {
        /// Version 1.
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/countersign.admin.v1.rs"));
        }
    }
    /// Replaying and explaining.
    pub mod audit {
        /// Version 1.
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/countersign.audit.v1.rs"));
        }
    }
    /// Challenging and verifying.
    pub mod challenge {
        /// Version 1.
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/countersign.challenge.v1.rs"));
        }
    }
    /// Binding authenticators.
    pub mod enrollment {
        /// Version 1.
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/countersign.enrollment.v1.rs"));
        }
    }
    /// Stored events.
    pub mod event {
        /// Version 1.
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/countersign.event.v1.rs"));
        }
    }
    /// The installation's own keys.
    pub mod keys {
        /// Version 1.
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/countersign.keys.v1.rs"));
        }
    }
    /// Telling users.
    pub mod notification {
        /// Version 1.
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/countersign.notification.v1.rs"));
        }
    }
    /// Judging sign-ins.
    pub mod policy {
        /// Version 1.
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/countersign.policy.v1.rs"));
        }
    }
    /// How a process does.
    pub mod status {
        /// Version 1.
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/countersign.status.v1.rs"));
        }
    }
}

pub use countersign::{
    admin::v1 as admin, audit::v1 as audit, challenge::v1 as challenge, common::v1 as common,
    enrollment::v1 as enrollment, event::v1 as event, keys::v1 as keys,
    notification::v1 as notification, policy::v1 as policy, status::v1 as status,
};

/// Descriptors of every file of the schema, a serialised `google.protobuf.FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/countersign.binpb"));
