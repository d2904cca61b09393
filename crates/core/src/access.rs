//! Who may do what. Nothing else decides that: an operation asks [`grant`] in the transaction that it
//! works in, and gets a proof that the catalog's writing functions demand.

use crate::catalog::conn::Tx;
use crate::catalog::files::{self, File};
use crate::catalog::users::{self, User};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::id::{FileId, FolderId, UserId};
use aws_lc_rs::digest::{SHA256, digest};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

/// Credentials, not yet believed: every operation looks them up in its own transaction, so a revoked
/// token and a disabled user end at once.
#[derive(Clone)]
pub struct Caller {
    token_hash: [u8; 32],
}

impl Caller {
    /// A caller who shows a token. Nothing is looked up yet.
    pub fn with_token(token: &str) -> Self {
        Caller { token_hash: hash_token(token) }
    }

    pub(crate) fn token_hash(&self) -> &[u8; 32] {
        &self.token_hash
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Caller(redacted)")
    }
}

/// What is stored of a token. The look-up is by this hash of 256 random bits, so how long a comparison
/// takes says nothing about a token.
pub(crate) fn hash_token(token: &str) -> [u8; 32] {
    let hash = digest(&SHA256, token.as_bytes());
    hash.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// What a share gives. The numbers are the catalog's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Reads metadata, key and content.
    Viewer = 1,
}

/// What an operation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// To see a file and what it holds.
    Read,
    /// To change it, share it, or put it in the trash.
    Own,
    /// To take it out of the trash.
    Restore,
}

/// Something that the caller may use as it was asked for, within one transaction.
#[derive(Debug)]
pub(crate) struct Granted<'tx, T> {
    inner: T,
    caller: UserId,
    brand: PhantomData<fn(&'tx ()) -> &'tx ()>,
}

impl<T> Granted<'_, T> {
    /// Who was granted it.
    pub(crate) fn caller(&self) -> UserId {
        self.caller
    }

    /// Gives up the proof.
    pub(crate) fn into_inner(self) -> T {
        self.inner
    }
}

impl<T> Deref for Granted<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

/// Whose credentials these are, if they are good now.
pub(crate) async fn identify(tx: &mut Tx<'_>, caller: &Caller, now: Time) -> Result<User> {
    users::by_token(tx, caller.token_hash(), now).await?.ok_or(Error::Unauthenticated)
}

/// The one gate to a file. What the caller may not see is not found; what the caller may see and not
/// do is forbidden. A file in the trash is seen by no one, except by its owner to restore it.
pub(crate) async fn grant<'tx>(
    tx: &mut Tx<'tx>,
    caller: &Caller,
    now: Time,
    id: FileId,
    right: Right,
) -> Result<Granted<'tx, File>> {
    let user = identify(tx, caller, now).await?;
    let (file, role) = files::find(tx, id, user.id).await?.ok_or(Error::NotFound)?;
    let owns = file.owner == user.id;
    if !owns && role.is_none() || file.trashed.is_some() && !(owns && right == Right::Restore) {
        return Err(Error::NotFound);
    }
    match right {
        Right::Own | Right::Restore if !owns => Err(Error::Forbidden),
        _ => Ok(Granted { inner: file, caller: user.id, brand: PhantomData }),
    }
}

/// A folder that files can be put in, and whose it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) owner: UserId,
    pub(crate) folder: FolderId,
}

/// The caller's own root folder, to put files in.
pub(crate) async fn grant_home<'tx>(
    tx: &mut Tx<'tx>,
    caller: &Caller,
    now: Time,
) -> Result<Granted<'tx, Place>> {
    let owner = identify(tx, caller, now).await?.id;
    let (folder, _) = users::tree(tx, owner).await?;
    Ok(Granted { inner: Place { owner, folder }, caller: owner, brand: PhantomData })
}
