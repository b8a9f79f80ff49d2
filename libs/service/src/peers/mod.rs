//! How processes find each other: a call for a service that is not served here goes on to a replica of that service.
//!
//! So an integrator, the command line or an ingress needs one address only, and whoever knows better calls the services
//! directly. Access is checked where the call is served: here bytes and metadata are passed on as they came, and the
//! peer's answer comes back as it is, with its trailers.
//!
//! - A call goes to the replica with the fewest calls under way among those that did not fail lately.
//! - It is repeated, at another replica if there is one, when it certainly was not delivered, and otherwise only where a
//!   repeat changes nothing: reads, and mutations with a `request_id`. At most three tries.
//! - It is answered before its deadline, whatever the peers do: [`DeadlineLayer`] outside of this limits every call, and
//!   this one gives up a little earlier, so that the caller learns of an outage (`UNAVAILABLE`, with when to ask again)
//!   rather than of a deadline. The peer is told what is left of it.
//!
//! Whoever passes a call on vouches for where it came from: see [`Forwarded`].
//!
//! [`DeadlineLayer`]: crate::deadline::DeadlineLayer

mod address;
mod admit;
mod advice;
mod attempt;
mod budget;
mod call;
mod failure;
mod forward;
mod held;
mod methods;
mod note;
mod peek;
mod replica;
mod replicas;
mod resolve;
mod routes;
mod secure;

pub use address::{PeerAddress, PeerAddressError, PeerAddresses};
pub use admit::{AdmitPeers, AdmitPeersLayer};
pub use forward::{FORWARDED_METADATA, Forward, ForwardLayer, Forwarding};
pub use methods::{Effect, METHODS};
pub use note::{Forwarded, InstallationVoucher, Vouch};
pub use resolve::{Resolve, SystemResolver};
pub use routes::KnownService;
pub use secure::PeerTls;
