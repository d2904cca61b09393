//! Users, their tokens, and the row that stands for each one's tree.

use super::conn::Tx;
use super::row::{FromRow, Row, params};
use super::sql::statements;
use crate::clock::Time;
use crate::error::Result;
use crate::id::{FolderId, TokenId, UserId};

statements! {
    USER_BY_TOKEN = "select u.id, u.login, u.email, u.name, u.admin, u.disabled, u.created \
        from tokens t join users u on u.id = t.user_id \
        where t.hash = $1 and (t.expires is null or t.expires > $2) and u.disabled = 0";
    USER_BY_LOGIN = "select u.id, u.login, u.email, u.name, u.admin, u.disabled, u.created \
        from users u where u.login_key = $1";
    USER_ID_BY_EMAIL = "select id from users where email_key = $1";
    USERS = "select u.id, u.login, u.email, u.name, u.admin, u.disabled, u.created \
        from users u order by u.login_key";
    USER_COUNT = "select count(*) from (select id from users limit 1) one";
    USER_INSERT = "insert into users \
        (login, login_key, email, email_key, name, password, admin, created) \
        values ($1, $2, $3, $4, $5, $6, $7, $8) returning id";
    USER_SET_PASSWORD = "update users set password = $2 where id = $1";
    USER_SET_DISABLED = "update users set disabled = $2 where id = $1";
    ROOT_INSERT = "insert into nodes \
        (owner, parent, kind, name, name_key, label, label_key, created, modified) \
        values ($1, null, 0, $2, $3, $2, $3, $4, $4) returning id";
    TREE_INSERT = "insert into trees (owner, root, clock) values ($1, $2, $3)";
    TREE_OF = "select root, files from trees where owner = $1";
    TREE_CHANGE = "update trees set files = files + $2, bytes = bytes + $3, change = change + 1, \
        clock = case when $4 > clock then $4 else clock + 1 end \
        where owner = $1 returning clock";
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

pub(crate) async fn by_token(tx: &mut Tx<'_>, hash: &[u8; 32], now: Time) -> Result<Option<User>> {
    tx.opt(&USER_BY_TOKEN, params![hash, now]).await
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
        .one(
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
    let root: i64 = tx.one(&ROOT_INSERT, params![id, "My Files", "my files", now]).await?;
    tx.exec(&TREE_INSERT, params![id, root, now]).await?;
    Ok(UserId(id))
}

pub(crate) async fn set_password(tx: &mut Tx<'_>, user: UserId, hash: &str) -> Result<()> {
    tx.exec(&USER_SET_PASSWORD, params![user.0, hash]).await.map(drop)
}

pub(crate) async fn set_disabled(tx: &mut Tx<'_>, user: UserId, disabled: bool) -> Result<()> {
    tx.exec(&USER_SET_DISABLED, params![user.0, disabled]).await.map(drop)
}

/// A user's root folder and how many live files the user owns.
pub(crate) async fn tree(tx: &mut Tx<'_>, owner: UserId) -> Result<(FolderId, u64)> {
    let (root, files) = tx.one(&TREE_OF, params![owner.0]).await?;
    Ok((FolderId(root), files))
}

/// The first statement of every unit that changes an owner's tree: it puts such units in order,
/// keeps the totals, and gives the time of the change, which never goes back within a tree.
pub(crate) async fn change_tree(
    tx: &mut Tx<'_>,
    owner: UserId,
    files: i64,
    bytes: i64,
    now: Time,
) -> Result<Time> {
    Ok(Time(tx.one(&TREE_CHANGE, params![owner.0, files, bytes, now]).await?))
}

pub(crate) async fn insert_token(
    tx: &mut Tx<'_>,
    user: UserId,
    hash: &[u8; 32],
    label: &str,
    now: Time,
    expires: Option<Time>,
) -> Result<TokenId> {
    Ok(TokenId(tx.one(&TOKEN_INSERT, params![user.0, hash, label, now, expires]).await?))
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
