//! Compiles `proto/` without a `protoc` on the machine.

use std::{env, error::Error, fs, path::PathBuf};

#[path = "build/redacting.rs"]
mod redacting;

const FILES: &[&str] = &[
    "countersign/admin/v1/admin_service.proto",
    "countersign/audit/v1/audit_service.proto",
    "countersign/challenge/v1/challenge_service.proto",
    "countersign/common/v1/authenticator.proto",
    "countersign/common/v1/requirement.proto",
    "countersign/enrollment/v1/enrollment_service.proto",
    "countersign/event/v1/approvals.proto",
    "countersign/event/v1/authenticators.proto",
    "countersign/event/v1/challenges.proto",
    "countersign/event/v1/deliveries.proto",
    "countersign/event/v1/keyring.proto",
    "countersign/event/v1/sealed.proto",
    "countersign/event/v1/sign_ins.proto",
    "countersign/event/v1/tenant.proto",
    "countersign/keys/v1/keys_service.proto",
    "countersign/notification/v1/notification_service.proto",
    "countersign/policy/v1/policy_service.proto",
    "countersign/status/v1/status_service.proto",
];

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script in the environment")]
fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_source_info(true).include_imports(true).open_files(FILES)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("countersign.binpb"), compiler.encode_file_descriptor_set())?;
    let discreet = redacting::discreet(&compiler.descriptor_pool());
    fs::write(out.join("redacted_debug.rs"), redacting::debug_of(&discreet)?)?;
    let grpc = env::var_os("CARGO_FEATURE_GRPC").is_some();
    tonic_prost_build::configure()
        .build_client(grpc)
        .build_server(grpc)
        .bytes(".")
        // Ordered, so that the same event always has the same bytes.
        .btree_map(".")
        .skip_debug(discreet.iter().map(|message| format!(".{}", message.full_name())))
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
