//! Request bodies other than contents: JSON, of which the first value counts and what follows it does
//! not, or a form. Clients say the one and send the other, so the first byte decides.

use super::ask::Ask;
use super::error::Problem;
use crate::http::body::read_limited;
use crate::http::media_type::ContentType;
use axum::body::Body;
use bindery_core::Name;
use serde_json::{Deserializer, Map, Value};

/// The longest body that is read whole, in bytes.
const BODY_MAX: u64 = 1 << 20;
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// The properties of a body. Those of a form are strings.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Reads a body as JSON or as a form.
    pub(super) async fn read(ask: &Ask, body: Body) -> Result<Self, Problem> {
        let bytes = read_limited(ask.body(body), BODY_MAX).await?;
        Fields::parse(&bytes)
    }

    /// Reads a body where the document demands a form; a body without a type is taken for one.
    pub(super) async fn read_form(
        ask: &Ask,
        content_type: &ContentType,
        body: Body,
    ) -> Result<Self, Problem> {
        match content_type.media_type().as_str() {
            FORM | "" => Fields::read(ask, body).await,
            _ => Err(Problem::UnsupportedMediaType),
        }
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let text = bytes.trim_ascii_start();
        if text.first() != Some(&b'{') {
            let pairs = form_urlencoded::parse(bytes);
            let mut fields = Map::new();
            for (name, value) in pairs {
                fields.entry(name).or_insert_with(|| Value::String(value.into_owned()));
            }
            return Ok(Fields(fields));
        }
        match Deserializer::from_slice(text).into_iter::<Value>().next() {
            Some(Ok(Value::Object(fields))) => Ok(Fields(fields)),
            Some(Err(error)) => {
                Err(Problem::BadInput(format!("The JSON cannot be read: {error}.")))
            }
            _ => Err(Problem::BadInput("The JSON is no object.".into())),
        }
    }

    /// Whether a property is there, if only as `null`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A property that is there and not `null`.
    fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A text, or a number as text.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<String>, Problem> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(Problem::BadInput(format!("{name} must be a text."))),
        }
    }

    /// A text that must be there.
    pub(super) fn required(&self, name: &'static str) -> Result<String, Problem> {
        self.text(name)?.ok_or_else(|| Problem::missing(name))
    }

    /// A name that must be there.
    pub(super) fn name(&self, name: &'static str) -> Result<Name, Problem> {
        Ok(Name::parse_legal(&self.required(name)?)?)
    }

    /// A whole number, or one as text.
    pub(super) fn number(&self, name: &'static str) -> Result<Option<i64>, Problem> {
        let text = self.text(name)?;
        let problem = |_| Problem::BadInput(format!("{name} must be a number."));
        text.map(|text| text.trim().parse().map_err(problem)).transpose()
    }

    /// A number that must be there.
    pub(super) fn required_number(&self, name: &'static str) -> Result<i64, Problem> {
        self.number(name)?.ok_or_else(|| Problem::missing(name))
    }

    /// A switch that is off where it is missing.
    pub(super) fn is_set(&self, name: &'static str) -> Result<bool, Problem> {
        match self.value(name) {
            None => Ok(false),
            Some(Value::Bool(set)) => Ok(*set),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(_) => Err(Problem::BadInput(format!("{name} must be true or false."))),
        }
    }

    /// The properties of an object in this one.
    pub(super) fn object(&self, name: &'static str) -> Result<Option<Fields>, Problem> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Fields(fields.clone()))),
            Some(_) => Err(Problem::BadInput(format!("{name} must be an object."))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_json_value_counts() {
        for json in
            [r#"{"id":"34"}"#, r#"{"id":34}}"#, " \r\n{\"id\": 34} junk", r#"{"id":34}{"id":1}"#]
        {
            let fields = Fields::parse(json.as_bytes()).unwrap();
            assert_eq!(fields.number("id").unwrap(), Some(34), "{json}");
            assert_eq!(fields.required("id").unwrap(), "34", "{json}");
        }
        for bad in [r#"{"id":}"#, "{", r#"{"id":34"#, "{\"\u{ff}"] {
            assert!(Fields::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        for nothing in ["", "[]", "34", "null"] {
            assert!(
                Fields::parse(nothing.as_bytes()).unwrap().required("id").is_err(),
                "{nothing}"
            );
        }
    }

    #[test]
    fn a_form_is_read_as_it_is_sent() {
        let fields =
            Fields::parse("name=aaa%20r\u{e9}n+1%.txt&folder_id=49&name=b".as_bytes()).unwrap();
        assert_eq!(fields.required("name").unwrap(), "aaa r\u{e9}n 1%.txt");
        assert_eq!(fields.required_number("folder_id").unwrap(), 49);
        assert!(fields.required("title").is_err());
        assert!(fields.number("name").is_err());
    }

    #[test]
    fn properties_have_their_types() {
        let json = r#"{"a":null,"b":true,"c":"TRUE","d":{"e":"x"},"f":[1]}"#;
        let fields = Fields::parse(json.as_bytes()).unwrap();
        assert!(fields.has("a") && fields.text("a").unwrap().is_none());
        assert!(fields.is_set("b").unwrap() && fields.is_set("c").unwrap());
        assert!(!fields.is_set("a").unwrap());
        assert!(fields.is_set("f").is_err() && fields.text("f").is_err());
        assert_eq!(fields.object("d").unwrap().unwrap().required("e").unwrap(), "x");
        assert!(fields.object("b").is_err());
    }
}
