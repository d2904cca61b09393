//! What things are called: one name in one folder, whatever its case and its normal form.

use super::{Filr, MY_FILES, coded, names, text};
use serde_json::json;

#[tokio::test]
async fn names_are_kept_in_nfc_and_found_in_both_forms() {
    let ann = Filr::new().await;
    let (nfc, nfd) = ("\u{e9}t\u{e9} \u{fc}.txt", "e\u{301}te\u{301} u\u{308}.txt");
    let file = ann.file(MY_FILES, nfd, b"x").await;
    assert_eq!(file["name"], nfc);
    let folder = ann.json("/self/my_files/library_folders", json!({"title": format!("d {nfd}")}));
    assert_eq!(folder.await.expect(200)["title"], format!("d {nfc}"));
    for form in [nfc, nfd, &nfc.to_uppercase()] {
        let form = coded(form);
        for query in [
            format!("library_files?file_name={form}"),
            format!("library_children?title={form}"),
            format!("library_folders?title=d%20{form}"),
        ] {
            let found = ann.names(&format!("{MY_FILES}/{query}")).await;
            let want = if query.contains("d%20") { format!("d {nfc}") } else { nfc.into() };
            assert_eq!(found, [want], "{query}");
        }
        let again = ann.bytes(&format!("{MY_FILES}/library_files?file_name={form}"), b"y").await;
        assert_eq!(again.refused(409, "FILE_EXISTS")["data"]["id"], file["id"]);
    }
    assert!(ann.names(&format!("{MY_FILES}/library_files?file_name=other")).await.is_empty());
    assert!(ann.names(&format!("{MY_FILES}/library_folders?title=d")).await.is_empty());
}

#[tokio::test]
async fn case_makes_no_other_name_but_may_be_changed() {
    let ann = Filr::new().await;
    let file = ann.file(MY_FILES, "Stra\u{df}e.TXT", b"x").await;
    for twin in ["STRASSE.txt", "stra\u{df}e.txt", "strasse.TXT"] {
        let answer =
            ann.bytes(&format!("{MY_FILES}/library_files?file_name={}", coded(twin)), b"y").await;
        answer.refused(409, "FILE_EXISTS");
    }
    let name = format!("/files/{}/name", text(&file["id"]));
    for own in ["STRASSE.txt", "STRASSE.txt", "Stra\u{df}e.txt"] {
        assert_eq!(ann.form(&name, &[("name", own)]).await.expect(200)["name"], own);
    }
    let over = format!("{MY_FILES}/library_files?file_name=STRASSE.TXT&overwrite_existing=true");
    let over = ann.bytes(&over, b"y").await.expect(200);
    assert_eq!((&over["id"], &over["version_number"]), (&file["id"], &json!(2)));
    let folder = ann.folder(MY_FILES, "folder").await;
    let title = format!("/folders/{folder}/title");
    assert_eq!(ann.form(&title, &[("title", "FOLDER")]).await.expect(200)["title"], "FOLDER");
    // Far is another folder: what is called so elsewhere is not in the way.
    ann.file(&format!("/folders/{folder}"), "strasse.txt", b"z").await;
}

#[tokio::test]
async fn a_folder_and_a_file_share_no_name() {
    let ann = Filr::new().await;
    let folder = ann.folder(MY_FILES, "Both").await;
    let other = ann.folder(MY_FILES, "other").await;
    let file = ann.file(MY_FILES, "file", b"x").await;
    let inner = ann.file(&format!("/folders/{other}"), "BOTH", b"y").await;
    let inner_folder = ann.folder(&format!("/folders/{other}"), "FILE").await;
    let before = ann.world.stored();
    let name = |id: &str| format!("/files/{id}/name");
    let (file_id, inner_id) = (text(&file["id"]), text(&inner["id"]));
    let files = format!("{MY_FILES}/library_files");
    for answer in [
        ann.bytes(&format!("{files}?file_name=both"), b"z").await,
        ann.bytes(&format!("{files}?file_name=both&overwrite_existing=true"), b"z").await,
        ann.form(&name(&file_id), &[("name", "BOTH")]).await,
        ann.form(&files, &[("source_id", &file_id), ("file_name", "bOTH")]).await,
        ann.form(&format!("/files/{inner_id}/parent_folder"), &[("folder_id", "-100")]).await,
        ann.json(&format!("{MY_FILES}/library_folders"), json!({"title": "FILE"})).await,
        ann.form(&format!("/folders/{other}/title"), &[("title", "File")]).await,
        ann.form(&format!("/folders/{inner_folder}/parent_binder"), &[("binder_id", "-100")]).await,
    ] {
        let body = answer.expect(409);
        assert!(body["code"] == "FILE_EXISTS" || body["code"] == "TITLE_EXISTS", "{body}");
        let data = &body["data"]["id"];
        assert!(*data == file["id"] || *data == folder, "what is in the way: {body}");
        assert_eq!(ann.world.stored(), before);
    }
    let list = ann.items(&format!("{MY_FILES}/library_children")).await;
    assert_eq!(names(&list), ["Both", "other", "file"]);
}

#[tokio::test]
async fn names_are_as_long_as_they_may_be() {
    let ann = Filr::new().await;
    for name in ["n".repeat(255), "\u{1f511}".repeat(63), " a b".into(), ".profile".into()] {
        let file = ann.file(MY_FILES, &name, b"x").await;
        assert_eq!(file["name"], name);
        let found =
            ann.names(&format!("{MY_FILES}/library_files?file_name={}", coded(&name))).await;
        assert_eq!(found, [name]);
    }
}
