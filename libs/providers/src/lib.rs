//! Outside services that carry messages: one folder per provider.
