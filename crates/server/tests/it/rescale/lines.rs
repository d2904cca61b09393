//! `lines/`: a text as JSON, and what is no text.

use crate::world::{Answer, World, bytes};
use serde_json::{Value, json};

async fn lines(content: &[u8]) -> (Value, Answer) {
    let world = World::new().await;
    let ann = world.person("ann").await;
    let file = world.send(ann.upload("a.log", content)).await.expect(201);
    let path = format!("/api/v2/files/{}/lines/", file["id"].as_str().unwrap());
    let answer = world.send(ann.get(&path)).await;
    (file, answer)
}

#[tokio::test]
async fn a_text_comes_line_by_line() {
    for (content, want) in [
        ("", json!([])),
        ("\n", json!(["\n"])),
        ("This is line 1.\nThis is line 2.\n", json!(["This is line 1.\n", "This is line 2.\n"])),
        ("no last newline", json!(["no last newline"])),
        ("dos\r\nmac\rend", json!(["dos\r\n", "mac\rend"])),
        (
            "\"quoted\" \\ \t\u{1f} \u{e9}\u{2028}\n",
            json!(["\"quoted\" \\ \t\u{1f} \u{e9}\u{2028}\n"]),
        ),
    ] {
        let (file, answer) = lines(content.as_bytes()).await;
        assert_eq!(answer.expect(200), json!({"lines": want}), "{content:?}");
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(file["viewInBrowser"], true);
    }
}

#[tokio::test]
async fn a_long_text_is_the_same() {
    let text: String = (0..200_000).map(|line| format!("line {line} \u{e9} \"x\"\n")).collect();
    let (_, answer) = lines(text.as_bytes()).await;
    let want: Vec<&str> = text.split_inclusive('\n').collect();
    assert_eq!(answer.expect(200)["lines"].as_array().unwrap().len(), want.len());
    assert_eq!(answer.json(), json!({ "lines": want }));
}

#[tokio::test]
async fn what_is_no_text_has_no_lines() {
    for content in [&b"a\0b"[..], b"\xff\xfe", b"ends within \xc3", &bytes(100_000)] {
        let (file, answer) = lines(content).await;
        assert!(answer.expect(400)["detail"].is_string());
        assert_eq!(file["viewInBrowser"], false);
    }
}

#[tokio::test]
async fn a_text_above_10_mib_is_not_for_a_browser() {
    let (file, answer) = lines(&b"text\n".repeat((10 << 20) / 5 + 1)).await;
    assert_eq!(file["viewInBrowser"], false);
    assert_eq!(answer.status, 200);
}
