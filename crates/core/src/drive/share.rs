//! Sharing: giving others a role on a file or folder, and taking it back.

use super::Drive;
use super::once::{Outcome, Request, number, told};
use super::upload::active_key;
use crate::access::{
    Caller, Granted, Right, Role, grant, grant_folder, grant_linked, hash_secret, identify,
};
use crate::audit::{Act, Event, did};
use crate::catalog::conn::Tx;
use crate::catalog::shares::{self, ShareRow, sooner};
use crate::catalog::users;
use crate::clock::Time;
use crate::error::{Error, Result, Thing};
use crate::id::{ShareId, UserId};
use crate::name::fold;
use crate::node::{FolderRef, NodeRef};
use crate::share::{NewRecipient, Recipient, Share, SharedNode, Sharing, Terms, link_context};
use crate::vault::keys::Keyring;
use crate::vault::seal::DataKey;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use std::sync::Arc;

impl Drive {
    /// Shares a file or folder. Its owner may; so may others who have it by a share that lets them
    /// share on, with no more than they have and for no longer. The same share again changes the one
    /// that is there.
    pub async fn share(
        &self,
        caller: &Caller,
        node: NodeRef,
        recipient: NewRecipient,
        terms: Terms,
    ) -> Result<Share> {
        let secret = DataKey::generate();
        let keys = Arc::clone(&self.vault().keys);
        let request = Request::of(caller, "share", &(node, &recipient, told(caller, &terms)));
        let input = (caller.clone(), self.now(), node, recipient, terms, (secret, keys));
        let share = self
            .once(
                caller,
                request,
                input,
                |tx, (caller, now, node, recipient, terms, (secret, keys))| {
                    Box::pin(async move {
                        let node = visible(tx, caller, *now, *node).await?;
                        let terms = (recipient, terms);
                        let share = share(tx, node, terms, (secret, keys), *now).await?;
                        let event = Event::by(node.user, Act::Shared).share(&share);
                        Ok(did(share, event))
                    })
                },
            )
            .await?;
        self.reveal(share).await
    }

    /// The shares of a file or folder itself: all of them to its owner, to others their own.
    pub async fn shares(&self, caller: &Caller, node: NodeRef) -> Result<Vec<Share>> {
        let input = (caller.clone(), self.now(), node);
        let found = self
            .catalog()
            .read(&input, |tx, (caller, now, node)| {
                Box::pin(async move {
                    let node = visible(tx, caller, *now, *node).await?;
                    let found = shares::of_node(tx, node.id).await?;
                    let mine =
                        |share: &Share| node.owner == node.user || concerns(share, node.user);
                    Ok(found.into_iter().filter(mine).collect::<Vec<_>>())
                })
            })
            .await?;
        self.reveal_all(found).await
    }

    /// What the caller may do with a file or folder, and with whom the caller may share it. An owner
    /// may do all that a share can give.
    pub async fn rights(&self, caller: &Caller, node: NodeRef) -> Result<(Role, Sharing)> {
        let input = (caller.clone(), self.now(), node);
        self.catalog()
            .read(&input, |tx, (caller, now, node)| {
                Box::pin(async move {
                    let node = visible(tx, caller, *now, *node).await?;
                    match node.role {
                        None => Ok((Role::Contributor, Sharing::all())),
                        Some(role) => {
                            Ok((role, shares::sharing(tx, node.id, node.user, *now).await?))
                        }
                    }
                })
            })
            .await
    }

    /// A share, if the caller owns what is shared, gave the share or has it.
    pub async fn share_by_id(&self, caller: &Caller, id: ShareId) -> Result<Share> {
        let input = (caller.clone(), self.now(), id);
        let share = self
            .catalog()
            .read(&input, |tx, (caller, now, id)| {
                Box::pin(async move { Ok(find(tx, caller, *now, *id).await?.0) })
            })
            .await?;
        self.reveal(share).await
    }

    /// Changes what a share gives; what hangs on it never gives more.
    pub async fn change_share(&self, caller: &Caller, id: ShareId, terms: Terms) -> Result<Share> {
        let request = Request::of(caller, "change_share", &(id, told(caller, &terms)));
        let input = (caller.clone(), self.now(), id, terms);
        let share = self
            .once(caller, request, input, |tx, (caller, now, id, terms)| {
                Box::pin(async move {
                    let (share, node) = find(tx, caller, *now, *id).await?;
                    if share.sharer != node.user && node.owner != node.user {
                        return Err(Error::Forbidden);
                    }
                    let mut terms = terms.clone();
                    check_role(&share.node, terms.role)?;
                    if let Some(via) = share.via {
                        let via = shares::find(tx, via).await?.ok_or(GONE)?;
                        limit(&mut terms, &via);
                    }
                    let given = (terms.role, terms.sharing);
                    shares::update(tx, share.id, given, &terms.comment, terms.expires).await?;
                    let share = shares::find(tx, *id).await?.ok_or(GONE)?;
                    let event = Event::by(node.user, Act::ShareChanged).share(&share);
                    Ok(did(share, event))
                })
            })
            .await?;
        self.reveal(share).await
    }

    /// Ends a share, and at once what hangs on it. Its giver may, the owner of what is shared, and who
    /// has it.
    pub async fn unshare(&self, caller: &Caller, id: ShareId) -> Result<()> {
        let request = Request::of(caller, "unshare", &id);
        let input = (caller.clone(), self.now(), id);
        self.once(caller, request, input, |tx, (caller, now, id)| {
            Box::pin(async move {
                let (share, node) = find(tx, caller, *now, *id).await?;
                let mine = [share.sharer, node.owner].contains(&node.user);
                if !mine && !is_for(&share, node.user) {
                    return Err(Error::Forbidden);
                }
                shares::delete(tx, share.id).await?;
                Ok(did((), Event::by(node.user, Act::ShareEnded).share(&share)))
            })
        })
        .await
    }

    /// The shares that a user gave, as far as they concern the caller.
    pub async fn shares_by(&self, caller: &Caller, user: UserId) -> Result<Vec<Share>> {
        self.shares_of(caller, user, true).await
    }

    /// The shares that a user has, as far as they concern the caller.
    pub async fn shares_with(&self, caller: &Caller, user: UserId) -> Result<Vec<Share>> {
        self.shares_of(caller, user, false).await
    }

    async fn shares_of(&self, caller: &Caller, user: UserId, given: bool) -> Result<Vec<Share>> {
        let input = (caller.clone(), self.now(), user, given);
        let found = self
            .catalog()
            .scan(&input, |tx, (caller, now, user, given)| {
                Box::pin(async move {
                    let me = identify(tx, caller, *now).await?.id;
                    users::by_id(tx, *user).await?.ok_or(Error::NotFound(Thing::User))?;
                    let found = if *given {
                        shares::by_sharer(tx, *user).await?
                    } else {
                        shares::with_user(tx, *user).await?
                    };
                    let mut shown = Vec::new();
                    for share in found.into_iter().filter(|share| concerns(share, me)) {
                        match find(tx, caller, *now, share.id).await {
                            Ok((share, _)) => shown.push(share),
                            Err(Error::NotFound(_)) => {}
                            Err(error) => return Err(error),
                        }
                    }
                    Ok(shown)
                })
            })
            .await?;
        self.reveal_all(found).await
    }

    /// Every share, of one user's or of all: for administrators.
    pub async fn all_shares(&self, login: Option<&str>) -> Result<Vec<Share>> {
        let login = login.map(fold);
        self.catalog()
            .scan(&login, |tx, login| {
                Box::pin(async move {
                    let Some(login) = login else {
                        return shares::all(tx, ShareId(0), i64::MAX.cast_unsigned()).await;
                    };
                    let user = users::by_login(tx, login).await?;
                    let user = user.ok_or(Error::NotFound(Thing::User))?.id;
                    let mut found = shares::by_sharer(tx, user).await?;
                    found.extend(shares::with_user(tx, user).await?);
                    found.sort_by_key(|share| share.id);
                    found.dedup_by_key(|share| share.id);
                    Ok(found)
                })
            })
            .await
    }

    /// Ends a share: for administrators.
    pub async fn revoke_share(&self, id: ShareId) -> Result<()> {
        self.administer(id, |tx, id| {
            Box::pin(async move {
                let share = shares::find(tx, *id).await?.ok_or(GONE)?;
                shares::delete(tx, *id).await?;
                Ok(did((), Event::by_command(Act::ShareEnded).share(&share)))
            })
        })
        .await
    }

    /// The file of a link that the caller shows.
    pub async fn linked(&self, caller: &Caller) -> Result<crate::node::Seen<crate::File>> {
        let input = (caller.clone(), self.now());
        self.catalog()
            .look_up(&input, |tx, (caller, now)| {
                Box::pin(async move {
                    let file = grant_linked(tx, caller, *now).await;
                    file.map(Granted::into_seen).map_err(|error| match error {
                        Error::NotFound(_) | Error::Unauthenticated => GONE,
                        other => other,
                    })
                })
            })
            .await
    }

    /// Opens the secret of a link, which the catalog keeps sealed.
    async fn reveal(&self, mut share: Share) -> Result<Share> {
        if let Some((key, wrapped, hash)) = &share.sealed_link {
            self.check_held(key).await?;
            let secret = self.vault().keys.unwrap(key, &link_context(hash), wrapped)?;
            share.link = Some(secret_text(&secret));
        }
        Ok(share)
    }

    async fn reveal_all(&self, shares: Vec<Share>) -> Result<Vec<Share>> {
        let mut revealed = Vec::with_capacity(shares.len());
        for share in shares {
            revealed.push(self.reveal(share).await?);
        }
        Ok(revealed)
    }
}

const GONE: Error = Error::NotFound(Thing::Share);

impl Outcome for Share {
    fn note(&self) -> Option<String> {
        Some(self.id.to_string())
    }

    async fn recall(tx: &mut Tx<'_>, caller: &Caller, now: Time, note: &str) -> Result<Self> {
        Ok(find(tx, caller, now, ShareId(number(note)?)).await?.0)
    }
}

/// Something that a caller may see, to be shared.
#[derive(Clone, Copy)]
struct Visible {
    node: SharedNode,
    id: i64,
    owner: UserId,
    user: UserId,
    role: Option<Role>,
    is_root: bool,
}

async fn visible(tx: &mut Tx<'_>, caller: &Caller, now: Time, node: NodeRef) -> Result<Visible> {
    // Who shows a link sees its file, and has nothing to do with its shares.
    identify(tx, caller, now).await?;
    match node {
        NodeRef::File(file) => {
            let file = grant(tx, caller, now, file, Right::Read).await?;
            let node = SharedNode::File(file.id, file.hex);
            let (id, owner, user) = (file.id.0, file.owner, file.caller());
            Ok(Visible { node, id, owner, user, role: file.into_seen().role, is_root: false })
        }
        NodeRef::Folder(folder) => {
            let folder = grant_folder(tx, caller, now, folder, Right::Read).await?;
            let (node, is_root) = (SharedNode::Folder(folder.id), folder.parent.is_none());
            let (id, owner, user) = (folder.id.0, folder.owner, folder.caller());
            Ok(Visible { node, id, owner, user, role: folder.into_seen().role, is_root })
        }
    }
}

async fn find(
    tx: &mut Tx<'_>,
    caller: &Caller,
    now: Time,
    id: ShareId,
) -> Result<(Share, Visible)> {
    identify(tx, caller, now).await?;
    let share = shares::find(tx, id).await?.ok_or(GONE)?;
    let node = match share.node {
        SharedNode::File(id, _) => NodeRef::File(id.into()),
        SharedNode::Folder(id) => NodeRef::Folder(FolderRef::Id(id)),
    };
    // What lies in the trash, or was taken back, is shared by no one.
    let node = match visible(tx, caller, now, node).await {
        Err(Error::NotFound(_)) => return Err(GONE),
        other => other?,
    };
    let mine = node.owner == node.user || concerns(&share, node.user);
    if mine { Ok((share, node)) } else { Err(GONE) }
}

/// Whether a user gave a share or has it, by name or with everyone.
fn concerns(share: &Share, user: UserId) -> bool {
    share.sharer == user || is_for(share, user) || share.recipient == Recipient::Everyone
}

/// Whether a share is with a user and no one else.
fn is_for(share: &Share, user: UserId) -> bool {
    match share.recipient {
        Recipient::User { id, .. } => id == user,
        Recipient::External { id, .. } => id == Some(user),
        Recipient::Everyone | Recipient::Link => false,
    }
}

async fn share(
    tx: &mut Tx<'_>,
    node: Visible,
    (recipient, terms): (&NewRecipient, &Terms),
    (secret, keys): (&DataKey, &Keyring),
    now: Time,
) -> Result<Share> {
    check_role(&node.node, terms.role)?;
    if node.is_root {
        return Err(Error::Forbidden);
    }
    let (kind, owns) = (recipient.kind(), node.owner == node.user);
    let vias = if owns {
        Vec::new()
    } else {
        shares::vias(tx, node.id, node.user, (terms.role, kind), now).await?
    };
    if !owns && vias.is_empty() {
        return Err(Error::Forbidden);
    }
    let at = users::change_tree(tx, node.owner, 0, 0, now).await?;
    let hash = hash_secret(&secret_text(secret));
    let active = active_key(tx, keys).await?;
    let wrapped = keys.wrap(&active, &link_context(&hash), secret)?;
    let (mut email, mut email_key) = (None, None);
    let user = match recipient {
        NewRecipient::User(user) => {
            let found = users::by_id(tx, *user).await?.filter(|user| !user.disabled);
            let found = found.ok_or(Error::NotFound(Thing::User))?.id;
            if found == node.owner || found == node.user {
                return Err(Error::invalid("recipient", "This user has it already."));
            }
            Some(found)
        }
        NewRecipient::External(address) => {
            let address = check_email(address)?;
            let key = fold(&address);
            let user = users::id_by_email(tx, &key).await?;
            if user.is_some_and(|user| user == node.owner || user == node.user) {
                return Err(Error::invalid("recipient", "This user has it already."));
            }
            (email, email_key) = (Some(address), Some(key));
            user
        }
        NewRecipient::Everyone => None,
        NewRecipient::Link if matches!(node.node, SharedNode::Folder(_)) => {
            return Err(Error::invalid("recipient", "A link is to a file, not to a folder."));
        }
        NewRecipient::Link => None,
    };
    let mut row = ShareRow {
        node: node.id,
        sharer: node.user,
        kind,
        user,
        email: email.as_deref(),
        email_key: email_key.as_deref(),
        role: terms.role,
        sharing: terms.sharing,
        via: None,
        comment: &terms.comment,
        created: at,
        expires: terms.expires,
        link: (kind == 3).then_some((&hash, &*active, &wrapped)),
    };
    let same = shares::same(tx, &row).await?;
    if !owns {
        let (via, mut terms) = (free_via(tx, vias, same).await?, terms.clone());
        limit(&mut terms, &via);
        row.via = Some(via.id);
        (row.role, row.sharing, row.expires) = (terms.role, terms.sharing, terms.expires);
    }
    let id = match same {
        Some(id) => {
            shares::hang(tx, id, row.via).await?;
            let given = (row.role, row.sharing);
            shares::update(tx, id, given, row.comment, row.expires).await?;
            id
        }
        None => shares::insert(tx, &row).await?,
    };
    shares::find(tx, id).await?.ok_or(GONE)
}

/// The first of the shares that permit sharing on which does not itself come from the share that is
/// given again.
async fn free_via(tx: &mut Tx<'_>, vias: Vec<ShareId>, same: Option<ShareId>) -> Result<Share> {
    for via in vias {
        let circle = match same {
            Some(same) => shares::hangs_on(tx, via, same).await?,
            None => false,
        };
        if !circle {
            return shares::find(tx, via).await?.ok_or(GONE);
        }
    }
    Err(Error::Forbidden)
}

/// Who shares on gives no more than the share that permits it, and for no longer.
fn limit(terms: &mut Terms, via: &Share) {
    terms.role = terms.role.min(via.role);
    terms.sharing = terms.sharing.within(via.sharing);
    terms.expires = sooner(terms.expires, via.expires);
}

fn check_role(node: &SharedNode, role: Role) -> Result<()> {
    if role == Role::Contributor && matches!(node, SharedNode::File(..)) {
        return Err(Error::invalid("role", "Only a folder can be contributed to."));
    }
    Ok(())
}

fn check_email(text: &str) -> Result<String> {
    let text = text.trim().to_lowercase();
    let parts = text.split_once('@');
    let good = parts.is_some_and(|(name, host)| {
        !name.is_empty() && host.contains('.') && !host.starts_with('.') && !host.ends_with('.')
    });
    if !good || text.len() > 254 || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(Error::invalid("email", "Enter a valid email address."));
    }
    Ok(text)
}

fn secret_text(secret: &DataKey) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(secret.as_bytes())
}
