//! The schema of the API and of the stored events, with what its comments promise.

use std::{collections::BTreeSet, sync::LazyLock};

use countersign_proto::FILE_DESCRIPTOR_SET;
use prost_reflect::{DescriptorPool, FileDescriptor, MethodDescriptor};

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap());

/// Returns the descriptors of this build.
#[must_use]
pub fn pool() -> &'static DescriptorPool {
    &POOL
}

/// Returns every RPC of every service, in the order of the schema.
pub fn rpcs() -> impl Iterator<Item = Rpc> {
    pool().services().flat_map(|service| service.methods().collect::<Vec<_>>()).map(Rpc)
}

/// Returns the reasons that any RPC may fail with: the comment of EnrollmentService lists them.
#[must_use]
pub fn general_reasons() -> BTreeSet<String> {
    let service =
        pool().get_service_by_name("countersign.enrollment.v1.EnrollmentService").unwrap();
    let comment = comment(&service.parent_file(), service.path());
    let (_, reasons) = comment.split_once("any RPC may fail with:").unwrap();
    quoted(reasons)
}

/// One RPC.
#[derive(Clone, Debug)]
pub struct Rpc(pub MethodDescriptor);

impl Rpc {
    /// Returns its path, for example `/countersign.policy.v1.PolicyService/EvaluateSignIn`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/{}/{}", self.0.parent_service().full_name(), self.0.name())
    }

    /// Returns its comment.
    #[must_use]
    pub fn comment(&self) -> String {
        comment(&self.0.parent_service().parent_file(), self.0.path())
    }

    /// Returns the roles that its comment says may call it.
    #[must_use]
    pub fn roles(&self) -> BTreeSet<String> {
        let comment = self.comment();
        let Some((_, rest)) = comment.split_once("Roles: ") else { return BTreeSet::new() };
        let mut roles = rest.split_once('.').unwrap().0.to_owned();
        while let (Some(open), Some(close)) = (roles.find('('), roles.find(')')) {
            roles.replace_range(open..=close, "");
        }
        roles.split(',').map(|role| role.trim().to_owned()).collect()
    }

    /// Returns the reasons, besides the general ones, that its comment says it may fail with.
    #[must_use]
    pub fn reasons(&self) -> BTreeSet<String> {
        let comment = self.comment();
        comment.split_once("Reasons: ").map_or_else(BTreeSet::new, |(_, rest)| quoted(rest))
    }
}

/// Returns what stands between backticks.
fn quoted(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Returns the comment before what lies at `path` of `file`, on one line; empty if there is none.
#[must_use]
pub fn comment(file: &FileDescriptor, path: &[i32]) -> String {
    let source = file.file_descriptor_proto().source_code_info.as_ref();
    let locations = source.map_or(&[][..], |source| &source.location);
    let found = locations.iter().find(|location| location.path == path);
    one_line(found.map_or("", |location| location.leading_comments()))
}

/// Returns the comments of `file` that stand apart from what follows them, each on one line.
#[must_use]
pub fn detached_comments(file: &FileDescriptor) -> Vec<String> {
    let source = file.file_descriptor_proto().source_code_info.as_ref();
    let locations = source.map_or(&[][..], |source| &source.location);
    let detached = locations.iter().flat_map(|location| &location.leading_detached_comments);
    detached.map(|comment| one_line(comment)).collect()
}

fn one_line(comment: &str) -> String {
    comment.split_whitespace().collect::<Vec<_>>().join(" ")
}
