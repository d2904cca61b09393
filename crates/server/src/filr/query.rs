//! The query of a request, read leniently: raw UTF-8, broken escapes and unknown parameters are no
//! mistakes; of duplicates the first counts. Also which part of a list is asked for, and the link to the
//! next.

use super::error::Problem;
use bindery_core::{EntryKey, Window};
use form_urlencoded::{Serializer, parse};

const COUNT: u64 = 100;
/// Parameters that say which part of a list is asked for; the rest say of which list.
const PLACE: [&str; 2] = ["first", "after"];

/// The parameters, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(query: Option<&str>) -> Self {
        Query(parse(query.unwrap_or_default().as_bytes()).into_owned().collect())
    }

    /// A parameter, if it is there.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a parameter.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that must be there.
    pub(super) fn required(&self, name: &'static str) -> Result<&str, Problem> {
        self.get(name).ok_or_else(|| Problem::missing(name))
    }

    /// A switch, which is off where it is missing or empty.
    pub(super) fn is_set(&self, name: &'static str) -> Result<bool, Problem> {
        let text = self.get(name).unwrap_or_default();
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(true),
            "false" | "0" | "" => Ok(false),
            _ => Err(Problem::BadInput(format!("{name} must be true or false."))),
        }
    }

    /// A number from 0.
    pub(super) fn number(&self, name: &'static str) -> Result<Option<u64>, Problem> {
        let problem = |_| Problem::BadInput(format!("{name} must be a number."));
        self.get(name).map(|text| text.trim().parse().map_err(problem)).transpose()
    }

    /// Which part of a list is asked for. What is no number asks for nothing.
    pub(super) fn window(&self) -> Window {
        let number = |name| self.get(name).and_then(|text| text.trim().parse::<i64>().ok());
        Window {
            first: number("first").and_then(|first| first.try_into().ok()).unwrap_or(0),
            count: match number("count") {
                None => Some(COUNT),
                Some(count) => u64::try_from(count).ok(),
            },
            behind: self.get("after").and_then(key_from_text),
        }
    }

    /// The link to the part that begins with entry `first`, behind `key`: the other parameters stay.
    pub(super) fn next(&self, path: &str, first: u64, key: Option<&EntryKey>) -> String {
        let mut link = Serializer::new(String::new());
        link.append_pair("first", &first.to_string());
        link.extend_pairs(self.0.iter().filter(|(name, _)| !PLACE.contains(&name.as_str())));
        if let Some(key) = key {
            link.append_pair("after", &key_to_text(key));
        }
        format!("{path}?{}", link.finish())
    }
}

/// An entry's place as a parameter: its kind, its number, and its folded name.
fn key_to_text(key: &EntryKey) -> String {
    format!("{}.{}.{}", if key.file { 'f' } else { 'd' }, key.id, key.label_key)
}

fn key_from_text(text: &str) -> Option<EntryKey> {
    let (kind, rest) = text.split_once('.')?;
    let (id, label_key) = rest.split_once('.')?;
    let file = match kind {
        "f" => true,
        "d" => false,
        _ => return None,
    };
    Some(EntryKey { file, label_key: label_key.to_owned(), id: id.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn query(text: &str) -> Query {
        Query::parse(Some(text))
    }

    #[test]
    fn parameters_are_read_leniently() {
        let lenient = query("file_name=r\u{e9}sum\u{e9}%20100%&x&=&file_name=b&%zz=1&recursive");
        assert_eq!(lenient.get("file_name"), Some("r\u{e9}sum\u{e9} 100%"));
        assert_eq!(lenient.all("file_name").count(), 2);
        assert_eq!(lenient.get("nothing"), None);
        assert!(!lenient.is_set("recursive").unwrap());
        assert!(query("a=TRUE").is_set("a").unwrap());
        assert!(query("a=1").is_set("a").unwrap());
        assert!(!query("a=False").is_set("a").unwrap());
        assert!(query("a=maybe").is_set("a").is_err());
        assert_eq!(query("v=3").number("v").unwrap(), Some(3));
        assert_eq!(query("").number("v").unwrap(), None);
        assert!(query("v=x").number("v").is_err());
        assert!(query("v=-1").number("v").is_err());
    }

    #[test]
    fn a_part_has_a_hundred_entries_unless_it_is_told_otherwise() {
        for (text, first, count) in [
            ("", 0, Some(100)),
            ("first=20&count=500", 20, Some(500)),
            ("count=-1", 0, None),
            ("first=-3&count=0", 0, Some(0)),
            ("first=x&count=y", 0, Some(100)),
        ] {
            let window = query(text).window();
            assert_eq!((window.first, window.count), (first, count), "{text}");
        }
        assert_eq!(query("after=nonsense").window().behind, None);
        assert_eq!(query("after=x.1.a").window().behind, None);
    }

    #[test]
    fn a_link_keeps_the_other_parameters() {
        let key = EntryKey { file: true, label_key: "a b".into(), id: 7 };
        let link =
            query("count=2&title=%C3%A9&first=0&after=f.1.x").next("/folders/4/x", 2, Some(&key));
        assert_eq!(link, "/folders/4/x?first=2&count=2&title=%C3%A9&after=f.7.a+b");
    }

    proptest! {
        #[test]
        fn a_key_comes_back(file: bool, id in 1_i64..1_000_000, name in "\\PC{1,40}") {
            let key = EntryKey { file, label_key: name, id };
            let link = Query::default().next("/x", 1, Some(&key));
            let (_, link) = link.split_once('?').unwrap();
            prop_assert_eq!(query(link).window().behind, Some(key));
        }
    }
}
