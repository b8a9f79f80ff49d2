//! The development provider: writes one line per message instead of sending it.
//!
//! It reaches nobody, so it refuses production, where a user would wait in vain to be told.

use async_trait::async_trait;

use crate::{Channel, Message, Messenger, Misconfigured, Mode, Receipt, SendError};

/// Its name.
const NAME: &str = "log";

/// Writes messages to the process's own log: which delivery, what about, which channel, and a masked recipient. Values
/// are left out, because one day a code may be among them.
#[derive(Clone, Copy, Debug)]
pub struct LogMessenger(());

impl LogMessenger {
    /// Sets the provider up.
    ///
    /// # Errors
    /// Refuses production: choose a provider that reaches people.
    pub const fn new(mode: Mode) -> Result<Self, Misconfigured> {
        match mode {
            Mode::Development => Ok(Self(())),
            Mode::Production => Err(Misconfigured {
                provider: NAME,
                what: "it reaches nobody, so it is for development only; \
                       choose a provider that reaches people, or run in development mode",
            }),
        }
    }
}

#[async_trait]
impl Messenger for LogMessenger {
    fn name(&self) -> &'static str {
        NAME
    }

    fn channels(&self) -> &'static [Channel] {
        &[Channel::Sms, Channel::Voice, Channel::Email, Channel::Push, Channel::Platform]
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        tracing::info!(
            delivery_id = &*message.delivery_id,
            template = &*message.template,
            channel = message.channel.as_str(),
            recipient = %message.recipient,
            "message to a user, written here instead of sent"
        );
        Ok(Receipt::default())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        io,
        sync::{Arc, Mutex},
    };

    use super::*;
    use crate::Recipient;

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn production_is_refused_with_a_clear_message() {
        let error = LogMessenger::new(Mode::Production).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the provider `log` cannot be used: it reaches nobody, so it is for development only; \
             choose a provider that reaches people, or run in development mode"
        );
        assert!(LogMessenger::new(Mode::Development).is_ok());
    }

    #[test]
    fn a_message_is_one_line_that_tells_neither_recipient_nor_values() {
        let written = Written::default();
        let writer = written.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        let message = Message {
            delivery_id: "0190163d-8694-739b-aea5-966c26f8ad91".into(),
            channel: Channel::Platform,
            recipient: Recipient::new("alice@example.com"),
            template: "authenticator_enrolled".into(),
            values: BTreeMap::from([("code".to_owned(), "493817".to_owned())]),
        };
        let messenger = LogMessenger::new(Mode::Development).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            futures_executor::block_on(messenger.send(&message)).unwrap();
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        for told in ["authenticator_enrolled", "0190163d-8694-739b-aea5-966c26f8ad91", "platform"] {
            assert!(text.contains(told), "{told} is missing in {text}");
        }
        for secret in ["alice", "example.com", "493817"] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }
}
