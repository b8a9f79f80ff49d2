//! Journeys, foreign clients, faults and architecture
