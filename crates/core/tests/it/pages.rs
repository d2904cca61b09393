//! A list that is read page by page while it changes: a file that stays is seen exactly once.

use crate::world::{World, end, person};
use bindery_core::{Caller, Change, Cursor, FileId, FileSet, List, ListPage, OrderBy, PageNumber};
use std::collections::HashMap;

const FILES: usize = 40;
const ON_A_PAGE: u64 = 7;

/// Numbers that are the same on each run (xorshift, Marsaglia 2003).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

struct Shelf {
    world: World,
    reader: Caller,
    numbers: Numbers,
    /// Files that may be put in the trash, and whether they are there.
    others: Vec<(FileId, bool)>,
}

impl Shelf {
    async fn new(seed: u64) -> Self {
        let world = World::new().await;
        let reader = person(&world.drive, "joe").await;
        Shelf { world, reader, numbers: Numbers(seed), others: Vec::new() }
    }

    /// A file with a name and a size out of few, so that many are equal; shared with the reader.
    async fn add(&mut self) -> FileId {
        let name = format!("case {}.dat", self.numbers.below(6));
        let content = vec![b'x'; self.numbers.below(4)];
        // Some are sent at the same time.
        self.world.drive.clock().advance_seconds(self.numbers.below(2) as i64);
        let mut upload = self.world.upload().await;
        upload.write(content.into()).await.unwrap();
        let file = upload.finish(end(&name)).await.unwrap().id;
        let share =
            Change { shared_with: Some(vec!["joe@example.com".into()]), ..Change::default() };
        self.world.drive.change(&self.world.caller, file, share).await.unwrap();
        file
    }

    /// New files come, others go to the trash, and some come back.
    async fn change(&mut self) {
        for _ in 0..3 {
            let new = self.add().await;
            self.others.push((new, false));
            let at = self.numbers.below(self.others.len());
            let (file, is_trashed) = &mut self.others[at];
            let (drive, caller) = (&self.world.drive, &self.world.caller);
            if *is_trashed {
                drive.restore(caller, *file).await.unwrap();
            } else {
                drive.trash(caller, *file).await.unwrap();
            }
            *is_trashed = !*is_trashed;
        }
    }

    async fn page(&self, list: &List) -> ListPage {
        let caller = if list.set == FileSet::Owned { &self.world.caller } else { &self.reader };
        self.world.drive.list(caller, list.clone()).await.unwrap()
    }

    /// Reads the list to its end while it changes: how often each file was seen.
    async fn read(&mut self, mut list: List) -> HashMap<FileId, usize> {
        let mut seen = HashMap::new();
        for number in 1.. {
            let page = self.page(&list).await;
            assert!(page.files.len() as u64 <= ON_A_PAGE);
            for file in &page.files {
                *seen.entry(file.id).or_default() += 1;
            }
            let Some(Cursor { page, key }) = page.next else {
                break;
            };
            assert_eq!(page, number + 1);
            (list.page, list.beside) = (PageNumber::Number(page), key);
            // New files can keep ahead of a reader for ever.
            if number < 12 {
                self.change().await;
            }
        }
        seen
    }
}

#[tokio::test]
async fn each_file_that_stays_is_seen_once_in_every_order() {
    let mut shelf = Shelf::new(0x00b1_4de7).await;
    let mut staying = Vec::new();
    for _ in 0..FILES {
        staying.push(shelf.add().await);
        let other = shelf.add().await;
        shelf.others.push((other, false));
    }
    for set in [FileSet::Owned, FileSet::Shared] {
        for by in [OrderBy::Uploaded, OrderBy::Name, OrderBy::Size] {
            for descending in [false, true] {
                for search in [None, Some("CASE".into())] {
                    let page = PageNumber::Number(1);
                    let list =
                        List { set, by, descending, search, page, beside: None, size: ON_A_PAGE };
                    let seen = shelf.read(list.clone()).await;
                    for file in &staying {
                        assert_eq!(seen.get(file), Some(&1), "{list:?}");
                    }
                }
            }
        }
    }
}

/// What a reader sees who turns back: the same pages, while nothing changes.
#[tokio::test]
async fn the_pages_before_are_the_pages_behind_in_reverse() {
    let mut shelf = Shelf::new(7).await;
    for _ in 0..FILES {
        shelf.add().await;
    }
    for by in [OrderBy::Uploaded, OrderBy::Name, OrderBy::Size] {
        let mut list = List {
            set: FileSet::Owned,
            by,
            descending: by == OrderBy::Name,
            search: None,
            page: PageNumber::Number(1),
            beside: None,
            size: ON_A_PAGE,
        };
        let ids = |page: &ListPage| page.files.iter().map(|file| file.id).collect::<Vec<_>>();
        let mut page = shelf.page(&list).await;
        let mut forth = vec![ids(&page)];
        while let Some(next) = page.next {
            (list.page, list.beside) = (PageNumber::Number(next.page), next.key);
            page = shelf.page(&list).await;
            forth.push(ids(&page));
        }
        assert_eq!(forth.concat().len(), FILES);
        let mut back = vec![ids(&page)];
        while let Some(previous) = page.previous {
            (list.page, list.beside) = (PageNumber::Number(previous.page), previous.key);
            page = shelf.page(&list).await;
            back.push(ids(&page));
        }
        back.reverse();
        assert_eq!(back, forth, "{by:?}");
        // Counted from either end they are the same.
        for (page, ids_there) in (1..).zip(&forth) {
            (list.page, list.beside) = (PageNumber::Number(page), None);
            assert_eq!(ids(&shelf.page(&list).await), *ids_there, "{by:?} {page}");
        }
    }
}

/// The first page of what its reader owns, by name.
pub(crate) fn first_page(size: u64) -> List {
    List {
        set: FileSet::Owned,
        by: OrderBy::Name,
        descending: false,
        search: None,
        page: PageNumber::Number(1),
        beside: None,
        size,
    }
}
