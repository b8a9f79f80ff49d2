//! Which service a path belongs to, and where that is.

use std::sync::Arc;

use super::replicas::Replicas;

/// A service as settings and processes call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownService {
    /// Its name in settings, for example `enrollment`.
    pub name: &'static str,
    /// The full names of its gRPC services, for example `countersign.admin.v1.AdminService`.
    pub grpc_services: &'static [&'static str],
    /// Whether this process serves it.
    pub is_here: bool,
}

/// Where a call goes.
#[derive(Debug)]
pub(super) enum Place<'a> {
    /// On to whatever is inside: it is served here, or is not ours to know.
    Here,
    /// To a replica.
    Elsewhere(&'a Arc<Replicas>),
    /// To nobody: settings do not say where this service is.
    Unknown,
}

/// Every service and where it is.
#[derive(Debug, Default)]
pub(super) struct Routes {
    services: Vec<(KnownService, Option<Arc<Replicas>>)>,
}

impl Routes {
    /// Adds a service, with its replicas if settings name them.
    pub(super) fn add(&mut self, service: KnownService, replicas: Option<Arc<Replicas>>) {
        self.services.push((service, replicas));
    }

    /// Returns where the call of `path`, `/package.Service/Method`, goes, and what the service is called.
    pub(super) fn place(&self, path: &str) -> (&'static str, Place<'_>) {
        let called = path.strip_prefix('/').and_then(|path| path.split_once('/'));
        let found = called.and_then(|(called, _)| {
            self.services.iter().find(|(known, _)| known.grpc_services.contains(&called))
        });
        match found {
            None => ("", Place::Here),
            Some((known, _)) if known.is_here => (known.name, Place::Here),
            Some((known, Some(replicas))) => (known.name, Place::Elsewhere(replicas)),
            Some((known, None)) => (known.name, Place::Unknown),
        }
    }

    /// Returns the names of the services that are served here, for people.
    pub(super) fn here(&self) -> String {
        let here = self.services.iter().filter(|(known, _)| known.is_here);
        let names: Vec<_> = here.map(|(known, _)| known.name).collect();
        if names.is_empty() { "none of the services".to_owned() } else { names.join(", ") }
    }
}
