//! Values that go into a statement and rows that come out, the same for every engine.

use crate::clock::Time;
use crate::error::{Error, Result};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

/// A parameter. Borrowed: binding copies nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Null,
    Int(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Value::Int(value.into())
    }
}

impl From<Time> for Value<'_> {
    fn from(value: Time) -> Self {
        Value::Int(value.0)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Value::Text(value)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Value::Text(value)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Value::Bytes(value)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Value<'a> {
    fn from(value: &'a [u8; N]) -> Self {
        Value::Bytes(value)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(value) => ValueRef::Integer(*value),
            Value::Text(value) => ValueRef::Text(value.as_bytes()),
            Value::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

/// Parameters of a statement, `$1` first.
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::catalog::row::Value::from($value)),*] };
}
pub(crate) use params;

/// A row of a result, read from the first column on.
pub(crate) struct Row<'r> {
    row: &'r rusqlite::Row<'r>,
    next: usize,
}

impl<'r> Row<'r> {
    pub(crate) fn new(row: &'r rusqlite::Row<'r>) -> Self {
        Row { row, next: 0 }
    }

    /// The next column.
    pub(crate) fn take<T: Column>(&mut self) -> Result<T> {
        let value = self.row.get_ref(self.next)?;
        let column = self.next;
        self.next += 1;
        T::read(value).ok_or_else(|| {
            Error::internal(format!("column {column} holds an unexpected {:?}", value.data_type()))
        })
    }
}

/// What a column can be read as.
pub(crate) trait Column: Sized {
    fn read(value: ValueRef<'_>) -> Option<Self>;
}

impl Column for i64 {
    fn read(value: ValueRef<'_>) -> Option<Self> {
        value.as_i64().ok()
    }
}

impl Column for u64 {
    fn read(value: ValueRef<'_>) -> Option<Self> {
        value.as_i64().ok()?.try_into().ok()
    }
}

impl Column for u32 {
    fn read(value: ValueRef<'_>) -> Option<Self> {
        value.as_i64().ok()?.try_into().ok()
    }
}

impl Column for bool {
    fn read(value: ValueRef<'_>) -> Option<Self> {
        Some(value.as_i64().ok()? != 0)
    }
}

impl Column for Time {
    fn read(value: ValueRef<'_>) -> Option<Self> {
        value.as_i64().ok().map(Time)
    }
}

impl Column for String {
    fn read(value: ValueRef<'_>) -> Option<Self> {
        value.as_str().ok().map(str::to_owned)
    }
}

impl Column for Vec<u8> {
    fn read(value: ValueRef<'_>) -> Option<Self> {
        value.as_blob().ok().map(<[u8]>::to_vec)
    }
}

impl<const N: usize> Column for [u8; N] {
    fn read(value: ValueRef<'_>) -> Option<Self> {
        value.as_blob().ok()?.try_into().ok()
    }
}

impl<T: Column> Column for Option<T> {
    fn read(value: ValueRef<'_>) -> Option<Self> {
        match value {
            ValueRef::Null => Some(None),
            value => T::read(value).map(Some),
        }
    }
}

/// A row as a value of ours.
pub(crate) trait FromRow: Sized {
    fn from_row(row: &mut Row<'_>) -> Result<Self>;
}

impl<T: Column> FromRow for T {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        row.take()
    }
}

impl<A: Column, B: Column> FromRow for (A, B) {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        Ok((row.take()?, row.take()?))
    }
}

impl<A: Column, B: Column, C: Column> FromRow for (A, B, C) {
    fn from_row(row: &mut Row<'_>) -> Result<Self> {
        Ok((row.take()?, row.take()?, row.take()?))
    }
}
