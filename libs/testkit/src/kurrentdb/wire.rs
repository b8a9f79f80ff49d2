//! The public protocol, generated from `proto/kurrentdb`.

#![expect(
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated code; the double uses a part of it"
)]

pub(super) mod event_store {
    pub mod client {
        include!(concat!(env!("OUT_DIR"), "/event_store.client.rs"));

        pub mod gossip {
            include!(concat!(env!("OUT_DIR"), "/event_store.client.gossip.rs"));
        }
        pub mod server_features {
            include!(concat!(env!("OUT_DIR"), "/event_store.client.server_features.rs"));
        }
        pub mod streams {
            include!(concat!(env!("OUT_DIR"), "/event_store.client.streams.rs"));
        }
    }
}

pub(super) mod google {
    pub mod rpc {
        include!(concat!(env!("OUT_DIR"), "/google.rpc.rs"));
    }
}

pub(super) use event_store::client::*;
pub(super) use google::rpc;
