//! Event-log engines: one folder per engine
