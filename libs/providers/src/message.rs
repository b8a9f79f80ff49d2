//! What is sent, to whom, and what a provider answers.

use std::{collections::BTreeMap, fmt};

/// A way to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// A text message.
    Sms,
    /// A call that speaks.
    Voice,
    /// An e-mail.
    Email,
    /// A notification on the user's device.
    Push,
    /// The platform that knows the user by its own id, and how to reach them.
    Platform,
}

impl Channel {
    /// Returns its name in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Voice => "voice",
            Self::Email => "email",
            Self::Push => "push",
            Self::Platform => "platform",
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whom a message is for, in the words of its channel. Personal data: printed, it shows its first character and its
/// length only.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipient(Box<str>);

impl Recipient {
    /// Takes the address over.
    #[must_use]
    pub fn new(address: impl Into<Box<str>>) -> Self {
        Self(address.into())
    }

    /// Returns the address. Every call is a place to audit.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Prints the masked form, for example `a… (17 characters)`.
impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.0.chars().count();
        // The first of very few characters would tell too much of them.
        match self.0.chars().next().filter(|first| length >= 4 && !first.is_control()) {
            Some(first) => write!(f, "{first}… ({length} characters)"),
            None => write!(f, "… ({length} characters)"),
        }
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A message to one user.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Names the message; a provider that can drop repeats of a message is given this to know them by.
    pub delivery_id: Box<str>,
    /// The way.
    pub channel: Channel,
    /// Whom it is for.
    pub recipient: Recipient,
    /// What it is about, for example `authenticator_enrolled`.
    pub template: Box<str>,
    /// What the template may name.
    pub values: BTreeMap<String, String>,
}

/// Leaves the values out: one day a code may be among them.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("delivery_id", &self.delivery_id)
            .field("channel", &self.channel)
            .field("recipient", &self.recipient)
            .field("template", &self.template)
            .finish_non_exhaustive()
    }
}

/// A provider took a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The provider's own name of the message, if it gave one.
    pub reference: Option<Box<str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipient_is_masked_wherever_it_is_printed() {
        let recipient = Recipient::new("alice@example.com");
        assert_eq!(recipient.to_string(), "a… (17 characters)");
        assert_eq!(format!("{recipient:?}"), "a… (17 characters)");
        assert_eq!(recipient.expose(), "alice@example.com");
        assert_eq!(Recipient::new("bob").to_string(), "… (3 characters)");
        assert_eq!(Recipient::new("").to_string(), "… (0 characters)");
        assert_eq!(Recipient::new("éclair").to_string(), "é… (6 characters)");
    }

    #[test]
    fn debug_of_a_message_tells_neither_recipient_nor_values() {
        let message = Message {
            delivery_id: "d1".into(),
            channel: Channel::Sms,
            recipient: Recipient::new("alice@example.com"),
            template: "code".into(),
            values: BTreeMap::from([("code".to_owned(), "123456".to_owned())]),
        };
        let text = format!("{message:?}");
        assert!(!text.contains("123456") && !text.contains("lice"), "{text}");
        assert!(text.contains("d1"));
    }
}
