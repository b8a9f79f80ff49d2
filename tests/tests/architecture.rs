//! The floors of the house as data, and the checks that keep them (`docs/adr/0002-finer-floors.md`).
//!
//! The rules are plain functions over plain values, so that the tests at the end can show each of them failing.

#![expect(
    clippy::expect_used,
    reason = "a checker that cannot read the workspace has to fail loudly"
)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Who stands where. A crate depends only on floors strictly below its own.
const FLOORS: &[(u8, &[&str])] = &[
    (0, &["core", "crypto"]),
    (1, &["eventsourcing", "factors", "proto", "device-sdk"]),
    (2, &["domain", "http", "nats", "tls"]),
    (3, &["eventlog", "bus", "identity", "keys", "providers", "risk"]),
    (4, &["service", "testkit"]),
    (5, &["enrollment", "challenge", "policy", "notification", "audit", "gateway"]),
    (6, &["countersign"]),
    (7, &["tests", "bench", "engine-check"]),
];

/// `crypto` stands on the ground with `core` and is said in its words.
const SAME_FLOOR: &[(&str, &str)] = &[("crypto", "core")];

/// Crates that have nothing in their `Cargo.toml` to do I/O with.
const PURE: &[&str] = &["core", "crypto", "eventsourcing", "factors", "domain"];

/// What I/O is done with.
const IO: &[&str] = &[
    "async-nats",
    "axum",
    "fjall",
    "getrandom",
    "hyper",
    "mio",
    "reqwest",
    "rustix",
    "socket2",
    "tokio",
    "tokio-rustls",
    "tokio-stream",
    "tokio-util",
    "tonic",
];

/// Crates that enter through one door: the crate outside, and who of ours may depend on it.
const DOORS: &[(&str, &[&str])] = &[
    ("argon2", &["factors"]),
    ("async-nats", &["nats", "bus", "eventlog", "keys"]),
    ("aws-credential-types", &["keys"]),
    ("aws-sigv4", &["keys"]),
    ("chacha20poly1305", &["crypto"]),
    ("clap", &["countersign", "bench", "engine-check"]),
    ("comfy-table", &["countersign"]),
    ("fjall", &["eventlog"]),
    ("indicatif", &["countersign"]),
    ("kurrentdb", &["eventlog"]),
    ("lettre", &["providers"]),
    ("png", &["factors"]),
    ("protox", &["proto", "testkit"]),
    ("qrcode", &["factors"]),
    ("reqwest", &["http"]),
    ("tokio-rustls", &["tls"]),
    ("tonic-prost-build", &["proto", "testkit"]),
    // The demo, the tests and the benchmark play the user's phone, which is nobody of ours.
    ("totp-rs", &["factors", "countersign", "tests", "bench"]),
    ("tracing-subscriber", &["service"]),
    ("x509-cert", &["tls"]),
];

const LONGEST_FILE: usize = 400;

/// Files that may be longer, each with its reason.
const LONG_FILES: &[(&str, &str)] = &[];

#[derive(Clone, Debug, PartialEq)]
struct Dependency {
    name: String,
    kind: DependencyKind,
    features: Vec<String>,
    default_features: bool,
}

#[derive(Clone, Debug)]
struct Crate {
    /// Without the prefix `countersign-`.
    name: String,
    dependencies: Vec<Dependency>,
}

/// Returns what one of ours is called in the tables; `None` for other people's crates.
fn our_name(package: &str) -> Option<&str> {
    if package == "countersign" { Some(package) } else { package.strip_prefix("countersign-") }
}

fn floor_of(name: &str) -> Option<u8> {
    FLOORS.iter().find(|(_, crates)| crates.contains(&name)).map(|(floor, _)| *floor)
}

fn check_floors(krate: &Crate) -> Vec<String> {
    let name = krate.name.as_str();
    let Some(floor) = floor_of(name) else {
        return vec![format!("{name} has no floor: add it to FLOORS and to docs/architecture.md")];
    };
    let mut found = Vec::new();
    for dependency in &krate.dependencies {
        let Some(other) = our_name(&dependency.name) else { continue };
        let testing = dependency.kind == DependencyKind::Development;
        // A crate may ask itself for a feature in its own tests, and everyone may test with the test kit.
        if (testing && (other == "testkit" || other == name)) || SAME_FLOOR.contains(&(name, other))
        {
            continue;
        }
        match floor_of(other) {
            Some(below) if below < floor => {}
            Some(at) => found
                .push(format!("{name} (floor {floor}) must not depend on {other} (floor {at})")),
            None => found.push(format!("{name} depends on {other}, which has no floor")),
        }
    }
    found
}

fn check_purity(krate: &Crate) -> Vec<String> {
    if !PURE.contains(&krate.name.as_str()) {
        return Vec::new();
    }
    let shipped = krate.dependencies.iter().filter(|d| d.kind != DependencyKind::Development);
    shipped
        .filter_map(|dependency| {
            let grpc = dependency.name == "countersign-proto"
                && (dependency.default_features || dependency.features.iter().any(|f| f == "grpc"));
            if IO.contains(&dependency.name.as_str()) {
                Some(format!("{} is pure and must not depend on {}", krate.name, dependency.name))
            } else if grpc {
                Some(format!("{} is pure and takes proto without its feature grpc", krate.name))
            } else {
                None
            }
        })
        .collect()
}

fn check_doors(krate: &Crate) -> Vec<String> {
    let mut found = Vec::new();
    // What only tests use does not ship.
    for dependency in krate.dependencies.iter().filter(|d| d.kind != DependencyKind::Development) {
        let door = DOORS.iter().find(|(outside, _)| *outside == dependency.name);
        if let Some((outside, doors)) = door
            && !doors.contains(&krate.name.as_str())
        {
            found.push(format!("{outside} enters through {doors:?}, not through {}", krate.name));
        }
    }
    found
}

fn violations(crates: &[Crate]) -> Vec<String> {
    crates
        .iter()
        .flat_map(|krate| [check_floors(krate), check_purity(krate), check_doors(krate)].concat())
        .collect()
}

/// Returns the shared dependencies that stand in a group without a comment above it.
fn uncommented_dependencies(manifest: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut inside = false;
    let mut commented = false;
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line == "[workspace.dependencies]";
            commented = false;
        } else if line.is_empty() {
            commented = false;
        } else if line.starts_with('#') {
            commented = true;
        } else if inside
            && !commented
            && let Some((name, _)) = line.split_once('=')
        {
            found.push(name.trim().to_owned());
        }
    }
    found
}

/// Returns the files that are too long, and the exceptions that are no longer needed.
fn long_files(lengths: &BTreeMap<String, usize>, exceptions: &[(&str, &str)]) -> Vec<String> {
    let excused = |path: &str| exceptions.iter().any(|(excepted, _)| *excepted == path);
    let mut found: Vec<_> = lengths
        .iter()
        .filter(|(path, lines)| **lines > LONGEST_FILE && !excused(path))
        .map(|(path, lines)| format!("{path} has {lines} lines: look for the second story"))
        .collect();
    for (path, _) in exceptions {
        if lengths.get(*path).is_none_or(|lines| *lines <= LONGEST_FILE) {
            found.push(format!("{path} no longer needs its exception"));
        }
    }
    found
}

fn workspace_root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.canonicalize().expect("the workspace stands above its tests")
}

fn workspace_crates() -> Vec<Crate> {
    let metadata = MetadataCommand::new()
        .manifest_path(workspace_root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo describes the workspace");
    let crates = metadata.packages.iter().map(|package| Crate {
        name: our_name(&package.name).unwrap_or(&package.name).to_owned(),
        dependencies: package
            .dependencies
            .iter()
            .map(|dependency| Dependency {
                name: dependency.name.clone(),
                kind: dependency.kind,
                features: dependency.features.clone(),
                default_features: dependency.uses_default_features,
            })
            .collect(),
    });
    crates.collect()
}

/// Counts the lines of every Rust file below `folder`, by path from `root`.
fn count_lines(root: &Path, folder: &Path, lengths: &mut BTreeMap<String, usize>) {
    for entry in fs::read_dir(folder).expect("a folder of the workspace can be read") {
        let path = entry.expect("an entry of a folder can be read").path();
        if path.is_dir() {
            count_lines(root, &path, lengths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source file is text");
            let name = path.strip_prefix(root).expect("the file lies below the root");
            lengths.insert(name.display().to_string(), text.lines().count());
        }
    }
}

#[test]
fn every_crate_depends_only_on_floors_below_its_own() {
    let crates = workspace_crates();
    assert!(crates.len() > 10, "only {} crates were found", crates.len());
    assert_eq!(violations(&crates), Vec::<String>::new());
}

#[test]
fn every_shared_dependency_says_what_it_is_for() {
    let manifest = fs::read_to_string(workspace_root().join("Cargo.toml")).expect("it is there");
    assert_eq!(uncommented_dependencies(&manifest), Vec::<String>::new());
}

#[test]
fn a_file_tells_one_story() {
    let root = workspace_root();
    let mut lengths = BTreeMap::new();
    for folder in ["libs", "services", "tests", "bench", "fuzz"] {
        if root.join(folder).is_dir() {
            count_lines(&root, &root.join(folder), &mut lengths);
        }
    }
    assert!(lengths.len() > 20, "only {} files were found", lengths.len());
    assert_eq!(long_files(&lengths, LONG_FILES), Vec::<String>::new());
}

/// The checks on made-up workspaces: each rule is seen to fail.
mod rules {
    use super::*;

    fn depends(name: &str) -> Dependency {
        Dependency {
            name: name.to_owned(),
            kind: DependencyKind::Normal,
            features: Vec::new(),
            default_features: false,
        }
    }

    fn krate(name: &str, dependencies: impl IntoIterator<Item = Dependency>) -> Crate {
        Crate { name: name.to_owned(), dependencies: dependencies.into_iter().collect() }
    }

    fn only_violation(krate: Crate) -> String {
        let mut found = violations(&[krate]);
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    #[test]
    fn a_dependency_below_is_fine() {
        let allowed = krate("domain", [depends("countersign-core"), depends("serde")]);
        assert_eq!(violations(&[allowed]), Vec::<String>::new());
    }

    #[test]
    fn a_crate_without_a_floor_is_refused() {
        assert!(only_violation(krate("attic", [])).starts_with("attic has no floor"));
    }

    #[test]
    fn a_dependency_above_or_beside_is_refused() {
        let above = krate("core", [depends("countersign-domain")]);
        assert_eq!(only_violation(above), "core (floor 0) must not depend on domain (floor 2)");
        let sibling = krate("challenge", [depends("countersign-enrollment")]);
        assert!(only_violation(sibling).contains("must not depend on enrollment (floor 5)"));
    }

    #[test]
    fn only_the_test_kit_may_stand_above_whom_it_tests() {
        let develop = |name| Dependency { kind: DependencyKind::Development, ..depends(name) };
        let testing = krate("core", [develop("countersign-testkit")]);
        assert_eq!(violations(&[testing]), Vec::<String>::new());
        assert!(
            only_violation(krate("core", [depends("countersign-testkit")])).contains("floor 4")
        );
        assert!(only_violation(krate("core", [develop("countersign-keys")])).contains("floor 3"));
    }

    #[test]
    fn a_pure_crate_with_a_means_of_io_is_refused() {
        let found = only_violation(krate("factors", [depends("tokio")]));
        assert_eq!(found, "factors is pure and must not depend on tokio");
        assert_eq!(violations(&[krate("keys", [depends("tokio")])]), Vec::<String>::new());
    }

    #[test]
    fn a_pure_crate_takes_the_messages_without_grpc() {
        let grpc = Dependency { features: vec!["grpc".to_owned()], ..depends("countersign-proto") };
        let default = Dependency { default_features: true, ..depends("countersign-proto") };
        for dependency in [grpc, default] {
            assert!(only_violation(krate("domain", [dependency])).contains("feature grpc"));
        }
    }

    #[test]
    fn a_client_crate_enters_through_its_door_only() {
        assert!(only_violation(krate("audit", [depends("fjall")])).starts_with("fjall enters"));
        assert_eq!(violations(&[krate("eventlog", [depends("fjall")])]), Vec::<String>::new());
    }

    #[test]
    fn a_group_of_dependencies_without_a_comment_is_named() {
        let manifest = "[workspace.dependencies]\n# Why.\na = \"1\"\nb = \"1\"\n\nc = \"1\"\n\n[profile.dev]\nd = 1\n";
        assert_eq!(uncommented_dependencies(manifest), ["c"]);
    }

    #[test]
    fn a_long_file_is_named_and_so_is_a_stale_exception() {
        let lengths = BTreeMap::from([("long.rs".to_owned(), 401), ("short.rs".to_owned(), 400)]);
        assert_eq!(long_files(&lengths, &[]).len(), 1);
        assert_eq!(long_files(&lengths, &[("long.rs", "a table")]), Vec::<String>::new());
        assert_eq!(
            long_files(&lengths, &[("long.rs", "a table"), ("short.rs", "was long")]),
            ["short.rs no longer needs its exception"]
        );
    }
}
