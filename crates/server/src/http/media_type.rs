//! What kind of body a request says that it has.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// The media type of `Content-Type`, in lower case and without parameters; empty if there is none.
pub fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn parameters_and_case_do_not_count() {
        let read = |value: &'static [u8]| {
            let value = HeaderValue::from_bytes(value).unwrap();
            media_type(&HeaderMap::from_iter([(CONTENT_TYPE, value)]))
        };
        assert_eq!(read(b"Application/JSON ; charset=utf-8"), "application/json");
        assert_eq!(read(b""), "");
        assert_eq!(read(b"\xff"), "");
        assert_eq!(media_type(&HeaderMap::new()), "");
    }
}
