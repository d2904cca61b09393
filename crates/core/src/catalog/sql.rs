//! The type of a statement. Each but a few is written once, with PostgreSQL's `$N`; SQLite gets `?N`, since it
//! would take `$N` for a *name* and bind by first appearance.

/// A statement for both engines.
#[derive(Debug)]
pub(crate) struct Sql {
    /// As written: PostgreSQL's text.
    pub(crate) text: &'static str,
    /// The same with `?N` for `$N`, and where the engine needs it, its own words.
    pub(crate) sqlite: &'static str,
}

impl Sql {
    /// A statement that is put together at run time. It stays for as long as the process.
    pub(crate) fn assembled(text: String) -> Self {
        let sqlite = text.replace('$', "?").leak();
        Sql { text: text.leak(), sqlite }
    }
}

/// The text of a statement that inserts so many rows at once.
pub(crate) fn insert_rows(table: &str, columns: &[&str], rows: usize) -> String {
    let row = |row| format!("({})", marks(1 + row * columns.len(), columns.len()));
    let rows = (0..rows).map(row).collect::<Vec<_>>().join(", ");
    format!("insert into {table} ({}) values {rows}", columns.join(", "))
}

/// `$from, …`: so many parameters.
pub(crate) fn marks(from: usize, count: usize) -> String {
    (from..from + count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

/// `$` to `?`, at compile time. No statement has a `$` in a literal.
pub(crate) const fn numbered<const N: usize>(text: &str) -> [u8; N] {
    let bytes = text.as_bytes();
    let mut out = [0; N];
    let mut i = 0;
    while i < N {
        out[i] = if bytes[i] == b'$' { b'?' } else { bytes[i] };
        i += 1;
    }
    out
}

/// Makes one statement; of two texts, where the engines have no words in common, the second is SQLite's.
macro_rules! sql {
    ($text:expr) => {
        $crate::catalog::sql::sql!($text, $text)
    };
    ($postgres:expr, $sqlite:expr) => {{
        const TEXT: &str = $postgres;
        const NAMED: &str = $sqlite;
        const BYTES: [u8; NAMED.len()] = $crate::catalog::sql::numbered(NAMED);
        const SQLITE: &str = match std::str::from_utf8(&BYTES) {
            Ok(text) => text,
            Err(_) => panic!("only ASCII was changed"),
        };
        $crate::catalog::sql::Sql { text: TEXT, sqlite: SQLITE }
    }};
}

/// Declares statements, some with a second text as `sql!` takes it, and `ALL` of them for the test that prepares each on
/// both engines.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $text:expr $(, sqlite $sqlite:expr)?;)*) => {
        $($(#[$doc])* pub(crate) const $name: $crate::catalog::sql::Sql =
            $crate::catalog::sql::sql!($text $(, $sqlite)?);)*
        #[cfg(test)]
        pub(crate) const ALL: &[(&str, $crate::catalog::sql::Sql)] =
            &[$((stringify!($name), $name)),*];
    };
}

pub(crate) use {sql, statements};
