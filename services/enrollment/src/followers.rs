//! What follows the log and the time for the service: made once, then run for as long as the process lives.

use std::sync::Arc;

use countersign_bus::Bus;
use countersign_service::{Board, Foundation, lifecycle::Lifecycle};

use crate::{
    ApprovalDirectory, Directories, Erasures, SecretRotations, TenantDirectory, TenantErasures,
    retention::keep_to_retention,
};

/// The read models, the reactors, and the task that keeps to tenants' retention.
#[derive(Debug)]
pub struct Followers {
    foundation: Arc<Foundation>,
    directories: Directories,
    erasures: Arc<Erasures>,
    tenant_erasures: Arc<TenantErasures>,
}

impl Followers {
    /// Makes them; nothing runs yet.
    #[must_use]
    pub fn new(foundation: Arc<Foundation>) -> Self {
        let erasures = Arc::new(Erasures::new(Arc::clone(&foundation)));
        let tenant_erasures = Arc::new(TenantErasures::new(Arc::clone(&foundation)));
        Self { foundation, directories: Directories::default(), erasures, tenant_erasures }
    }

    /// Returns the read models, for the server.
    #[must_use]
    pub fn directory(&self) -> Directories {
        self.directories.clone()
    }

    /// Runs them until `lifecycle` stops, and puts them on `board`.
    pub fn spawn(&self, lifecycle: &Lifecycle, bus: &Arc<dyn Bus>, board: &Board) {
        board.run_reactor(lifecycle, bus, &self.erasures, Erasures::passed_over);
        board.run_reactor(lifecycle, bus, &self.tenant_erasures, TenantErasures::passed_over);
        let foundation = &self.foundation;
        let rotations = SecretRotations::new(Arc::clone(foundation), lifecycle.stopping());
        board.run_reactor(lifecycle, bus, &Arc::new(rotations), SecretRotations::passed_over);
        let Directories { tenants: directory, approvals } = &self.directories;
        let passed_over = ApprovalDirectory::passed_over;
        board.run_projection(lifecycle, foundation, Arc::clone(approvals), passed_over);
        let passed_over = TenantDirectory::passed_over;
        board.run_projection(lifecycle, foundation, Arc::clone(directory), passed_over);
        lifecycle.spawn(keep_to_retention(Arc::clone(foundation), Arc::clone(directory)));
    }
}
