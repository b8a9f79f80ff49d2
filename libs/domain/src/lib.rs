//! The aggregates: state, events, one file per command
