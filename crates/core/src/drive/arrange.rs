//! Changing what a file is called, what it is for, who may read it, and whether it is in the trash.

use super::Drive;
use crate::access::{Caller, Granted, Right, grant};
use crate::catalog::conn::Tx;
use crate::catalog::files::{self, File};
use crate::catalog::{shares, users};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::id::{FileId, UserId};
use crate::name::{Name, fold};

/// What to change of a file; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// The name.
    pub name: Option<Name>,
    /// What the file is for, 1 to 12.
    pub type_id: Option<i64>,
    /// The e-mails of exactly those who may read it.
    pub shared_with: Option<Vec<String>>,
    /// Whether to put it in the trash.
    pub trash: bool,
}

impl Drive {
    /// Changes a file of the caller's, all of it or nothing. A file in the trash is not found.
    pub async fn change(&self, caller: &Caller, id: FileId, change: Change) -> Result<File> {
        if let Some(type_id) = change.type_id {
            check_type(type_id)?;
        }
        let input = (caller.clone(), self.now(), id, change);
        self.catalog()
            .write(input, |tx, (caller, now, id, change)| {
                Box::pin(async move {
                    let file = grant(tx, caller, *now, *id, Right::Own).await?;
                    apply(tx, &file, change, *now).await?;
                    reload(tx, *id).await
                })
            })
            .await
    }

    /// Puts a file of the caller's in the trash.
    pub async fn trash(&self, caller: &Caller, id: FileId) -> Result<()> {
        let change = Change { trash: true, ..Change::default() };
        self.change(caller, id, change).await.map(drop)
    }

    /// Takes a file of the caller's out of the trash; one that is not there stays as it is. If its
    /// label is taken meanwhile, it gets a number.
    pub async fn restore(&self, caller: &Caller, id: FileId) -> Result<File> {
        let input = (caller.clone(), self.now(), id);
        self.catalog()
            .write(input, |tx, (caller, now, id)| {
                Box::pin(async move {
                    let file = grant(tx, caller, *now, *id, Right::Restore).await?;
                    if file.trashed.is_some() {
                        restore(tx, &file, *now).await?;
                    }
                    reload(tx, *id).await
                })
            })
            .await
    }
}

/// Refuses what is no file type of the document or its later clients.
pub(super) fn check_type(type_id: i64) -> Result<()> {
    if (1..=12).contains(&type_id) {
        return Ok(());
    }
    Err(Error::invalid("type_id", format!("\"{type_id}\" is not a valid choice.")))
}

async fn apply<'tx>(
    tx: &mut Tx<'tx>,
    file: &Granted<'tx, File>,
    change: &Change,
    now: Time,
) -> Result<()> {
    let (files, bytes) = if change.trash { (-1, -file.size.cast_signed()) } else { (0, 0) };
    let at = users::change_tree(tx, file.owner, files, bytes, now).await?;
    if let Some(name) = &change.name {
        rename(tx, file, name).await?;
    }
    if let Some(type_id) = change.type_id {
        files::set_type(tx, file, type_id).await?;
    }
    if let Some(emails) = &change.shared_with {
        let readers = readers(tx, file.owner, emails).await?;
        shares::replace(tx, file, &readers, at).await?;
    }
    if change.trash {
        files::trash(tx, file, at).await?;
    }
    Ok(())
}

async fn rename<'tx>(tx: &mut Tx<'tx>, file: &Granted<'tx, File>, name: &Name) -> Result<()> {
    if name.as_str() == file.name {
        return Ok(());
    }
    let (folder, old) = files::place(tx, file.id).await?;
    let wanted = name.label();
    // Its own label is not in its way.
    let label = if wanted.key() == fold(&old) {
        wanted
    } else {
        files::free_label(tx, folder, &wanted).await?
    };
    files::rename(tx, file, name, &label).await
}

async fn restore<'tx>(tx: &mut Tx<'tx>, file: &Granted<'tx, File>, now: Time) -> Result<()> {
    users::change_tree(tx, file.owner, 1, file.size.cast_signed(), now).await?;
    let (folder, _) = files::place(tx, file.id).await?;
    let wanted = Name::parse(&file.name)?.label();
    let label = files::free_label(tx, folder, &wanted).await?;
    files::restore(tx, file, &label).await
}

/// The users with these e-mails. The owner needs no share.
async fn readers(tx: &mut Tx<'_>, owner: UserId, emails: &[String]) -> Result<Vec<UserId>> {
    let mut readers = Vec::new();
    for email in emails {
        let user = users::id_by_email(tx, &fold(email.trim())).await?.ok_or_else(|| {
            Error::invalid("shared_with", format!("No user has the e-mail \"{email}\"."))
        })?;
        if user != owner && !readers.contains(&user) {
            readers.push(user);
        }
    }
    Ok(readers)
}

async fn reload(tx: &mut Tx<'_>, id: FileId) -> Result<File> {
    let found = files::find_any(tx, id).await?;
    let mut file = found.ok_or_else(|| Error::internal("a file that was changed is not there"))?;
    files::load_shares(tx, &mut file).await?;
    Ok(file)
}
