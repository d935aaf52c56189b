//! Schemas of request bodies. They are made with the limits that the readers use.

use std::ops::RangeInclusive;

use serde_json::{Map, Value, json};

use super::components::NAME;

/// An object of known fields; others are refused.
#[derive(Debug, Default)]
pub(crate) struct Object {
    properties: Map<String, Value>,
    required: Vec<&'static str>,
}

impl Object {
    /// Without fields.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// This object as a schema of this name in the document, and so a type in generated clients.
    pub(crate) fn named(self, name: impl Into<String>) -> Value {
        let mut schema = Value::from(self);
        schema[NAME] = name.into().into();
        schema
    }

    /// A field that must be given.
    pub(crate) fn required(self, name: &'static str, schema: impl Into<Value>) -> Self {
        let mut object = self.optional(name, schema);
        object.required.push(name);
        object
    }

    /// A field that may be left out. `null` is the same as leaving it out.
    pub(crate) fn optional(mut self, name: &'static str, schema: impl Into<Value>) -> Self {
        self.properties.insert(name.to_owned(), schema.into());
        self
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        json!({
            "type": "object",
            "properties": object.properties,
            "required": object.required,
            "additionalProperties": false,
        })
    }
}

/// A text of so many characters.
pub(crate) fn text(length: RangeInclusive<usize>, about: &str) -> Value {
    let mut schema = json!({"type": "string", "maxLength": length.end(), "description": about});
    if *length.start() > 0 {
        schema["minLength"] = (*length.start()).into();
    }
    schema
}

/// A whole number in a range.
pub(crate) fn integer(range: RangeInclusive<i64>, about: &str) -> Value {
    json!({
        "type": "integer",
        "minimum": range.start(),
        "maximum": range.end(),
        "description": about,
    })
}

/// A number in a range.
pub(crate) fn number(range: RangeInclusive<f64>, about: &str) -> Value {
    json!({
        "type": "number",
        "minimum": range.start(),
        "maximum": range.end(),
        "description": about,
    })
}

/// True or false.
pub(crate) fn flag(about: &str) -> Value {
    json!({"type": "boolean", "description": about})
}

/// A list of so many entries.
pub(crate) fn list(entries: Value, length: RangeInclusive<usize>, about: &str) -> Value {
    json!({
        "type": "array",
        "items": entries,
        "minItems": length.start(),
        "maxItems": length.end(),
        "description": about,
    })
}

/// A moment in epoch milliseconds.
pub(crate) fn time(range: RangeInclusive<i64>, about: &str) -> Value {
    let mut schema = integer(range, about);
    schema["format"] = "int64".into();
    schema
}

/// One of several forms.
pub(crate) fn one_of(forms: impl IntoIterator<Item = Value>) -> Value {
    json!({"oneOf": forms.into_iter().collect::<Vec<_>>()})
}

/// One of several named forms, told apart by the constant that each has in this property.
pub(crate) fn one_of_by(property: &str, forms: impl IntoIterator<Item = Value>) -> Value {
    let mut schema = one_of(forms);
    schema["discriminator"] = json!({"propertyName": property});
    schema
}

/// The same, or `null`.
fn nullable(mut schema: Value) -> Value {
    if let Some(kind) = schema.get("type").filter(|kind| kind.is_string()).cloned() {
        schema["type"] = json!([kind, "null"]);
        if let Some(Value::Array(values)) = schema.get_mut("enum") {
            values.push(Value::Null);
        }
        return schema;
    }
    if schema.as_object().is_some_and(Map::is_empty) {
        return schema;
    }
    json!({"anyOf": [schema, {"type": "null"}]})
}

/// The schema of a body, or of a part of one, with what holds for all of them: a field that need not
/// be given may be `null`, which counts as absent.
pub(super) fn with_nulls(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(map) => {
            for value in map.values_mut() {
                *value = with_nulls(value.take());
            }
            let required = map.get("required").cloned().unwrap_or_default();
            if let Some(Value::Object(properties)) = map.get_mut("properties") {
                for (name, property) in properties {
                    let needed = required
                        .as_array()
                        .is_some_and(|names| names.iter().any(|one| one == name));
                    if !needed {
                        *property = nullable(property.take());
                    }
                }
            }
        }
        Value::Array(list) => {
            for value in list {
                *value = with_nulls(value.take());
            }
        }
        _ => {}
    }
    schema
}

/// An international number as people write it: what `gateway_shared::domain::PhoneNumber` reads, so
/// far as ASCII goes.
const NUMBER: &str = "(\\(?(\\+|00))?[ ./)-]*(\\([ ./)-]*)*[1-9]([ ./)-]*[0-9]|[ ./()-]*\\([ ./()-]*[1-9]){4,14}[ ./()-]*";
/// A user by number, a user by LID, and a group.
const USER: &str = "[1-9][0-9]{4,14}(:[0-9]{1,5})?@([sS]\\.[wW][hH][aA][tT][sS][aA][pP][pP]\\.[nN][eE][tT]|[cC]\\.[uU][sS])";
const LID: &str = "[0-9]{1,20}(:[0-9]{1,5})?@[lL][iI][dD]";
const GROUP: &str = "[0-9][0-9-]{0,39}@[gG]\\.[uU][sS]";

/// Who or what a message goes to.
pub(crate) fn recipient() -> Value {
    json!({
        "type": "string",
        "pattern": format!("^\\s*({NUMBER}|{USER}|{LID}|{GROUP})\\s*$"),
        "description": "A user JID, a LID, a group JID, or an international number. What people write \
                        between the digits of a number counts for nothing; `00` stands for `+`, `c.us` \
                        for `s.whatsapp.net`, and the device of a user is dropped.",
    })
}

/// A person, as opposed to a group.
pub(crate) fn person() -> Value {
    json!({
        "type": "string",
        "pattern": format!("^\\s*({NUMBER}|{USER}|{LID})\\s*$"),
        "description": "A user JID, a LID, or an international number.",
    })
}

/// An international number.
pub(crate) fn phone() -> Value {
    json!({
        "type": "string",
        "pattern": format!("^\\s*({NUMBER}|{USER})\\s*$"),
        "description": "An international number, or the JID of a user.",
    })
}
