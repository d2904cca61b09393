//! Opening stored objects without a store, against the format's published vectors.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

use crate::world::World;
use std::fs;
use std::path::Path;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../core/tests/fixtures/v1");

/// A content of the vectors: its key, its plaintext, and its objects, copied into the world.
struct Content {
    key: String,
    plain: Vec<u8>,
    objects: Vec<String>,
}

fn content(world: &World, name: &str) -> Content {
    let vectors = fs::read(Path::new(FIXTURES).join("vectors.json")).unwrap();
    let vectors: serde_json::Value = serde_json::from_slice(&vectors).unwrap();
    let contents = vectors["contents"].as_array().unwrap();
    let content = contents.iter().find(|c| c["name"] == name).unwrap();
    let key = content["data_key"].as_str().unwrap().as_bytes();
    let byte = |hex: &[u8]| u8::from_str_radix(std::str::from_utf8(hex).unwrap(), 16).unwrap();
    let key: Vec<u8> = key.chunks(2).map(byte).collect();
    let objects = content["objects"].as_array().unwrap().iter();
    let objects = objects.map(|object| object["file"].as_str().unwrap().to_owned());
    let objects: Vec<_> = objects.collect();
    for object in &objects {
        fs::copy(Path::new(FIXTURES).join(object), world.path(object)).unwrap();
    }
    Content {
        key: base64(&key),
        plain: (0..content["plain_len"].as_u64().unwrap())
            .map(|i| u8::try_from((i * 31 + 7) % 251).unwrap())
            .collect(),
        objects,
    }
}

fn base64(bytes: &[u8]) -> String {
    use ::base64::Engine as _;
    ::base64::prelude::BASE64_STANDARD.encode(bytes)
}

fn decrypt(key: &str, objects: &[String]) -> String {
    format!("decrypt --key {key} --out plain {}", objects.join(" "))
}

#[test]
fn contents_come_back() {
    for name in ["empty", "one-byte", "segment-less-one", "segment", "segment-and-one"] {
        let world = World::new();
        let content = content(&world, name);
        let said = world.run(&decrypt(&content.key, &content.objects)).done();
        assert!(said.contains(&content.plain.len().to_string()), "{said}");
        assert!(fs::read(world.path("plain")).unwrap() == content.plain, "{name}");
    }
}

#[test]
fn objects_are_put_in_order() {
    let world = World::new();
    let mut content = content(&world, "two-objects");
    content.objects.reverse();
    assert_eq!(content.objects.len(), 2);
    world.run(&decrypt(&content.key, &content.objects)).done();
    assert!(fs::read(world.path("plain")).unwrap() == content.plain);
    assert!(!world.data().exists());
}

#[test]
fn what_does_not_verify_leaves_nothing() {
    let world = World::new();
    let two = content(&world, "two-objects");
    let one = content(&world, "segment-and-one");
    let damaged = |name: &str, change: fn(&mut Vec<u8>)| {
        let mut bytes = fs::read(world.path(&two.objects[1])).unwrap();
        change(&mut bytes);
        fs::write(world.path(name), bytes).unwrap();
        vec![two.objects[0].clone(), name.to_owned()]
    };
    let flipped = damaged("flipped", |bytes| *bytes.last_mut().unwrap() ^= 1);
    let cut = damaged("cut", |bytes| bytes.truncate(bytes.len() - 1));
    let short = damaged("short", |bytes| bytes.truncate(20));
    let other = vec![two.objects[0].clone(), one.objects[0].clone()];
    let before = world.names(&world.path("."));
    for (key, objects, why) in [
        (&two.key, &flipped, "flipped: the sealed bytes were changed"),
        (&two.key, &cut, "cut: the sealed bytes were changed"),
        (&two.key, &short, "short: the sealed bytes do not have the length"),
        (&one.key, &two.objects, "or the key is not theirs"),
        (&two.key, &other, "belongs to another content"),
        (&two.key, &two.objects[1..].to_vec(), "object 0 of the content is not given"),
        (&two.key, &[&two.objects[..], &two.objects[..1]].concat(), "is given twice"),
        (&two.key, &vec!["missing".to_owned()], "cannot read missing"),
    ] {
        let sentence = world.run(&decrypt(key, objects)).refused(1);
        assert!(sentence.contains(why), "{sentence}");
        assert_eq!(world.names(&world.path(".")), before, "{why}");
    }
}

#[test]
fn what_is_there_stays_when_opening_fails() {
    let world = World::new();
    let (one, other) = (content(&world, "one-byte"), content(&world, "empty"));
    fs::write(world.path("plain"), "older").unwrap();
    world.run(&decrypt(&other.key, &one.objects)).refused(1);
    assert_eq!(fs::read(world.path("plain")).unwrap(), b"older");
    world.run(&decrypt(&one.key, &one.objects)).done();
    assert_eq!(fs::read(world.path("plain")).unwrap(), one.plain);
}

#[test]
fn an_object_is_not_replaced_and_a_bad_key_is_not_repeated() {
    let world = World::new();
    let one = content(&world, "one-byte");
    let object = &one.objects[0];
    let line = format!("decrypt --key {} --out ./{object} {object}", one.key);
    assert!(world.run(&line).refused(2).contains("would replace"));
    let secret = "c2VjcmV0";
    let why = world.run(&decrypt(secret, &one.objects)).refused(2);
    assert!(!why.contains(secret), "{why}");
}
