//! The enrollment service
