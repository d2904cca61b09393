//! What every handler has of its request, and the gate that makes it: each failure is rendered here, where it is
//! known what was asked for, and whoever's credentials are not good learns of that one alone.

use super::auth;
use super::error::{Asked, Problem};
use super::paths::Paths;
use super::query::Query;
use super::wire::{ErrorData, FileProperties, Item};
use crate::app::App;
use crate::http::body::MinimumRate;
use crate::http::idempotency_key::keyed;
use crate::site::{Site, peer};
use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use bindery_core::{Caller, Drive, Error, Seen, User};
use http::header::ALLOW;
use http::request::Parts;
use std::ops::Deref;
use std::sync::Arc;

/// A request, and who asks by credentials that an operation finds good or not. Who asks for none asks
/// [`Ask::signed_in`].
#[derive(Clone, Debug)]
pub(super) struct Ask(Arc<Context>);

#[derive(Debug)]
pub(super) struct Context {
    pub(super) app: App,
    pub(super) caller: Caller,
    pub(super) site: Site,
    pub(super) query: Query,
    /// The path behind the base, without a trailing slash: `/folders/48`.
    pub(super) path: String,
}

impl Deref for Ask {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.0
    }
}

impl Ask {
    pub(super) fn drive(&self) -> &Drive {
        &self.app.drive
    }

    /// That the credentials are good, where nothing is asked that would say so.
    pub(super) async fn signed_in(&self) -> Result<User, Error> {
        self.drive().identify(&self.caller).await
    }

    /// A body as it arrives, no slower than the operator says.
    pub(super) fn body(&self, body: Body) -> MinimumRate<Body> {
        MinimumRate::new(body, self.app.settings.rate_floor)
    }

    async fn read(app: &App, parts: &mut Parts) -> Result<Self, Problem> {
        let address = peer(parts, &app.settings);
        app.drive.admit_from(address)?;
        let caller = auth::sign_in(app, &parts.headers, address).await?;
        app.drive.admit(&caller).await?;
        let caller = keyed(&app.drive, caller, parts, Problem::BadInput).await?;
        let Ok(site) = Site::from_request_parts(parts, app).await;
        let path = parts.uri.path().trim_start_matches(super::BASE).trim_end_matches('/');
        Ok(Ask(Arc::new(Context {
            app: app.clone(),
            caller,
            site,
            query: Query::parse(parts.uri.query()),
            path: path.to_owned(),
        })))
    }

    /// What a failure shows besides its code: above all what is in the way.
    async fn data(&self, problem: &Problem) -> Option<ErrorData> {
        let Problem::Domain(error) = problem else {
            return None;
        };
        match error {
            Error::Exists(taken) => {
                let shown = Paths::new(self).entry(Seen::clone(taken)).await.ok()?;
                Some(ErrorData::Entry(Box::new(shown)))
            }
            Error::VersionConflict(file) => {
                let file = FileProperties::new(file, &self.site, None);
                Some(ErrorData::Entry(Box::new(Item::File(file))))
            }
            Error::QuotaExceeded { used, quota } => {
                Some(ErrorData::Quota { used: *used, quota: *quota })
            }
            _ => None,
        }
    }
}

/// Lets in who shows credentials, and renders what went wrong behind it.
pub(super) async fn gate<A: Future<Output = Response>>(
    app: &App,
    request: Request,
    answer: impl FnOnce(Request) -> A,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let ask = match Ask::read(app, &mut parts).await {
        Ok(ask) => ask,
        Err(problem) => return problem.into_response(),
    };
    parts.extensions.insert(ask.clone());
    let mut response = answer(Request::from_parts(parts, body)).await;
    match response.extensions_mut().remove::<Arc<Problem>>() {
        None => response,
        Some(problem) => {
            if let Err(error) = ask.signed_in().await {
                return Problem::from(error).into_response();
            }
            let data = ask.data(&problem).await;
            let mut rendered = problem.render(Asked::of_path(&ask.path), data);
            if let Some(allow) = response.headers_mut().remove(ALLOW) {
                rendered.headers_mut().insert(ALLOW, allow);
            }
            rendered
        }
    }
}

/// Given to handlers by the gate.
impl FromRequestParts<App> for Ask {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let ask = parts.extensions.get::<Ask>().cloned();
        ask.ok_or_else(|| Error::internal("a route stands outside of the gate").into())
    }
}
