//! Who may do what. Nothing else decides that: an operation asks [`grant`] or [`grant_folder`] in the
//! transaction that it works in, and gets a proof that the catalog's writing functions demand.
//!
//! The owner of a tree may do everything in it. To others a share on a file or a folder gives a
//! [`Role`], for it and for all that lies below it; of several the strongest counts.

use crate::catalog::asked::{self, Asked, Part};
use crate::catalog::conn::Tx;
use crate::catalog::files::File;
use crate::catalog::readable::Readable;
use crate::catalog::shares;
use crate::catalog::users::User;
use crate::clock::Time;
use crate::error::{Error, Result, Thing};
use crate::id::{FolderId, UserId};
use crate::node::{Above, Entry, FileRef, Folder, FolderRef, Kinds, Seen};
use aws_lc_rs::digest::{SHA256, digest};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

/// Credentials, not yet believed: every operation looks them up in its own transaction, so a revoked
/// token, a changed password, a disabled user and a share that is over end at once.
#[derive(Clone)]
pub struct Caller {
    pub(crate) shown: Credential,
    /// What the write that is asked for is recorded under.
    pub(crate) key: Option<IdempotencyKey>,
    /// What was told in so many words, where what it is read as depends on when.
    pub(crate) told: Option<Arc<str>>,
}

/// What a caller shows.
#[derive(Clone)]
pub(crate) enum Credential {
    /// A token, as its hash.
    Token([u8; 32]),
    /// A user whose password was verified against this stored hash.
    Password { user: UserId, verified: String },
    /// The secret of a link to one file, as its hash.
    Link([u8; 32]),
}

impl Caller {
    /// A caller who shows a token. Nothing is looked up yet.
    pub fn with_token(token: &str) -> Self {
        Caller::showing(Credential::Token(hash_secret(token)))
    }

    /// A caller who shows the secret of a link. Nothing is looked up yet.
    pub fn with_link(secret: &str) -> Self {
        Caller::showing(Credential::Link(hash_secret(secret)))
    }

    pub(crate) fn showing(shown: Credential) -> Self {
        Caller { shown, key: None, told: None }
    }

    /// The same caller, for one write that takes effect once, however often it is sent under this key.
    #[must_use]
    pub fn with_key(self, key: IdempotencyKey) -> Self {
        Caller { key: Some(key), ..self }
    }

    /// The same caller, with the words of the request: two requests under one key are the same if these
    /// are, where what they are read as changes from one moment to the next ("in two days").
    #[must_use]
    pub fn telling(self, words: &impl fmt::Debug) -> Self {
        Caller { told: Some(format!("{words:?}").into()), ..self }
    }
}

/// A name that a client gives to one of its writes, to be able to send it again without harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(Arc<str>);

impl IdempotencyKey {
    /// Reads 1 to 255 visible ASCII characters.
    pub fn parse(text: &str) -> Option<Self> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        ((1..=KEY_MAX).contains(&text.len()) && visible).then(|| IdempotencyKey(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

const KEY_MAX: usize = 255;

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Caller(redacted)")
    }
}

/// What is stored of a secret. The look-up is by this hash of 256 random bits, so how long a comparison
/// takes says nothing about the secret.
pub(crate) fn hash_secret(secret: &str) -> [u8; 32] {
    let hash = digest(&SHA256, secret.as_bytes());
    hash.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// What a share gives. The numbers are the catalog's, and a greater one includes the smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads metadata, key and content.
    Viewer = 1,
    /// Also replaces contents.
    Editor = 2,
    /// Also makes, renames, moves and deletes what lies inside the shared folder.
    Contributor = 3,
}

impl Role {
    /// The role with a number of the catalog's.
    pub(crate) fn from_number(number: i64) -> Option<Self> {
        [Role::Viewer, Role::Editor, Role::Contributor]
            .into_iter()
            .find(|role| *role as i64 == number)
    }
}

/// What an operation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// To see a file or folder and what it holds.
    Read,
    /// To replace the content of a file.
    Edit,
    /// To make something inside a folder.
    Add,
    /// To rename, move or delete it: a right in the folder above it.
    Arrange,
    /// To do what only an owner may.
    Own,
    /// To take it out of the trash.
    Restore,
}

/// The strongest roles that shares give one user on a node.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Roles {
    /// By a share on it or on a folder above it.
    pub(crate) here: Option<Role>,
    /// By a share on a folder above it alone.
    pub(crate) above: Option<Role>,
}

/// Something that the caller may use as it was asked for, within one transaction.
#[derive(Debug)]
pub(crate) struct Granted<'tx, T> {
    seen: Seen<T>,
    caller: UserId,
    brand: PhantomData<fn(&'tx ()) -> &'tx ()>,
}

impl<T> Granted<'_, T> {
    /// Who was granted it.
    pub(crate) fn caller(&self) -> UserId {
        self.caller
    }

    /// Gives up the proof.
    pub(crate) fn into_seen(self) -> Seen<T> {
        self.seen
    }

    /// Something that takes its place, as the caller sees it.
    pub(crate) fn seen_as<U>(&self, node: U) -> Seen<U> {
        Seen { node, above: self.seen.above, role: self.seen.role }
    }
}

impl<T> Deref for Granted<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.seen.node
    }
}

/// Whose credentials these are, if they are good now. A link is nobody's.
pub(crate) async fn identify(tx: &mut Tx<'_>, caller: &Caller, now: Time) -> Result<User> {
    asked::user(tx, caller, now).await?.ok_or(Error::Unauthenticated)
}

/// The one gate to a file. What the caller may not see is not found; what the caller may see and not
/// do is forbidden. A file in the trash is seen by no one, except by its owner to restore it.
pub(crate) async fn grant<'tx>(
    tx: &mut Tx<'tx>,
    caller: &Caller,
    now: Time,
    file: FileRef,
    right: Right,
) -> Result<Granted<'tx, File>> {
    judge_file(caller, asked::file(tx, caller, now, Some(file)).await?, right, place_of)
}

/// As [`grant`], to read a file, with whom it is shared.
pub(crate) async fn grant_with_readers<'tx>(
    tx: &mut Tx<'tx>,
    caller: &Caller,
    now: Time,
    file: FileRef,
) -> Result<Granted<'tx, File>> {
    let asked = asked::file_and_readers(tx, caller, now, file).await?;
    judge_file(caller, asked, Right::Read, place_of)
}

/// As [`grant`], to read the content of a file or of one of its versions.
pub(crate) async fn grant_readable<'tx>(
    tx: &mut Tx<'tx>,
    caller: &Caller,
    now: Time,
    (file, version): (FileRef, Option<u64>),
) -> Result<Granted<'tx, Readable>> {
    let asked = asked::readable(tx, caller, now, file, version).await?;
    judge_file(caller, asked, Right::Read, |file| {
        (file.owner, file.trashed, file.in_root, Some(file.parent))
    })
}

/// As [`grant`], to read the file that the caller's link leads to.
pub(crate) async fn grant_linked<'tx>(
    tx: &mut Tx<'tx>,
    caller: &Caller,
    now: Time,
) -> Result<Granted<'tx, File>> {
    judge_file(caller, asked::file(tx, caller, now, None).await?, Right::Read, place_of)
}

/// The one gate to a folder, by the rules of [`grant`]. A user's root stays where and what it is.
pub(crate) async fn grant_folder<'tx>(
    tx: &mut Tx<'tx>,
    caller: &Caller,
    now: Time,
    folder: FolderRef,
    right: Right,
) -> Result<Granted<'tx, Folder>> {
    judge_folder(asked::folder(tx, caller, now, folder).await?, right)
}

/// As [`grant_folder`], to read a folder, with a part of its children.
pub(crate) async fn grant_children<'tx>(
    tx: &mut Tx<'tx>,
    caller: &Caller,
    now: Time,
    folder: FolderRef,
    part: (Kinds, &Part<'_>, u64),
) -> Result<(Granted<'tx, Folder>, Vec<Entry>)> {
    let asked = asked::children(tx, caller, now, folder, part).await?;
    let (folder, children) = asked.ok_or(Error::Unauthenticated)?;
    Ok((judge_folder(Some(folder), Right::Read)?, children))
}

fn judge_file<'tx, T>(
    caller: &Caller,
    asked: Option<Asked<T>>,
    right: Right,
    place: impl Fn(&T) -> Place,
) -> Result<Granted<'tx, T>> {
    let linked = matches!(caller.shown, Credential::Link(_));
    let asked = match asked {
        // A link that is over leads nowhere.
        None if linked => Err(Error::NotFound(Thing::File)),
        None => Err(Error::Unauthenticated),
        // It lets read, whatever its sharer may.
        Some(asked) if linked => {
            let here = asked.roles.here.map(|_| Role::Viewer);
            Ok(Asked { roles: Roles { here, above: None }, ..asked })
        }
        Some(asked) => Ok(asked),
    };
    judge(asked?, right, Thing::File, place)
}

fn place_of(file: &File) -> Place {
    (file.owner, file.trashed, file.in_root, Some(file.parent))
}

fn judge_folder<'tx>(asked: Option<Asked<Folder>>, right: Right) -> Result<Granted<'tx, Folder>> {
    let asked = asked.ok_or(Error::Unauthenticated)?;
    let folder = judge(asked, right, Thing::Folder, |folder| {
        (folder.owner, folder.trashed, folder.in_root, folder.parent)
    })?;
    if folder.parent.is_none() && matches!(right, Right::Arrange | Right::Own) {
        return Err(Error::Forbidden);
    }
    Ok(folder)
}

/// A node's owner, whether it is in the trash, whether it lies in a root, and in what.
type Place = (UserId, Option<Time>, bool, Option<FolderId>);

fn judge<'tx, T>(
    asked: Asked<T>,
    right: Right,
    thing: Thing,
    place: impl Fn(&T) -> Place,
) -> Result<Granted<'tx, T>> {
    let Asked { user, roles, node } = asked;
    let node = node.ok_or(Error::NotFound(thing))?;
    let (owner, trashed, in_root, parent) = place(&node);
    let owns = owner == user;
    if trashed.is_some() && !(owns && right == Right::Restore) {
        return Err(Error::NotFound(thing));
    }
    check(owns, roles, right, thing)?;
    let seen = Seen {
        node,
        above: above(owns && in_root, owns, roles, parent),
        role: if owns { None } else { roles.here },
    };
    Ok(Granted { seen, caller: user, brand: PhantomData })
}

/// The roles that shares give a user on a node; an owner needs none.
pub(crate) async fn roles(
    tx: &mut Tx<'_>,
    node: i64,
    owner: UserId,
    user: UserId,
    now: Time,
) -> Result<Roles> {
    if owner == user { Ok(Roles::default()) } else { shares::roles(tx, node, user, now).await }
}

fn check(owns: bool, roles: Roles, right: Right, thing: Thing) -> Result<()> {
    if owns {
        return Ok(());
    }
    let here = roles.here.ok_or(Error::NotFound(thing))?;
    let may = match right {
        Right::Read => true,
        Right::Edit => here >= Role::Editor,
        Right::Add => here >= Role::Contributor,
        Right::Arrange => roles.above >= Some(Role::Contributor),
        Right::Own | Right::Restore => false,
    };
    if may { Ok(()) } else { Err(Error::Forbidden) }
}

/// Where something lies, for one caller.
pub(crate) fn above(home: bool, owns: bool, roles: Roles, parent: Option<FolderId>) -> Above {
    match parent {
        None => Above::Nothing,
        Some(_) if home => Above::Home,
        Some(parent) if owns || roles.above.is_some() => Above::Folder(parent),
        Some(_) => Above::Shared,
    }
}

impl Granted<'_, Folder> {
    /// A child, as the one who was granted the folder sees it: rights reach down.
    pub(crate) fn child<T>(&self, node: T) -> Seen<T> {
        let folder = &self.seen.node;
        let home = folder.parent.is_none() && folder.owner == self.caller;
        let above = if home { Above::Home } else { Above::Folder(folder.id) };
        Seen { node, above, role: self.seen.role }
    }
}
