//! SQLite files that others wrote, read with every value checked, and written anew.

use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, limits::Limit};

use super::{MovingError, bounds};

/// A file that is only read.
pub(super) struct Database {
    connection: Connection,
    file: String,
}

impl Database {
    /// Opens a file that is there.
    pub(super) fn open(path: &Path) -> Result<Self, MovingError> {
        let file = path.display().to_string();
        let wrong = |error: rusqlite::Error| MovingError::file(&file, error);
        let connection =
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(wrong)?;
        // Whoever wrote the file wrote its schema, too: no function of it runs, nothing is that long.
        let longest = i32::try_from(bounds::FILE_BYTES).unwrap_or(i32::MAX);
        connection
            .set_limit(Limit::SQLITE_LIMIT_LENGTH, longest)
            .map_err(wrong)?;
        for (name, value) in [("trusted_schema", "OFF"), ("cell_size_check", "ON")] {
            connection.pragma_update(None, name, value).map_err(wrong)?;
        }
        Ok(Self { connection, file })
    }

    fn wrong(&self, table: &str, error: rusqlite::Error) -> MovingError {
        MovingError::invalid(&self.file, table, error)
    }

    /// The columns of a table or a view; none where there is no such table.
    pub(super) fn columns(&self, table: &str) -> Result<Vec<String>, MovingError> {
        let wrong = |error| self.wrong(table, error);
        let kind: Result<String, _> = self.connection.query_row(
            "SELECT type FROM sqlite_schema WHERE name = ?1",
            [table],
            |row| row.get(0),
        );
        match kind {
            Err(rusqlite::Error::QueryReturnedNoRows) => return Ok(Vec::new()),
            Ok(kind) if kind == "table" => {}
            Ok(_) => return Err(MovingError::invalid(&self.file, table, "is no table")),
            Err(error) => return Err(wrong(error)),
        }
        let mut statement = self
            .connection
            .prepare("SELECT name FROM pragma_table_info(?1)")
            .map_err(wrong)?;
        let names = statement
            .query_map([table], |row| row.get(0))
            .map_err(wrong)?;
        names.collect::<Result<_, _>>().map_err(wrong)
    }

    /// Reads these columns of the rows of `table` in which `owner` is `id`. A column whose name
    /// begins with `?` may be missing, as it is in stores of older versions; it is null then.
    pub(super) fn rows<T>(
        &self,
        table: &'static str,
        columns: &[&'static str],
        owner: Option<(&str, &dyn rusqlite::ToSql)>,
        mut read: impl FnMut(&Row<'_>) -> Result<T, MovingError>,
    ) -> Result<Vec<T>, MovingError> {
        let wrong = |error| self.wrong(table, error);
        let there = self.columns(table)?;
        if there.is_empty() {
            return Err(MovingError::invalid(
                &self.file,
                table,
                "there is no such table",
            ));
        }
        let mut chosen = Vec::new();
        for column in columns {
            let (name, optional) = match column.strip_prefix('?') {
                Some(name) => (name, true),
                None => (*column, false),
            };
            match (there.iter().any(|other| other == name), optional) {
                (true, _) => chosen.push(name.to_owned()),
                (false, true) => chosen.push("NULL".to_owned()),
                (false, false) => {
                    let field = format!("{table}.{name}");
                    return Err(MovingError::invalid(
                        &self.file,
                        &field,
                        "there is no such column",
                    ));
                }
            }
        }
        let mut query = format!("SELECT {} FROM {table}", chosen.join(", "));
        let mut parameters: Vec<&dyn rusqlite::ToSql> = Vec::new();
        if let Some((column, id)) = owner {
            query.push_str(&format!(" WHERE {column} = ?1"));
            parameters.push(id);
        }
        let mut statement = self.connection.prepare(&query).map_err(wrong)?;
        let mut rows = statement.query(parameters.as_slice()).map_err(wrong)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(wrong)? {
            if found.len() >= bounds::FILES {
                return Err(MovingError::TooMuch {
                    what: "rows in one table",
                    limit: bounds::FILES as u64,
                });
            }
            found.push(read(&Row {
                row,
                file: &self.file,
                table,
                columns,
            })?);
        }
        Ok(found)
    }
}

/// A row; values are by the place of their column.
pub(super) struct Row<'a> {
    row: &'a rusqlite::Row<'a>,
    file: &'a str,
    table: &'static str,
    columns: &'a [&'static str],
}

impl Row<'_> {
    /// An error about a value.
    pub(super) fn error(&self, at: usize, reason: impl std::fmt::Display) -> MovingError {
        let column = self.columns.get(at).copied().unwrap_or("?");
        let field = format!("{}.{}", self.table, column.trim_start_matches('?'));
        MovingError::invalid(self.file, &field, reason)
    }

    fn value(&self, at: usize) -> Result<ValueRef<'_>, MovingError> {
        self.row.get_ref(at).map_err(|error| self.error(at, error))
    }

    pub(super) fn bytes(&self, at: usize) -> Result<Vec<u8>, MovingError> {
        let bytes = self.optional_bytes(at)?;
        bytes.ok_or_else(|| self.error(at, "is null"))
    }

    pub(super) fn optional_bytes(&self, at: usize) -> Result<Option<Vec<u8>>, MovingError> {
        match self.value(at)? {
            ValueRef::Blob(bytes) => Ok(Some(bytes.to_vec())),
            ValueRef::Null => Ok(None),
            _ => Err(self.error(at, "must be bytes")),
        }
    }

    pub(super) fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], MovingError> {
        let bytes = self.bytes(at)?;
        let size = bytes.len();
        let array = bytes.try_into();
        array.map_err(|_| self.error(at, format!("must be {N} bytes and is {size}")))
    }

    pub(super) fn text(&self, at: usize) -> Result<String, MovingError> {
        let text = self.optional_text(at)?;
        text.ok_or_else(|| self.error(at, "is null"))
    }

    pub(super) fn optional_text(&self, at: usize) -> Result<Option<String>, MovingError> {
        match self.value(at)? {
            ValueRef::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => Ok(Some(text.to_owned())),
                Err(_) => Err(self.error(at, "is no UTF-8")),
            },
            ValueRef::Null => Ok(None),
            _ => Err(self.error(at, "must be a text")),
        }
    }

    pub(super) fn number<T: TryFrom<i64>>(&self, at: usize) -> Result<T, MovingError> {
        let number = self.optional_number(at)?;
        number.ok_or_else(|| self.error(at, "is null"))
    }

    pub(super) fn optional_number<T: TryFrom<i64>>(
        &self,
        at: usize,
    ) -> Result<Option<T>, MovingError> {
        let number = match self.value(at)? {
            ValueRef::Integer(number) => number,
            ValueRef::Null => return Ok(None),
            _ => return Err(self.error(at, "must be a whole number")),
        };
        let number = number.try_into();
        number
            .map(Some)
            .map_err(|_| self.error(at, "is out of range"))
    }

    pub(super) fn flag(&self, at: usize) -> Result<bool, MovingError> {
        Ok(self.number::<i64>(at)? != 0)
    }
}

/// A file that is written anew, in one transaction.
pub(super) fn write(
    path: &Path,
    schema: &str,
    fill: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<()>,
) -> Result<(), MovingError> {
    let wrong = |error: rusqlite::Error| MovingError::file(path.display(), error);
    let mut connection = Connection::open(path).map_err(wrong)?;
    let written = connection.transaction().and_then(|transaction| {
        transaction.execute_batch(schema)?;
        fill(&transaction)?;
        transaction.commit()
    });
    written.map_err(wrong)
}
