//! A log that someone wrote to, and copies of it: the first line that shows it is named.

use super::*;

/// Changes the catalog behind the store's back.
pub(super) fn tamper(world: &World, statements: &str) {
    match &world.backend.server {
        None => embedded(&world.data()).execute_batch(statements).unwrap(),
        Some((server, name)) => {
            let statements = statements.to_owned();
            on_server(server, name, move |client| async move {
                client.batch_execute(&statements).await.unwrap();
            });
        }
    }
}

/// A store whose log has this many lines, in pieces that were linked one after the other.
pub(super) async fn logged(lines: usize) -> (World, Log) {
    let world = World::new().await;
    for line in 3..lines {
        let at = Some((line * 7) as u64);
        world.drive.set_quota("jane", at).await.unwrap();
        if line % 4 == 0 {
            world.drive.keep_audit_log().await.unwrap();
            world.drive.clock().advance_seconds(20);
        }
    }
    world.drive.set_quota("jane", None).await.unwrap();
    let log = Log::of(&world.drive).await;
    assert_eq!(log.lines.len(), lines);
    assert!(log.checkpoints.len() > 2);
    (world, log)
}

pub(super) const LINES: u64 = 25;

async fn found(world: &World, known: &[(u64, AuditLink)]) -> Option<(u64, Tampering)> {
    let report = world.drive.verify_audit(known).await.unwrap();
    if let Some(fault) = &report.fault {
        assert!(report.lines < fault.line.max(1) || fault.line == LINES, "{report:?}");
        // What was tampered with is not handed out as if it were not.
        let exported = world.drive.export_audit(None, |_| ControlFlow::Continue(())).await;
        assert!(exported.is_err() || !known.is_empty());
    }
    report.fault.map(|fault| (fault.line, fault.what))
}

#[tokio::test]
async fn a_line_that_is_changed_or_dropped_is_named() {
    let (world, log) = logged(25).await;
    assert_eq!(found(&world, &[]).await, None);
    let numbers = "create table kept as select * from audit; \
        create table kept_links as select * from audit_links;";
    tamper(&world, numbers);
    let restore = "delete from audit; insert into audit select * from kept; \
        delete from audit_links; insert into audit_links select * from kept_links;";
    for line in 1..=LINES {
        let event = format!("(select event from kept_links where seq = {line})");
        let changed = Some((line, Tampering::Changed));
        let dropped = Some((line, Tampering::Dropped));
        for (statement, expected) in [
            (format!("update audit set act = 'file-moved' where id = {event}"), changed),
            (format!("update audit set actor = 'nobody' where id = {event}"), changed),
            (format!("update audit set user_id = 77 where id = {event}"), changed),
            (format!("update audit set at = at + 1 where id = {event}"), changed),
            (format!("update audit set details = 'a=1' where id = {event}"), changed),
            (format!("update audit_links set proof = '' where seq = {line}"), changed),
            (format!("update audit_links set event = event + 1000 where seq = {line}"), dropped),
            (format!("delete from audit where id = {event}"), dropped),
        ] {
            tamper(&world, &statement);
            assert_eq!(found(&world, &[]).await, expected, "{statement}");
            tamper(&world, restore);
        }
        let mut statements = vec![(
            format!("delete from audit_links where seq = {line}"),
            if line == LINES { Tampering::CutOff } else { Tampering::Dropped },
        )];
        // The next line in its place, and both numbers exchanged.
        if line < LINES {
            statements.push((
                format!(
                    "delete from audit_links where seq = {line}; \
                     update audit_links set seq = {line} where seq = {}",
                    line + 1
                ),
                Tampering::Changed,
            ));
            statements.push((
                format!(
                    "update audit_links set event = -event where seq in ({line}, {0}); \
                     update audit_links set event = (select event from kept_links \
                     where seq = 2 * {line} + 1 - audit_links.seq) where seq in ({line}, {0})",
                    line + 1
                ),
                Tampering::Changed,
            ));
        }
        for (statement, what) in statements {
            tamper(&world, &statement);
            assert_eq!(found(&world, &[]).await, Some((line, what)), "{statement}");
            tamper(&world, restore);
        }
    }
    assert_eq!(found(&world, &log.links()).await, None);
}

#[tokio::test]
async fn an_end_that_is_cut_off_is_named() {
    let (world, log) = logged(25).await;
    for keep in (0..LINES).rev() {
        let cut = format!(
            "delete from audit where id in (select event from audit_links where seq > {keep}); \
             delete from audit_links where seq > {keep}; \
             delete from audit_checkpoints where seq > {keep};"
        );
        tamper(&world, &cut);
        let expected = Some((keep + 1, Tampering::CutOff));
        assert_eq!(found(&world, &[]).await, expected);
        // A head that says less has to be signed as a head.
        let forged = format!(
            "create table head as select * from audit_head; update audit_head set seq = {keep}, \
             at = coalesce((select max(at) from audit_checkpoints), at), \
             link = coalesce((select link from audit_checkpoints order by seq desc limit 1), link), \
             signature = coalesce((select signature from audit_checkpoints order by seq desc limit 1), \
             signature);"
        );
        tamper(&world, &forged);
        assert_eq!(found(&world, &[]).await, Some((keep, Tampering::End)));
        let refused = world.drive.link_events().await;
        world.drive.set_quota("jane", None).await.unwrap();
        assert!(refused.is_ok() && world.drive.link_events().await.is_err());
        let back = "delete from audit_head; insert into audit_head select * from head; \
            drop table head; delete from audit where id > (select event from audit_head);";
        tamper(&world, back);
        assert_eq!(found(&world, &[]).await, expected);
    }
    // All of it, and nothing left that says so: another copy does.
    let all = "delete from audit; delete from audit_head;";
    tamper(&world, all);
    assert_eq!(found(&world, &[]).await, None);
    assert_eq!(found(&world, &log.links()).await, Some((1, Tampering::CutOff)));
}

#[tokio::test]
async fn an_older_catalog_is_found_by_a_copy_of_the_log() {
    let (world, log) = logged(25).await;
    // As if the catalog had been put back to where it was, and had gone on from there.
    let head = "create table head as select * from audit_head";
    tamper(&world, head);
    for bytes in 0..5 {
        world.drive.set_quota("jane", Some(bytes)).await.unwrap();
    }
    let later = Log::of(&world.drive).await;
    let back = format!(
        "delete from audit where id in (select event from audit_links where seq > {LINES}); \
         delete from audit_links where seq > {LINES}; \
         delete from audit_checkpoints where seq > {LINES}; \
         delete from audit_head; insert into audit_head select * from head;"
    );
    tamper(&world, &back);
    assert_eq!(found(&world, &[]).await, None);
    assert_eq!(found(&world, &later.links()).await, Some((LINES + 1, Tampering::CutOff)));
    world.drive.set_quota("jane", Some(77)).await.unwrap();
    world.drive.keep_audit_log().await.unwrap();
    assert_eq!(found(&world, &later.links()).await, Some((LINES + 1, Tampering::Changed)));
    assert_eq!(found(&world, &log.links()).await, None);
}

#[tokio::test]
async fn an_end_that_is_changed_is_named() {
    let (world, _) = logged(25).await;
    tamper(&world, "create table kept as select * from audit_head");
    for statement in [
        "delete from audit_head",
        "update audit_head set seq = 20",
        "update audit_head set seq = 30",
        "update audit_head set seq = -1",
        "update audit_head set event = event + 1",
        "update audit_head set at = at + 1",
        "update audit_head set link = signature",
        "update audit_head set master_key = 'other'",
        "update audit_head set signature = link",
    ] {
        tamper(&world, statement);
        assert_eq!(found(&world, &[]).await, Some((LINES, Tampering::End)), "{statement}");
        let back = "delete from audit_head; insert into audit_head select * from kept;";
        tamper(&world, back);
    }
    let added = "insert into audit_links select seq + 1, event, master_key, proof from audit_links \
        where seq = 25";
    tamper(&world, added);
    assert_eq!(found(&world, &[]).await, Some((LINES + 1, Tampering::Added)));
}

#[tokio::test]
async fn checkpoints_are_what_was_signed() {
    let (world, log) = logged(25).await;
    let made: Vec<_> = log.checkpoints[..log.checkpoints.len() - 1].iter().collect();
    assert!(made.len() >= 2);
    for checkpoint in made {
        let line = checkpoint.line;
        for change in ["at = at + 1", "link = link_of_none", "signature = link_of_none"] {
            let set =
                change.replace("link_of_none", "(select proof from audit_links where seq = 1)");
            let statement = format!(
                "create table kept as select * from audit_checkpoints; \
                 update audit_checkpoints set {set} where seq = {line}"
            );
            tamper(&world, &statement);
            assert_eq!(found(&world, &[]).await, Some((line, Tampering::Checkpoint)), "{change}");
            let back = "delete from audit_checkpoints; \
                insert into audit_checkpoints select * from kept; drop table kept;";
            tamper(&world, back);
        }
    }
    assert_eq!(found(&world, &[]).await, None);
}

/// What a reader of an exported log finds, who has no more than the public keys.
fn read(records: &[Record], keys: &AuditKeys) -> Result<u64, (u64, Tampering)> {
    let mut chain = AuditChain::default();
    let found = records.iter().try_for_each(|record| match record {
        Record::Line(line, event, link) => {
            chain.take(*line, event)?;
            chain.compare(link)
        }
        Record::Checkpoint(made) => chain.checkpoint(made, keys),
    });
    found
        .and_then(|()| chain.end())
        .map(|()| chain.line())
        .map_err(|fault| (fault.line, fault.what))
}

#[derive(Clone)]
enum Record {
    Line(u64, AuditEvent, AuditLink),
    Checkpoint(AuditCheckpoint),
}

async fn records(drive: &Drive, since: Option<bindery_core::Time>) -> Vec<Record> {
    let mut records = Vec::new();
    let taken = drive.export_audit(since, |record| {
        records.push(match record {
            AuditRecord::Line(line, event, link) => Record::Line(line, event.clone(), link),
            AuditRecord::Checkpoint(made) => Record::Checkpoint(made.clone()),
        });
        ControlFlow::Continue(())
    });
    taken.await.unwrap();
    records
}

#[tokio::test]
async fn an_exported_log_is_verified_with_the_public_key_alone() {
    let (world, _) = logged(25).await;
    let keys = world.drive.audit_keys();
    let keys = AuditKeys::parse(keys.to_string().lines()).unwrap();
    let all = records(&world.drive, None).await;
    assert_eq!(read(&all, &keys), Ok(LINES));
    let begin = NOW.plus_seconds(70);
    let part = records(&world.drive, Some(begin)).await;
    assert!(part.len() < all.len() && matches!(part[0], Record::Checkpoint(_)));
    assert_eq!(read(&part, &keys), Ok(LINES));

    for at in 0..all.len() {
        let mut cut = all.clone();
        cut.remove(at);
        match &all[at] {
            Record::Line(line, ..) => {
                assert_eq!(read(&cut, &keys), Err((*line, Tampering::Dropped)));
                let mut changed = all.clone();
                let Record::Line(_, event, _) = &mut changed[at] else { unreachable!() };
                event.details.push('7');
                assert_eq!(read(&changed, &keys), Err((*line, Tampering::Changed)));
                // Whoever makes all links anew fails at the next checkpoint.
                let mut chain = AuditChain::default();
                for record in &mut changed {
                    if let Record::Line(line, event, link) = record {
                        *link = chain.take(*line, event).unwrap();
                    }
                }
                let (first, what) = read(&changed, &keys).unwrap_err();
                let Tampering::ChangedUpTo(last) = what else { panic!("{what:?}") };
                assert!(first <= *line && *line <= last, "{first} {line} {last}");
            }
            Record::Checkpoint(made) if made.is_end => {
                assert_eq!(read(&cut, &keys), Err((LINES + 1, Tampering::CutOff)));
            }
            Record::Checkpoint(_) => assert_eq!(read(&cut, &keys), Ok(LINES)),
        }
        // Wherever it is cut, and a checkpoint is no end.
        let lines = all[..at].iter().filter(|record| matches!(record, Record::Line(..))).count();
        let cut_off = Err((lines as u64 + 1, Tampering::CutOff));
        assert_eq!(read(&all[..at], &keys), cut_off, "{at}");
    }
    let stranger = World::new().await;
    let fault = read(&all, &stranger.drive.audit_keys()).unwrap_err();
    assert!(matches!(fault, (_, Tampering::UnknownKey)), "{fault:?}");
}
