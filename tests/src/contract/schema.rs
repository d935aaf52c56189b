//! JSON Schema, as far as the document uses it. An unknown keyword is an error rather than a hole.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};

use super::Contract;

/// Keywords that say nothing of an answer's shape. (Patterns are left to schemathesis.)
const SILENT: &[&str] = &[
    "description",
    "format",
    "default",
    "pattern",
    "title",
    "example",
    "examples",
    "contentMediaType",
    "contentEncoding",
    "discriminator",
    "$schema",
    "$defs",
];

/// Whether a value fits; `place` is a JSON pointer to it.
pub(super) fn check(contract: &Contract, value: &Value, schema: &Value, place: &str) -> Result<()> {
    let schema = contract.resolve(schema)?;
    if let Some(allowed) = schema.as_bool() {
        ensure!(allowed, "{place} must not be there");
        return Ok(());
    }
    let keywords = schema
        .as_object()
        .with_context(|| format!("{place}: {schema} is no schema"))?;
    for (keyword, rule) in keywords {
        check_keyword(contract, value, (keyword, rule), place)?;
    }
    if let (Some(properties), Some(fields)) = (keywords.get("properties"), value.as_object()) {
        check_fields(contract, fields, properties, keywords, place)?;
    }
    Ok(())
}

fn check_keyword(
    contract: &Contract,
    value: &Value,
    (keyword, rule): (&str, &Value),
    place: &str,
) -> Result<()> {
    match keyword {
        "type" => {
            let kinds = rule
                .as_array()
                .map_or(std::slice::from_ref(rule), Vec::as_slice);
            let fits = kinds
                .iter()
                .filter_map(Value::as_str)
                .any(|kind| is(value, kind));
            let wanted: Vec<_> = kinds.iter().filter_map(Value::as_str).collect();
            ensure!(fits, "{place} is {value}, no {}", wanted.join(" or "));
        }
        "const" => ensure!(value == rule, "{place} is {value}, not {rule}"),
        "enum" => {
            let known = rule.as_array().is_some_and(|values| values.contains(value));
            ensure!(known, "{place} is {value}, none of {rule}");
        }
        "required" => {
            for name in rule
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
            {
                let given = value
                    .as_object()
                    .is_none_or(|fields| fields.contains_key(name));
                ensure!(given, "{place}/{name} is missing");
            }
        }
        "items" => {
            for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                check(contract, item, rule, &format!("{place}/{index}"))?;
            }
        }
        "oneOf" | "anyOf" => {
            let forms = rule.as_array().context("no list of forms")?;
            let fitting = forms
                .iter()
                .filter(|form| check(contract, value, form, place).is_ok())
                .count();
            let fits = if keyword == "oneOf" {
                fitting == 1
            } else {
                fitting > 0
            };
            ensure!(
                fits,
                "{place} fits {fitting} of {} forms: {value}",
                forms.len()
            );
        }
        "minimum" | "maximum" | "minLength" | "maxLength" | "minItems" | "maxItems" => {
            let size = match value {
                Value::Number(number) if keyword.ends_with("imum") => number.as_f64(),
                Value::String(text) if keyword.ends_with("Length") => {
                    Some(text.chars().count() as f64)
                }
                Value::Array(list) if keyword.ends_with("Items") => Some(list.len() as f64),
                _ => None,
            };
            let limit = rule.as_f64().context("no number")?;
            let fits = size.is_none_or(|size| {
                if keyword.starts_with("min") {
                    size >= limit
                } else {
                    size <= limit
                }
            });
            ensure!(fits, "{place} is {value}: {keyword} is {rule}");
        }
        "uniqueItems" => {
            let list = value.as_array().map_or(&[][..], Vec::as_slice);
            let twice = list
                .iter()
                .enumerate()
                .any(|(index, one)| list[..index].contains(one));
            ensure!(!twice, "{place} has something twice");
        }
        "properties" | "additionalProperties" => {}
        silent if SILENT.contains(&silent) => {}
        unknown => bail!("{place}: this check does not know {unknown}"),
    }
    Ok(())
}

fn check_fields(
    contract: &Contract,
    fields: &Map<String, Value>,
    properties: &Value,
    keywords: &Map<String, Value>,
    place: &str,
) -> Result<()> {
    for (name, field) in fields {
        let place = format!("{place}/{name}");
        match (properties.get(name), keywords.get("additionalProperties")) {
            (Some(schema), _) => check(contract, field, schema, &place)?,
            (None, Some(schema)) => check(contract, field, schema, &place)?,
            (None, None) => bail!("{place} is a field that the document does not name"),
        }
    }
    Ok(())
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}
