//! What was deleted: listed, brought back, removed for good, beside a running server.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

use crate::drive::{file, folder, open, user};
use crate::world::{World, last_line};
use bindery_core::{Caller, DeleteFile, DeleteFolder, Drive, Error, FolderRef};

/// The rows of `trash list`, as id, kind, name and owner.
fn trash(world: &World, login: &str) -> Vec<[String; 4]> {
    let list = world.run(&format!("trash list {login}")).done();
    let mut lines = list.lines();
    assert!(lines.next().unwrap().starts_with("id"), "{list}");
    let row = |line: &str| {
        let mut cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
        std::array::from_fn(|_| cells.next().unwrap().to_owned())
    };
    lines.map(row).collect()
}

fn names(rows: &[[String; 4]]) -> Vec<[&str; 3]> {
    rows.iter().map(|[_, kind, name, owner]| [kind.as_str(), name, owner]).collect()
}

async fn delete(drive: &Drive, caller: &Caller, name: &str) {
    let file = file(drive, caller, FolderRef::Home, name, b"hello").await;
    drive.delete_file(caller, file.id.into(), DeleteFile::default()).await.unwrap();
}

#[tokio::test]
async fn what_was_deleted_is_listed_and_comes_back() {
    let world = World::new();
    let _server = world.serve();
    let drive = open(&world).await;
    let (jane, ann) = (user(&drive, "jane").await, user(&drive, "ann").await);
    let papers = folder(&drive, &jane, "papers").await;
    let inside = file(&drive, &jane, papers.id.into(), "inside.txt", b"hello").await;
    assert!(trash(&world, "").is_empty());
    drive.delete_folder(&jane, papers.id.into(), DeleteFolder::default()).await.unwrap();
    delete(&drive, &jane, "a b.txt").await;
    delete(&drive, &ann, "b.txt").await;

    let rows = trash(&world, "JANE");
    assert_eq!(names(&rows), [["folder", "papers", "jane"], ["file", "a b.txt", "jane"]]);
    assert_eq!(names(&trash(&world, "ann")), [["file", "b.txt", "ann"]]);
    assert_eq!(trash(&world, "").len(), 3);

    let id = &rows[0][0];
    assert_eq!(*id, papers.id.to_string());
    assert_eq!(world.run(&format!("trash restore {id}")).done(), format!("Restored {id}.\n"));
    assert_eq!(drive.file(&jane, inside.id).await.unwrap().name, "inside.txt");
    assert_eq!(names(&trash(&world, "jane")), [["file", "a b.txt", "jane"]]);
    let why = world.run(&format!("trash restore {id}")).refused(1);
    assert_eq!(why, format!("there is no {id} in the trash"));
    // What went with a folder is not in the trash by itself.
    let why = world.run(&format!("trash purge {}", inside.id)).refused(1);
    assert_eq!(why, format!("there is no {} in the trash", inside.id));
}

#[tokio::test]
async fn what_was_deleted_is_removed_for_good() {
    let world = World::new();
    let drive = open(&world).await;
    let (jane, ann) = (user(&drive, "jane").await, user(&drive, "ann").await);
    for name in ["a.txt", "b.txt", "c.txt"] {
        delete(&drive, &jane, name).await;
    }
    let papers = folder(&drive, &jane, "papers").await;
    let inside = file(&drive, &jane, papers.id.into(), "inside.txt", b"hello").await;
    drive.delete_folder(&jane, papers.id.into(), DeleteFolder::default()).await.unwrap();
    delete(&drive, &ann, "d.txt").await;

    let rows = trash(&world, "");
    let id = &rows[0][0];
    assert_eq!(rows[0][2], "a.txt");
    assert_eq!(world.run(&format!("trash purge {id}")).done(), format!("Purged {id}.\n"));
    let why = world.run(&format!("trash restore {id}")).refused(1);
    assert_eq!(why, format!("there is no {id} in the trash"));
    assert_eq!(world.run("trash purge --all jane").done(), "Purged 3 items.\n");
    assert_eq!(names(&trash(&world, "")), [["file", "d.txt", "ann"]]);
    assert_eq!(world.run("trash purge --all").done(), "Purged 1 item.\n");
    assert_eq!(world.run("trash purge --all").done(), "Purged 0 items.\n");
    let gone = drive.file(&jane, inside.id).await.unwrap_err();
    assert!(matches!(gone, Error::NotFound(_)), "{gone}");
    assert_eq!(last_line(&world.run("verify").done()), "0 checked, 0 damaged");
}

#[test]
fn whose_trash_must_be_known() {
    let world = World::served();
    for line in ["trash list nobody", "trash purge --all nobody"] {
        assert_eq!(world.run(line).refused(1), "there is no user nobody");
    }
}
