//! With a million files, what a request does must be a look-up: the plans say so.

use super::{catalog, statements};

/// Statements that may look at many rows: a search, commands of an administrator, and what is counted
/// because it is not kept.
const MAY_SCAN: [&str; 21] = [
    "USERS",
    "USERS_LIKE",
    "USER_COUNT",
    "TOTALS",
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
            for (name, sql) in statements() {
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
            // others are folders of a tree.
            let few = ["k", "shown", "me", "one", "up", "down", "whole", "CONSTANT"];
            let scanned = line.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
            let few = |scanned| few.contains(&scanned) || line.ends_with("-ROW VALUES CLAUSE");
            let scans = scanned.is_some_and(|scanned| !few(scanned));
            assert!(!line.contains("AUTOMATIC"), "{name}: {lines:#?}");
            if scans {
                scanning.push((name.clone(), lines.clone()));
            }
        }
        if name == "CHILDREN_BEHIND" {
            let keyed = "nodes_in_order (parent=? AND (kind,label_key)>(?,?) AND kind<?)";
            assert!(lines.iter().any(|line| line.ends_with(keyed)), "{lines:#?}");
        }
        if name.starts_with("OWNED") {
            let ordered = ["files_by_date", "files_by_name", "files_by_size"];
            let found = ordered.iter().any(|index| lines.iter().any(|line| line.contains(index)));
            assert!(found, "{name}: {lines:#?}");
            // Only the rows that are shown are put in order again, with their readers.
            let sorts = lines.iter().filter(|line| line.contains("TEMP B-TREE")).count();
            assert!(sorts <= 1, "{name}: {lines:#?}");
        }
    }
    assert!(scanning.is_empty(), "{scanning:#?}");
}
