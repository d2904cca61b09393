//! A catalog of an older schema becomes one of this.

use crate::catalog::migrate::{Engine, VERSION, after, migrate};
use crate::clock::Clock;
use rusqlite::Connection;

/// Two files of one content, one of which had another before; and a row of each table that is made anew.
const ROWS: &str = "
    insert into master_keys (id, canary, created) values ('k', x'00', 1);
    insert into users (id, login, login_key, email, email_key, name, password, admin, created)
        values (7, 'ann', 'ann', 'a@b', 'a@b', 'Ann', '', 0, 1);
    insert into nodes (id, owner, kind, name, name_key, label, label_key, created, modified)
        values (1, 7, 0, 'My Files', 'my files', 'My Files', 'my files', 1, 1);
    insert into nodes (id, owner, parent, kind, name, name_key, label, label_key, created, modified, version, last_version,
        size, uploaded, hex) values
        (2, 7, 1, 1, 'a', 'a', 'a', 'a', 1, 1, 2, 3, 20, 5, 'a'), (3, 7, 1, 1, 'b', 'b', 'b', 'b', 1, 1, 1, 1, 20, 6, 'b');
    insert into trees values (7, 1, 2, 40, 9, 8);
    insert into folders values (1, 2, 0, 40, 6);
    insert into label_numbers values (1, 'a', 4);
    insert into contents values (x'02', 20, 'list', x'0202'), (x'01', 10, '', null);
    insert into inline_contents values (x'01', x'0101');
    insert into versions (file, number, content, size, md5, plain, created, created_by, master_key, wrapped_key, modified)
        values (2, 1, x'01', 10, x'a1', 0, 2, 7, 'k', x'00', 3), (2, 2, x'02', 20, x'a2', 1, 5, 7, 'k', x'01', 4),
        (3, 1, x'02', 20, x'a2', 1, 6, 7, 'k', x'02', 6);
    insert into changes (folder, at, node, kind, action) values (1, 5, 2, 1, 2);
    insert into audit (id, at, actor, act, details) values (11, 5, 'ann', 'made', '');
    insert into audit_links values (1, 11, 'k', x'aa');";

/// What was in the tables that are made anew, and in those that refer to them.
const KEPT: [&str; 6] = ["trees", "folders", "label_numbers", "versions", "audit_links", "changes"];

fn rows(conn: &Connection, statement: &str) -> Vec<String> {
    let mut statement = conn.prepare(statement).unwrap();
    let columns = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| {
        let values = (0..columns).map(|column| format!("{:?}", row.get_ref(column).unwrap()));
        Ok(values.collect::<Vec<_>>().join(" "))
    };
    statement.query_map([], row).unwrap().map(Result::unwrap).collect()
}

#[test]
fn what_an_older_binary_wrote_is_all_there() {
    let mut conn = Connection::open_in_memory().unwrap();
    for setting in ["foreign_keys", "secure_delete"] {
        conn.pragma_update(None, setting, true).unwrap();
    }
    for migration in after(0, Engine::Sqlite).take(8) {
        conn.execute_batch(&migration).unwrap();
    }
    conn.execute_batch(ROWS).unwrap();
    conn.pragma_update(None, "user_version", 8).unwrap();
    let all = |conn: &Connection| {
        KEPT.map(|table| rows(conn, &format!("select * from {table} order by 1, 2")))
    };
    let before = all(&conn);
    assert!(before.iter().all(|rows| !rows.is_empty()));
    let apart = "select c.id, size, objects, sha512, sealed from contents c \
        left join inline_contents i on i.content = c.id order by 1";
    let contents = rows(&conn, apart);

    migrate(&mut conn, &Clock::System).unwrap();
    assert_eq!(all(&conn), before);
    let together = "select id, size, objects, sha512, sealed from contents order by 1";
    assert_eq!(rows(&conn, together), contents);
    assert!(contents[0].contains("Blob([1, 1])") && contents[1].ends_with("Null"), "{contents:?}");
    assert_eq!(rows(&conn, "pragma secure_delete"), ["Integer(1)"]);
    assert_eq!(rows(&conn, "pragma user_version"), [format!("Integer({VERSION})")]);
    let shown = "select n.id, v.number from nodes n join versions v on v.file = n.id and v.md5 = n.md5 \
        and v.modified = n.modified and v.created_by = n.modified_by order by n.id, v.number";
    assert_eq!(rows(&conn, shown), ["Integer(2) Integer(2)", "Integer(3) Integer(1)"]);

    assert_eq!(
        rows(&conn, "pragma integrity_check"),
        [format!("{:?}", rusqlite::types::ValueRef::Text(b"ok"))]
    );
    assert!(rows(&conn, "pragma foreign_key_check").is_empty());
    for lost in ["delete from contents", "delete from nodes where id = 1", "delete from users"] {
        assert!(conn.execute(lost, []).is_err(), "{lost}");
    }
    migrate(&mut conn, &Clock::System).unwrap();
    assert_eq!(all(&conn), before);
}
