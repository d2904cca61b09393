//! `GET files/`: pages by number, and by the key that `next` and `previous` carry.

use super::auth::Credentials;
use super::error::Problem;
use super::files::Prefix;
use super::wire::{FileList, FileObject};
use crate::app::App;
use crate::http::json::Json;
use crate::site::Site;
use axum::extract::{RawQuery, State};
use bindery_core::{
    Beside, Cursor, Error, FileId, FileSet, Key, KeyValue, List, OrderBy, PageNumber,
};
use form_urlencoded::{Serializer, parse};

const PAGE_SIZE: u64 = 10;
const PAGE_SIZE_MAX: u64 = 10_000;
/// Parameters that say where a page is; the rest say of what.
const PLACE: [&str; 3] = ["page", "after", "before"];

pub(super) async fn list(
    State(app): State<App>,
    Credentials { caller }: Credentials,
    site: Site,
    Prefix(prefix): Prefix,
    RawQuery(query): RawQuery,
) -> Result<Json<FileList>, Problem> {
    let query = Query(parse(query.unwrap_or_default().as_bytes()).into_owned().collect());
    let Some(list) = query.list() else {
        // Only who may ask learns that there is no such page.
        app.drive.identify(&caller).await?;
        return Err(Error::NoSuchPage.into());
    };
    let page = app.drive.list(&caller, list).await?;
    let link = |cursor: Cursor| format!("{}{prefix}/files/?{}", site.0, query.link(&cursor));
    let object = |file| FileObject::new((&app.drive, &caller), file, &site, prefix);
    Ok(Json(FileList {
        count: page.count,
        previous: page.previous.map(link),
        results: page.files.into_iter().map(object).collect(),
        next: page.next.map(link),
    }))
}

/// The parameters of a list. Unknown and malformed ones are ignored; of duplicates the last counts.
struct Query(Vec<(String, String)>);

impl Query {
    fn get(&self, name: &str) -> Option<&str> {
        let mut newest_first = self.0.iter().rev();
        newest_first.find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// `None`: the page is no number.
    fn list(&self) -> Option<List> {
        let page = match self.get("page") {
            None => PageNumber::Number(1),
            Some("last") => PageNumber::Last,
            Some(number) => PageNumber::Number(number.parse().ok()?),
        };
        let size = self.get("page_size").and_then(|size| size.parse::<u64>().ok());
        let size = size.filter(|size| *size > 0).unwrap_or(PAGE_SIZE).min(PAGE_SIZE_MAX);
        let newest_first = (OrderBy::Uploaded, true);
        let (by, descending) = self.get("ordering").and_then(ordering).unwrap_or(newest_first);
        let key = |name| self.get(name).and_then(|text| key_from_text(text, by));
        Some(List {
            set: if self.get("shared").is_some_and(is_true) {
                FileSet::Shared
            } else {
                FileSet::Owned
            },
            by,
            descending,
            search: self.get("search").filter(|text| !text.is_empty()).map(str::to_owned),
            page,
            beside: key("after").map(Beside::Behind).or_else(|| key("before").map(Beside::Before)),
            size,
        })
    }

    /// The query of a neighbouring page: its number first, the other parameters as they came, and
    /// the key behind them.
    fn link(&self, cursor: &Cursor) -> String {
        let mut link = Serializer::new(String::new());
        link.append_pair("page", &cursor.page.to_string());
        link.extend_pairs(self.0.iter().filter(|(name, _)| !PLACE.contains(&name.as_str())));
        match &cursor.key {
            Some(Beside::Behind(key)) => link.append_pair("after", &key_to_text(key)),
            Some(Beside::Before(key)) => link.append_pair("before", &key_to_text(key)),
            None => &mut link,
        };
        link.finish()
    }
}

fn ordering(text: &str) -> Option<(OrderBy, bool)> {
    let (field, descending) = match text.strip_prefix('-') {
        Some(field) => (field, true),
        None => (text, false),
    };
    let by = match field {
        "dateUploaded" | "date_uploaded" | "dateInserted" | "date_inserted" => OrderBy::Uploaded,
        "name" => OrderBy::Name,
        "decryptedSize" | "decrypted_size" | "size" => OrderBy::Size,
        _ => return None,
    };
    Some((by, descending))
}

pub(super) fn is_true(text: &str) -> bool {
    matches!(text, "1" | "true" | "True")
}

/// A key as a parameter: the file's id, a dot, and the value that the list is ordered by.
fn key_to_text(key: &Key) -> String {
    let id = key.id.letters();
    match &key.value {
        KeyValue::Number(number) => format!("{id}.{number}"),
        KeyValue::Text(text) => format!("{id}.{text}"),
    }
}

fn key_from_text(text: &str, by: OrderBy) -> Option<Key> {
    let (id, value) = text.split_once('.')?;
    let value = match by {
        OrderBy::Name => KeyValue::Text(value.to_owned()),
        OrderBy::Uploaded | OrderBy::Size => KeyValue::Number(value.parse().ok()?),
    };
    Some(Key { value, id: FileId::from_letters(id)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn query(text: &str) -> Query {
        Query(parse(text.as_bytes()).into_owned().collect())
    }

    #[test]
    fn parameters_are_read_leniently() {
        for (text, size) in [
            ("", 10),
            ("page_size=0", 10),
            ("page_size=x", 10),
            ("page_size=3&page_size=7", 7),
            ("page_size=99999999", 10_000),
            ("%zz=1&page_size=5&\u{ff}", 5),
        ] {
            assert_eq!(query(text).list().unwrap().size, size, "{text}");
        }
        assert_eq!(query("page=last").list().unwrap().page, PageNumber::Last);
        assert!(query("page=abc").list().is_none());
        assert!(query("page=-1").list().is_none());
        assert!(query("after=nonsense&search=").list().unwrap().beside.is_none());
    }

    #[test]
    fn a_link_keeps_the_other_parameters_and_begins_with_the_page() {
        let key = Key { value: KeyValue::Number(7), id: FileId(1) };
        let cursor = Cursor { page: 3, key: Some(Beside::Behind(key)) };
        let link = query("search=a%20b&page=2&after=x&page_size=5").link(&cursor);
        assert!(link.starts_with("page=3&search=a+b&page_size=5&after="), "{link}");
    }

    proptest! {
        #[test]
        fn a_key_comes_back(id in 1_i64..1_000_000, name in "\\PC{1,40}") {
            let key = Key { value: KeyValue::Text(name), id: FileId(id) };
            prop_assert_eq!(key_from_text(&key_to_text(&key), OrderBy::Name), Some(key));
        }
    }
}
