//! What kind of body a request says that it has.

use axum::extract::FromRequestParts;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use std::convert::Infallible;

/// The `Content-Type` of a request, without a copy of all its headers.
#[derive(Clone, Debug)]
pub struct ContentType(HeaderValue);

impl ContentType {
    /// The header's value as it was sent; empty if there is none.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The media type, in lower case and without parameters; empty if there is none.
    pub fn media_type(&self) -> String {
        let value = self.0.to_str().unwrap_or_default();
        let essence = value.split(';').next().unwrap_or_default();
        essence.trim().to_ascii_lowercase()
    }
}

impl<S: Sync> FromRequestParts<S> for ContentType {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let sent = parts.headers.get(CONTENT_TYPE).cloned();
        Ok(ContentType(sent.unwrap_or_else(|| HeaderValue::from_static(""))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_case_do_not_count() {
        let read = |value: &[u8]| ContentType(HeaderValue::from_bytes(value).unwrap()).media_type();
        assert_eq!(read(b"Application/JSON ; charset=utf-8"), "application/json");
        assert_eq!(read(b""), "");
        assert_eq!(read(b"\xff"), "");
    }
}
