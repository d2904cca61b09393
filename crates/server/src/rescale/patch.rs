//! `PATCH files/{id}/`: JSON, form-urlencoded or multipart. Clients send the whole object back, so only
//! what can be changed is read, and `isDeleted: false` restores only when it comes alone.

use super::auth::Credentials;
use super::error::Problem;
use super::files::{Prefix, RawId, file_id};
use super::upload::{boundary, not_an_integer};
use super::wire::FileObject;
use crate::app::App;
use crate::http::body::{BodyError, MinimumRate, read_limited};
use crate::http::json::Json;
use crate::http::media_type::ContentType;
use crate::http::multipart::{Limits, Multipart};
use crate::site::Site;
use axum::body::Body;
use axum::extract::State;
use bindery_core::{Change, Name};
use serde_json::{Map, Value};

/// The longest body of a change, in bytes.
const BODY_MAX: u64 = 1 << 20;

pub(super) async fn patch(
    State(app): State<App>,
    Credentials { caller }: Credentials,
    site: Site,
    Prefix(prefix): Prefix,
    id: RawId,
    content_type: ContentType,
    body: Body,
) -> Result<Json<FileObject>, Problem> {
    let id = file_id(&app.drive, &caller, id).await?;
    // Before anything of the body is read.
    app.drive.identify(&caller).await?;
    let body = MinimumRate::new(body, app.settings.rate_floor);
    let fields = fields(&content_type, body).await?;
    let file = match wanted(&fields)? {
        Wanted::Restore => app.drive.restore(&caller, id).await?,
        Wanted::Change(change) => app.drive.change(&caller, id, change).await?,
    };
    Ok(Json(FileObject::new((&app.drive, &caller), file, &site, prefix)))
}

/// What a body asks for.
#[derive(Debug)]
enum Wanted {
    Restore,
    Change(Change),
}

fn wanted(fields: &Map<String, Value>) -> Result<Wanted, Problem> {
    let deleted = fields.get("isDeleted").map(boolean).transpose()?;
    if deleted == Some(false) && fields.len() == 1 {
        return Ok(Wanted::Restore);
    }
    Ok(Wanted::Change(Change {
        name: fields.get("name").map(name).transpose()?,
        type_id: fields.get("typeId").map(integer).transpose()?,
        shared_with: fields.get("sharedWith").map(emails).transpose()?,
        trash: deleted == Some(true),
    }))
}

fn name(value: &Value) -> Result<Name, Problem> {
    let problem = |why: &str| Err(Problem::Field("name", why.into()));
    match value {
        Value::String(text) => Ok(Name::from_client_path(text)?),
        Value::Number(number) => Ok(Name::from_client_path(&number.to_string())?),
        Value::Null => problem("This field may not be null."),
        _ => problem("Not a valid string."),
    }
}

fn integer(value: &Value) -> Result<i64, Problem> {
    let number = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.ok_or_else(not_an_integer)
}

fn boolean(value: &Value) -> Result<bool, Problem> {
    let text = match value {
        Value::Bool(value) => return Ok(*value),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => String::new(),
    };
    match text.as_str() {
        "True" | "true" | "1" => Ok(true),
        "False" | "false" | "0" => Ok(false),
        _ => Err(Problem::Field("isDeleted", "Must be a valid boolean.".into())),
    }
}

fn emails(value: &Value) -> Result<Vec<String>, Problem> {
    let problem = || Problem::Field("sharedWith", "Expected a list of e-mail addresses.".into());
    let list = value.as_array().ok_or_else(problem)?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    list.iter().map(text).collect::<Option<_>>().ok_or_else(problem)
}

/// The fields of a body of any of the three types. In a form, a field given more than once is a list.
async fn fields(
    content_type: &ContentType,
    body: MinimumRate<Body>,
) -> Result<Map<String, Value>, Problem> {
    match content_type.media_type().as_str() {
        "application/json" => json(&read_limited(body, BODY_MAX).await?),
        "application/x-www-form-urlencoded" => {
            let bytes = read_limited(body, BODY_MAX).await?;
            Ok(form(form_urlencoded::parse(&bytes).into_owned()))
        }
        "multipart/form-data" => Ok(form(multipart(content_type, body).await?.into_iter())),
        _ if read_limited(body, BODY_MAX).await?.is_empty() => Ok(Map::new()),
        _ => {
            let sent = String::from_utf8_lossy(content_type.as_bytes());
            Err(Problem::UnsupportedMediaType(sent.into_owned()))
        }
    }
}

fn json(bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    let parsed = serde_json::from_slice(bytes);
    match parsed.map_err(|error| Problem::Parse(format!("JSON parse error - {error}")))? {
        Value::Object(fields) => Ok(fields),
        _ => Err(Problem::Field("non_field_errors", "Invalid data. Expected an object.".into())),
    }
}

fn form(pairs: impl Iterator<Item = (String, String)>) -> Map<String, Value> {
    let mut fields = Map::new();
    for (name, value) in pairs {
        let value = Value::String(value);
        if name != "sharedWith" {
            fields.insert(name, value);
        } else if let Value::Array(list) = fields.entry(name).or_insert(Value::Array(Vec::new())) {
            list.push(value);
        }
    }
    fields
}

async fn multipart(
    content_type: &ContentType,
    body: MinimumRate<Body>,
) -> Result<Vec<(String, String)>, Problem> {
    let mut form = Multipart::new(body, &boundary(content_type)?, Limits::default());
    let (mut pairs, mut total) = (Vec::new(), 0);
    while let Some(head) = form.next_part().await? {
        let mut text = Vec::new();
        while let Some(bytes) = form.next_data().await? {
            total += bytes.len() as u64;
            if total > BODY_MAX {
                return Err(BodyError::TooLarge { limit: BODY_MAX }.into());
            }
            text.extend_from_slice(&bytes);
        }
        let text = String::from_utf8(text)
            .map_err(|_| Problem::Parse("Multipart form parse error - not UTF-8".into()))?;
        if let Some(Ok(name)) = head.name() {
            pairs.push((name, text));
        }
    }
    Ok(pairs)
}
