//! The one list of what must not be found, and what was told that it must not be found in.

use countersign_tests::{Caller, Phone, Sought, latin};
use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use tonic::Status;

pub(crate) const USER: &str = "marguerite.quillfeather@example.org";
pub(crate) const DISPLAY_NAME: &str = "Marguerite's plum-coloured telephone";
pub(crate) const OTHER_NAME: &str = "Marguerite's mauve-coloured telephone";
pub(crate) const ACCOUNT_NAME: &str = "quillfeather-marguerite";
pub(crate) const USER_AGENT: &str = "Netscape-Marguerite/4.08";
pub(crate) const DEVICE: &str = "device-of-marguerite-7f3a";
pub(crate) const RESOURCE: &str = "/payroll/of/marguerite";
pub(crate) const ADDRESS: &str = "203.0.113.77";
pub(crate) const SOURCE: &str = "198.51.100.177";
/// Of eight digits, as hers are, and right only by a chance of one in millions.
pub(crate) const WRONG_CODES: [&str; 3] = ["73914682", "59106273", "84620917"];
/// Found in the clear wherever tenants are and so proves that a search finds what is there.
pub(crate) const KNOWN: &str = "VERIFICATION_OF_THE_SEARCH";

/// What must not be found, and the errors that were told.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) sought: Sought,
    errors: Vec<String>,
}

impl List {
    /// Begins with all that is a user's.
    pub(crate) fn personal() -> Self {
        let mut sought = Sought::default();
        for (what, personal) in [
            ("the user", USER),
            ("a display name", DISPLAY_NAME),
            ("a display name", OTHER_NAME),
            ("an account name", ACCOUNT_NAME),
            ("a user agent", USER_AGENT),
            ("a device", DEVICE),
            ("a resource", RESOURCE),
            ("an address", ADDRESS),
            ("a source", SOURCE),
        ] {
            sought.add(what, personal);
        }
        for code in WRONG_CODES {
            sought.add("a wrong code", code);
        }
        Self { sought, errors: Vec::new() }
    }

    pub(crate) fn add(&mut self, what: &str, secret: &str) {
        self.sought.add(what, secret);
    }

    /// Adds an API key by what nobody else knows of it.
    pub(crate) fn add_key(&mut self, key: &str) {
        let (_, secret) = key.rsplit_once('.').unwrap();
        self.add("an API key", secret);
        self.sought.add_bytes("an API key", &BASE64URL_NOPAD.decode(secret.as_bytes()).unwrap());
    }

    /// Adds the key of a caller.
    pub(crate) fn add_caller(&mut self, caller: &Caller) {
        self.add_key(caller.key().unwrap());
    }

    /// Adds a JWT, and each of its parts.
    pub(crate) fn add_token(&mut self, what: &str, token: &str) {
        self.add(what, token);
        // The first part says how it is signed.
        for part in token.split('.').skip(1) {
            self.add(what, part);
        }
    }

    /// Adds a code that people copy, in groups and without.
    pub(crate) fn add_grouped(&mut self, what: &str, code: &str) {
        self.add(what, code);
        self.add(what, &code.replace('-', ""));
    }

    /// Adds a seed in every form, and returns its bytes.
    pub(crate) fn add_seed(&mut self, base32: &str) -> Vec<u8> {
        let seed = BASE32_NOPAD.decode(base32.as_bytes()).unwrap();
        self.add("a seed", base32);
        self.sought.add_bytes("a seed", &seed);
        seed
    }

    /// Adds the codes of `phone` around `now`.
    pub(crate) fn add_codes(&mut self, phone: &Phone, now: countersign_core::Timestamp) {
        for step in -6..6 {
            let then = now.unix_seconds() + 30 * step;
            let code = phone.code(countersign_core::Timestamp::from_unix_seconds(then));
            self.add("a code", &code);
        }
    }

    /// Keeps all that an error tells, to be searched when the list is whole.
    pub(crate) fn told(&mut self, status: &Status) {
        let metadata = status.metadata().clone().into_headers();
        let metadata = metadata.values().map(|value| latin(value.as_bytes()));
        let metadata = metadata.collect::<Vec<_>>().join("\n");
        let details = latin(status.details());
        self.errors.push(format!("{}\n{details}\n{metadata}\n{status:?}", status.message()));
    }

    /// Makes sure that nothing of the list is in `text`.
    #[track_caller]
    pub(crate) fn is_not_in(&self, text: &[u8], place: &str) {
        assert_eq!(self.sought.found_in(&latin(text)), [""; 0], "in {place}");
    }

    /// Makes sure that no error told anything of the list.
    #[track_caller]
    pub(crate) fn was_not_told(&self) {
        assert!(self.errors.len() > 60, "only {} errors", self.errors.len());
        for error in &self.errors {
            assert_eq!(self.sought.found_in(error), [""; 0], "in {error}");
        }
    }
}
