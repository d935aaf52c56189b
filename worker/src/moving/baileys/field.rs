//! Values of a JSON file, read with their path at hand for the error that names it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::moving::MovingError;
use crate::moving::records;
use wacore::libsignal::protocol::{KeyPair, PublicKey};

/// A value somewhere in a file.
#[derive(Clone)]
pub(super) struct Field<'a> {
    file: &'a str,
    path: String,
    value: &'a Value,
}

impl<'a> Field<'a> {
    pub(super) fn root(file: &'a str, value: &'a Value) -> Self {
        let path = String::new();
        Self { file, path, value }
    }

    /// An error about this value.
    pub(super) fn error(&self, reason: impl std::fmt::Display) -> MovingError {
        let path = if self.path.is_empty() {
            "the file"
        } else {
            &self.path
        };
        MovingError::invalid(self.file, path, reason)
    }

    fn object(&self) -> Result<&'a Map<String, Value>, MovingError> {
        let object = self.value.as_object();
        object.ok_or_else(|| self.error("must be an object"))
    }

    fn below(&self, name: &str, value: &'a Value) -> Self {
        // A name is somebody else's text; what is no plain word may be a key of something.
        let plain =
            name.len() <= 32 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let name = if plain { name } else { "*" };
        let path = if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        };
        let file = self.file;
        Self { file, path, value }
    }

    /// A member that must be there.
    pub(super) fn get(&self, name: &str) -> Result<Self, MovingError> {
        self.find(name)?
            .ok_or_else(|| self.below(name, self.value).error("is missing"))
    }

    /// A member that may be missing, or null.
    pub(super) fn find(&self, name: &str) -> Result<Option<Self>, MovingError> {
        let value = self.object()?.get(name).filter(|value| !value.is_null());
        Ok(value.map(|value| self.below(name, value)))
    }

    /// Members by name.
    pub(super) fn members(
        &self,
    ) -> Result<impl Iterator<Item = (&'a str, Self)> + use<'a, '_>, MovingError> {
        let object = self.object()?;
        Ok(object
            .iter()
            .map(|(name, value)| (name.as_str(), self.below(name, value))))
    }

    /// Items of a list.
    pub(super) fn items(&self) -> Result<impl Iterator<Item = Self> + use<'a, '_>, MovingError> {
        let list = self.value.as_array();
        let list = list.ok_or_else(|| self.error("must be a list"))?;
        let file = self.file;
        Ok(list.iter().enumerate().map(move |(at, value)| Self {
            file,
            path: format!("{}[{at}]", self.path),
            value,
        }))
    }

    pub(super) fn text(&self) -> Result<&'a str, MovingError> {
        let text = self.value.as_str();
        text.ok_or_else(|| self.error("must be a text"))
    }

    pub(super) fn flag(&self) -> Result<bool, MovingError> {
        let flag = self.value.as_bool();
        flag.ok_or_else(|| self.error("must be true or false"))
    }

    /// A whole number, also one in quotes: protobuf writes 64 bits so.
    pub(super) fn integer(&self) -> Result<i64, MovingError> {
        let number = match self.value {
            Value::String(text) => text.parse().ok(),
            #[expect(clippy::cast_possible_truncation, reason = "JavaScript's 5e0 is 5")]
            Value::Number(number) => number.as_i64().or_else(|| {
                let float = number.as_f64()?;
                (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64)
            }),
            _ => None,
        };
        number.ok_or_else(|| self.error("must be a whole number"))
    }

    pub(super) fn number<T: TryFrom<i64>>(&self) -> Result<T, MovingError> {
        let number = self.integer()?.try_into();
        number.map_err(|_| self.error("is out of range"))
    }

    /// Bytes in any of the forms in which JavaScript's buffers become JSON.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, MovingError> {
        buffer(self.value).ok_or_else(|| self.error("must be bytes (a Buffer, or base64)"))
    }

    pub(super) fn array<const N: usize>(&self) -> Result<[u8; N], MovingError> {
        let bytes = self.bytes()?;
        let size = bytes.len();
        let array = bytes.try_into();
        array.map_err(|_| self.error(format!("must be {N} bytes and is {size}")))
    }

    pub(super) fn public_key(&self) -> Result<PublicKey, MovingError> {
        let key = records::public_key(&self.bytes()?);
        key.ok_or_else(|| self.error("is no public key"))
    }

    /// `{public, private}`, which must belong together.
    pub(super) fn key_pair(&self) -> Result<KeyPair, MovingError> {
        let private = self.get("private")?;
        let pair = records::key_pair(&private.array::<32>()?);
        let pair = pair.ok_or_else(|| private.error("is no private key"))?;
        let public = self.get("public")?;
        if public.public_key()? != pair.public_key {
            return Err(public.error("does not belong to the private key"));
        }
        Ok(pair)
    }
}

fn buffer(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => STANDARD.decode(text).ok(),
        Value::Array(list) => list.iter().map(byte).collect(),
        Value::Object(object) if object.get("type").and_then(Value::as_str) == Some("Buffer") => {
            buffer(object.get("data")?)
        }
        // A Uint8Array that was written as any other object: {"0": 5, "1": 7}.
        Value::Object(object) => (0..object.len())
            .map(|at| byte(object.get(&at.to_string())?))
            .collect(),
        _ => None,
    }
}

fn byte(value: &Value) -> Option<u8> {
    value.as_u64()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bytes_are_read_in_every_form() {
        for value in [
            json!("BQc="),
            json!({ "type": "Buffer", "data": "BQc=" }),
            json!({ "type": "Buffer", "data": [5, 7] }),
            json!({ "0": 5, "1": 7 }),
            json!([5, 7]),
        ] {
            assert_eq!(buffer(&value), Some(vec![5, 7]), "{value}");
        }
        for value in [
            json!("%"),
            json!([256]),
            json!({ "1": 5 }),
            json!(null),
            json!(5),
        ] {
            assert_eq!(buffer(&value), None, "{value}");
        }
    }

    #[test]
    fn an_error_names_file_and_field_and_no_value() {
        let value = json!({ "a": { "b": "secret!" } });
        let field = Field::root("creds.json", &value);
        let error = field.get("a").unwrap().get("b").unwrap().bytes();
        let error = error.unwrap_err().to_string();
        assert_eq!(
            error,
            "creds.json: a.b: must be bytes (a Buffer, or base64)"
        );
        let error = field.get("x").err().unwrap().to_string();
        assert_eq!(error, "creds.json: x: is missing");
    }
}
