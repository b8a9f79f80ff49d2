//! Clocks, seeded randomness, builders and real servers for tests
