//! The factors: one folder per kind
