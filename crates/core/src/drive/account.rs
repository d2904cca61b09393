//! Users and tokens. What takes a caller is for everyone who signs in; the rest are an administrator's
//! operations, from the command line. Whoever can run those can read the data directory, so they ask
//! for no credentials.

#[cfg(test)]
mod tests;

use super::Drive;
use super::sign_in::lock;
use crate::access::{Caller, hash_secret, identify};
use crate::audit::{Act, Event, did};
use crate::catalog::conn::Tx;
use crate::catalog::pages;
use crate::catalog::users::{self, Measure, Token, Usage, User, UserRow};
use crate::clock::Time;
use crate::error::{Error, Result, Thing};
use crate::id::{FolderId, TokenId, UserId};
use crate::name::fold;
use argon2::Argon2;
use argon2::password_hash::PasswordHasher as _;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use std::collections::HashMap;

/// Scanners for leaked secrets find tokens by this.
const TOKEN_PREFIX: &str = "bindery_";
const TEXT_MAX: usize = 255;

/// A user to be made.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The name to sign in with.
    pub login: String,
    /// The e-mail.
    pub email: String,
    /// The name to show.
    pub name: String,
    /// The password.
    pub password: String,
    /// Whether the user may administer.
    pub admin: bool,
}

/// A token, shown this once.
#[derive(Clone)]
pub struct NewToken {
    /// The id, by which it is listed and revoked.
    pub id: TokenId,
    /// The secret that a client sends.
    pub secret: String,
}

/// A user, and what the user's files take.
#[derive(Clone, Debug)]
pub struct Account {
    /// The user.
    pub user: User,
    /// The user's root folder, My Files.
    pub home: FolderId,
    /// How many files the user has.
    pub files: u64,
    /// The bytes that they take.
    pub bytes: u64,
    /// The bytes that they may take, if that is limited.
    pub quota: Option<u64>,
    /// How many files the user may have, if that is limited.
    pub file_quota: Option<u64>,
}

impl Account {
    fn new(user: User, usage: Usage) -> Self {
        let Usage { root, files, bytes, quota, file_quota } = usage;
        Account { user, home: root, files, bytes, quota, file_quota }
    }
}

impl Drive {
    /// The caller's own account.
    pub async fn account(&self, caller: &Caller) -> Result<Account> {
        let now = self.now();
        let input = (caller.clone(), now);
        let account = self
            .catalog()
            .read(&input, |tx, (caller, now)| {
                Box::pin(async move {
                    let user = identify(tx, caller, *now).await?;
                    let usage = users::usage(tx, user.id).await?;
                    Ok(Account::new(user, usage))
                })
            })
            .await?;
        self.note_use(caller, now);
        Ok(account)
    }

    /// A user, as everyone who signs in may see.
    pub async fn user_by_id(&self, caller: &Caller, id: UserId) -> Result<User> {
        let input = (caller.clone(), self.now(), id);
        self.catalog()
            .read(&input, |tx, (caller, now, id)| {
                Box::pin(async move {
                    identify(tx, caller, *now).await?;
                    users::by_id(tx, *id).await?.ok_or(Error::NotFound(Thing::User))
                })
            })
            .await
    }

    /// Up to `limit` users who can sign in and whose login, e-mail or name holds a keyword, by login.
    pub async fn principals(
        &self,
        caller: &Caller,
        keyword: &str,
        limit: u64,
    ) -> Result<Vec<User>> {
        let input = (caller.clone(), self.now(), pages::pattern(&fold(keyword)), limit);
        self.catalog()
            .scan(&input, |tx, (caller, now, pattern, limit)| {
                Box::pin(async move {
                    identify(tx, caller, *now).await?;
                    users::like(tx, pattern, *limit).await
                })
            })
            .await
    }

    /// Makes a user, with an empty My Files.
    pub async fn add_user(&self, user: NewUser) -> Result<User> {
        let login = checked("login", &user.login)?;
        let email = checked("email", &user.email)?;
        if login.contains([':', '@']) {
            return Err(Error::invalid("login", "A login has no ':' and no '@'."));
        }
        if !email.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty()) {
            return Err(Error::invalid("email", "Enter a valid email address."));
        }
        let row = UserRow {
            login_key: fold(login),
            login: login.to_owned(),
            email_key: fold(email),
            email: email.to_owned(),
            name: if user.name.trim().is_empty() { login } else { user.name.trim() }.to_owned(),
            password: hash_password(user.password).await?,
            admin: user.admin,
        };
        self.administer((row, self.now()), |tx, (row, now)| {
            Box::pin(async move {
                if users::by_login(tx, &row.login_key).await?.is_some() {
                    let why = format!("a user with the login {} exists already", row.login);
                    return Err(Error::Taken { why });
                }
                if users::id_by_email(tx, &row.email_key).await?.is_some() {
                    let why = format!("a user with the e-mail {} exists already", row.email);
                    return Err(Error::Taken { why });
                }
                let id = users::insert(tx, row, *now).await?;
                let admin = if row.admin { "yes" } else { "no" };
                let event = to_account(Act::UserAdded, id).with("admin", admin);
                Ok(did(by_login(tx, &row.login_key).await?, event))
            })
        })
        .await
    }

    /// Every user, by login.
    pub async fn users(&self) -> Result<Vec<User>> {
        self.catalog().read(&(), |tx, ()| Box::pin(users::all(tx))).await
    }

    /// The user with a login.
    pub async fn user(&self, login: &str) -> Result<User> {
        let key = fold(login);
        self.catalog().read(&key, |tx, key| Box::pin(by_login(tx, key))).await
    }

    /// The account of the user with a login.
    pub async fn account_of(&self, login: &str) -> Result<Account> {
        let key = fold(login);
        self.catalog()
            .read(&key, |tx, key| {
                Box::pin(async move {
                    let user = by_login(tx, key).await?;
                    let usage = users::usage(tx, user.id).await?;
                    Ok(Account::new(user, usage))
                })
            })
            .await
    }

    /// Limits the bytes that a user's files may take, or ends the limit. What is there already stays.
    pub async fn set_quota(&self, login: &str, bytes: Option<u64>) -> Result<()> {
        self.set_quota_of(Measure::Bytes, login, bytes).await
    }

    /// Limits how many files a user may have, or ends the limit. What is there already stays.
    pub async fn set_file_quota(&self, login: &str, files: Option<u64>) -> Result<()> {
        self.set_quota_of(Measure::Files, login, files).await
    }

    async fn set_quota_of(&self, of: Measure, login: &str, most: Option<u64>) -> Result<()> {
        let most = most.map(i64::try_from).transpose();
        let most = most.map_err(|_| Error::invalid("quota", "That is too many."))?;
        self.administer((fold(login), of, most), |tx, (login, of, most)| {
            Box::pin(async move {
                let user = by_login(tx, login).await?;
                users::set_quota(tx, user.id, *of, *most).await?;
                let most = most.map_or_else(|| "none".into(), |most| most.to_string());
                let of = match of {
                    Measure::Bytes => "bytes",
                    Measure::Files => "files",
                };
                Ok(did((), to_account(Act::QuotaSet, user.id).with(of, most)))
            })
        })
        .await
    }

    /// Gives a user another password.
    pub async fn set_password(&self, login: &str, password: String) -> Result<()> {
        let input = (fold(login), hash_password(password).await?);
        self.administer(input, |tx, (login, hash)| {
            Box::pin(async move {
                let user = by_login(tx, login).await?;
                users::set_password(tx, user.id, hash).await?;
                Ok(did((), to_account(Act::PasswordSet, user.id)))
            })
        })
        .await
    }

    /// Disables or enables a user. A disabled user's credentials end at once and come back with the
    /// user; files and shares stay.
    pub async fn set_disabled(&self, login: &str, disabled: bool) -> Result<()> {
        self.administer((fold(login), disabled), |tx, (login, disabled)| {
            Box::pin(async move {
                let user = by_login(tx, login).await?;
                users::set_disabled(tx, user.id, *disabled).await?;
                let act = if *disabled { Act::UserDisabled } else { Act::UserEnabled };
                Ok(did((), to_account(act, user.id)))
            })
        })
        .await
    }

    /// Makes a token for a user. Only its hash is stored.
    pub async fn create_token(
        &self,
        login: &str,
        label: &str,
        expires_in_days: Option<u32>,
    ) -> Result<NewToken> {
        let random = BASE64_URL_SAFE_NO_PAD.encode(random_bytes::<32>());
        let secret = format!("{TOKEN_PREFIX}{random}");
        let now = self.now();
        let expires = expires_in_days.map(|days| now.plus_seconds(i64::from(days) * 86_400));
        let input = (fold(login), hash_secret(&secret), label.to_owned(), now, expires);
        let id = self
            .administer(input, |tx, (login, hash, label, now, expires)| {
                Box::pin(async move {
                    let user = by_login(tx, login).await?.id;
                    let token = users::insert_token(tx, user, hash, label, *now, *expires).await?;
                    Ok(did(token, to_account(Act::TokenCreated, user).with("token", token)))
                })
            })
            .await?;
        Ok(NewToken { id, secret })
    }

    /// A user's tokens.
    pub async fn tokens(&self, login: &str) -> Result<Vec<Token>> {
        let login = fold(login);
        self.catalog()
            .read(&login, |tx, login| {
                Box::pin(async move {
                    let user = by_login(tx, login).await?;
                    users::tokens(tx, user.id).await
                })
            })
            .await
    }

    /// Ends a token at once.
    pub async fn revoke_token(&self, token: TokenId) -> Result<()> {
        self.administer(token, |tx, token| {
            Box::pin(async move {
                if !users::delete_token(tx, *token).await? {
                    return Err(Error::NotFound(Thing::Token));
                }
                Ok(did((), Event::by_command(Act::TokenRevoked).with("token", token)))
            })
        })
        .await
    }

    /// Writes down when tokens were last used; the sweep calls it, so that a read never writes.
    pub(crate) async fn write_token_uses(&self) -> Result<()> {
        let used = std::mem::take(&mut *lock(&self.0.tokens_used));
        if used.is_empty() {
            return Ok(());
        }
        self.catalog()
            .write(used, |tx, used: &HashMap<[u8; 32], Time>| {
                Box::pin(async move {
                    for (hash, at) in used {
                        users::token_used(tx, hash, *at).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}

fn to_account(act: Act, user: UserId) -> Event {
    Event::by_command(act).with("account", user)
}

async fn by_login(tx: &mut Tx<'_>, key: &str) -> Result<User> {
    users::by_login(tx, key).await?.ok_or(Error::NotFound(Thing::User))
}

fn checked<'a>(field: &'static str, text: &'a str) -> Result<&'a str> {
    let text = text.trim();
    if text.is_empty() || text.len() > TEXT_MAX || text.chars().any(char::is_control) {
        return Err(Error::invalid(field, "1 to 255 bytes without control characters, please."));
    }
    Ok(text)
}

pub(super) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut random = [0; N];
    aws_lc_rs::rand::fill(&mut random).expect("the operating system provides randomness");
    random
}

/// Argon2id with its recommended costs: about 19 MiB and 40 ms.
pub(super) async fn hash_password(password: String) -> Result<String> {
    if password.is_empty() {
        return Err(Error::invalid("password", "This field may not be blank."));
    }
    let hash = move || Argon2::default().hash_password(password.as_bytes()).map(|h| h.to_string());
    let hashed = tokio::task::spawn_blocking(hash).await.map_err(Error::internal)?;
    hashed.map_err(|error| Error::internal(error.to_string()))
}
