//! A stored object that is not what was stored: no byte of it is sent, and the others are.

use crate::world::{World, bytes};
use std::fs;

#[tokio::test]
async fn damage_is_refused_before_the_first_byte_and_harms_no_other_file() {
    for harm in ["flip", "cut", "grow", "remove"] {
        let world = World::new().await;
        let ann = world.person("ann").await;
        let good = world.send(ann.upload("good.dat", &bytes(200_000))).await.expect(201);
        let known = world.objects();
        let bad = world.send(ann.upload("bad.dat", &bytes(100_000))).await.expect(201);
        let object = world.objects().into_iter().find(|object| !known.contains(object)).unwrap();
        let mut sealed = fs::read(&object).unwrap();
        match harm {
            "flip" => sealed[70_000] ^= 1,
            "cut" => sealed.truncate(80_000),
            "grow" => sealed.insert(50, 0),
            _ => {}
        }
        if harm == "remove" {
            fs::remove_file(&object).unwrap();
        } else {
            fs::write(&object, sealed).unwrap();
        }
        let contents = |file: &serde_json::Value| {
            format!("/api/files/{}/contents/", file["id"].as_str().unwrap())
        };
        let answer = world.send(ann.get(&contents(&bad))).await;
        assert!(answer.expect(500)["detail"].as_str().unwrap().contains("damaged"), "{harm}");
        let answer = world.send(ann.get(&contents(&good))).await;
        assert!(answer.status == 200 && answer.body == bytes(200_000), "{harm}");
        let found = world.drive.verify(None, |_| ()).await.unwrap();
        let named: Vec<_> = found.damaged.iter().map(|damage| damage.name.as_str()).collect();
        assert_eq!((found.checked.versions, named), (2, vec!["bad.dat"]), "{harm}");
    }
}
