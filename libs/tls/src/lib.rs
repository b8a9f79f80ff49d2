//! TLS for the listener and for connections between our services: who is at the other end is known by a SPIFFE id, and
//! certificates, keys and roots may change while the process runs.
//!
//! - [`Incoming`] is the door of the server: it yields connections, in plain text or over TLS, to
//!   `tonic::transport::Server::serve_with_incoming`. Every request carries a [`Connection`] among its extensions.
//! - [`ClientTls`] makes [`Connector`]s for `tonic::transport::Endpoint::connect_with_connector_lazy`.
//! - [`Live`] follows the files of either. Whoever begins it runs [`Live::follow`].
//!
//! A certificate that is shown to us counts if an authority of the configured bundle signed it, it has not expired, and its
//! extended key usage, if it has one, names what it is used for: a service that is a server and a client needs both
//! `serverAuth` and `clientAuth`. An authority of the bundle may vouch for every SPIFFE id, in any trust domain: put no
//! others there than those of whom that is meant. There are no revocation lists: certificates should live for hours.
//!
//! Every handshake is a whole one. A resumed session would go on with a certificate that was looked at long before, and
//! which may have expired, or whose authority may have been removed.

#![forbid(unsafe_code)]

mod certificate;
mod client;
mod connector;
mod door;
mod error;
mod files;
mod live;
mod material;
mod server;
mod spiffe;
mod stream;
mod verify;

pub use certificate::{IdentityError, PeerIdentity, identity_of};
pub use client::{ClientTls, ClientTlsSettings};
pub use connector::{ConnectError, Connector, ExpectedPeer};
pub use door::{HandshakeLimits, Incoming};
pub use error::TlsError;
pub use files::KeyPair;
pub use live::{Live, Look};
pub use material::Material;
pub use server::{ServerTls, TlsSettings};
pub use spiffe::{SpiffeId, SpiffeIdError};
pub use stream::{Connection, ServerStream};
