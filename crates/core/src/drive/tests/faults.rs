//! Faults of the disk, at every step of an act and of every kind: it is done or it is not, nothing is seen
//! by halves, and what was there before is there.

use super::ground::{ACTS, Act, Ground, Place, fault, files};
use super::power::on_two_threads;
use crate::disk::survivors::Image;
use crate::disk::{Disk, Step};
use crate::drive::Drive;
use crate::error::{Error, Result};
use futures_util::future::Either;
use nix::errno::Errno;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

/// What happens at one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It fails.
    Broken,
    /// There is no room.
    Full,
    /// What makes it ends.
    Panic,
    /// It is made, but later.
    Delay,
}

/// A disk that fails once, at a step of a given number.
#[derive(Clone, Default)]
struct Faulty(Arc<(Mutex<Plan>, Condvar)>);

#[derive(Default)]
struct Plan {
    /// Steps from now to the one that fails, and how it does.
    next: Option<(usize, Kind)>,
    /// The one that failed.
    failed: Option<String>,
    held: bool,
    /// Files and folders whose sync failed.
    doubtful: Vec<String>,
}

impl Faulty {
    fn disk(&self) -> Disk {
        let faulty = self.clone();
        Disk::watched_by(move |step| faulty.make(step))
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.0.0.lock().unwrap()
    }

    fn fail(&self, at: (usize, Kind)) {
        self.plan().next = Some(at);
    }

    fn make(&self, step: Step<'_>) -> io::Result<()> {
        let mut plan = self.plan();
        let shown = format!("{step:.50?}");
        let is_sync = matches!(step, Step::Sync(_) | Step::SyncDirectory(_));
        assert!(!is_sync || !plan.doubtful.contains(&shown), "{shown} is believed after it failed");
        let Some((at, kind)) = &mut plan.next else { return Ok(()) };
        let kind = *kind;
        // A commit that the engine found no room for was not made.
        if *at > 0 || (step, kind) == (Step::Committed, Kind::Full) {
            *at = at.saturating_sub(1);
            return Ok(());
        }
        (plan.next, plan.failed) = (None, Some(shown.clone()));
        if is_sync && matches!(kind, Kind::Broken | Kind::Full) {
            plan.doubtful.push(shown.clone());
        }
        match kind {
            Kind::Broken => Err(Errno::EIO.into()),
            Kind::Full => Err(Errno::ENOSPC.into()),
            Kind::Panic => {
                drop(plan);
                panic!("{shown} panics on purpose")
            }
            Kind::Delay => {
                plan.held = true;
                self.0.1.notify_all();
                drop(self.0.1.wait_while(plan, |plan| plan.held).unwrap());
                Ok(())
            }
        }
    }

    /// Waits until a step is held up.
    async fn is_held(&self) {
        while !self.plan().held {
            tokio::task::yield_now().await;
        }
    }

    fn go_on(&self) {
        self.plan().held = false;
        self.0.1.notify_all();
    }
}

/// Whether a step is one whose failure leaves it unknown what is on the disk.
fn ends_writing(step: &str, kind: Kind) -> bool {
    let sync = step.starts_with("Sync");
    let commit = ["Statement(\"commit\")", "Committed"].contains(&step);
    let checkpoint = step.contains("checkpoint");
    match kind {
        Kind::Broken => sync || commit || checkpoint,
        Kind::Full => sync,
        // Of the catalog's writer, whatever it was at; the sweep empties the log apart from it.
        Kind::Panic => (step.starts_with("Statement") || step == "Committed") && !checkpoint,
        Kind::Delay => false,
    }
}

/// Does something on a disk that fails at a step, and looks at what came of it. False: there is no such step.
async fn one_fault(ground: &Ground, place: &Place, act: Act, at: (usize, Kind)) -> Result<bool> {
    place.lay(ground, &ground.catalog, &ground.image);
    let faulty = Faulty::default();
    let drive = place.open(faulty.disk()).await;
    let before = ground.seen(&drive).await?;
    faulty.fail(at);
    let done = act_on(ground, &drive, act, &faulty).await?;
    let after = ground.seen(&drive).await?;
    let failed = faulty.plan().failed.take();
    let right = match &done {
        Ok(()) => after != before,
        // Deleted, and the sweep behind it failed.
        Err(_) if act == Act::Purge => true,
        Err(Error::Unavailable(_)) if failed.as_deref() == Some("Committed") => true,
        Err(_) => after == before,
    };
    fault(right, || format!("{failed:?}: {done:?}\n{before}\n{after}"))?;
    if let Some(step) = &failed {
        go_on(ground, &drive, step, at.1).await?;
    }
    let last = ground.seen(&drive).await?;
    drop(drive);
    let drive = place.open(Disk::default()).await;
    let again = ground.seen(&drive).await?;
    fault(again == last, || format!("{failed:?}: {last}\nand opened again\n{again}"))?;
    ground.sweep(&drive).await?;
    let image = place.image();
    let (here, named) = (files(&image), place.named());
    fault(here == named, || format!("{failed:?}: objects {here:?}, of files {named:?}"))?;
    let found = drive.verify(None, |_| ()).await?;
    fault(found.damaged.is_empty() && found.catalog.is_empty(), || format!("{found:?}"))?;
    place.left(image);
    Ok(failed.is_some())
}

/// Does something; while a step of it is held up, what was there before is seen, or what comes of it.
async fn act_on(ground: &Ground, drive: &Drive, act: Act, faulty: &Faulty) -> Result<Result<()>> {
    let mut user = ground.user(drive, 3);
    let acting = async {
        match act {
            Act::Upload => user.upload(41_000).await,
            act => user.act(act).await,
        }
    };
    let meanwhile = async {
        faulty.is_held().await;
        let seen = ground.seen(drive).await;
        faulty.go_on();
        seen
    };
    let before = ground.seen(drive).await?;
    match futures_util::future::select(pin!(acting), pin!(meanwhile)).await {
        Either::Left((done, _)) => {
            faulty.go_on();
            Ok(done)
        }
        Either::Right((seen, acting)) => {
            let (seen, done) = (seen?, acting.await);
            fault(done.is_ok(), || format!("a delay is no fault: {done:?}"))?;
            let after = ground.seen(drive).await?;
            fault(seen == before || seen == after, || format!("meanwhile there was {seen}"))?;
            Ok(done)
        }
    }
}

/// After a sync that failed nothing more is written, and after any other fault all goes on.
async fn go_on(ground: &Ground, drive: &Drive, step: &str, kind: Kind) -> Result<()> {
    let ended = drive.may_write().is_err();
    fault(ended == ends_writing(step, kind), || format!("{step} {kind:?}: ended {ended}"))?;
    let mut user = ground.user(drive, 1);
    let more = [user.upload(30_000).await, user.upload(30).await];
    let refused = |done: &Result<()>| matches!(done, Err(Error::Unavailable(_)));
    let right = more.iter().all(|done| if ended { refused(done) } else { done.is_ok() });
    fault(right, || format!("{step} {kind:?}: then {more:?}"))
}

fn all_faults(kind: Kind) {
    let faults = AtomicUsize::new(0);
    on_two_threads(ACTS.len(), async |ground, [place, _], number| {
        let act = ACTS[number];
        for at in 0.. {
            let found = one_fault(ground, place, act, (at, kind)).await;
            if !found.unwrap_or_else(|error| panic!("{act:?} {at} {kind:?}: {error}")) {
                break;
            }
            faults.fetch_add(1, Ordering::Relaxed);
        }
    });
    let faults = faults.into_inner();
    println!("{faults} faults");
    assert!(faults > 70, "{faults}");
}

#[test]
fn a_step_that_fails_is_told_and_leaves_nothing() {
    all_faults(Kind::Broken);
}

#[test]
fn a_step_without_room_is_told_and_leaves_nothing() {
    all_faults(Kind::Full);
}

#[test]
fn a_step_that_panics_is_told_and_leaves_nothing() {
    all_faults(Kind::Panic);
}

#[test]
fn a_step_that_is_late_is_waited_for_and_holds_up_no_reader() {
    all_faults(Kind::Delay);
}

/// A start that fails has done no harm, and the next one makes what is missing.
#[test]
fn a_first_start_that_fails_can_be_made_again() {
    on_two_threads(2, async |ground, [place, _], number| {
        let kind = [Kind::Broken, Kind::Full][number];
        // A folder here and there, and then each step.
        let steps = (0..250).step_by(61).chain(250..);
        for at in steps {
            place.lay(ground, &ground.emptied, &Image::new());
            let faulty = Faulty::default();
            faulty.fail((at, kind));
            let started = place.try_open(faulty.disk()).await;
            let Some(step) = faulty.plan().failed.take() else { break };
            assert!(started.is_err(), "{step} {kind:?}");
            drop(started);
            let drive = place.open(Disk::default()).await;
            ground.user(&drive, 0).upload(30_000).await.unwrap();
            drop(drive);
            place.left(place.image());
        }
    });
}
