//! The notification service
