//! Shares: what is given to whom, looked at, changed and ended.

use super::ask::Ask;
use super::body::Fields;
use super::dates;
use super::error::Problem;
use super::lists::cut;
use super::place::{AtEntry, AtShare, AtUser, Place};
use super::wire::{self, List, ShareObject};
use crate::http::json::Json;
use axum::body::Body;
use bindery_core::{
    Error, NewRecipient, NodeRef, Role, Share, ShareId, Sharing, Terms, Thing, Time, UserId,
};
use http::StatusCode;

pub(super) async fn of_folder(ask: Ask, place: Place) -> Result<Json<List<ShareObject>>, Problem> {
    let shares = match place {
        Place::Folder(folder) => ask.drive().shares(&ask.caller, NodeRef::Folder(folder)).await?,
        Place::View(_) => Vec::new(),
    };
    Ok(shown(&ask, &shares))
}

pub(super) async fn of_entry(
    ask: Ask,
    AtEntry(id): AtEntry,
) -> Result<Json<List<ShareObject>>, Problem> {
    let shares = ask.drive().shares(&ask.caller, NodeRef::File(id)).await?;
    Ok(shown(&ask, &shares))
}

pub(super) async fn share_folder(
    ask: Ask,
    place: Place,
    body: Body,
) -> Result<Json<ShareObject>, Problem> {
    share(&ask, NodeRef::Folder(place.folder()?), body).await
}

pub(super) async fn share_entry(
    ask: Ask,
    AtEntry(id): AtEntry,
    body: Body,
) -> Result<Json<ShareObject>, Problem> {
    share(&ask, NodeRef::File(id), body).await
}

/// Nobody is notified, whatever the query says: this server sends no mail.
async fn share(ask: &Ask, node: NodeRef, body: Body) -> Result<Json<ShareObject>, Problem> {
    let fields = Fields::read(ask, body).await?;
    let recipient = recipient(&fields)?;
    let terms = terms(&fields, None, ask.drive().clock().now())?;
    let caller = ask.caller.clone().telling(&fields);
    let share = ask.drive().share(&caller, node, recipient, terms).await?;
    Ok(Json(object(ask, &share)))
}

/// All that the caller gave.
pub(super) async fn list(ask: Ask) -> Result<Json<List<ShareObject>>, Problem> {
    let mut shares = Vec::new();
    if ask.query.get("id").is_none() {
        let user = ask.signed_in().await?.id;
        shares = ask.drive().shares_by(&ask.caller, user).await?;
    }
    for id in ask.query.all("id").filter_map(|id| id.parse().ok().map(ShareId)) {
        match ask.drive().share_by_id(&ask.caller, id).await {
            Err(Error::NotFound(_)) => {}
            share => shares.push(share?),
        }
    }
    Ok(shown(&ask, &shares))
}

pub(super) async fn show(ask: Ask, AtShare(id): AtShare) -> Result<Json<ShareObject>, Problem> {
    let share = ask.drive().share_by_id(&ask.caller, id).await?;
    Ok(Json(object(&ask, &share)))
}

pub(super) async fn change(
    ask: Ask,
    AtShare(id): AtShare,
    body: Body,
) -> Result<Json<ShareObject>, Problem> {
    let fields = Fields::read(&ask, body).await?;
    let old = ask.drive().share_by_id(&ask.caller, id).await?;
    let terms = terms(&fields, Some(&old), ask.drive().clock().now())?;
    let caller = ask.caller.clone().telling(&fields);
    let share = ask.drive().change_share(&caller, id, terms).await?;
    Ok(Json(object(&ask, &share)))
}

pub(super) async fn delete(ask: Ask, AtShare(id): AtShare) -> Result<StatusCode, Problem> {
    ask.drive().unshare(&ask.caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn by_user(
    ask: Ask,
    AtUser(id): AtUser,
) -> Result<Json<List<ShareObject>>, Problem> {
    Ok(shown(&ask, &ask.drive().shares_by(&ask.caller, id).await?))
}

pub(super) async fn with_user(
    ask: Ask,
    AtUser(id): AtUser,
) -> Result<Json<List<ShareObject>>, Problem> {
    Ok(shown(&ask, &ask.drive().shares_with(&ask.caller, id).await?))
}

fn shown(ask: &Ask, shares: &[Share]) -> Json<List<ShareObject>> {
    Json(cut(ask, shares.iter().map(|share| object(ask, share)).collect()))
}

fn object(ask: &Ask, share: &Share) -> ShareObject {
    ShareObject::new(share, &ask.site, ask.drive().clock().now())
}

fn recipient(fields: &Fields) -> Result<NewRecipient, Problem> {
    let recipient = fields.object("recipient")?.ok_or_else(|| Problem::missing("recipient"))?;
    let kind = recipient.required("type")?.to_ascii_lowercase();
    match kind.as_str() {
        "user" => Ok(NewRecipient::User(UserId(recipient.required_number("id")?))),
        "external_user" => Ok(NewRecipient::External(recipient.required("email")?)),
        "public" => Ok(NewRecipient::Everyone),
        "public_link" => Ok(NewRecipient::Link),
        // There are none.
        "group" => Err(Error::NotFound(Thing::User).into()),
        _ => Err(Problem::BadInput("The recipient has an unknown type.".into())),
    }
}

/// What a body says of a share; what it does not say stays as it was.
fn terms(fields: &Fields, old: Option<&Share>, now: Time) -> Result<Terms, Problem> {
    let access = fields.object("access")?.unwrap_or_default();
    let role = match access.text("role")?.or(fields.text("role")?) {
        Some(text) => {
            let problem =
                || Problem::BadInput("role must be VIEWER, EDITOR or CONTRIBUTOR.".into());
            wire::role(&text).ok_or_else(problem)?
        }
        None => old.map_or(Role::Viewer, |old| old.role),
    };
    let sharing = match access.object("sharing")?.or(fields.object("sharing")?) {
        Some(sharing) => read_sharing(&sharing)?,
        None => old.map(|old| old.sharing).unwrap_or_default(),
    };
    let comment = match fields.text("comment")? {
        Some(comment) => comment,
        None => old.map(|old| old.comment.clone()).unwrap_or_default(),
    };
    let expires = match expires(fields, now)? {
        Some(expires) => expires,
        None => old.and_then(|old| old.expires),
    };
    Ok(Terms { role, sharing, comment, expires })
}

fn read_sharing(fields: &Fields) -> Result<Sharing, Problem> {
    Ok(Sharing {
        internal: fields.is_set("internal")?,
        external: fields.is_set("external")?,
        public: fields.is_set("public")?,
        public_link: fields.is_set("public_link")?,
        grant_reshare: fields.is_set("grant_reshare")?,
    })
}

/// When a share ends: `None` if the body does not say, `Some(None)` if it says never.
fn expires(fields: &Fields, now: Time) -> Result<Option<Option<Time>>, Problem> {
    if let Some(days) = fields.number("days_to_expire")? {
        return match days {
            0 => Ok(Some(None)),
            1..=36_500 => Ok(Some(Some(now.plus_seconds(days * 86_400)))),
            _ => Err(Problem::BadInput("days_to_expire must be 0 to 36500.".into())),
        };
    }
    if let Some(date) = fields.text("expiration")? {
        return Ok(Some(Some(dates::any("expiration", &date)?)));
    }
    let cleared = fields.has("days_to_expire") || fields.has("expiration");
    Ok(cleared.then_some(None))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_456_263_983_000_000);
    const DAY: i64 = 86_400;

    fn fields(json: &str) -> Fields {
        Fields::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn recipients_are_read_by_their_type() {
        let read = |inner: &str| recipient(&fields(&format!("{{\"recipient\":{{{inner}}}}}"))).ok();
        let user = Some(NewRecipient::User(UserId(34)));
        assert_eq!(read(r#""type":"user","id":"34""#), user);
        assert_eq!(read(r#""type":"USER","id":34,"email":"x""#), user);
        let external = Some(NewRecipient::External("a@b".into()));
        assert_eq!(read(r#""type":"external_user","email":"a@b""#), external);
        assert_eq!(read(r#""type":"public""#), Some(NewRecipient::Everyone));
        assert_eq!(read(r#""type":"public_link""#), Some(NewRecipient::Link));
        for bad in ["", r#""type":"user""#, r#""type":"user","id":"x""#, r#""type":"group","id":1"#]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert!(recipient(&fields("{}")).is_err());
    }

    #[test]
    fn terms_are_read_wherever_they_stand() {
        let read = |json| terms(&fields(json), None, NOW).unwrap();
        let plain = read("{}");
        assert_eq!((plain.role, plain.expires, &*plain.comment), (Role::Viewer, None, ""));
        assert_eq!(plain.sharing, Sharing::default());
        for json in [
            r#"{"access":{"role":"editor","sharing":{"grant_reshare":true}},"comment":"c"}"#,
            r#"{"role":"EDITOR","sharing":{"grant_reshare":"true","x":1},"comment":"c"}"#,
        ] {
            let terms = read(json);
            assert_eq!((terms.role, &*terms.comment), (Role::Editor, "c"), "{json}");
            assert!(terms.sharing.grant_reshare && !terms.sharing.internal, "{json}");
        }
        for bad in [r#"{"role":"OWNER"}"#, r#"{"access":"VIEWER"}"#, r#"{"comment":[]}"#] {
            assert!(terms(&fields(bad), None, NOW).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_share_ends_in_days_or_at_a_date_or_never() {
        let read = |json| expires(&fields(json), NOW).ok();
        assert_eq!(read("{}"), Some(None));
        assert_eq!(read(r#"{"days_to_expire":2}"#), Some(Some(Some(NOW.plus_seconds(2 * DAY)))));
        assert_eq!(read(r#"{"expiration":"2016-02-23T21:46:23Z"}"#), Some(Some(Some(NOW))));
        for never in [r#"{"days_to_expire":0}"#, r#"{"expiration":null}"#] {
            assert_eq!(read(never), Some(Some(None)), "{never}");
        }
        for bad in
            [r#"{"days_to_expire":-1}"#, r#"{"days_to_expire":"x"}"#, r#"{"expiration":"x"}"#]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
