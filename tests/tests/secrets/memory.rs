//! What an idle server still has in its memory of what it was asked and told.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::Path,
    time::{Duration, Instant},
};

use countersign_proto::enrollment::{
    CreateSelfServiceTokenRequest, IssueTemporaryAccessPassRequest, ListAuthenticatorsRequest,
    StartEnrollmentRequest,
};
use countersign_tests::{
    Process, Tenant,
    process::{command_of, program},
};
use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use memchr::memmem;

use crate::{
    list::{KNOWN, List, USER},
    story,
};

/// How long a server may take to let go of connections that were closed: far longer than it does.
const PATIENCE: Duration = Duration::from_secs(60);

/// A part of a process's memory that it can write to.
#[derive(Debug)]
pub(crate) struct Region {
    /// What the operating system calls it, for example `[stack]`; empty for most of the heap.
    pub(crate) name: String,
    bytes: Vec<u8>,
}

impl Region {
    pub(crate) fn has(&self, bytes: &[u8]) -> bool {
        memmem::find(&self.bytes, bytes).is_some()
    }
}

/// Returns all that a process can write to. It has to be one that may be looked into.
pub(crate) fn regions(id: u32) -> Vec<Region> {
    let maps = fs::read_to_string(format!("/proc/{id}/maps")).unwrap();
    let memory = File::open(format!("/proc/{id}/mem")).unwrap();
    let mut regions = Vec::new();
    for line in maps.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        if !words[1].starts_with("rw") {
            continue;
        }
        let (start, end) = words[0].split_once('-').unwrap();
        let [start, end] = [start, end].map(|at| u64::from_str_radix(at, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        // Unmapped since the list was made, or made ready for reading by nobody.
        if memory.read_exact_at(&mut bytes, start).is_ok() {
            let name = words.get(5).copied().unwrap_or_default().to_owned();
            regions.push(Region { name, bytes });
        }
    }
    regions
}

/// What must not be there once nobody asks any more, by what it is.
type Needles = Vec<(&'static str, Vec<u8>)>;

/// Tells all of a user's secrets over connections that end with it, and returns them.
async fn visit(process: &Process) -> Needles {
    let mut list = List::personal();
    let operator = process.operator().await;
    let tenant = story::tenant(&operator, process.connect().await, &mut list).await;
    let mut needles = Needles::new();
    for caller in [&operator, &tenant.platform, &tenant.admin] {
        let (_, secret) = caller.key().unwrap().rsplit_once('.').unwrap();
        needles.push(("an API key", secret.as_bytes().to_vec()));
        needles.push(("an API key, raw", BASE64URL_NOPAD.decode(secret.as_bytes()).unwrap()));
    }
    enrol(&tenant, &mut needles).await;
    let codes = tenant.issue_codes(USER).await;
    let request =
        IssueTemporaryAccessPassRequest { user_id: USER.to_owned(), ..Default::default() };
    let issued = tenant.admin.enrollment().issue_temporary_access_pass(request).await.unwrap();
    for code in [codes[0].clone(), issued.into_inner().code] {
        let challenge = tenant.challenge(USER).await;
        tenant.verified(USER, &challenge, &code).await;
        needles.push(("a code without hyphens", code.replace('-', "").into_bytes()));
        needles.push(("a code", code.into_bytes()));
    }
    let request = CreateSelfServiceTokenRequest { user_id: USER.to_owned(), ..Default::default() };
    let made = tenant.platform.enrollment().create_self_service_token(request).await.unwrap();
    let token = made.into_inner().token;
    let herself = tenant.platform.with_key(&token);
    let listed = ListAuthenticatorsRequest { user_id: USER.to_owned(), ..Default::default() };
    herself.enrollment().list_authenticators(listed).await.unwrap();
    needles.push(("a self-service token", token.into_bytes()));
    needles
}

async fn enrol(tenant: &Tenant, needles: &mut Needles) {
    let request = StartEnrollmentRequest {
        user_id: USER.to_owned(),
        kind: "totp".to_owned(),
        ..Default::default()
    };
    let (totp, phone) = tenant.start(request).await;
    let seed = BASE32_NOPAD.decode(totp.secret_base32.as_bytes()).unwrap();
    needles.push(("a seed", seed));
    needles.push(("a seed in base 32", totp.secret_base32.into_bytes()));
    tenant.confirm(USER, &phone, &phone.code(tenant.now())).await.unwrap();
    let challenge = tenant.challenge(USER).await;
    let next = tenant.now().plus(Duration::from_secs(phone.period()));
    let proved = tenant.verified(USER, &challenge, &phone.code(next)).await;
    needles.push(("an assertion", proved.assertion.into_bytes()));
}

/// Returns what is where.
fn found(regions: &[Region], needles: &Needles) -> Vec<String> {
    let all = regions.iter().flat_map(|region| needles.iter().map(move |needle| (region, needle)));
    let found = all.filter(|(region, (_, bytes))| region.has(bytes));
    found.map(|(region, (what, _))| format!("{what} in {:?}", region.name)).collect()
}

/// Starts a server that we may look into whoever we are.
async fn start(program_name: &str, directory: &Path) -> Process {
    let settings = directory.join("countersign.yaml");
    fs::write(&settings, "core_dumps: true\n").unwrap();
    let data_dir = directory.join("data");
    let words = ["serve", "--listen", "127.0.0.1:0", "--log-format", "json"];
    let mut command = command_of(&program(program_name), words);
    command.arg("--data-dir").arg(&data_dir).arg("--config").arg(&settings);
    Process::spawn(command, &data_dir).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_server_remembers_no_seed_code_or_key_that_it_was_shown() {
    let directory = tempfile::tempdir().unwrap();
    let process = start("countersign", directory.path()).await;
    let needles = visit(&process).await;
    let began = Instant::now();
    loop {
        let regions = regions(process.id());
        let known = regions.iter().any(|region| region.has(KNOWN.as_bytes()));
        assert!(known, "the search does not find what is there");
        let found = found(&regions, &needles);
        if found.is_empty() {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{found:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The same house in a program whose allocator wipes nothing: what libraries leave behind is found, so it would be.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_allocator_wipes_nothing_remembers_much_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let process = start("countersign-chance", directory.path()).await;
    let needles = visit(&process).await;
    let found = found(&regions(process.id()), &needles);
    assert!(!found.is_empty(), "the search finds nothing where much is left behind");
}
