//! Who may call what: one table, and the layer that enforces it before any handler runs.

pub mod foreign;
mod identities;
mod last_use;
mod layer;
mod nobody;
mod self_service;
mod table;

use std::collections::BTreeSet;

pub use identities::{ClientAddress, Identities, PeerCertificate};
pub use layer::{Access, AccessLayer};
pub use self_service::{LONGEST_LIFETIME, SelfServiceToken};
pub use table::{OPEN_PREFIXES, ROWS, allowed_roles};

/// RPCs that have no row in the table. A server with one does not start.
///
/// # Errors
/// Returns their paths.
pub fn check_covers(methods: &BTreeSet<String>) -> Result<(), Vec<String>> {
    let is_open = |path: &str| OPEN_PREFIXES.iter().any(|prefix| path.starts_with(prefix));
    let missing: Vec<_> = methods
        .iter()
        .filter(|path| !is_open(path) && allowed_roles(path).is_none())
        .cloned()
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(missing) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_rpc_without_a_row_is_found() {
        let known = ROWS[0].0.to_owned();
        let unknown = "/countersign.challenge.v1.ChallengeService/Guess".to_owned();
        let methods = BTreeSet::from([known.clone(), unknown.clone()]);
        assert_eq!(check_covers(&methods), Err(vec![unknown]));
        assert_eq!(check_covers(&BTreeSet::from([known])), Ok(()));
        let health = "/grpc.health.v1.Health/Check".to_owned();
        assert_eq!(check_covers(&BTreeSet::from([health])), Ok(()));
    }

    #[test]
    fn no_rpc_has_two_rows() {
        let paths: BTreeSet<_> = ROWS.iter().map(|(path, _)| path).collect();
        assert_eq!(paths.len(), ROWS.len());
    }
}
