//! How a client sees this server: scheme and host, for the links in an answer.

use crate::app::{App, Settings};
use crate::listener::Scheme;
use axum::extract::{ConnectInfo, FromRequestParts};
use http::header::HOST;
use http::request::Parts;
use std::convert::Infallible;
use std::net::SocketAddr;

/// Scheme and authority, without a slash behind: `https://files.example:8443`.
#[derive(Clone, Debug)]
pub(crate) struct Site(pub(crate) String);

impl FromRequestParts<App> for Site {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Site(of_request(parts, &app.settings)))
    }
}

fn of_request(parts: &Parts, settings: &Settings) -> String {
    if let Some(url) = &settings.public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let header = |name: &str| parts.headers.get(name)?.to_str().ok();
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    // A socket for both families shows a peer of the older one in the form of the newer.
    let proxied = peer.is_some_and(|peer| {
        settings.trusted_proxies.iter().any(|proxy| proxy.to_canonical() == peer.to_canonical())
    });
    let forwarded =
        |name| header(name).filter(|_| proxied).and_then(|value| value.split(',').next());
    let scheme = match forwarded("x-forwarded-proto").map(str::trim) {
        Some("https") => "https",
        Some("http") => "http",
        _ => parts.extensions.get::<Scheme>().copied().unwrap_or(Scheme::Http).as_str(),
    };
    let host = forwarded("x-forwarded-host").map(str::trim).or_else(|| header(HOST.as_str()));
    let host = host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str));
    // What is echoed into links must be no more than a host and a port.
    let host = host.filter(|host| !host.is_empty() && host.bytes().all(is_host_byte));
    format!("{scheme}://{}", host.unwrap_or("localhost"))
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']')
}
