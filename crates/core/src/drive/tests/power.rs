//! Power cuts. The steps of a store are noted while it works; for each of them a store is laid down as a
//! cut there may have left it, opened, and found to hold all that was acknowledged, and nothing by halves.

use super::ground::{ACTS, Act, Catalog, Ground, OBJECT_MAX, Place, fault};
use super::world::NOW;
use crate::clock::Clock;
use crate::disk::survivors::{Image, LeftOut, Numbers, Survivors};
use crate::disk::{Disk, Step};
use crate::error::Result;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// Cuts in the middle of random work, in each run of the tests. All of them: `scripts/power-proof`.
const CUTS: usize = 2_000;
/// Cuts of one store, one after the other.
const CUTS_IN_A_ROW: usize = 10;
/// Steps of the disk up to a cut, at most.
const STEPS: usize = 30;

/// A moment, and what is durable then.
#[derive(Clone)]
struct Cut {
    /// Acts that were acknowledged.
    done: usize,
    before: String,
    disk: Survivors,
    catalog: Arc<Catalog>,
}

/// The steps of one store as they are made. A commit of the catalog is one step, durable or not.
#[derive(Clone)]
pub(super) struct Tape(Arc<Mutex<Noted>>);

pub(super) struct Noted {
    data: PathBuf,
    disk: Survivors,
    catalog: Option<Arc<Catalog>>,
    done: usize,
    cuts: Vec<Cut>,
    /// Steps that are let pass before cuts are noted; `None`: until it is told.
    skip: Option<usize>,
    most: usize,
}

impl Tape {
    /// Of a store in a directory, of which all is sure.
    fn new(data: &Path, image: &Image) -> Self {
        Tape::on(data, Survivors::new(data, image))
    }

    fn on(data: &Path, disk: Survivors) -> Self {
        let (data, cuts) = (data.to_owned(), Vec::new());
        let noted =
            Noted { data, disk, catalog: None, done: 0, cuts, skip: None, most: usize::MAX };
        Tape(Arc::new(Mutex::new(noted)))
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap()
    }

    /// Notes up to `most` cuts behind `skip` more steps.
    fn run(&self, skip: usize, most: usize) {
        let mut noted = self.noted();
        (noted.skip, noted.most) = (Some(skip), most);
    }

    fn disk(&self) -> Disk {
        let tape = self.clone();
        Disk::watched_by(move |step| {
            tape.noted().make(step);
            Ok(())
        })
    }

    /// The directory as the store has left it.
    pub(super) fn image(&self) -> Image {
        self.noted().disk.now()
    }

    fn acknowledge(&self) {
        self.noted().done += 1;
    }

    fn is_cut(&self) -> bool {
        !self.noted().cuts.is_empty()
    }

    /// All cuts, the last of them behind everything.
    fn end(self) -> Vec<Cut> {
        let mut noted = self.noted();
        if noted.cuts.len() < noted.most {
            noted.skip = Some(0);
            noted.cut("the end".into());
        }
        std::mem::take(&mut noted.cuts)
    }
}

impl Noted {
    fn make(&mut self, step: Step<'_>) {
        match step {
            Step::Committed => self.catalog = None,
            Step::Statement(sql) if sql != "commit" => {}
            step => {
                self.cut(format!("{step:.40?}"));
                self.disk.make(step);
            }
        }
    }

    fn cut(&mut self, before: String) {
        match &mut self.skip {
            Some(0) if self.cuts.len() < self.most => {
                let data = &self.data;
                let catalog = self.catalog.get_or_insert_with(|| Arc::new(Catalog::of(data)));
                let (disk, catalog) = (self.disk.clone(), Arc::clone(catalog));
                self.cuts.push(Cut { done: self.done, before, disk, catalog });
            }
            Some(0) | None => {}
            Some(left) => *left -= 1,
        }
    }
}

/// Lays a store down and works on it; the cuts, and what was seen before the acts and behind each.
async fn work(
    ground: &Ground,
    place: &Place,
    acts: &[Act],
    left_out: Option<LeftOut>,
) -> (Vec<Cut>, Vec<String>) {
    place.lay(ground, &ground.catalog, &ground.image);
    let disk = Survivors::new(&place.data, &ground.image).without(left_out);
    let tape = Tape::on(&place.data, disk);
    let drive = place.open(tape.disk()).await;
    tape.run(0, usize::MAX);
    let mut seen = vec![ground.seen(&drive).await.unwrap()];
    let seed = acts.iter().fold(0, |seed, act| seed * 8 + *act as u64);
    let mut user = ground.user(&drive, seed);
    for act in acts {
        user.try_act(*act).await.unwrap();
        tape.acknowledge();
        seen.push(ground.seen(&drive).await.unwrap());
    }
    drop(drive);
    place.left(tape.image());
    (tape.end(), seen)
}

/// Opens what a cut may have left: what was being done is done or not, and all else is as it was.
async fn recover(
    ground: &Ground,
    place: &Place,
    (cut, seen): (&Cut, &[String]),
    seed: u64,
) -> Result<()> {
    let image = cut.disk.cut(seed);
    place.lay(ground, &cut.catalog, &image);
    let tape = Tape::new(&place.data, &image);
    let drive = place.open(tape.disk()).await;
    let possible = &seen[cut.done..seen.len().min(cut.done + 2)];
    let recovered = async {
        let found = ground.seen(&drive).await?;
        fault(possible.contains(&found), || format!("{found}\nis none of\n{possible:#?}"))?;
        ground.check(&drive, place, &tape).await
    };
    let recovered = recovered.await;
    drop(drive);
    place.left(tape.image());
    recovered
}

fn sequences(longest: usize) -> Vec<Vec<Act>> {
    let mut all = vec![Vec::new()];
    let mut last = all.clone();
    for _ in 0..longest {
        let longer = |acts: &Vec<Act>| ACTS.map(|act| [&acts[..], &[act]].concat());
        last = last.iter().flat_map(longer).collect();
        all.extend(last.clone());
    }
    all.split_off(1)
}

/// Runs each case on one of two threads, each with a ground and two places of its own.
pub(super) fn on_two_threads(cases: usize, case: impl AsyncFn(&Ground, [&Place; 2], usize) + Sync) {
    let next = AtomicUsize::new(0);
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (ground, places) = (Ground::new().await, [Place::new(), Place::new()]);
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= cases {
                    break;
                }
                case(&ground, [&places[0], &places[1]], number).await;
            }
        });
    };
    std::thread::scope(|threads| {
        threads.spawn(work);
        threads.spawn(work);
    });
}

#[test]
fn a_cut_after_any_step_of_any_three_acts_loses_nothing() {
    let (all, cuts) = (sequences(3), AtomicUsize::new(0));
    assert_eq!(all.len(), 584);
    on_two_threads(all.len(), async |ground, [place, recovered], number| {
        let (noted, seen) = work(ground, place, &all[number], None).await;
        if number % 50 == 0 {
            assert_eq!(place.image(), noted.last().unwrap().disk.now(), "the model and the disk");
        }
        for cut in &noted {
            let seed = cuts.fetch_add(1, Ordering::Relaxed) as u64;
            let found = recover(ground, recovered, (cut, &seen), seed).await;
            assert!(
                found.is_ok(),
                "{:?} before {} seed {seed}: {found:?}",
                all[number],
                cut.before
            );
        }
    });
    println!("{} cuts of {} sequences", cuts.into_inner(), all.len());
}

/// Random work on one store, which is cut off again and again: in the middle of an act, or of the sweep that
/// clears up behind the cut before.
async fn many_cuts(ground: &Ground, place: &Place, seed: u64) -> Result<()> {
    let (mut numbers, clock) = (Numbers(seed), Clock::fixed(NOW));
    let object_max = if seed % 8 == 7 { 1 << 20 } else { OBJECT_MAX };
    let (mut catalog, mut image) = (Arc::new(ground.catalog.clone()), ground.image.clone());
    let mut possible = Vec::new();
    for _ in 0..CUTS_IN_A_ROW {
        place.lay(ground, &catalog, &image);
        let tape = Tape::new(&place.data, &image);
        let drive = place.open_at(tape.disk(), &clock, object_max).await;
        let mut before = ground.seen(&drive).await?;
        fault(possible.is_empty() || possible.contains(&before), || {
            format!("{before}\nis none of\n{possible:#?}")
        })?;
        if numbers.below(4) == 0 {
            ground.check(&drive, place, &tape).await?;
        }
        tape.run(numbers.below(STEPS), 1);
        let mut user = ground.user(&drive, numbers.below(usize::MAX) as u64);
        possible = loop {
            match numbers.below(ACTS.len() + 1) {
                act if act < ACTS.len() => user.try_act(ACTS[act]).await?,
                _ => ground.sweep(&drive).await?,
            }
            let after = ground.seen(&drive).await?;
            if tape.is_cut() {
                break vec![before, after];
            }
            before = after;
        };
        drop(drive);
        place.left(tape.image());
        let cut = tape.end().remove(0);
        catalog = cut.catalog;
        image = cut.disk.cut(numbers.below(usize::MAX) as u64);
    }
    place.lay(ground, &catalog, &image);
    let tape = Tape::new(&place.data, &image);
    let drive = place.open_at(tape.disk(), &clock, object_max).await;
    let checked = ground.check(&drive, place, &tape).await;
    drop(drive);
    place.left(tape.image());
    checked
}

#[test]
fn random_cuts_of_random_work_lose_nothing() {
    let cuts = std::env::var("BINDERY_TEST_POWER_CUTS").map_or(CUTS, |cuts| cuts.parse().unwrap());
    on_two_threads(cuts / CUTS_IN_A_ROW, async |ground, [place, _], number| {
        let found = many_cuts(ground, place, number as u64).await;
        assert!(found.is_ok(), "seed {number}: {found:?}");
    });
}

/// Cuts of a few acts on a disk that leaves out a sync, until one of them shows.
async fn shows(ground: &Ground, places: [&Place; 2], left_out: Option<LeftOut>) -> bool {
    // Of two files one has objects.
    for acts in [[Act::Upload, Act::Upload], [Act::Purge, Act::Purge]] {
        let (noted, seen) = work(ground, places[0], &acts, left_out).await;
        for cut in &noted {
            for seed in 0..8 {
                if recover(ground, places[1], (cut, &seen), seed).await.is_err() {
                    return true;
                }
            }
        }
    }
    false
}

#[test]
fn a_sync_that_is_left_out_shows() {
    on_two_threads(1, async |ground, places, _| {
        for left_out in [LeftOut::Content, LeftOut::Named, LeftOut::Removed] {
            assert!(shows(ground, places, Some(left_out)).await, "{left_out:?}");
        }
        assert!(!shows(ground, places, None).await);
    });
}

/// A store's first start, and an upload; `killed`: one that was killed before had made the folders.
async fn first_start(
    ground: &Ground,
    places: [&Place; 2],
    left_out: Option<LeftOut>,
    killed: bool,
) -> Result<()> {
    let nothing = Image::new();
    places[0].lay(ground, &ground.emptied, &nothing);
    let mut disk = Survivors::new(&places[0].data, &nothing).without(left_out);
    if killed {
        let folders = ground.image.iter().filter(|(_, content)| content.is_none());
        for (folder, _) in folders {
            let folder = places[0].data.join(folder);
            std::fs::create_dir(&folder).unwrap();
            disk.make(Step::MakeDirectory(&folder));
        }
    }
    let tape = Tape::on(&places[0].data, disk);
    tape.run(0, usize::MAX);
    let drive = places[0].open(tape.disk()).await;
    let mut seen = vec![ground.seen(&drive).await?];
    ground.user(&drive, 0).upload(41_000).await?;
    tape.acknowledge();
    seen.push(ground.seen(&drive).await?);
    drop(drive);
    places[0].left(tape.image());
    let cuts = tape.end();
    for (seed, cut) in cuts.iter().enumerate().rev() {
        recover(ground, places[1], (cut, &seen), seed as u64).await?;
    }
    println!("{} cuts of a first start", cuts.len());
    Ok(())
}

#[test]
fn a_cut_in_the_first_start_loses_nothing() {
    on_two_threads(1, async |ground, places, _| {
        for killed in [false, true] {
            first_start(ground, places, None, killed).await.unwrap();
            for left_out in [LeftOut::Root, LeftOut::Folders] {
                let found = first_start(ground, places, Some(left_out), killed).await;
                assert!(found.is_err(), "{left_out:?} {killed}");
            }
        }
    });
}
