//! Each operation, in the model and in the domain.

use super::*;

impl World {
    pub(super) async fn create(&mut self, who: usize, folder: i64, name: &str, on_taken: u8) {
        let name = Name::parse(name).unwrap();
        let on_taken =
            [OnTaken::Number, OnTaken::Refuse, OnTaken::Overwrite][usize::from(on_taken)];
        let content = self.new_content();
        let target = Target::Folder {
            folder: FolderRef::Id(FolderId(folder)),
            name: Some(name.clone()),
            on_taken,
        };
        let made = self.upload(who, target, &content).await;
        let model = &mut self.model;
        let expected = (|| {
            model.grant(who, folder, Right::Read)?;
            let taken = model.taken(folder, &name.label()).filter(|_| on_taken != OnTaken::Number);
            if let (Some(id), OnTaken::Overwrite) = (taken, on_taken)
                && model.nodes[&id].is_file()
            {
                model.grant(who, id, Right::Edit)?;
                let node = model.nodes.get_mut(&id).unwrap();
                node.last_version += 1;
                node.versions.push((node.last_version, content.clone()));
                return Ok(());
            }
            model.grant(who, folder, Right::Add)?;
            if taken.is_some() {
                return Err(Outcome::Exists);
            }
            let label = model.free_label(folder, &name.label());
            let node = Node {
                owner: model.nodes[&folder].owner,
                parent: Some(folder),
                name: name.as_str().into(),
                label,
                versions: vec![(1, content.clone())],
                last_version: 1,
                trashed_with: None,
            };
            if let Ok(id) = &made {
                model.nodes.insert(id.0, node);
            }
            Ok(())
        })();
        Self::agree(&expected, outcome(&made), "create");
    }

    pub(super) async fn replace(&mut self, who: usize, file: i64, stale: bool) {
        let content = self.new_content();
        let current = self.model.nodes[&file].versions.last().unwrap().0;
        let base = Base::Version(if stale { current + 1 } else { current });
        let target = Target::File { file: FileRef::Id(FileId(file)), base };
        let made = self.upload(who, target, &content).await;
        let model = &mut self.model;
        let expected = model.grant(who, file, Right::Edit).and_then(|()| {
            if stale {
                return Err(Outcome::Conflict);
            }
            let node = model.nodes.get_mut(&file).unwrap();
            node.last_version += 1;
            node.versions.push((node.last_version, content));
            Ok(())
        });
        Self::agree(&expected, outcome(&made), "replace");
    }

    pub(super) async fn mkdir(&mut self, who: usize, folder: i64, name: &str) {
        let name = Name::parse(name).unwrap();
        let above = FolderRef::Id(FolderId(folder));
        let made = self.drive.create_folder(&self.callers[who], above, &name).await;
        let model = &mut self.model;
        let expected = (|| {
            model.grant(who, folder, Right::Add)?;
            model.refuse_taken(folder, &name.label(), 0)
        })();
        Self::agree(&expected, outcome(&made), "mkdir");
        if let Ok(made) = made {
            let node = Node {
                owner: model.nodes[&folder].owner,
                parent: Some(folder),
                name: name.label().as_str().into(),
                label: name.label(),
                versions: Vec::new(),
                last_version: 0,
                trashed_with: None,
            };
            model.nodes.insert(made.id.0, node);
        }
    }

    pub(super) async fn rename(&mut self, who: usize, id: i64, name: &str) {
        let name = Name::parse(name).unwrap();
        let caller = &self.callers[who];
        let file = self.model.nodes[&id].is_file();
        let renamed = if file {
            let file = FileRef::Id(FileId(id));
            self.drive.rename_file(caller, file, &name).await.map(drop)
        } else {
            self.drive.rename_folder(caller, FolderRef::Id(FolderId(id)), &name).await.map(drop)
        };
        let model = &mut self.model;
        let expected = (|| {
            model.grant(who, id, Right::Arrange)?;
            model.refuse_taken(model.nodes[&id].parent.unwrap(), &name.label(), id)?;
            let node = model.nodes.get_mut(&id).unwrap();
            node.label = name.label();
            node.name = if file { name.as_str() } else { node.label.as_str() }.to_owned();
            Ok(())
        })();
        Self::agree(&expected, outcome(&renamed), "rename");
    }

    pub(super) async fn relocate(&mut self, who: usize, id: i64, to: i64, name: Option<&str>) {
        let file = self.model.nodes[&id].is_file();
        let name = name.filter(|_| file).map(|name| Name::parse(name).unwrap());
        let (caller, folder) = (&self.callers[who], FolderRef::Id(FolderId(to)));
        let moved = if file {
            let file = FileRef::Id(FileId(id));
            self.drive.move_file(caller, file, folder, name.as_ref()).await.map(drop)
        } else {
            self.drive.move_folder(caller, FolderRef::Id(FolderId(id)), folder).await.map(drop)
        };
        let model = &mut self.model;
        let expected = (|| {
            model.grant(who, id, Right::Arrange)?;
            model.grant(who, to, Right::Add)?;
            if !file && model.is_in(to, id) {
                return Err(Outcome::Hierarchy);
            }
            let label = name.as_ref().map_or(model.nodes[&id].label.clone(), Name::label);
            model.refuse_taken(to, &label, id)?;
            model.give(id, model.nodes[&to].owner);
            let node = model.nodes.get_mut(&id).unwrap();
            (node.parent, node.label) = (Some(to), label);
            if let Some(name) = &name {
                node.name = name.as_str().into();
            }
            Ok(())
        })();
        Self::agree(&expected, outcome(&moved), "move");
    }

    pub(super) async fn copy(&mut self, who: usize, id: i64, to: i64, name: &str) {
        let name = Name::parse(name).unwrap();
        let file = self.model.nodes[&id].is_file();
        let (caller, folder) = (&self.callers[who], FolderRef::Id(FolderId(to)));
        let copied = if file {
            let copy = self.drive.copy_file(caller, FileRef::Id(FileId(id)), folder, &name).await;
            copy.map(|copy| copy.id.0)
        } else {
            let source = FolderRef::Id(FolderId(id));
            self.drive.copy_folder(caller, source, folder, &name).await.map(|copy| copy.id.0)
        };
        let model = &mut self.model;
        let expected = (|| {
            model.grant(who, id, Right::Read)?;
            model.grant(who, to, Right::Add)?;
            model.refuse_taken(to, &name.label(), 0)?;
            if !file && model.is_in(to, id) {
                return Err(Outcome::Hierarchy);
            }
            Ok(())
        })();
        Self::agree(&expected, outcome(&copied), "copy");
        let Ok(copy) = copied else {
            return;
        };
        let owner = self.model.nodes[&to].owner;
        let mut copies = BTreeMap::from([(id, copy)]);
        for source in self.model.live_below(id) {
            let mut node = self.model.nodes[&source].clone();
            node.owner = owner;
            if let Some((_, content)) = node.versions.pop() {
                (node.versions, node.last_version) = (vec![(1, content)], 1);
            }
            let of = if source == id {
                node.parent = Some(to);
                node.label = name.label();
                node.name = if file { name.as_str() } else { node.label.as_str() }.to_owned();
                copy
            } else {
                let parent = copies[&node.parent.unwrap()];
                node.parent = Some(parent);
                self.drive_child(who, parent, &node.label).await
            };
            copies.insert(source, of);
            self.model.nodes.insert(of, node);
        }
    }

    /// The number that a copied child got.
    pub(super) async fn drive_child(&self, who: usize, folder: i64, label: &Label) -> i64 {
        let folder = FolderRef::Id(FolderId(folder));
        let name = Name::parse(label.as_str()).unwrap();
        let (_, child) = self.drive.child(&self.callers[who], folder, &name).await.unwrap();
        match child.unwrap().node {
            Entry::Folder(folder) => folder.id.0,
            Entry::File(file) => file.id.0,
        }
    }

    pub(super) async fn delete(&mut self, who: usize, id: i64, purge: bool, only_if_empty: bool) {
        let caller = &self.callers[who];
        let file = self.model.nodes[&id].is_file();
        let deleted = if file {
            let how = DeleteFile { purge, version: None };
            self.drive.delete_file(caller, FileRef::Id(FileId(id)), how).await
        } else {
            let how = DeleteFolder { purge, only_if_empty };
            self.drive.delete_folder(caller, FolderRef::Id(FolderId(id)), how).await
        };
        let model = &mut self.model;
        let expected = (|| {
            model.grant(who, id, Right::Arrange)?;
            if !file && only_if_empty && model.live_below(id).len() > 1 {
                return Err(Outcome::NotEmpty);
            }
            Ok(())
        })();
        Self::agree(&expected, outcome(&deleted), "delete");
        if deleted.is_err() {
            return;
        }
        if purge {
            let gone = model.below(id);
            model.forget(&gone);
        } else {
            for gone in model.live_below(id) {
                model.nodes.get_mut(&gone).unwrap().trashed_with = Some(id);
            }
        }
    }

    pub(super) async fn restore(&mut self, id: i64) {
        let restored = self.drive.restore_node(id).await;
        let in_trash = self.model.nodes[&id].trashed_with == Some(id);
        let expected = if in_trash { Ok(()) } else { Err(Outcome::NotFound) };
        Self::agree(&expected, outcome(&restored), "restore");
        if in_trash {
            self.model.restore(id);
        }
    }

    pub(super) async fn purge(&mut self, id: i64) {
        let purged = self.drive.purge_node(id).await;
        let in_trash = self.model.nodes[&id].trashed_with == Some(id);
        let expected = if in_trash { Ok(()) } else { Err(Outcome::NotFound) };
        Self::agree(&expected, outcome(&purged), "purge");
        if in_trash {
            let gone = self.model.below(id);
            self.model.forget(&gone);
        }
    }

    pub(super) fn version(&self, file: i64, index: u16) -> VersionId {
        let versions = &self.model.nodes[&file].versions;
        let number = versions[usize::from(index) % versions.len()].0;
        VersionId { file: FileId(file), number }
    }

    pub(super) async fn promote(&mut self, who: usize, file: i64, version: u16) {
        let id = self.version(file, version);
        let promoted = self.drive.promote(&self.callers[who], id).await;
        let model = &mut self.model;
        let expected = model.grant(who, file, Right::Edit).map(|()| {
            let node = model.nodes.get_mut(&file).unwrap();
            let old = node.versions.iter().find(|(number, _)| *number == id.number);
            let content = old.unwrap().1.clone();
            node.last_version += 1;
            node.versions.push((node.last_version, content));
        });
        Self::agree(&expected, outcome(&promoted), "promote");
    }

    pub(super) async fn drop_version(&mut self, who: usize, file: i64, version: u16) {
        let id = self.version(file, version);
        let dropped = self.drive.delete_version(&self.callers[who], id).await;
        let model = &mut self.model;
        let expected = model.grant(who, file, Right::Arrange).and_then(|()| {
            let node = model.nodes.get_mut(&file).unwrap();
            if node.versions.len() == 1 {
                return Err(Outcome::OnlyVersion);
            }
            node.versions.retain(|(number, _)| *number != id.number);
            Ok(())
        });
        Self::agree(&expected, outcome(&dropped), "delete version");
    }

    pub(super) async fn share(&mut self, who: usize, id: i64, to: usize, role: u8) {
        let role = [Role::Viewer, Role::Editor, Role::Contributor][usize::from(role)];
        let file = self.model.nodes[&id].is_file();
        let node = if file {
            NodeRef::File(FileRef::Id(FileId(id)))
        } else {
            NodeRef::Folder(FolderRef::Id(FolderId(id)))
        };
        let terms =
            Terms { role, sharing: Sharing::default(), comment: String::new(), expires: None };
        let recipient = NewRecipient::User(self.users[to]);
        let shared = self.drive.share(&self.callers[who], node, recipient, terms).await;
        let model = &mut self.model;
        let expected = (|| {
            model.grant(who, id, Right::Read)?;
            if file && role == Role::Contributor {
                return Err(Outcome::Invalid);
            }
            if model.nodes[&id].parent.is_none() || model.nodes[&id].owner != who {
                return Err(Outcome::Forbidden);
            }
            if to == who { Err(Outcome::Invalid) } else { Ok(()) }
        })();
        Self::agree(&expected, outcome(&shared), "share");
        if let Ok(share) = shared {
            assert_eq!(share.node.number(), id);
            model.shares.insert(share.id.0, Shared { node: id, sharer: who, to, role });
        }
    }

    pub(super) async fn unshare(&mut self, who: usize, index: u16) {
        let model = &mut self.model;
        let ids: Vec<i64> = model.shares.keys().copied().collect();
        let Some(id) = ids.get(usize::from(index) % ids.len().max(1)).copied() else {
            return;
        };
        let Shared { node, sharer, to, .. } = model.shares[&id];
        let ended = self.drive.unshare(&self.callers[who], ShareId(id)).await;
        let expected = (|| {
            model.grant(who, node, Right::Read)?;
            let mine = [sharer, to, model.nodes[&node].owner].contains(&who);
            if mine { Ok(()) } else { Err(Outcome::NotFound) }
        })();
        Self::agree(&expected, outcome(&ended), "unshare");
        if ended.is_ok() {
            model.shares.remove(&id);
        }
    }
}
