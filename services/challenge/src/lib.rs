//! The challenge service
