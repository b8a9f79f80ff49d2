//! Calling servers over TLS: who is trusted, what is shown to them, and whom they must be.

use std::path::PathBuf;

use countersign_tls::{
    ClientTls, ClientTlsSettings, ConnectError, Connector, ExpectedPeer, KeyPair, SpiffeId,
};

use super::{Failure, ServerAddress};

/// Flags for servers at `https` addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct TlsFlags {
    /// Certificates in PEM of the authorities that sign those of servers [default: those that the system trusts]
    #[arg(long, global = true, env = "COUNTERSIGN_CA", value_name = "FILE")]
    ca: Option<PathBuf>,

    /// Certificate in PEM to show to a server that asks who calls; the API key can then be left out
    #[arg(long, global = true, env = "COUNTERSIGN_CERTIFICATE", value_name = "FILE")]
    certificate: Option<PathBuf>,

    /// Its key in PEM
    #[arg(long, global = true, env = "COUNTERSIGN_CERTIFICATE_KEY", value_name = "FILE")]
    key: Option<PathBuf>,

    /// What the server's certificate must name, a host or a SPIFFE id [default: the host in its address]
    #[arg(
        long,
        global = true,
        env = "COUNTERSIGN_SERVER_NAME",
        value_name = "NAME",
        value_parser = expected
    )]
    server_name: Option<ExpectedPeer>,
}

impl TlsFlags {
    /// Returns what opens connections to `address`; `None` where they are in plain text.
    pub(crate) fn connector(&self, address: &ServerAddress) -> Result<Option<Connector>, Failure> {
        if !address.is_tls() {
            return self.check_unused(address).map(|()| None);
        }
        let settings = ClientTlsSettings { roots: self.roots()?, key_pair: self.key_pair()? };
        let expected = self.server_name.clone().unwrap_or(ExpectedPeer::Host);
        Ok(Some(ClientTls::open(&settings)?.connector(expected)))
    }

    /// Returns whether a certificate is shown, which may say who calls.
    pub(crate) const fn has_certificate(&self) -> bool {
        self.certificate.is_some()
    }

    /// Whoever says whom to trust means TLS: the API key must not go out in plain text because a letter is missing.
    fn check_unused(&self, address: &ServerAddress) -> Result<(), Failure> {
        if *self == Self::default() {
            return Ok(());
        }
        Err(Failure::Usage(format!(
            "--ca, --certificate, --key and --server-name are for servers over TLS, and {address} is plain text: write \
             --server as https://..., or leave them out"
        )))
    }

    fn roots(&self) -> Result<PathBuf, Failure> {
        let of_the_system = || openssl_probe::probe().cert_file;
        self.ca.clone().or_else(of_the_system).ok_or_else(|| {
            Failure::Usage("this system trusts nobody: say whom to trust with --ca".to_owned())
        })
    }

    fn key_pair(&self) -> Result<Option<KeyPair>, Failure> {
        match (self.certificate.clone(), self.key.clone()) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => Ok(Some(KeyPair { certificate, key })),
            (Some(_), None) => Err(Failure::Usage("--certificate needs --key".to_owned())),
            (None, Some(_)) => Err(Failure::Usage("--key needs --certificate".to_owned())),
        }
    }
}

/// Returns why there is no TLS with somebody who is there, if that is what `error` is about.
pub(crate) fn handshake_failure(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(ConnectError::Handshake { what, .. }) = error.downcast_ref() {
            return Some(what.clone());
        }
        next = error.source();
    }
    None
}

fn expected(text: &str) -> Result<ExpectedPeer, String> {
    if text.starts_with("spiffe:") {
        let id = SpiffeId::parse(text).map_err(|error| error.to_string())?;
        return Ok(ExpectedPeer::Spiffe(id));
    }
    ExpectedPeer::named(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> ServerAddress {
        "http://127.0.0.1:1".parse().unwrap()
    }

    fn secure() -> ServerAddress {
        "https://127.0.0.1:1".parse().unwrap()
    }

    fn refused(flags: &TlsFlags, address: &ServerAddress) -> String {
        flags.connector(address).unwrap_err().to_string()
    }

    #[test]
    fn whoever_says_whom_to_trust_sends_no_key_in_plain_text() {
        assert!(TlsFlags::default().connector(&plain()).unwrap().is_none());
        let flags = TlsFlags { ca: Some("ca.pem".into()), ..TlsFlags::default() };
        assert!(refused(&flags, &plain()).contains("https://"));
        let server_name = Some(expected("mfa.example.com").unwrap());
        let flags = TlsFlags { server_name, ..TlsFlags::default() };
        assert!(refused(&flags, &plain()).contains("--server-name"));
    }

    #[test]
    fn a_certificate_and_its_key_go_together() {
        let ca = Some(PathBuf::from("ca.pem"));
        let certificate = Some(PathBuf::from("me.pem"));
        let flags = TlsFlags { ca: ca.clone(), certificate, ..TlsFlags::default() };
        assert_eq!(refused(&flags, &secure()), "--certificate needs --key");
        let flags = TlsFlags { ca, key: Some("me.key".into()), ..TlsFlags::default() };
        assert_eq!(refused(&flags, &secure()), "--key needs --certificate");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let flags = TlsFlags { ca: Some("nowhere.pem".into()), ..TlsFlags::default() };
        let lines = flags.connector(&secure()).unwrap_err().lines().join("\n");
        assert!(lines.contains("nowhere.pem") && lines.contains("--ca"), "{lines}");
    }

    #[test]
    fn a_server_is_a_host_or_a_workload() {
        assert!(matches!(expected("10.0.0.1"), Ok(ExpectedPeer::Named(_))));
        assert!(matches!(expected("spiffe://example.org/mfa"), Ok(ExpectedPeer::Spiffe(_))));
        assert!(expected("spiffe://").is_err());
        assert!(expected("not a host").is_err());
    }
}
