//! With a million files, what a request does must be a look-up: the plans say so.

use super::{catalog, embedded_statements};

/// Statements that may look at many rows: a search, commands of an administrator, and what is counted
/// because it is not kept.
const MAY_SCAN: [&str; 22] = [
    "USERS",
    "USERS_LIKE",
    "USER_COUNT",
    "TOTALS",
    "VERSION_COUNT",
    "NEXT_VERSION",
    "NEXT_MARK",
    "SHOWN_OTHERWISE",
    "KEYS",
    "SHARES_PUBLIC",
    "UNMARKED_NEXT",
    "CONTENTS_COUNT",
    "INLINE_COUNT",
    "PARENTS_CLEAR",
    "CHECKPOINT_BEFORE",
    "BACKUPS",
    "ACTIVE_KEY",
    "KEY_REPLACED",
    "KEY_DELETE",
    "KEYS_IN_USE",
    "PENDING_CLEAR",
    "DOOMED_CLEAR",
];

#[tokio::test]
async fn no_request_scans_or_sorts_a_table() {
    let (_directory, catalog) = catalog();
    let plans = catalog
        .read(&(), |tx, ()| {
            let mut plans = Vec::new();
            for (name, sql) in embedded_statements() {
                let mut statement = tx
                    .embedded()
                    .unwrap()
                    .prepare(&format!("explain query plan {}", sql.sqlite))
                    .unwrap();
                let columns = statement.parameter_count();
                let nulls = rusqlite::params_from_iter(std::iter::repeat_n(0, columns));
                let lines = statement.query_map(nulls, |row| row.get::<_, String>(3)).unwrap();
                plans.push((name, lines.map(Result::unwrap).collect::<Vec<_>>()));
            }
            Box::pin(async move { Ok(plans) })
        })
        .await
        .unwrap();
    assert!(plans.len() > 60);
    let mut scanning = Vec::new();
    for (name, lines) in plans {
        // A copy of a whole catalog is no request.
        if MAY_SCAN.contains(&name.as_str()) || name.starts_with("copy ") {
            continue;
        }
        for line in &lines {
            // `k` and `shown` are the page itself, as many rows as are shown; `me` and `one` are a row; the
            // others are folders of a tree, candidates of a search, what is due for their index, and a number
            // of the oldest.
            let few = [
                "k",
                "shown",
                "me",
                "one",
                "up",
                "down",
                "whole",
                "CONSTANT",
                "c",
                "d",
                "names_due",
                "oldest",
            ];
            let scanned = line.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
            // By their rows, or by what they hold.
            let looked_up = ["-ROW VALUES CLAUSE", "SCAN names VIRTUAL TABLE INDEX 0:=", "0:M1"];
            let few = |scanned| {
                few.contains(&scanned) || looked_up.iter().any(|found| line.ends_with(found))
            };
            let scans = scanned.is_some_and(|scanned| !few(scanned));
            assert!(!line.contains("AUTOMATIC"), "{name}: {lines:#?}");
            if scans {
                scanning.push((name.clone(), lines.clone()));
            }
        }
        if name == "WITHOUT_SHA512" {
            // Each minute: else it would walk over all versions.
            assert_eq!(lines[0], "SCAN c USING INDEX contents_without_sha512", "{lines:#?}");
        }
        if name == "CHILDREN_BEHIND" {
            let keyed = "nodes_in_order (parent=? AND (kind,label_key)>(?,?) AND kind<?)";
            assert!(lines.iter().any(|line| line.ends_with(keyed)), "{lines:#?}");
        }
        if name.contains("among") || name == "FOUND_AMONG" {
            let listed = lines.iter().any(|line| line.starts_with("SCAN c VIRTUAL TABLE"));
            let each = "SEARCH n USING INTEGER PRIMARY KEY (rowid=?)";
            assert!(listed && lines.iter().any(|line| line == each), "{name}: {lines:#?}");
        } else if name.starts_with("OWNED") {
            let ordered = ["files_by_date", "files_by_name", "files_by_size"];
            let found = ordered.iter().any(|index| lines.iter().any(|line| line.contains(index)));
            assert!(found, "{name}: {lines:#?}");
            // How many there are is kept, and not counted with each page.
            let kept =
                lines.iter().any(|line| line.starts_with("SEARCH t USING INTEGER PRIMARY KEY"));
            assert_eq!(kept, !name.contains("search"), "{name}: {lines:#?}");
            // Only the rows that are shown are put in order again, with their readers.
            let sorts = lines.iter().filter(|line| line.contains("TEMP B-TREE")).count();
            assert!(sorts <= 1, "{name}: {lines:#?}");
        }
    }
    assert!(scanning.is_empty(), "{scanning:#?}");
}

/// The engine would plan a statement anew, at many times its cost, if the plan could depend on a value.
#[tokio::test]
async fn no_kept_statement_is_planned_again() {
    let (_directory, catalog) = catalog();
    catalog
        .read(&(), |tx, ()| {
            let engine = tx.embedded().unwrap();
            let mut run = 0;
            for (name, sql) in embedded_statements() {
                for value in 1..4 {
                    let mut statement = engine.prepare_cached(sql.sqlite).unwrap();
                    if !statement.readonly() {
                        continue;
                    }
                    let values = std::iter::repeat_n(value, statement.parameter_count());
                    let rows = statement.query(rusqlite::params_from_iter(values)).unwrap();
                    let shown = rows.mapped(|_| Ok(())).count();
                    let again = statement.get_status(rusqlite::StatementStatus::RePrepare);
                    assert_eq!(again, 0, "{name}, which shows {shown}");
                    run += 1;
                }
            }
            Box::pin(async move {
                assert!(run > 180, "{run}");
                Ok(())
            })
        })
        .await
        .unwrap();
}
