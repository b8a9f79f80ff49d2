//! Every way to say who calls, against the real server over real connections: tokens of a real issuer, tokens of Kubernetes
//! service accounts, certificates; directly, behind a proxy, and through a process that passes calls on.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test says so by panicking"
)]

mod certificates;
mod client;
mod header;
mod kubernetes;
mod notes;
mod outages;
mod page;
mod peers;
mod probes;
mod proxies;
mod reload;
mod secured;
mod tokens;
