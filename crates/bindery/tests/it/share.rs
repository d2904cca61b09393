//! Shares: listed and revoked beside a running server.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

use crate::drive::{file, folder, open, user};
use crate::world::World;
use bindery_core::{FolderRef, NewRecipient, NodeRef, Role, Sharing, Terms};

/// The rows of `share list`, without the date of each.
fn shares(world: &World, login: &str) -> Vec<Vec<String>> {
    let list = world.run(&format!("share list {login}")).done();
    let mut lines = list.lines();
    assert!(lines.next().unwrap().starts_with("id"), "{list}");
    let row = |line: &str| {
        let cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
        let mut cells: Vec<_> = cells.map(str::to_owned).collect();
        cells.remove(6);
        cells
    };
    lines.map(row).collect()
}

fn terms(role: Role) -> Terms {
    let sharing = Sharing { grant_reshare: true, ..Sharing::default() };
    Terms { role, sharing, comment: String::new(), expires: None }
}

#[tokio::test]
async fn shares_are_listed_and_revoked() {
    let world = World::new();
    let _server = world.serve();
    let drive = open(&world).await;
    let (jane, ann) = (user(&drive, "jane").await, user(&drive, "ann").await);
    let eve = user(&drive, "eve").await;
    assert!(shares(&world, "").is_empty());

    let papers = NodeRef::Folder(folder(&drive, &jane, "papers").await.id.into());
    let report = file(&drive, &jane, FolderRef::Home, "a report.txt", b"hello").await;
    let report_ref = NodeRef::File(report.id.into());
    let id = |name: &'static str| {
        let drive = drive.clone();
        async move { NewRecipient::User(drive.user(name).await.unwrap().id) }
    };
    let recipients = [
        (papers, id("ann").await, Role::Contributor),
        (report_ref, id("ann").await, Role::Editor),
        (report_ref, NewRecipient::External("max@example.net".into()), Role::Viewer),
        (report_ref, NewRecipient::Everyone, Role::Viewer),
        (report_ref, NewRecipient::Link, Role::Viewer),
    ];
    let mut made = Vec::new();
    for (node, recipient, role) in recipients {
        made.push(drive.share(&jane, node, recipient, terms(role)).await.unwrap());
    }
    drive.share(&ann, report_ref, id("eve").await, terms(Role::Viewer)).await.unwrap();
    let link = made[4].link.clone().unwrap();

    let rows = shares(&world, "");
    let shown: Vec<_> = rows.iter().map(|row| row[1..].join("|")).collect();
    assert_eq!(
        shown,
        [
            "folder|papers|jane|ann|contribute|never",
            "file|a report.txt|jane|ann|edit|never",
            "file|a report.txt|jane|max@example.net|view|never",
            "file|a report.txt|jane|(everyone)|view|never",
            "file|a report.txt|jane|(link)|view|never",
            "file|a report.txt|ann|eve|view|never",
        ]
    );
    assert!(!world.run("share list").done().contains(&link));
    assert_eq!(shares(&world, "ANN"), [rows[0].clone(), rows[1].clone(), rows[5].clone()]);
    assert_eq!(shares(&world, "eve"), rows[5..]);

    let everyone = &rows[3][0];
    world.run(&format!("share revoke {everyone}")).done();
    drive.file(&eve, report.id).await.unwrap();
    // With a share goes what was shared on by it.
    let id = &rows[1][0];
    assert_eq!(*id, made[1].id.to_string());
    assert_eq!(world.run(&format!("share revoke {id}")).done(), format!("Revoked share {id}.\n"));
    assert_eq!(shares(&world, "eve"), Vec::<Vec<String>>::new());
    for caller in [&ann, &eve] {
        drive.file(caller, report.id).await.unwrap_err();
    }
    let why = world.run(&format!("share revoke {id}")).refused(1);
    assert_eq!(why, format!("there is no share {id}"));
}

#[test]
fn whose_shares_must_be_known() {
    let world = World::served();
    assert_eq!(world.run("share list nobody").refused(1), "there is no user nobody");
}
