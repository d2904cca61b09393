//! How a client sees this server: scheme and host, for the links in an answer; and from where this
//! server sees a client.

use crate::app::{App, Settings};
use crate::listener::Scheme;
use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::HOST;
use http::request::Parts;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

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
    let proxied = connected(parts).is_some_and(|peer| is_trusted(settings, peer));
    let forwarded = |name: &str| {
        let value = proxied.then(|| parts.headers.get(name))??;
        value.to_str().ok()?.split(',').next()
    };
    let scheme = match forwarded("x-forwarded-proto").map(str::trim) {
        Some("https") => "https",
        Some("http") => "http",
        _ => parts.extensions.get::<Scheme>().copied().unwrap_or(Scheme::Http).as_str(),
    };
    let host = || parts.headers.get(HOST)?.to_str().ok();
    let host = forwarded("x-forwarded-host").map(str::trim).or_else(host);
    let host = host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str));
    // What is echoed into links must be no more than a host and a port.
    let host = host.filter(|host| !host.is_empty() && host.bytes().all(is_host_byte));
    [scheme, "://", host.unwrap_or("localhost")].concat()
}

/// The address that a request comes from: behind a trusted proxy, the one that the proxy saw.
pub(crate) fn peer(parts: &Parts, settings: &Settings) -> IpAddr {
    let mut peer = connected(parts).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    if !is_trusted(settings, peer) {
        return peer;
    }
    let lines = parts.headers.get_all("x-forwarded-for").iter();
    let seen = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    let mut nearest_last: Vec<&str> = seen.collect();
    // Whatever stands before an address that no trusted proxy wrote, anyone may have written.
    while is_trusted(settings, peer) {
        match nearest_last.pop().and_then(|address| address.trim().parse().ok()) {
            Some(address) => peer = address,
            None => break,
        }
    }
    peer
}

/// The other end of the connection. A socket for both families shows a peer of the older one in the form
/// of the newer.
fn connected(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical())
}

fn is_trusted(settings: &Settings, peer: IpAddr) -> bool {
    settings.trusted_proxies.iter().any(|proxy| proxy.to_canonical() == peer.to_canonical())
}

/// Turns away what asks for a host that this server is not, such as a page of another site whose name was
/// pointed here to be let in by a browser.
pub(crate) fn refuse_host(settings: &Settings, request: &Request) -> Option<Response> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| request.uri().authority().map(http::uri::Authority::as_str));
    let is_known = |host: &str| settings.allowed_hosts.iter().any(|known| is(host, known));
    if settings.allowed_hosts.is_empty() || host.is_some_and(is_known) {
        return None;
    }
    let why = "This server is not known by that name.\n";
    Some((StatusCode::MISDIRECTED_REQUEST, why).into_response())
}

/// A known host without a port is known on every port.
fn is(host: &str, known: &str) -> bool {
    let port = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    let name = port.map_or(host, |(name, _)| name);
    host.eq_ignore_ascii_case(known) || name.eq_ignore_ascii_case(known)
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(from: &str, forwarded: &[&str], expected: &str) {
        let settings = Settings {
            trusted_proxies: vec!["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()],
            ..Settings::default()
        };
        let mut request = http::Request::get("/");
        for line in forwarded {
            request = request.header("x-forwarded-for", *line);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let address: IpAddr = from.parse().unwrap();
        parts.extensions.insert(ConnectInfo(SocketAddr::new(address, 1)));
        assert_eq!(peer(&parts, &settings), expected.parse::<IpAddr>().unwrap(), "{forwarded:?}");
    }

    #[test]
    fn a_host_is_known_on_every_port_unless_one_is_named() {
        for (host, known, expected) in [
            ("files.example", "files.example", true),
            ("Files.Example:8443", "files.example", true),
            ("files.example:8443", "files.example:8443", true),
            ("files.example:80", "files.example:8443", false),
            ("files.example", "files.example:8443", false),
            ("other.files.example", "files.example", false),
            ("files.example.other", "files.example", false),
            ("[::1]:8080", "[::1]", true),
            ("[::1]", "[::1]", true),
            ("files.example:x", "files.example", false),
            ("", "files.example", false),
        ] {
            assert_eq!(is(host, known), expected, "{host} as {known}");
        }
    }

    #[test]
    fn only_trusted_proxies_say_from_where_a_request_comes() {
        check("192.0.2.7", &[], "192.0.2.7");
        check("192.0.2.7", &["198.51.100.1"], "192.0.2.7");
        check("10.0.0.1", &[], "10.0.0.1");
        check("10.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check("10.0.0.1", &["203.0.113.9, 198.51.100.1"], "198.51.100.1");
        check("10.0.0.1", &["203.0.113.9, 198.51.100.1", "10.0.0.2"], "198.51.100.1");
        check("10.0.0.1", &["2001:db8::1"], "2001:db8::1");
        check("10.0.0.1", &["unknown"], "10.0.0.1");
    }
}
