//! Looking at files: one, or a page of many.

use super::Drive;
use crate::access::{Caller, grant_with_readers, identify};
use crate::catalog::conn::Tx;
use crate::catalog::files::File;
use crate::catalog::names::{self, Compared};
use crate::catalog::pages::{self, FileSet, Key, OrderBy, Run, Start, check_key};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::name::fold;
use crate::node::{FileRef, Seen};

/// Files on a page from which on it takes long enough to let others run elsewhere.
pub(super) const LONG_PAGE: u64 = 500;

/// Which page a caller asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageNumber {
    /// Counted from 1.
    Number(u64),
    /// The last one.
    Last,
}

/// A page beside another one: its number, and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The page's number, from 1.
    pub page: u64,
    /// The file that the page follows or comes before; the first page has none.
    pub key: Option<Beside>,
}

/// On which side of a file a page lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beside {
    /// The page begins behind this file.
    Behind(Key),
    /// The page ends before this file.
    Before(Key),
}

/// A list of files to be shown page by page.
#[derive(Clone, Debug)]
pub struct List {
    /// Which files.
    pub set: FileSet,
    /// In which order.
    pub by: OrderBy,
    /// Whether the greatest comes first.
    pub descending: bool,
    /// Only names that contain this, without regard to case.
    pub search: Option<String>,
    /// Which page.
    pub page: PageNumber,
    /// Where the page lies, if a neighbour told.
    pub beside: Option<Beside>,
    /// Files on a page, at least 1.
    pub size: u64,
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct ListPage {
    /// How many files the whole list holds.
    pub count: u64,
    /// The files of this page.
    pub files: Vec<File>,
    /// The page before, if there is one.
    pub previous: Option<Cursor>,
    /// The page behind, if there is one.
    pub next: Option<Cursor>,
}

impl Drive {
    /// A file, if the caller may see it.
    pub async fn file(&self, caller: &Caller, file: impl Into<FileRef>) -> Result<Seen<File>> {
        let now = self.now();
        let input = (caller.clone(), now, file.into());
        let file = self
            .catalog()
            .look_up(&input, |tx, (caller, now, file)| {
                Box::pin(async move {
                    Ok(grant_with_readers(tx, caller, *now, *file).await?.into_seen())
                })
            })
            .await?;
        self.note_use(caller, now);
        Ok(file)
    }

    /// A page of the files that the caller owns, or that others share with the caller.
    pub async fn list(&self, caller: &Caller, list: List) -> Result<ListPage> {
        let now = self.now();
        let long = list.search.is_some() || list.size > LONG_PAGE;
        let input = (caller.clone(), now, list);
        let catalog = self.catalog();
        let page = if long {
            catalog.scan(&input, |tx, input| Box::pin(page(tx, input))).await?
        } else if matches!(input.2.way(), Way::Counted) {
            catalog.read(&input, |tx, input| Box::pin(page(tx, input))).await?
        } else {
            catalog.look_up(&input, |tx, input| Box::pin(page(tx, input))).await?
        };
        self.note_use(caller, now);
        Ok(page)
    }
}

async fn page(tx: &mut Tx<'_>, input: &(Caller, Time, List)) -> Result<ListPage> {
    let (caller, now, list) = input;
    let pattern = list.search.as_deref().map(|text| pages::pattern(&fold(text)));
    let mut candidates = None;
    if let Some(pattern) = &pattern {
        // Nobody is looked for on behalf of a stranger.
        identify(tx, caller, *now).await?;
        candidates = names::candidates(tx, pattern, Compared::Names).await?;
    }
    let run = Run {
        caller,
        now: *now,
        set: list.set,
        by: list.by,
        descending: list.descending,
        pattern: pattern.as_deref(),
        candidates: candidates.as_deref(),
    };
    match list.way() {
        Way::Beside(beside) => page_beside(tx, &run, list, beside).await,
        Way::Forward(number) => page_forward(tx, &run, list, number).await,
        Way::Counted => page_counted(tx, &run, list).await,
    }
}

/// How a page is found.
enum Way<'a> {
    /// By its neighbour's key: one look-up, wherever it lies.
    Beside(&'a Beside),
    /// By its number, from the beginning: one look-up, of the first page, or of a list without an index.
    Forward(u64),
    /// By its number, from the nearer end, which the count tells first.
    Counted,
}

impl List {
    fn way(&self) -> Way<'_> {
        let is_indexed = self.set == FileSet::Owned && self.search.is_none();
        match (&self.beside, self.page) {
            (Some(beside), _) => Way::Beside(beside),
            (None, PageNumber::Number(number)) if number <= 1 || !is_indexed => {
                Way::Forward(number)
            }
            (None, _) => Way::Counted,
        }
    }

    /// The number of the last page.
    fn last(&self, count: u64) -> u64 {
        count.div_ceil(self.size).max(1)
    }

    /// The number of the page, of a list of so many files.
    fn number(&self, count: u64) -> u64 {
        match self.page {
            PageNumber::Last => self.last(count),
            PageNumber::Number(number) => number,
        }
    }
}

async fn shown(
    tx: &mut Tx<'_>,
    run: &Run<'_>,
    start: Start,
    limit: u64,
) -> Result<(u64, Vec<File>)> {
    pages::page(tx, run, &start, limit).await?.ok_or(Error::Unauthenticated)
}

async fn page_beside(
    tx: &mut Tx<'_>,
    run: &Run<'_>,
    list: &List,
    beside: &Beside,
) -> Result<ListPage> {
    let (key, run, backwards) = match beside {
        Beside::Behind(key) => (key, *run, false),
        Beside::Before(key) => (key, reversed(run), true),
    };
    if let Err(misfit) = check_key(key, list.by) {
        identify(tx, run.caller, run.now).await?;
        return Err(misfit);
    }
    // One more than is shown tells whether there is another page.
    let limit = list.size.saturating_add(1);
    let (count, mut files) = shown(tx, &run, Start::Behind(key.clone()), limit).await?;
    let more = files.len() as u64 > list.size;
    files.truncate(usize::try_from(list.size).unwrap_or(usize::MAX));
    if backwards {
        files.reverse();
    }
    let has_next = more || backwards;
    Ok(with_neighbours(list, (count, list.number(count)), files, has_next))
}

async fn page_forward(
    tx: &mut Tx<'_>,
    run: &Run<'_>,
    list: &List,
    number: u64,
) -> Result<ListPage> {
    let begin = number.saturating_sub(1).saturating_mul(list.size);
    let (count, files) = shown(tx, run, Start::At(begin), list.size).await?;
    if number == 0 || number > list.last(count) {
        return Err(Error::NoSuchPage);
    }
    let has_next = begin.saturating_add(files.len() as u64) < count;
    Ok(with_neighbours(list, (count, number), files, has_next))
}

async fn page_counted(tx: &mut Tx<'_>, run: &Run<'_>, list: &List) -> Result<ListPage> {
    let (count, _) = shown(tx, run, Start::At(0), 0).await?;
    let number = list.number(count);
    if number > list.last(count) {
        return Err(Error::NoSuchPage);
    }
    let span = Span::new((number - 1).saturating_mul(list.size), list.size, count);
    let files = match span.skipped() {
        Skipped::Before(before) => shown(tx, run, Start::At(before), span.shown).await?.1,
        Skipped::Behind(behind) => {
            let mut files = shown(tx, &reversed(run), Start::At(behind), span.shown).await?.1;
            files.reverse();
            files
        }
    };
    Ok(with_neighbours(list, (count, number), files, span.behind > 0))
}

/// A part of a list whose length is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    before: u64,
    pub(super) shown: u64,
    pub(super) behind: u64,
}

/// What is counted to come to a part: what lies between it and the nearer end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Skipped {
    Before(u64),
    Behind(u64),
}

impl Span {
    /// Up to `size` of `count`, from one on.
    pub(super) fn new(begin: u64, size: u64, count: u64) -> Self {
        let before = begin.min(count);
        let shown = size.min(count - before);
        Span { before, shown, behind: count - before - shown }
    }

    pub(super) fn skipped(&self) -> Skipped {
        if self.before <= self.behind {
            Skipped::Before(self.before)
        } else {
            Skipped::Behind(self.behind)
        }
    }
}

fn with_neighbours(
    list: &List,
    (count, number): (u64, u64),
    files: Vec<File>,
    has_next: bool,
) -> ListPage {
    let key = |file: Option<&File>| file.map(|file| pages::key(file, list.by));
    let next = has_next.then(|| Cursor {
        page: number.saturating_add(1),
        key: key(files.last()).map(Beside::Behind),
    });
    let previous = (number > 1).then(|| Cursor {
        page: number - 1,
        // The first page is where the list begins, whatever came meanwhile.
        key: key(files.first()).filter(|_| number > 2).map(Beside::Before),
    });
    ListPage { count, files, previous, next }
}

fn reversed<'a>(run: &Run<'a>) -> Run<'a> {
    Run { descending: !run.descending, ..*run }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(list: impl Iterator<Item = u64>, skipped: u64, shown: u64) -> Vec<u64> {
        let [skipped, shown] = [skipped, shown].map(|n| usize::try_from(n).unwrap());
        list.skip(skipped).take(shown).collect()
    }

    proptest! {
        #[test]
        fn a_part_is_counted_from_the_nearer_end(
            (begin, size, count) in (0..99_u64, 0..99_u64, 0..99_u64)
        ) {
            let span = Span::new(begin, size, count);
            let (skipped, shown) = match span.skipped() {
                Skipped::Before(before) => (before, cut(0..count, before, span.shown)),
                Skipped::Behind(behind) => {
                    let mut shown = cut((0..count).rev(), behind, span.shown);
                    shown.reverse();
                    (behind, shown)
                }
            };
            prop_assert_eq!(shown, cut(0..count, begin, size));
            prop_assert_eq!(span.behind, count.saturating_sub(begin + size));
            prop_assert!(skipped <= count / 2);
        }
    }
}
