//! What can be set about the embedded log.

/// Settings of an [`EmbeddedLog`](super::EmbeddedLog). The defaults suit a server with a few hundred megabytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddedOptions {
    /// Memory for blocks of the files on disk, in bytes. Default 16 MiB.
    pub cache_bytes: u64,
    /// How many streams' last revisions are kept in memory, in streams of about 250 bytes each. Default 65,536.
    pub cached_heads: usize,
    /// How many appends at most share one sync to disk, in appends. Default 1,024.
    pub max_batch: usize,
    /// Free space that is left untouched on the disk, in bytes. Below it appends are refused as unavailable, so that
    /// the disk does not run full in the middle of a write. Default 64 MiB.
    pub free_space_reserve: u64,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        Self {
            cache_bytes: 16 * 1024 * 1024,
            cached_heads: 65_536,
            max_batch: 1_024,
            free_space_reserve: 64 * 1024 * 1024,
        }
    }
}
