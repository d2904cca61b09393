//! What is stored: found whole, found damaged, and opened without the store.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

use crate::drive::{file, open, user};
use crate::world::{World, last_line};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bindery_core::{Caller, File, FolderRef};
use std::fs;
use std::path::PathBuf;

/// Beyond what the catalog keeps, and not a whole number of segments.
const LARGE: usize = 300_000;

struct Stored {
    file: File,
    key: String,
    content: Vec<u8>,
}

impl Stored {
    fn id(&self) -> String {
        self.file.id.letters()
    }
}

/// A store with a file of each length.
async fn store(world: &World, lens: &[usize]) -> Vec<Stored> {
    let drive = open(world).await;
    let caller = user(&drive, "jane").await;
    let mut stored = Vec::new();
    for &len in lens {
        let content: Vec<u8> = (0..len).map(|i| (i % 253) as u8).collect();
        let name = format!("{len}.bin");
        let file = file(&drive, &caller, FolderRef::Home, &name, &content).await;
        let key = BASE64_STANDARD.encode(drive.disclose_key(&caller, &file).unwrap().as_bytes());
        stored.push(Stored { file, key, content });
    }
    stored
}

/// The one object on disk.
fn object(world: &World) -> PathBuf {
    let folders = fs::read_dir(world.data().join("objects")).unwrap();
    let files = folders.flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap());
    let mut files = files.map(|file| file.unwrap().path());
    let object = files.next().unwrap();
    assert_eq!(files.next(), None);
    object
}

fn flip_a_bit(path: &PathBuf, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_file_is_opened_with_its_key_alone() {
    let world = World::new();
    for stored in store(&world, &[0, 100, LARGE]).await {
        let id = stored.id();
        let list = world.run(&format!("objects {id}")).done();
        let row: Vec<_> = list.lines().nth(1).unwrap().split_whitespace().collect();
        let paths = world.run(&format!("objects {id} --out sealed")).done();
        assert_eq!(paths, format!("sealed/{id}.0.sealed\n"));
        let path = world.path(paths.trim_end());
        assert_eq!((row[0], row[2].parse().unwrap()), ("0", fs::metadata(&path).unwrap().len()));

        let key = &stored.key;
        world.run(&format!("decrypt --key {key} --out plain {}", path.display())).done();
        assert!(fs::read(world.path("plain")).unwrap() == stored.content, "{id}");
    }
    assert_eq!(world.names(&world.path("sealed")).len(), 3);
}

#[tokio::test]
async fn a_file_that_is_whole_is_sound() {
    let world = World::new();
    store(&world, &[0, 100, LARGE]).await;
    assert_eq!(last_line(&world.run("verify").done()), "3 checked, 0 damaged");
    let said = world.run("verify --budget 0s").done();
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines[0], "the time is up: 3 not checked");
    assert!(lines[1].starts_with("all was read since "), "{said}");
    assert_eq!(lines[2..], ["0 checked, 0 damaged"]);
}

#[tokio::test]
async fn a_damaged_file_is_named() {
    let world = World::new();
    let stored = store(&world, &[100, LARGE]).await;
    let (id, object) = (stored[1].id(), object(&world));
    let damaged = || {
        let ran = world.run("verify");
        assert_eq!((ran.code, ran.err.as_str()), (1, ""), "{ran:?}");
        let lines: Vec<_> = ran.out.lines().collect();
        assert!(lines[0].starts_with(&format!("damaged: {id} {LARGE}.bin: ")), "{lines:?}");
        assert_eq!(lines[lines.len() - 1], "2 checked, 1 damaged");
    };
    flip_a_bit(&object, LARGE / 2);
    damaged();
    flip_a_bit(&object, LARGE / 2);
    assert_eq!(last_line(&world.run("verify").done()), "2 checked, 0 damaged");
    let whole = fs::read(&object).unwrap();
    fs::write(&object, &whole[..whole.len() - 1]).unwrap();
    damaged();
    fs::remove_file(&object).unwrap();
    damaged();

    let why = world.run(&format!("objects {id} --out sealed")).refused(1);
    assert!(why.contains("missing or cut short"), "{why}");
    assert!(world.names(&world.path("sealed")).is_empty());
}

#[tokio::test]
async fn the_trash_is_emptied_when_it_is_due() {
    let world = World::new();
    let stored = store(&world, &[LARGE]).await;
    let drive = open(&world).await;
    let token = drive.create_token("jane", "", None).await.unwrap();
    let caller = Caller::with_token(&token.secret);
    drive.trash(&caller, stored[0].file.id).await.unwrap();
    assert!(world.run("sweep").done().starts_with("0 files removed"));
    assert!(object(&world).exists());
    let said = world.run("sweep --trash-days 0").done();
    assert!(said.starts_with("1 file removed from the trash, 1 object removed"), "{said}");
    assert_eq!(last_line(&world.run("verify").done()), "0 checked, 0 damaged");
}
