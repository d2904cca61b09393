//! What each user can see, in the model and in the domain.

use super::*;

impl World {
    /// Everything that each user can see, in both.
    pub(super) async fn compare(&self) {
        for (who, caller) in self.callers.iter().enumerate() {
            let (mut files, mut bytes) = (0, 0);
            for id in self.model.live_below(self.model.roots[who]) {
                if let Some((_, content)) = self.model.nodes[&id].versions.last() {
                    files += 1;
                    bytes += content.len() as u64;
                    self.compare_file(caller, id).await;
                } else {
                    self.compare_folder(caller, id).await;
                }
            }
            let sums = self.drive.tree_sums(caller, FolderRef::Home).await.unwrap();
            assert_eq!((sums.files, sums.bytes), (files, bytes));
            let account = self.drive.account(caller).await.unwrap();
            assert_eq!((account.files, account.bytes), (files, bytes));
            let list = first_page(10_000);
            let mine = self.drive.list(caller, list.clone()).await.unwrap();
            assert_eq!((mine.count, mine.files.len() as u64), (files, files));
            let shared = List { set: FileSet::Shared, ..list };
            let shared = self.drive.list(caller, shared).await.unwrap();
            let expected: BTreeSet<i64> = self.visible(who, Node::is_file);
            let found: BTreeSet<i64> = shared.files.iter().map(|file| file.id.0).collect();
            assert_eq!((shared.count, &found), (expected.len() as u64, &expected));
            let tops = self.drive.shared_with_me(caller, false).await.unwrap();
            let shared = self.model.shares.values().filter(|share| share.to == who);
            let expected: BTreeSet<i64> =
                shared.map(|share| share.node).filter(|id| self.model.live(*id)).collect();
            let found: BTreeSet<i64> = tops.iter().map(|entry| number(&entry.node)).collect();
            assert_eq!(found, expected);
        }
        let in_trash: BTreeSet<i64> = self.model.tops_in_trash().into_iter().collect();
        let listed = self.drive.trash_list(None).await.unwrap();
        assert_eq!(listed.iter().map(|top| top.id).collect::<BTreeSet<_>>(), in_trash);
    }

    /// What others share with a user.
    pub(super) fn visible(&self, who: usize, wanted: impl Fn(&Node) -> bool) -> BTreeSet<i64> {
        let model = &self.model;
        let nodes = model.nodes.iter().filter(|(_, node)| node.owner != who && wanted(node));
        nodes
            .map(|(id, _)| *id)
            .filter(|id| model.live(*id) && model.role(who, *id).is_some())
            .collect()
    }

    pub(super) async fn compare_file(&self, caller: &Caller, id: i64) {
        let node = &self.model.nodes[&id];
        let (file, versions) = self.drive.versions(caller, FileRef::Id(FileId(id))).await.unwrap();
        assert_eq!((file.name.as_str(), file.label.as_str()), (&*node.name, node.label.as_str()));
        let numbers: Vec<u64> = versions.iter().rev().map(|version| version.id.number).collect();
        let expected: Vec<u64> = node.versions.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, expected);
        let (current, content) = node.versions.last().unwrap();
        assert_eq!((file.version, file.size), (*current, content.len() as u64));
        for (number, content) in &node.versions {
            let version = VersionId { file: FileId(id), number: *number };
            let download = self.drive.download_version(caller, version).await.unwrap();
            let size = download.file.size;
            let mut body = download.read(0..size).unwrap();
            let mut bytes = Vec::new();
            while let Some(piece) = body.next().await.unwrap() {
                bytes.extend_from_slice(&piece);
            }
            assert_eq!(bytes, content.as_bytes());
        }
    }

    pub(super) async fn compare_folder(&self, caller: &Caller, id: i64) {
        let window = Window { first: 0, count: None, behind: None };
        let folder = FolderRef::Id(FolderId(id));
        let (seen, listing) =
            self.drive.children(caller, folder, Kinds::Both, window).await.unwrap();
        let model = &self.model;
        let live = |child: &i64| model.live(*child);
        let expected: BTreeSet<i64> = model
            .nodes
            .iter()
            .filter(|(_, node)| node.parent == Some(id))
            .map(|(id, _)| *id)
            .filter(live)
            .collect();
        let found: BTreeSet<i64> =
            listing.entries.iter().map(|entry| number(&entry.node)).collect();
        assert_eq!(found, expected);
        assert_eq!(listing.total, expected.len() as u64);
        assert_eq!(seen.title, model.nodes[&id].label.as_str());
    }
}

fn number(entry: &Entry) -> i64 {
    match entry {
        Entry::Folder(folder) => SharedNode::Folder(folder.id).number(),
        Entry::File(file) => file.id.0,
    }
}
