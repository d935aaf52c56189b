//! JSON of a caller, read within bounds: what is over them is not kept, nor read on for longer than
//! it takes to know.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Entries of a list that are kept. No list that a body may have is longer, so that one which was
/// cut is refused by its reader for its length.
const ENTRIES: usize = 1_025;
/// Fields of an object. No object that a body may have comes near.
const FIELDS: usize = 100;
/// Bytes of a body for each value in it, at least. A body of shorter values (`[0,0,0,…`) takes a
/// multiple of its size in memory and has no use.
const BYTES_EACH: usize = 4;
/// So many values are allowed in a body of any size.
const FEW: usize = 2_048;

/// Reads a body as a JSON object. A byte order mark before it counts as white space.
///
/// # Errors
/// What is wrong with it, as the problem of the field `body`.
pub(super) fn object(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|_| "must be UTF-8".to_owned())?;
    let bounds = Bounds {
        values: Cell::new(FEW.max(text.len() / BYTES_EACH)),
        exceeded: Cell::new(None),
    };
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = Bounded(&bounds)
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value));
    match (read, bounds.exceeded.get()) {
        (_, Some(exceeded)) => Err(exceeded.to_owned()),
        (Ok(Value::Object(map)), None) => Ok(map),
        (Ok(_), None) => Err("must be a JSON object".to_owned()),
        (Err(error), None) => Err(format!("must be JSON: {error}")),
    }
}

/// Whether an object of which only the beginning is there is of a type that `is` accepts: its `type`
/// says so, or it has the `field` that only such an object has.
pub(super) fn is_of(beginning: &[u8], is: fn(&str) -> bool, field: &str) -> bool {
    let beginning = beginning.strip_prefix(b"\xef\xbb\xbf").unwrap_or(beginning);
    let found = Cell::new(false);
    let sought = Sought {
        is,
        field,
        found: &found,
    };
    // The reader stops at the field, or where the beginning ends: an error either way.
    let _ = sought.deserialize(&mut serde_json::Deserializer::from_slice(beginning));
    found.get()
}

struct Bounds {
    /// How many values may still come.
    values: Cell<usize>,
    exceeded: Cell<Option<&'static str>>,
}

impl Bounds {
    fn exceed<E: Error>(&self, what: &'static str) -> E {
        self.exceeded.set(Some(what));
        E::custom(what)
    }
}

/// Makes a [`Value`] within bounds.
struct Bounded<'a>(&'a Bounds);

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.0.values.get().checked_sub(1) {
            Some(left) => self.0.values.set(left),
            None => return Err(self.0.exceed("has too many values for its size")),
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = entries.next_element_seed(Bounded(self.0))? {
            list.push(entry);
            if list.len() == ENTRIES {
                while entries.next_element::<IgnoredAny>()?.is_some() {}
                break;
            }
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        let mut count = 0;
        while let Some(name) = fields.next_key::<String>()? {
            count += 1;
            if count > FIELDS {
                return Err(self.0.exceed("has an object of more than 100 fields"));
            }
            map.insert(name, fields.next_value_seed(Bounded(self.0))?);
        }
        Ok(Value::Object(map))
    }
}

/// Looks for a field and gives up there.
struct Sought<'a> {
    is: fn(&str) -> bool,
    field: &'a str,
    found: &'a Cell<bool>,
}

impl<'de> DeserializeSeed<'de> for Sought<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Sought<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(name) = fields.next_key::<String>()? {
            if name == "type" || name == self.field {
                let found = name == self.field || (self.is)(&fields.next_value::<String>()?);
                self.found.set(found);
                return Err(A::Error::custom("it was found"));
            }
            fields.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_read_as_it_stands() {
        let text = r#"{"a": [1, -2, 0.5, "x", null, true], "b": {"c": 106.81666600000001}}"#;
        let read = object(text.as_bytes()).unwrap();
        assert_eq!(
            Value::Object(read),
            serde_json::from_str::<Value>(text).unwrap()
        );
        assert!(object(b"\xef\xbb\xbf {}").unwrap().is_empty());
        for (bytes, problem) in [
            (&b"[]"[..], "must be a JSON object"),
            (b"\"\xff\"", "must be UTF-8"),
            (
                b"{} {}",
                "must be JSON: trailing characters at line 1 column 4",
            ),
            (
                b"{\"a\":",
                "must be JSON: EOF while parsing a value at line 1 column 5",
            ),
        ] {
            assert_eq!(object(bytes).unwrap_err(), problem);
        }
    }

    #[test]
    fn a_list_is_kept_no_further_than_anybody_looks() {
        let entries = vec!["\"0123456789\""; 50_000].join(",");
        let read = object(format!("{{\"a\":[{entries}],\"b\":1}}").as_bytes()).unwrap();
        assert_eq!(read["a"].as_array().unwrap().len(), ENTRIES);
        assert_eq!(read["b"], 1, "what follows is read");
    }

    #[test]
    fn many_fields_and_many_small_values_end_the_reading() {
        let fields: Vec<String> = (0..1_000).map(|index| format!("\"f{index}\":0")).collect();
        let fields = format!("{{{}}}", fields.join(","));
        for text in [fields.clone(), format!("{{\"a\":[{fields}]}}")] {
            let problem = object(text.as_bytes()).unwrap_err();
            assert_eq!(problem, "has an object of more than 100 fields");
        }
        let nested = format!("[{}]", vec!["0"; 1_000].join(","));
        let nested = vec![nested.as_str(); 1_000].join(",");
        let problem = object(format!("{{\"a\":[{nested}]}}").as_bytes()).unwrap_err();
        assert_eq!(problem, "has too many values for its size");
        let deep = "[".repeat(100_000);
        assert!(object(format!("{{\"a\":{deep}").as_bytes()).is_err());
    }

    #[test]
    fn the_type_is_seen_in_the_beginning() {
        let image = |beginning: &str| is_of(beginning.as_bytes(), |kind| kind == "image", "media");
        for of_image in [
            r#"{"to": "1", "x": {"type": "no"}, "type": "image", "media": {"data": "AAA"#,
            r#"{"type": "image""#,
            r#"{"to": "1", "media": {"data": "AAA"#,
        ] {
            assert!(image(of_image), "{of_image}");
        }
        for other in [
            r#"{"x": {"media": {"data": "AAAA"#,
            r#"{"text": "AAAA"#,
            r#"{"type": "text", "media": {"#,
            r#"{"type": 1, "media": {"#,
            r#"{"type": "im"#,
            "[",
            "",
        ] {
            assert!(!image(other), "{other}");
        }
    }
}
