//! What the path of a request names: a folder, one of the views that stand beside My Files, a file, an
//! entry, a version, a user, a share.

use super::ask::Ask;
use super::error::Problem;
use crate::app::App;
use axum::extract::{FromRequestParts, RawPathParams};
use bindery_core::{
    Error, FileHex, FileId, FileRef, FolderId, FolderRef, ShareId, Thing, UserId, VersionId,
};
use http::request::Parts;

/// The id of My Files.
pub(super) const HOME: i64 = -100;

/// What others share, and what is mounted: seen like folders, and changed by no one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    SharedWithMe,
    SharedByMe,
    NetFolders,
    Public,
}

impl View {
    pub(super) const ALL: [View; 4] =
        [View::SharedWithMe, View::SharedByMe, View::NetFolders, View::Public];

    pub(super) fn id(self) -> i64 {
        match self {
            View::SharedWithMe => -101,
            View::SharedByMe => -102,
            View::NetFolders => -103,
            View::Public => -104,
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            View::SharedWithMe => "Shared with Me",
            View::SharedByMe => "Shared by Me",
            View::NetFolders => "Net Folders",
            View::Public => "Public",
        }
    }

    /// What it is called under `/self`.
    pub(super) fn word(self) -> &'static str {
        match self {
            View::SharedWithMe => "shared_with_me",
            View::SharedByMe => "shared_by_me",
            View::NetFolders => "net_folders",
            View::Public => "public_shares",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        let word = if word == "public" { View::Public.word() } else { word };
        View::ALL.into_iter().find(|view| view.word() == word)
    }
}

/// Where a request's path points among folders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Folder(FolderRef),
    View(View),
}

impl Place {
    /// Reads an id of this dialect.
    pub(super) fn of_id(id: i64) -> Option<Self> {
        if id == HOME {
            return Some(Place::Folder(FolderRef::Home));
        }
        let view = View::ALL.into_iter().find(|view| view.id() == id).map(Place::View);
        view.or((id > 0).then_some(Place::Folder(FolderRef::Id(FolderId(id)))))
    }

    /// A folder in the store. A view is none: it can be looked at, and that is all.
    pub(super) fn folder(self) -> Result<FolderRef, Problem> {
        match self {
            Place::Folder(folder) => Ok(folder),
            Place::View(_) => Err(Error::Forbidden.into()),
        }
    }
}

impl FromRequestParts<App> for Place {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let mut words = parts.uri.path().trim_start_matches(super::BASE).split('/').skip(1);
        let place = if words.next() == Some("self") {
            let view = words.next().and_then(View::of_word).map(Place::View);
            Some(view.unwrap_or(Place::Folder(FolderRef::Home)))
        } else {
            id_text(parts, app).await.parse().ok().and_then(Place::of_id)
        };
        if let Some(Place::View(_)) = place {
            // Of some views nothing is stored, so that no operation asks who wants to see it.
            Ask::from_request_parts(parts, app).await?.signed_in().await?;
        }
        place.ok_or_else(|| Error::NotFound(Thing::Folder).into())
    }
}

/// The `{id}` of a route; empty if it is no text.
async fn id_text(parts: &mut Parts, app: &App) -> String {
    let params = RawPathParams::from_request_parts(parts, app).await.ok();
    let id = |params: RawPathParams| {
        params.iter().find(|(name, _)| *name == "id").map(|(_, value)| value.to_owned())
    };
    params.and_then(id).unwrap_or_default()
}

macro_rules! named_by_id {
    ($($(#[$doc:meta])* $name:ident($inner:ty), $thing:ident, $read:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(super) struct $name(pub(super) $inner);

        impl FromRequestParts<App> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
                let read: fn(&str) -> Option<$inner> = $read;
                let found = read(&id_text(parts, app).await);
                found.map($name).ok_or_else(|| Error::NotFound(Thing::$thing).into())
            }
        }
    )*};
}

named_by_id! {
    /// A file, by its UUID.
    AtFile(FileHex), File, FileHex::parse;
    /// A file, by the number of its entry.
    AtEntry(FileRef), File, |text| number(text).map(|id| FileRef::Id(FileId(id)));
    /// A version.
    AtVersion(VersionId), Version, VersionId::parse;
    /// A share.
    AtShare(ShareId), Share, |text| number(text).map(ShareId);
    /// A user.
    AtUser(UserId), User, |text| number(text).map(UserId);
}

fn number(text: &str) -> Option<i64> {
    text.parse().ok().filter(|id| (1..1 << 53).contains(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_have_negative_ids_and_words() {
        assert_eq!(Place::of_id(-100), Some(Place::Folder(FolderRef::Home)));
        assert_eq!(Place::of_id(48), Some(Place::Folder(FolderRef::Id(FolderId(48)))));
        for id in [0, -1, -99, -105] {
            assert_eq!(Place::of_id(id), None, "{id}");
        }
        for view in View::ALL {
            assert_eq!(Place::of_id(view.id()), Some(Place::View(view)));
            assert_eq!(View::of_word(view.word()), Some(view));
        }
        assert_eq!(View::of_word("public"), Some(View::Public));
        assert_eq!(View::of_word("my_files"), None);
    }
}
