//! An inspection beside a server that goes on.

use super::world::{World, bytes};

#[tokio::test]
async fn a_file_that_is_purged_meanwhile_is_not_damaged() {
    let world = World::new().await;
    for len in [100, 100_000] {
        let file = world.put("unwanted.bin", &bytes(len)).await;
        assert!(world.drive.damage(&file).await.unwrap().is_none());
        world.drive.trash(&world.caller, file.id).await.unwrap();
        world.drive.clock().advance_seconds(31 * 86_400);
        assert_eq!(world.sweep().await.purged, 1);
        assert!(world.drive.damage(&file).await.unwrap().is_none(), "{len}");
    }
}

#[tokio::test]
async fn a_file_that_lost_its_object_is_damaged() {
    let world = World::new().await;
    let file = world.put("lost.bin", &bytes(100_000)).await;
    std::fs::remove_file(&world.objects()[0]).unwrap();
    let damage = world.drive.damage(&file).await.unwrap().unwrap();
    assert_eq!((damage.id, damage.name.as_str(), damage.version), (file.id, "lost.bin", 1));
}
