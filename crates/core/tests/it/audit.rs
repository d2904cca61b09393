//! The audit log: each act leaves its event in its own unit, the events hang together, and whatever is done
//! to them is found and named.

mod tampering;

use crate::backend::{Backend, embedded, on_server};
use crate::idempotency::{keyed, name, new, send};
use crate::world::{NOW, World, bytes, end, open_in, person};
use bindery_core::{
    Act, AuditChain, AuditCheckpoint, AuditEvent, AuditKeys, AuditLink, AuditRecord, AuditReport,
    Base, Caller, Change, DeleteFile, DeleteFolder, Drive, Error, FileRef, FolderRef, NewRecipient,
    NodeRef, Role, Sharing, SweepSettings, Tampering, Target, Terms, UploadEnd, UserId, VersionId,
};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::ControlFlow;
use tampering::{LINES, logged, tamper};

const HOME: FolderRef = FolderRef::Home;

/// A log, as it is handed out.
#[derive(Debug, Default)]
struct Log {
    lines: Vec<(u64, AuditEvent, AuditLink)>,
    checkpoints: Vec<AuditCheckpoint>,
}

impl Log {
    async fn of(drive: &Drive) -> Self {
        drive.keep_audit_log().await.unwrap();
        let mut log = Log::default();
        drive.export_audit(None, |record| log.take(&record)).await.unwrap();
        log
    }

    fn take(&mut self, record: &AuditRecord<'_>) -> ControlFlow<()> {
        match record {
            AuditRecord::Line(line, event, link) => {
                self.lines.push((*line, AuditEvent::clone(event), *link));
            }
            AuditRecord::Checkpoint(made) => self.checkpoints.push(AuditCheckpoint::clone(made)),
        }
        ControlFlow::Continue(())
    }

    fn links(&self) -> Vec<(u64, AuditLink)> {
        self.lines.iter().map(|(line, _, link)| (*line, *link)).collect()
    }

    /// What stands behind a number of lines: who did what, and its details.
    fn behind(&self, lines: usize) -> Vec<String> {
        let told = |(_, event, _): &(_, AuditEvent, _)| {
            let user = event.user.map(|user| user.to_string()).unwrap_or_default();
            format!("{}{user} {} {}", event.actor, event.act, event.details).trim_end().to_owned()
        };
        self.lines[lines..].iter().map(told).collect()
    }
}

fn terms(role: Role) -> Terms {
    Terms { role, sharing: Sharing::default(), comment: String::new(), expires: None }
}

/// What something leaves in the log.
macro_rules! leaves {
    ($world:expr, $act:expr, $($told:expr),+) => {{
        let before = Log::of(&$world.drive).await.lines.len();
        let outcome = $act.await.unwrap();
        let told = Log::of(&$world.drive).await.behind(before);
        assert_eq!(told, [$(String::from($told)),+]);
        outcome
    }};
}

#[tokio::test]
async fn every_act_leaves_its_event() {
    let world = World::new().await;
    let (drive, jane) = (&world.drive, &world.caller);
    let joe = person(drive, "joe").await;
    let begin =
        ["command user-added account=1 admin=no", "command token-created account=1 token=1"];
    assert_eq!(Log::of(drive).await.behind(0)[..2], begin);
    let sent = |target, content: &[u8]| send(drive, jane, target, content.to_vec());

    let folder = leaves!(
        world,
        drive.create_folder(jane, HOME, &name("secret plan")),
        "user1 folder-created folder=3 in=1"
    );
    let file = leaves!(world, sent(new("a.txt"), b"one"), "user1 file-created file=4 in=1");
    let next = Target::File { file: file.id.into(), base: Base::Any };
    leaves!(world, sent(next, b"second"), "user1 file-replaced file=4 version=2");
    let (id, b) = (FileRef::Id(file.id), name("b.txt"));
    leaves!(world, drive.rename_file(jane, id, &b), "user1 file-renamed file=4");
    let to = folder.id.into();
    leaves!(world, drive.move_file(jane, id, to, None), "user1 file-moved file=4 from=1 to=3");
    let copy = leaves!(
        world,
        drive.copy_file(jane, id, HOME, &b),
        "user1 file-copied file=5 folder=1 from=4"
    );
    let one = VersionId { file: file.id, number: 1 };
    leaves!(world, drive.promote(jane, one), "user1 version-promoted file=4 from=1 version=3");
    leaves!(world, drive.delete_version(jane, one), "user1 version-deleted file=4 version=1");
    let change = Change {
        name: Some(name("c.txt")),
        type_id: Some(4),
        shared_with: Some(vec!["joe@example.com".into()]),
        trash: true,
    };
    leaves!(
        world,
        drive.change(jane, file.id, change),
        "user1 file-renamed file=4",
        "user1 file-typed file=4 type=4",
        "user1 readers-set file=4 users=2",
        "user1 file-trashed file=4"
    );
    leaves!(world, drive.restore(jane, file.id), "user1 file-restored file=4");
    leaves!(world, drive.trash(jane, file.id), "user1 file-trashed file=4");
    leaves!(world, drive.restore_node(4), "command file-restored file=4");
    let how = |purge| DeleteFile { purge, version: None };
    leaves!(world, drive.delete_file(jane, id, how(false)), "user1 file-trashed file=4");
    leaves!(world, drive.purge_node(4), "command file-purged file=4");
    leaves!(world, drive.delete_file(jane, copy.id.into(), how(true)), "user1 file-purged file=5");

    leaves!(world, drive.rename_folder(jane, to, &name("x")), "user1 folder-renamed folder=3");
    let inner = drive.create_folder(jane, HOME, &name("inner")).await.unwrap().id;
    leaves!(
        world,
        drive.move_folder(jane, inner.into(), to),
        "user1 folder-moved folder=6 from=1 to=3"
    );
    let twin = leaves!(
        world,
        drive.copy_folder(jane, to, HOME, &name("twin")),
        "user1 folder-copied folder=7 from=3 in=1"
    );
    let node = NodeRef::Folder(to);
    let user = NewRecipient::User(UserId(2));
    let share = leaves!(
        world,
        drive.share(jane, node, user, terms(Role::Contributor)),
        "user1 shared folder=3 recipient=2 role=contribute share=2 to=user"
    );
    leaves!(
        world,
        drive.change_share(jane, share.id, terms(Role::Viewer)),
        "user1 share-changed folder=3 recipient=2 role=view share=2 to=user"
    );
    leaves!(
        world,
        drive.unshare(&joe, share.id),
        "user2 share-ended folder=3 recipient=2 role=view share=2 to=user"
    );
    let stranger = NewRecipient::External("stranger@example.org".into());
    let share = leaves!(
        world,
        drive.share(jane, node, stranger, terms(Role::Editor)),
        "user1 shared folder=3 role=edit share=3 to=email"
    );
    leaves!(
        world,
        drive.revoke_share(share.id),
        "command share-ended folder=3 role=edit share=3 to=email"
    );

    let how = |purge| DeleteFolder { purge, only_if_empty: false };
    leaves!(world, drive.delete_folder(jane, to, how(false)), "user1 folder-trashed folder=3");
    leaves!(world, drive.restore_node(3), "command folder-restored folder=3");
    let twin = twin.id.into();
    leaves!(world, drive.delete_folder(jane, twin, how(true)), "user1 folder-purged folder=7");
    drive.delete_folder(jane, to, how(false)).await.unwrap();
    let dated = world.put("dated", b"").await;
    drive.trash(jane, dated.id).await.unwrap();
    drive.clock().advance_seconds(86_400 * 31);
    let gone = format!("system file-purged file={}", dated.id);
    leaves!(world, drive.sweep(SweepSettings::default()), "system folder-purged folder=3", gone);

    leaves!(world, drive.set_quota("joe", Some(9)), "command quota-set account=2 bytes=9");
    leaves!(world, drive.set_quota("joe", None), "command quota-set account=2 bytes=none");
    leaves!(world, drive.set_file_quota("joe", Some(7)), "command quota-set account=2 files=7");
    leaves!(world, drive.set_password("joe", "other".into()), "command password-set account=2");
    leaves!(world, drive.set_disabled("joe", true), "command user-disabled account=2");
    leaves!(world, drive.set_disabled("joe", false), "command user-enabled account=2");
    let token = leaves!(
        world,
        drive.create_token("joe", "a label", None),
        "command token-created account=2 token=3"
    );
    leaves!(world, drive.revoke_token(token.id), "command token-revoked token=3");
    let seen = world.put("seen", b"x").await;
    let shown = format!("user1 key-disclosed file={}", seen.id);
    leaves!(world, async { drive.disclose_key(jane, &seen) }, shown);
    let wrong = drive.sign_in("joe", "wrong", Ipv4Addr::LOCALHOST.into()).await;
    assert!(matches!(wrong, Err(Error::Unauthenticated)));
    drive.keep_audit_log().await.unwrap();
    drive.clock().advance_seconds(120);
    let before = Log::of(drive).await;
    assert!(
        before
            .behind(0)
            .contains(&"unknown sign-in-failed account=2 address=127.0.0.1 count=1".to_owned())
    );
    let copy = bindery_core::Location::directory(world.directory.path().join("copy"));
    drive.migrate(&copy, |_, _| {}).await.unwrap();
    let backup = drive.backup(&world.directory.path().join("backup"), |_, _| {}).await.unwrap();
    drive.forget_backup(&backup.id, false).await.unwrap();
    drive.prepare_key().await.unwrap();
    drive.rotate_key(|_| {}).await.unwrap();
    let old = drive.old_keys().await.unwrap().remove(0).id;
    drive.retire_key(&old).await.unwrap();

    let log = Log::of(drive).await;
    let told: BTreeSet<_> = log.lines.iter().map(|(_, event, _)| event.act.as_str()).collect();
    let all: BTreeSet<_> = Act::ALL.iter().map(|act| act.as_str()).collect();
    assert_eq!(told, all, "an act that no operation does, or a test that leaves one out");
    // No name, no address, no label: only numbers and words of ours.
    let text = format!("{:?}", log.lines);
    for private in ["secret", "txt", "label", "example", "joe", "jane"] {
        assert!(!text.contains(private), "{private}");
    }
    let report = drive.verify_audit(&log.links()).await.unwrap();
    let lines = log.lines.len() as u64;
    assert_eq!(report, AuditReport { lines, unlinked: 0, fault: None });
}

#[tokio::test]
async fn what_takes_no_effect_leaves_nothing() {
    let world = World::new().await;
    let (drive, jane) = (&world.drive, &world.caller);
    let file = world.put("a.txt", b"one").await;
    drive.set_quota("jane", Some(3)).await.unwrap();
    let before = Log::of(drive).await.lines.len();

    // The unit fails behind what it did first.
    let large = send(drive, jane, new("b.txt"), bytes(10)).await;
    assert!(matches!(large, Err(Error::QuotaExceeded { .. })), "{large:?}");
    let nobody = Change {
        name: Some(name("c.txt")),
        shared_with: Some(vec!["nobody@example.com".into()]),
        ..Change::default()
    };
    assert!(drive.change(jane, file.id, nobody).await.is_err());
    assert!(drive.revoke_token(bindery_core::TokenId(99)).await.is_err());
    assert!(drive.create_folder(jane, HOME, &name("a.txt")).await.is_err());
    let stranger = Caller::with_token("none");
    assert!(drive.trash(&stranger, file.id).await.is_err());
    // There is nothing to be restored, and what is sent again has had its effect.
    drive.restore(jane, file.id).await.unwrap();
    assert_eq!(Log::of(drive).await.lines.len(), before);
    let jane = &keyed(jane, "once");
    for _ in 0..3 {
        drive.trash(jane, file.id).await.unwrap();
    }
    assert_eq!(
        Log::of(drive).await.behind(before),
        [format!("user1 file-trashed file={}", file.id)]
    );
}

#[tokio::test]
async fn a_disclosure_is_told_once_for_each_reader_file_and_day() {
    let world = World::new().await;
    let (drive, jane) = (&world.drive, &world.caller);
    let joe = person(drive, "joe").await;
    let token = drive.create_token("jane", "another", None).await.unwrap().secret;
    let (a, b) = (world.put("a", b"a").await, world.put("b", b"b").await);
    let before = Log::of(drive).await.lines.len();
    for _ in 0..3 {
        for (caller, file) in [(jane, &a), (jane, &b), (&joe, &a)] {
            drive.disclose_key(caller, file).unwrap();
        }
    }
    // Nothing waits for it to be written.
    assert_eq!(Log::of(drive).await.lines.len(), before + 3);
    // The same reader's other token, another process, and the same again: it is told already.
    let other = open_in(&world.directory, &world.backend).await;
    for drive in [drive, &other] {
        for caller in [jane, &Caller::with_token(&token)] {
            drive.disclose_key(caller, &a).unwrap();
        }
        drive.keep_audit_log().await.unwrap();
    }
    let told = Log::of(drive).await.behind(before);
    let line =
        |user: i64, file: &bindery_core::File| format!("user{user} key-disclosed file={}", file.id);
    assert_eq!(told, [line(1, &a), line(1, &b), line(2, &a)]);
    drive.clock().advance_seconds(86_400);
    drive.disclose_key(jane, &a).unwrap();
    assert_eq!(Log::of(drive).await.behind(before + 3), [line(1, &a)]);
    // Many at once are written in few statements, each told.
    let mut expected = Vec::new();
    for number in 0..107 {
        let file = world.put(&number.to_string(), b"x").await;
        drive.disclose_key(jane, &file).unwrap();
        expected.push(line(1, &file));
    }
    let told = Log::of(drive).await.behind(before + 4);
    let shown = told.into_iter().filter(|line| line.contains("key-disclosed"));
    assert_eq!(shown.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_key_in_an_uploads_answer_is_told_with_the_upload() {
    let world = World::new().await;
    let (drive, jane) = (&world.drive, &world.caller);
    let before = Log::of(drive).await.lines.len();
    let mut expected = Vec::new();
    let show = async |caller: &Caller, name: &str, shows_key: bool| {
        let upload = drive.upload(caller, Target::home(), None).await.unwrap();
        let file = upload.finish(UploadEnd { shows_key, ..end(name) }).await.unwrap().node;
        drive.disclose_key(caller, &file).unwrap();
        file
    };
    let told = |file: &bindery_core::File, details: &str| {
        format!("user1 file-created file={} in={}{details}", file.id, file.parent)
    };
    let disclosed = |file: &bindery_core::File| format!("user1 key-disclosed file={}", file.id);

    let shown = show(jane, "shown", true).await;
    expected.push(told(&shown, " key=shown"));
    assert_eq!(Log::of(drive).await.behind(before), expected);
    let untold = show(jane, "untold", false).await;
    expected.extend([told(&untold, ""), disclosed(&untold)]);
    assert_eq!(Log::of(drive).await.behind(before), expected);
    // What is sent again may be answered on another day, or with what someone else made of the file.
    let keyed = show(&keyed(jane, "once"), "keyed", true).await;
    expected.extend([told(&keyed, " key=shown"), disclosed(&keyed)]);
    assert_eq!(Log::of(drive).await.behind(before), expected);
    drive.clock().advance_seconds(86_400);
    drive.disclose_key(jane, &shown).unwrap();
    expected.push(disclosed(&shown));
    assert_eq!(Log::of(drive).await.behind(before), expected);
}

#[tokio::test]
async fn failed_sign_ins_are_counted_by_account_address_and_minute() {
    let world = World::new().await;
    let drive = &world.drive;
    let other = open_in(&world.directory, &world.backend).await;
    let (here, there): (IpAddr, IpAddr) = ([192, 0, 2, 7].into(), "2001:db8::1".parse().unwrap());
    let before = Log::of(drive).await.lines.len();
    for (drive, login, address, times) in [
        (drive, "jane", here, 2),
        (&other, "jane@example.com", here, 1),
        (drive, "jane", there, 1),
        (drive, "a password in the wrong field", here, 2),
    ] {
        for _ in 0..times {
            assert!(drive.sign_in(login, "wrong", address).await.is_err());
            drive.keep_audit_log().await.unwrap();
        }
    }
    drive.note_failed_sign_in(here);
    drive.sign_in("jane", "a password", here).await.unwrap();
    drive.keep_audit_log().await.unwrap();
    // The minute is not over.
    drive.clock().advance_seconds(14);
    assert_eq!(Log::of(drive).await.lines.len(), before);
    drive.clock().advance_seconds(60);
    let log = Log::of(drive).await;
    assert_eq!(
        log.behind(before),
        [
            "unknown sign-in-failed address=192.0.2.7 count=3",
            "unknown sign-in-failed account=1 address=192.0.2.7 count=3",
            "unknown sign-in-failed account=1 address=2001:db8::/64 count=1",
        ]
    );
    assert_eq!(log.lines[before].1.at.0, NOW.0 / 60_000_000 * 60_000_000);
    assert_eq!(world.backend.count(&world.data(), "audit_failures"), 0);
}

#[tokio::test]
async fn two_nodes_make_one_chain() {
    let world = World::new().await;
    let other = open_in(&world.directory, &world.backend).await;
    let mut sent = tokio::task::JoinSet::new();
    for number in 0..60_usize {
        let drive = [&world.drive, &other][number % 2].clone();
        let jane = world.caller.clone();
        sent.spawn(async move {
            let target = new(&format!("{number}.txt"));
            send(&drive, &jane, target, vec![b'x'; 10]).await.unwrap();
            drive.keep_audit_log().await.unwrap();
        });
    }
    sent.join_all().await;
    // Whoever linked last keeps the other from it for a while.
    for drive in [&world.drive, &other] {
        drive.clock().advance_seconds(11);
        drive.keep_audit_log().await.unwrap();
    }
    let (log, of_other) = (Log::of(&world.drive).await, Log::of(&other).await);
    assert_eq!(log.lines, of_other.lines);
    let numbers: Vec<_> = log.lines.iter().map(|(line, ..)| *line).collect();
    assert_eq!(numbers, (1..=62).collect::<Vec<_>>());
    for drive in [&world.drive, &other] {
        let report = drive.verify_audit(&log.links()).await.unwrap();
        assert_eq!(report, AuditReport { lines: 62, unlinked: 0, fault: None });
    }
}

#[tokio::test]
async fn a_log_moves_with_its_store() {
    let (world, log) = logged(25).await;
    world.put("a", b"a").await;
    assert!(world.drive.sign_in("jane", "wrong", Ipv4Addr::LOCALHOST.into()).await.is_err());
    world.drive.keep_audit_log().await.unwrap();
    let backend = Backend::new();
    let directory = tempfile::tempdir().unwrap();
    let mut to = backend.location(directory.path().join("data"));
    to.key_file = Some(world.data().join("master.key"));
    world.drive.migrate(&to, |_, _| {}).await.unwrap();
    let moved = Drive::open(&to, world.drive.clock().clone()).await.unwrap();
    let report = moved.verify_audit(&log.links()).await.unwrap();
    assert_eq!(report, AuditReport { lines: LINES + 1, unlinked: 1, fault: None });
    moved.clock().advance_seconds(70);
    moved.keep_audit_log().await.unwrap();
    let report = moved.verify_audit(&log.links()).await.unwrap();
    assert_eq!(report, AuditReport { lines: LINES + 3, unlinked: 0, fault: None });
    let last = Log::of(&moved).await.behind(LINES as usize + 1);
    assert_eq!(last[0], "command store-copied");
    assert!(last[1].starts_with("unknown sign-in-failed account=1"), "{last:?}");
}

#[tokio::test]
async fn what_was_not_written_is_written_the_next_time() {
    let world = World::embedded().await;
    let file = world.put("a", b"a").await;
    let before = Log::of(&world.drive).await.lines.len();
    let mut upload = world.upload().await;
    upload.write(bytes(10).into()).await.unwrap();
    upload.finish(end("b")).await.unwrap();
    world.drive.disclose_key(&world.caller, &file).unwrap();
    world.drive.note_failed_sign_in(Ipv4Addr::LOCALHOST.into());
    tamper(&world, "alter table audit rename to away");
    assert!(world.drive.keep_audit_log().await.is_err());
    // What cannot be told is not done.
    assert!(world.drive.trash(&world.caller, file.id).await.is_err());
    tamper(&world, "alter table away rename to audit");
    assert!(world.drive.file(&world.caller, file.id).await.unwrap().trashed.is_none());
    world.drive.keep_audit_log().await.unwrap();
    world.drive.clock().advance_seconds(90);
    let told = Log::of(&world.drive).await.behind(before);
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[1].contains("key-disclosed") && told[2].contains("sign-in-failed"), "{told:?}");
}
