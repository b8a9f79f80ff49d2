//! What operators write: addresses come back as they are shown and never with a password, and no file of settings is too odd
//! to be refused.

#![no_main]

use std::{fs, path::PathBuf, sync::LazyLock};

use countersign::{
    engines::LogAddress,
    serve::{Config, Flags},
};
use countersign_fuzz::directory;
use countersign_service::peers::PeerAddress;
use libfuzzer_sys::fuzz_target;

static FILE: LazyLock<PathBuf> = LazyLock::new(|| directory("settings").join("countersign.yaml"));

fuzz_target!(|text: &str| {
    if let Ok(address) = PeerAddress::parse(text) {
        assert_eq!(PeerAddress::parse(&format!("http://{address}")), Ok(address));
    }
    if let Ok(address) = text.parse::<LogAddress>() {
        assert_eq!(address.expose().parse(), Ok(address.clone()));
        let shown = address.to_string();
        let login = text.split_once("://").zip(text.rsplit_once('@'));
        if let (LogAddress::KurrentDb(_), Some(((scheme, _), (_, place)))) = (&address, login) {
            assert_eq!(shown, format!("{scheme}://***@{place}"));
        }
    }
    fs::write(&*FILE, text).expect("the file can be written");
    let read = || Config::load(Flags { config: Some(FILE.clone()), ..Flags::default() });
    match read() {
        Ok(config) => {
            assert_eq!(read().ok().as_ref(), Some(&config));
            assert!(!config.nats.servers.is_empty() && !config.issuer.ends_with('/'));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
