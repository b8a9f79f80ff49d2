//! What every service shares: config, caller identity, status, telemetry, lifecycle
