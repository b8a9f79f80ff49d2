//! Compiles the protocol of KurrentDB for its double, and only for those who ask for it.

#[cfg(not(feature = "kurrentdb"))]
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
}

#[cfg(feature = "kurrentdb")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    const FILES: [&str; 4] =
        ["gossip.proto", "serverfeatures.proto", "shared.proto", "streams.proto"];
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/proto/kurrentdb");
    println!("cargo:rerun-if-changed={root}");
    let descriptors = protox::compile(FILES, [root])?;
    tonic_prost_build::configure()
        .build_client(false)
        .bytes(".")
        .btree_map(".")
        // The double uses a part of them.
        .type_attribute(".", "#[allow(dead_code)]")
        .compile_fds(descriptors)?;
    Ok(())
}
