//! Read models.

mod erased_users;

pub use erased_users::ErasedUsers;
