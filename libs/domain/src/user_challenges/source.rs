//! Where answers come from.

use serde::{Deserialize, Serialize};

/// A source of answers: a name that only the user's data key gives, so that no address is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourceKey(pub u64);

/// Where an answer came from. Answers of which nobody said so (`None`) are those of one source.
pub type Source = Option<SourceKey>;
