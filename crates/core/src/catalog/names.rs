//! The index of names: which nodes may have a text in their name, so that a search need not look at all.
//!
//! It gives candidates, whose names are then compared, and so may be behind. On the embedded engine it holds
//! every three characters in a row, and is filled behind the writes: up to a watermark, and again for what
//! was renamed since. A server keeps an index of its own with each write.

use super::conn::Tx;
use super::meta;
use super::row::params;
use super::sql::{Sql, sql};
use crate::error::Result;

/// Candidates that are compared. With more, walking over all names takes hardly longer.
const CANDIDATES_MAX: usize = 4_000;
/// Names that are looked at to see which trigrams are rare.
const SAMPLE: u64 = 200;
/// The index is not asked where the sample promises more than this times what it may find: from a few
/// names, less would often be chance.
const CHANCE: u64 = 4;
/// Trigrams that are asked for: what two rare ones have in common, a third hardly makes less.
const ASKED_MAX: usize = 3;
/// Trigrams out of which these are chosen.
const CONSIDERED_MAX: usize = 64;

/// What is compared with a pattern.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Compared {
    Names,
    Labels,
}

/// Up to which id nodes are indexed.
macro_rules! names_indexed {
    () => {
        "coalesce((select cast(value as integer) from meta where key = 'names'), 0)"
    };
}

/// Candidates by a list of them in `$n`, as what a statement selects from first: `c.value` is a number.
macro_rules! listed {
    (sqlite $list:literal) => {
        concat!("json_each('[' || ", $list, " || ']') c cross join ")
    };
    // A list of unknown length counts as short, so what it is joined with is looked up.
    (postgres $list:literal) => {
        concat!("unnest(cast(string_to_array(", $list, ", ',') as bigint[])) c (value) cross join ")
    };
}

/// What fits `$1`, or has what `$1` asks for where that is a query of the embedded engine; up to `$3`.
macro_rules! candidates_found {
    ($key:literal) => {
        sql!(
            // Planned by itself and not for its first rows, a server takes its index for it. That is of an
            // expression, so that it is never taken for all of a pattern, `$2`, nor where all is walked over.
            concat!(
                "with found as materialized (select id from nodes where ",
                $key,
                " || '' like $1 and ",
                $key,
                " like $2 escape '!') select id from found limit $3"
            ),
            // What is not indexed as it is comes first: with much of that, the index is not asked.
            concat!(
                "select id from nodes where id > ",
                names_indexed!(),
                " union all select node from names_due \
                 union all select rowid from names where names match $1 limit $3"
            )
        )
    };
}

const NAMED: Sql = candidates_found!("name_key");
const LABELLED: Sql = candidates_found!("label_key");
const LAST: Sql = sql!("select coalesce(max(id), 0) from nodes");
macro_rules! sampled {
    ($listed:expr) => {
        concat!("select n.name_key, n.label_key from ", $listed, "nodes n where n.id = c.value")
    };
}
const SAMPLED: Sql = sql!(sampled!(listed!(postgres "$1")), sampled!(listed!(sqlite "$1")));

/// Declares statements of the embedded engine alone.
macro_rules! embedded {
    ($($name:ident = $text:expr;)*) => {
        $(const $name: Sql = sql!($text);)*
        #[cfg(test)]
        pub(crate) const EMBEDDED: &[(&str, Sql)] = &[$((stringify!($name), $name)),*];
    };
}

/// What of a node `n` is indexed. No name has a line's end.
macro_rules! indexed {
    () => {
        "n.id, case when n.label_key = n.name_key then n.name_key \
         else n.name_key || char(10) || n.label_key end"
    };
}

embedded! {
    BEHIND = concat!("select exists (select 1 from names_due) \
        or exists (select 1 from nodes where id > ", names_indexed!(), ")");
    DUE_TO = "select max(node) from (select node from names_due order by node limit $1)";
    DUE_DELETE = "delete from names where rowid in (select node from names_due where node <= $1)";
    DUE_INSERT = concat!("insert into names (rowid, text) select ", indexed!(),
        " from names_due d cross join nodes n where n.id = d.node and d.node <= $1");
    DUE_DONE = "delete from names_due where node <= $1";
    NEW_TO = concat!("select max(id) from (select id from nodes where id > ", names_indexed!(),
        " order by id limit $1)");
    NEW_INSERT = concat!("insert into names (rowid, text) select ", indexed!(),
        " from nodes n where n.id > ", names_indexed!(), " and n.id <= $1");
    CHANGED = concat!("insert into names_due (node) select $1 where $1 <= ", names_indexed!(),
        " on conflict do nothing");
    FORGET = "delete from names where rowid = $1";
}

/// The nodes that a pattern for `like` may fit, with a comma between. `None`: there are too many, or what
/// the pattern asks for cannot be looked up, so that all must be compared.
pub(crate) async fn candidates(
    tx: &mut Tx<'_>,
    pattern: &str,
    compared: Compared,
) -> Result<Option<String>> {
    let on_server = tx.embedded().is_none();
    let mut trigrams = trigrams(pattern);
    if on_server {
        // A server's trigrams are those of words, and without a locale only of such letters.
        trigrams.retain(|trigram| trigram.text.chars().all(|c| c.is_ascii_alphanumeric()));
    }
    trigrams.truncate(CONSIDERED_MAX);
    if trigrams.is_empty() {
        return Ok(None);
    }
    let nodes: u64 = tx.one(&LAST, params![]).await?;
    let sample: Vec<(String, String)> = tx.all(&SAMPLED, params![&list(spread(nodes))]).await?;
    let (asked, hits) = rarest(trigrams, &sample);
    if hits * nodes / SAMPLE > CHANCE * CANDIDATES_MAX as u64 {
        return Ok(None);
    }
    let query = if on_server { in_order(&asked) } else { all_of(&asked) };
    let statement = match compared {
        Compared::Names => &NAMED,
        Compared::Labels => &LABELLED,
    };
    let params = params![&query, pattern, CANDIDATES_MAX.cast_signed() as i64 + 1];
    let found: Vec<i64> = tx.all(statement, params).await?;
    Ok(if found.len() > CANDIDATES_MAX { None } else { Some(list(found)) })
}

/// Numbers in order, each once, with a comma between.
fn list(mut ids: Vec<i64>) -> String {
    ids.sort_unstable();
    ids.dedup();
    ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",")
}

/// Ids that are spread evenly, but at no distance that names may repeat at: by the golden ratio.
fn spread(last: u64) -> Vec<i64> {
    const RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
    let at = |n: u64| (u128::from(n.wrapping_mul(RATIO)) * u128::from(last)) >> 64;
    (0..SAMPLE).map(|n| at(n) as i64 + 1).collect()
}

/// Three characters in a row, and where they are in a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Trigram {
    at: usize,
    text: String,
}

/// What every text has that a pattern for `like` fits: all trigrams of its literal parts, in order. None
/// where the pattern asks for less, or for what no name has and the engines take in their own ways.
fn trigrams(pattern: &str) -> Vec<Trigram> {
    let mut found = Vec::new();
    if pattern.contains('\0') {
        return found;
    }
    let mut run: Vec<char> = Vec::new();
    let mut chars = pattern.chars().enumerate();
    while let Some((at, c)) = chars.next() {
        match c {
            '%' | '_' => {
                run.clear();
                continue;
            }
            '!' => run.extend(chars.next().map(|(_, c)| c)),
            _ => run.push(c),
        }
        if let [.., a, b, c] = run[..] {
            found.push(Trigram { at, text: String::from_iter([a, b, c]) });
        }
    }
    found
}

/// The trigrams that the fewest of a sample have, in their order, and how many have all of these.
fn rarest(trigrams: Vec<Trigram>, sample: &[(String, String)]) -> (Vec<Trigram>, u64) {
    let has = |(name, label): &(String, String), trigram: &Trigram| {
        name.contains(&trigram.text) || label.contains(&trigram.text)
    };
    // Of those that are as rare, neighbours have the least to say beside each other.
    let rank = |(place, trigram): (usize, Trigram)| {
        (sample.iter().filter(|names| has(names, &trigram)).count(), place.reverse_bits(), trigram)
    };
    let mut ranked: Vec<_> = trigrams.into_iter().enumerate().map(rank).collect();
    ranked.sort_by_key(|(count, place, _)| (*count, *place));
    ranked.truncate(ASKED_MAX);
    let mut trigrams: Vec<_> = ranked.into_iter().map(|(.., trigram)| trigram).collect();
    trigrams.sort_by_key(|trigram| trigram.at);
    let all = |names: &&(String, String)| trigrams.iter().all(|trigram| has(names, trigram));
    let hits = sample.iter().filter(all).count() as u64;
    (trigrams, hits)
}

/// A query of the embedded engine for all of these.
fn all_of(trigrams: &[Trigram]) -> String {
    let quoted = |trigram: &Trigram| format!("\"{}\"", trigram.text.replace('"', "\"\""));
    trigrams.iter().map(quoted).collect::<Vec<_>>().join(" AND ")
}

/// A pattern for a server: these, none of which needs an escape, in this order.
fn in_order(trigrams: &[Trigram]) -> String {
    let mut pattern = String::from("%");
    let mut end = 0_usize;
    for Trigram { at, text } in trigrams {
        match end.checked_sub(*at) {
            // As many of its characters as the one before has not.
            Some(shared @ 1..) => pattern.extend(text.chars().skip(shared)),
            _ => {
                if pattern.len() > 1 {
                    pattern.push('%');
                }
                pattern.push_str(text);
            }
        }
        end = at + 3;
    }
    pattern.push('%');
    pattern
}

/// Has the index take what a node is called now in place of what it was called.
pub(super) async fn changed(tx: &mut Tx<'_>, node: i64) -> Result<()> {
    match tx.embedded() {
        Some(_) => tx.exec(&CHANGED, params![node]).await.map(drop),
        None => Ok(()),
    }
}

/// Takes a node that is deleted out of the index.
pub(super) async fn forget(tx: &mut Tx<'_>, node: i64) -> Result<()> {
    match tx.embedded() {
        Some(_) => tx.exec(&FORGET, params![node]).await.map(drop),
        None => Ok(()),
    }
}

/// Whether the embedded engine's index lacks something.
pub(crate) async fn is_behind(tx: &mut Tx<'_>) -> Result<bool> {
    tx.one(&BEHIND, params![]).await
}

/// Takes up to `limit` nodes into the embedded engine's index: of those that were renamed, else of those that are new.
pub(crate) async fn index(tx: &mut Tx<'_>, limit: i64) -> Result<()> {
    if let Some(to) = tx.one::<Option<i64>>(&DUE_TO, params![limit]).await? {
        for statement in [&DUE_DELETE, &DUE_INSERT, &DUE_DONE] {
            tx.exec(statement, params![to]).await?;
        }
    } else if let Some(to) = tx.one::<Option<i64>>(&NEW_TO, params![limit]).await? {
        tx.exec(&NEW_INSERT, params![to]).await?;
        meta::set_names(tx, to).await?;
    }
    Ok(())
}

/// Every statement for both engines, for the test that prepares them.
#[cfg(test)]
pub(crate) const ALL: &[(&str, Sql)] =
    &[("NAMED", NAMED), ("LABELLED", LABELLED), ("LAST", LAST), ("SAMPLED", SAMPLED)];

pub(super) use listed;

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pattern: &str, sample: &[&str]) -> (String, String, u64) {
        let sample: Vec<_> =
            sample.iter().map(|name| (String::from(*name), String::new())).collect();
        let (asked, hits) = rarest(trigrams(pattern), &sample);
        (all_of(&asked), in_order(&asked), hits)
    }

    #[test]
    fn a_query_asks_for_rare_parts_of_the_literal_text() {
        for (pattern, query) in [
            ("%abc%", r#""abc""#),
            ("%abcd%", r#""abc" AND "bcd""#),
            ("%0123456%", r#""012" AND "234" AND "456""#),
            ("abc%xyz", r#""abc" AND "xyz""#),
            ("%a!%b%", r#""a%b""#),
            ("%!!!_!%%", r#""!_%""#),
            (r#"%"a"%"#, r#""""a""""#),
            ("%\u{65e5}\u{672c}\u{8a9e}%", "\"\u{65e5}\u{672c}\u{8a9e}\""),
        ] {
            assert_eq!(asked(pattern, &[]).0, query, "{pattern}");
        }
        let names = ["case-01", "case-02", "ase-0123"];
        let (query, pattern, hits) = asked("%case-012%", &names);
        assert_eq!(query, r#""cas" AND "-01" AND "012""#);
        assert_eq!(pattern, "%cas%-012%");
        assert_eq!(hits, 0);
        assert_eq!(asked("%case%", &names).2, 2);
    }

    #[test]
    fn a_pattern_in_order_is_no_stricter_than_the_whole() {
        for (pattern, looser) in [
            ("%abc%", "%abc%"),
            ("%abcd%", "%abcd%"),
            ("%abcde%", "%abcde%"),
            ("%abcdefgh%", "%abcdefg%"),
            ("%abcdefghijklmnopq%", "%abc%efg%ijk%"),
            ("%abc!_%xyz%", "%abc_%xyz%"),
            ("%abc%bcd", "%abc%bcd%"),
        ] {
            assert_eq!(asked(pattern, &[]).1, looser);
        }
    }

    #[test]
    fn a_sample_is_spread_over_all() {
        let mut ids = spread(1_000_000);
        ids.sort_unstable();
        assert!(ids.is_sorted_by(|a, b| a + 1_000 < *b && *b < a + 15_000));
        assert!(ids.iter().all(|id| (1..=1_000_000).contains(id)));
        assert!(spread(1).iter().all(|id| *id == 1));
    }

    #[test]
    fn a_pattern_without_three_characters_in_a_row_asks_for_nothing() {
        for pattern in ["", "%", "%%", "%ab%", "ab_cd%ef", "%a!%%", "\u{65e5}\u{672c}%", "%ab\0cd%"]
        {
            assert!(trigrams(pattern).is_empty(), "{pattern}");
        }
    }
}
