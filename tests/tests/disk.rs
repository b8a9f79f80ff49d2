//! A disk that takes no more under a running server: callers are told to come back, reads go on, and with room again the
//! same requests succeed. Nothing is half-written.

#![expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use countersign_proto::{
    audit::ReplayEventsRequest,
    challenge::{Challenge, ChallengeStatus, VerificationOutcome, VerifyChallengeRequest},
    enrollment::{ListAuthenticatorsRequest, StartEnrollmentRequest},
};
use countersign_tests::{
    Phone, Process, Tenant,
    load::widen,
    process::{as_somebody, doctor, program, run, serve, text},
    reason, retry_after,
};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tempfile::TempDir;
use tonic::{Code, Status};

const MIB: u64 = 1024 * 1024;
/// How long the server may take to notice that there is room again; it looks every few seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// A user with an open challenge, and requests that wait for room.
struct Scene {
    tenant: Tenant,
    phone: Phone,
    verify: VerifyChallengeRequest,
    start: StartEnrollmentRequest,
    spent: i64,
}

const USER: &str = "alice";

impl Scene {
    async fn set(process: &Process) -> Self {
        let tenant = process.tenant("acme").await;
        widen(&tenant).await;
        let phone = tenant.enrol(USER).await;
        let mut scene =
            Self { tenant, phone, verify: Default::default(), start: Default::default(), spent: 0 };
        scene.next("first").await;
        scene
    }

    /// Opens a challenge, and makes requests that have not been sent.
    async fn next(&mut self, name: &str) {
        self.spent += 1;
        let now = self.tenant.now().unix_seconds() + 30 * self.spent;
        let code = self.phone.code(countersign_core::Timestamp::from_unix_seconds(now));
        self.verify = VerifyChallengeRequest {
            request_id: format!("verify-{name}"),
            user_id: USER.to_owned(),
            challenge_id: self.tenant.challenge(USER).await.challenge_id,
            code,
            ..Default::default()
        };
        self.start = StartEnrollmentRequest {
            request_id: format!("start-{name}"),
            // A user without a data key, for which the store of keys has to grow.
            user_id: format!("newcomer-{name}"),
            kind: "totp".to_owned(),
            ..Default::default()
        };
    }

    async fn verify(&self) -> Result<VerificationOutcome, Status> {
        let answer = self.tenant.platform.challenge().verify_challenge(self.verify.clone()).await?;
        Ok(answer.into_inner().outcome())
    }

    async fn start(&self) -> Result<String, Status> {
        let mut enrollment = self.tenant.platform.enrollment();
        let started = enrollment.start_enrollment(self.start.clone()).await?.into_inner();
        Ok(started.authenticator.unwrap().authenticator_id)
    }

    /// Both requests are refused again and again, while everything can be read.
    async fn assert_reads_only(&self) {
        self.assert_keys_refuse().await;
        for _ in 0..5 {
            assert_unavailable(&self.verify().await.unwrap_err());
            assert_unavailable(&self.start().await.unwrap_err());
            assert_unavailable(&self.tenant.try_challenge(USER).await.unwrap_err());
        }
        self.assert_reads().await;
    }

    /// The key of a user who is new cannot be made; that is tried before anything is written to the log.
    async fn assert_keys_refuse(&self) {
        let began = Instant::now();
        loop {
            let status = self.start().await.unwrap_err();
            assert_unavailable(&status);
            if reason(&status) == "KEYS_UNAVAILABLE" {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "the log is never open: {status:?}");
        }
    }

    /// Makes keys until the next one needs another block of the disk.
    async fn fill_the_block_of_keys(&self, data_dir: &Path) {
        let keys = data_dir.join("keys/data-keys");
        for number in 0.. {
            if fs::metadata(&keys).unwrap().len().is_multiple_of(4096) {
                return;
            }
            self.tenant.start_enrollment(&format!("filler-{number}")).await;
        }
    }

    /// Everything can be read; a read may fall into the moment in which the log is opened again after a write that
    /// failed, and is then told to come back.
    async fn assert_reads(&self) {
        patiently(async || self.read().await).await;
    }

    /// Reads what there is.
    async fn read(&self) -> Result<(), Status> {
        let challenge =
            Challenge { challenge_id: self.verify.challenge_id.clone(), ..Default::default() };
        let challenge = self.tenant.look(USER, &challenge).await?;
        assert_eq!(challenge.status(), ChallengeStatus::Pending);
        // A refused request has cost no attempt.
        assert_eq!(challenge.attempts_left, 5);
        let request = ListAuthenticatorsRequest { user_id: USER.to_owned(), ..Default::default() };
        let listed = self.tenant.platform.enrollment().list_authenticators(request).await?;
        assert_eq!(listed.into_inner().authenticators.len(), 1);
        for (user, has_events) in [(USER, true), (&self.start.user_id, false)] {
            let request = ReplayEventsRequest { user_id: user.to_owned(), ..Default::default() };
            let replayed = self.tenant.auditor.audit().replay_events(request).await?;
            let first = replayed.into_inner().message().await?;
            assert_eq!(first.is_some(), has_events, "{user}: {first:?}");
        }
        Ok(())
    }

    /// What needs the log is refused; a key may still be made.
    async fn assert_log_refuses(&self) {
        for _ in 0..5 {
            for status in [self.verify().await.unwrap_err(), self.start().await.unwrap_err()] {
                assert_unavailable(&status);
                assert_eq!(reason(&status), "LOG_UNAVAILABLE");
            }
        }
        self.assert_reads().await;
    }

    /// Both requests succeed once the server has noticed that there is room, and once only.
    async fn assert_goes_on(&self) {
        let verified = patiently(async || self.verify().await).await;
        assert_eq!(verified, VerificationOutcome::Verified);
        assert_eq!(self.verify().await.unwrap(), VerificationOutcome::Verified);
        let started = patiently(async || self.start().await).await;
        assert_eq!(self.start().await.unwrap(), started);
        assert_eq!(self.tenant.count(&self.start.user_id, "EnrollmentStarted").await, 1);
    }
}

/// Repeats a request until it succeeds; until then it must be told to come back.
async fn patiently<T>(request: impl AsyncFn() -> Result<T, Status>) -> T {
    let began = Instant::now();
    loop {
        match request().await {
            Ok(answer) => return answer,
            Err(status) => assert_unavailable(&status),
        }
        assert!(began.elapsed() < PATIENCE, "it does not notice that there is room again");
    }
}

fn assert_unavailable(status: &Status) {
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    let reason = reason(status);
    assert!(["LOG_UNAVAILABLE", "KEYS_UNAVAILABLE"].contains(&reason.as_str()), "{status:?}");
    assert!(retry_after(status).is_some_and(|delay| !delay.is_zero()), "{status:?}");
    // What happened to our disk is not the caller's affair.
    assert!(!status.message().contains("disk") && !status.message().contains('/'), "{status:?}");
}

/// A server stops in order and leaves nothing half-written, after which it serves again.
async fn assert_sound(process: Process) {
    let data_dir = process.data_dir().to_owned();
    let ended = process.stop().await;
    assert!(ended.status.success(), "{}", ended.log);
    assert!(!ended.log.contains("panicked"), "{}", ended.log);
    doctor(&data_dir).await;
    assert!(Process::start(&data_dir).await.stop().await.status.success());
}

/// A file system of its own in memory.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// Mounts one; `None` where that is not allowed.
    fn mount(mebibytes: u64) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let size = format!("size={mebibytes}m");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(directory.path());
        mount.output().is_ok_and(|output| output.status.success()).then_some(Self(directory))
    }

    fn data_dir(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn free(&self) -> u64 {
        let disk = rustix::fs::statvfs(self.0.path()).unwrap();
        disk.f_bavail * disk.f_frsize
    }

    /// Leaves `bytes` of free space.
    fn fill(&self, bytes: u64) {
        let ballast = vec![1; usize::try_from(self.free() - bytes).unwrap()];
        fs::write(self.0.path().join("ballast"), ballast).unwrap();
    }

    fn empty(&self) {
        fs::remove_file(self.0.path().join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "cannot unmount");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_stops_writes_and_room_lets_them_go_on() {
    let Some(disk) = SmallDisk::mount(80) else {
        // Where nothing may be mounted, a limit to the size of files fails writes in the same places.
        return goes_on_when_files_may_grow_again().await;
    };
    let process = Process::start(&disk.data_dir()).await;
    let mut scene = Scene::set(&process).await;
    // Below the reserve: the log writes nothing, though it could.
    disk.fill(32 * MIB);
    scene.assert_log_refuses().await;
    disk.empty();
    scene.assert_goes_on().await;
    // Not a byte: whoever tries to write is told so by the operating system.
    scene.fill_the_block_of_keys(&disk.data_dir()).await;
    scene.next("second").await;
    disk.fill(0);
    scene.assert_reads_only().await;
    disk.empty();
    scene.assert_goes_on().await;
    assert_sound(process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_to_the_size_of_files_stops_writes_and_lifting_it_lets_them_go_on() {
    goes_on_when_files_may_grow_again().await;
}

async fn goes_on_when_files_may_grow_again() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    // The shell makes writes over the limit fail instead of ending the process.
    let mut command = tokio::process::Command::new("sh");
    let served = serve(&data_dir);
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(program("countersign"));
    command.args(served.as_std().get_args()).kill_on_drop(true);
    command.stderr(std::process::Stdio::piped());
    let process = Process::spawn(command, &data_dir).await;
    let id = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
    let limit = |current| prlimit(id, Resource::Fsize, Rlimit { current, maximum: None }).unwrap();
    let mut scene = Scene::set(&process).await;
    for name in ["second", "third"] {
        limit(Some(0));
        scene.assert_reads_only().await;
        limit(None);
        scene.assert_goes_on().await;
        scene.next(name).await;
    }
    assert_sound(process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_becomes_read_only_is_served_to_the_end_and_then_refused() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).unwrap();
    let data_dir = directory.path().join("data");
    let serve = || as_somebody(directory.path(), serve(&data_dir));
    let process = Process::spawn(serve(), &data_dir).await;
    let scene = Scene::set(&process).await;
    let mode = |mode| {
        for directory in [data_dir.clone(), data_dir.join("db"), data_dir.join("keys")] {
            fs::set_permissions(directory, Permissions::from_mode(mode)).unwrap();
        }
        fs::set_permissions(data_dir.join("LOCK"), Permissions::from_mode(mode & 0o666)).unwrap();
    };
    mode(0o500);
    // Its files are open: what they take is durable.
    scene.assert_goes_on().await;
    let ended = process.stop().await;
    assert!(ended.status.success(), "{}", ended.log);
    let refused = run(serve()).await;
    assert_eq!(refused.status.code(), Some(1));
    let said = text(&refused.stderr);
    assert!(said.contains("Permission denied") && said.contains("LOCK"), "{said}");
    mode(0o700);
    doctor(&data_dir).await;
    let process = Process::spawn(serve(), &data_dir).await;
    let scene = Scene { tenant: scene.tenant.over(&process.connect().await), ..scene };
    scene.assert_goes_on().await;
    assert!(process.stop().await.status.success());
}
