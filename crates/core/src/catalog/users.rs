//! Users, their tokens, and the row that stands for each one's tree.

use super::conn::Tx;
use super::folders::{self, NewFolder};
use super::row::{FromRow, Row, params};
use super::sql::statements;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::id::{FolderId, TokenId, UserId};
use crate::name::Name;
use crate::node::Stamp;

/// What a user's root folder is called.
const ROOT_NAME: &str = "My Files";

/// What every statement that returns users selects from `u`.
macro_rules! user_columns {
    () => {
        "u.id, u.login, u.email, u.name, u.admin, u.disabled, u.created"
    };
}

macro_rules! tree_change {
    () => {
        "update trees set files = files + $2, bytes = bytes + $3, change = change + 1, \
         clock = case when $4 > clock then $4 else clock + 1 end where owner = $1"
    };
}

statements! {
    USER_BY_ID = concat!("select ", user_columns!(), " from users u where u.id = $1");
    USERS_LIKE = concat!("select ", user_columns!(), " from users u where u.disabled = 0 and (u.login_key like $1 escape '!' \
        or u.email_key like $1 escape '!' or lower(u.name) like $1 escape '!') \
        order by u.login_key limit $2");
    PASSWORD_OF = "select id, password from users \
        where (login_key = $1 or email_key = $1) and disabled = 0";
    HOME = "select root from trees where owner = $1";
    USER_BY_LOGIN = concat!("select ", user_columns!(), " from users u where u.login_key = $1");
    USER_ID_BY_EMAIL = "select id from users where email_key = $1";
    USERS = concat!("select ", user_columns!(), " from users u order by u.login_key");
    USER_COUNT = "select count(*) from (select id from users limit 1) one";
    USER_INSERT = "insert into users \
        (login, login_key, email, email_key, name, password, admin, created) \
        values ($1, $2, $3, $4, $5, $6, $7, $8) returning id";
    USER_SET_PASSWORD = "update users set password = $2 where id = $1";
    USER_SET_QUOTA = "update users set quota = $2 where id = $1";
    USER_SET_FILE_QUOTA = "update users set quota_files = $2 where id = $1";
    USER_SET_DISABLED = "update users set disabled = $2 where id = $1";
    TREE_INSERT = "insert into trees (owner, root, clock) values ($1, $2, $3)";
    USAGE = "select t.root, t.files, t.bytes, u.quota, u.quota_files from trees t join users u on u.id = t.owner \
        where t.owner = $1";
    /// SQLite makes a trigger and a table of `returning`: to ask behind it takes half as long.
    TREE_CHANGE = concat!(tree_change!(),
        " returning clock, files, bytes, (select u.quota from users u where u.id = trees.owner), \
        (select u.quota_files from users u where u.id = trees.owner), \
        (select u.email from users u where u.id = trees.owner)"), sqlite tree_change!();
    TREE_AFTER = "select t.clock, t.files, t.bytes, u.quota, u.quota_files, u.email \
        from trees t join users u on u.id = t.owner where t.owner = $1";
    TOKEN_INSERT = "insert into tokens (user_id, hash, label, created, expires) \
        values ($1, $2, $3, $4, $5) returning id";
    TOKENS_OF = "select id, label, created, expires, last_used from tokens \
        where user_id = $1 order by id";
    TOKEN_DELETE = "delete from tokens where id = $1";
    TOKEN_USED = "update tokens set last_used = $2 where hash = $1";
}

/// A user, without any secret.
#[derive(Clone, Debug)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The name to sign in with, unique without regard to case.
    pub login: String,
    /// The e-mail, unique without regard to case.
    pub email: String,
    /// The name to show.
    pub name: String,
    /// Whether the user may administer.
    pub admin: bool,
    /// A disabled user cannot use any credentials.
    pub disabled: bool,
    /// When the user was made.
    pub created: Time,
}

impl FromRow for User {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        Ok(User {
            id: UserId(row.take()?),
            login: row.take()?,
            email: row.take()?,
            name: row.take()?,
            admin: row.take()?,
            disabled: row.take()?,
            created: row.take()?,
        })
    }
}

/// What a user's files take, and may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) root: FolderId,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) quota: Option<u64>,
    pub(crate) file_quota: Option<u64>,
}

impl FromRow for Usage {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        Ok(Usage {
            root: FolderId(row.take()?),
            files: row.take()?,
            bytes: row.take()?,
            quota: row.take()?,
            file_quota: row.take()?,
        })
    }
}

/// A token, without its secret.
#[derive(Clone, Debug)]
pub struct Token {
    /// The id.
    pub id: TokenId,
    /// What its user calls it.
    pub label: String,
    /// When it was made.
    pub created: Time,
    /// When it ends, if it does.
    pub expires: Option<Time>,
    /// When it was last used, to the minute.
    pub last_used: Option<Time>,
}

impl FromRow for Token {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        Ok(Token {
            id: TokenId(row.take()?),
            label: row.take()?,
            created: row.take()?,
            expires: row.take()?,
            last_used: row.take()?,
        })
    }
}

/// A user to be made. Keys are folded.
#[derive(Clone, Debug)]
pub(crate) struct UserRow {
    pub(crate) login: String,
    pub(crate) login_key: String,
    pub(crate) email: String,
    pub(crate) email_key: String,
    pub(crate) name: String,
    pub(crate) password: String,
    pub(crate) admin: bool,
}

/// Who has a folded login or e-mail and may sign in, and the hash of the password.
pub(crate) async fn password_of(
    tx: &mut Tx<'_>,
    name_key: &str,
) -> Result<Option<(UserId, String)>> {
    let found: Option<(i64, String)> = tx.opt(&PASSWORD_OF, params![name_key]).await?;
    Ok(found.map(|(id, hash)| (UserId(id), hash)))
}

pub(crate) async fn by_id(tx: &mut Tx<'_>, user: UserId) -> Result<Option<User>> {
    tx.opt(&USER_BY_ID, params![user.0]).await
}

/// Users who can sign in and whose login, e-mail or name fits a pattern of
/// [`pattern`](super::pages::pattern).
pub(crate) async fn like(tx: &mut Tx<'_>, pattern: &str, limit: u64) -> Result<Vec<User>> {
    tx.all(&USERS_LIKE, params![pattern, limit.cast_signed()]).await
}

pub(crate) async fn by_login(tx: &mut Tx<'_>, login_key: &str) -> Result<Option<User>> {
    tx.opt(&USER_BY_LOGIN, params![login_key]).await
}

pub(crate) async fn id_by_email(tx: &mut Tx<'_>, email_key: &str) -> Result<Option<UserId>> {
    Ok(tx.opt(&USER_ID_BY_EMAIL, params![email_key]).await?.map(UserId))
}

pub(crate) async fn all(tx: &mut Tx<'_>) -> Result<Vec<User>> {
    tx.all(&USERS, params![]).await
}

pub(crate) async fn exist(tx: &mut Tx<'_>) -> Result<bool> {
    Ok(tx.one::<i64>(&USER_COUNT, params![]).await? > 0)
}

/// Makes a user with a tree: a root folder, My Files.
pub(crate) async fn insert(tx: &mut Tx<'_>, user: &UserRow, now: Time) -> Result<UserId> {
    let id: i64 = tx
        .insert(
            &USER_INSERT,
            params![
                &user.login,
                &user.login_key,
                &user.email,
                &user.email_key,
                &user.name,
                &user.password,
                user.admin,
                now
            ],
        )
        .await?;
    let owner = UserId(id);
    let label = Name::parse(ROOT_NAME)?.label();
    let created = Stamp { at: now, by: owner };
    let root = NewFolder { owner, parent: None, label: &label, created, hidden_with: None };
    let root = folders::insert_node(tx, &root).await?;
    tx.exec(&TREE_INSERT, params![id, root.0, now]).await?;
    super::shares::claim(tx, owner, &user.email_key).await?;
    Ok(owner)
}

pub(crate) async fn set_password(tx: &mut Tx<'_>, user: UserId, hash: &str) -> Result<()> {
    tx.exec(&USER_SET_PASSWORD, params![user.0, hash]).await.map(drop)
}

/// What a quota limits of a user's files.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Measure {
    /// What they take.
    Bytes,
    /// How many there are.
    Files,
}

/// Limits a user's files; `None` is no limit.
pub(crate) async fn set_quota(
    tx: &mut Tx<'_>,
    user: UserId,
    of: Measure,
    most: Option<i64>,
) -> Result<()> {
    let statement = match of {
        Measure::Bytes => &USER_SET_QUOTA,
        Measure::Files => &USER_SET_FILE_QUOTA,
    };
    tx.exec(statement, params![user.0, most]).await.map(drop)
}

pub(crate) async fn set_disabled(tx: &mut Tx<'_>, user: UserId, disabled: bool) -> Result<()> {
    tx.exec(&USER_SET_DISABLED, params![user.0, disabled]).await.map(drop)
}

/// A user's root folder.
pub(crate) async fn home(tx: &mut Tx<'_>, owner: UserId) -> Result<FolderId> {
    Ok(FolderId(tx.one(&HOME, params![owner.0]).await?))
}

pub(crate) async fn usage(tx: &mut Tx<'_>, owner: UserId) -> Result<Usage> {
    tx.one(&USAGE, params![owner.0]).await
}

/// The first statement of every unit that changes an owner's tree: it puts such units in order,
/// keeps the totals, and gives the time of the change, which never goes back within a tree. What
/// makes the tree larger than its owner's quota is refused; what makes it no larger never is.
pub(crate) async fn change_tree(
    tx: &mut Tx<'_>,
    owner: UserId,
    files: i64,
    bytes: i64,
    now: Time,
) -> Result<Time> {
    Ok(enter_tree(tx, owner, files, bytes, now).await?.0)
}

/// The same, with the owner's e-mail.
pub(crate) async fn enter_tree(
    tx: &mut Tx<'_>,
    owner: UserId,
    files: i64,
    bytes: i64,
    now: Time,
) -> Result<(Time, String)> {
    let params = params![owner.0, files, bytes, now];
    let after: TreeAfter = if tx.embedded().is_some() {
        tx.exec(&TREE_CHANGE, params).await?;
        tx.one(&TREE_AFTER, params![owner.0]).await?
    } else {
        tx.one(&TREE_CHANGE, params).await?
    };
    match (after.quota, after.file_quota) {
        (Some(quota), _) if bytes > 0 && after.bytes > quota => {
            Err(Error::QuotaExceeded { used: after.bytes - bytes.cast_unsigned(), quota })
        }
        (_, Some(quota)) if files > 0 && after.files > quota => Err(Error::TooManyFiles { quota }),
        _ => Ok((after.at, after.email)),
    }
}

/// A tree behind a change.
struct TreeAfter {
    at: Time,
    files: u64,
    bytes: u64,
    quota: Option<u64>,
    file_quota: Option<u64>,
    email: String,
}

impl FromRow for TreeAfter {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        let (at, files, bytes) = (row.take()?, row.take()?, row.take()?);
        let (quota, file_quota) = (row.take()?, row.take()?);
        Ok(TreeAfter { at, files, bytes, quota, file_quota, email: row.take()? })
    }
}

pub(crate) async fn insert_token(
    tx: &mut Tx<'_>,
    user: UserId,
    hash: &[u8; 32],
    label: &str,
    now: Time,
    expires: Option<Time>,
) -> Result<TokenId> {
    Ok(TokenId(tx.insert(&TOKEN_INSERT, params![user.0, hash, label, now, expires]).await?))
}

pub(crate) async fn tokens(tx: &mut Tx<'_>, user: UserId) -> Result<Vec<Token>> {
    tx.all(&TOKENS_OF, params![user.0]).await
}

/// False when there is no such token.
pub(crate) async fn delete_token(tx: &mut Tx<'_>, token: TokenId) -> Result<bool> {
    Ok(tx.exec(&TOKEN_DELETE, params![token.0]).await? > 0)
}

pub(crate) async fn token_used(tx: &mut Tx<'_>, hash: &[u8; 32], at: Time) -> Result<()> {
    tx.exec(&TOKEN_USED, params![hash, at]).await.map(drop)
}

pub(super) use user_columns;
