//! The named schemas of the document: parts of bodies that are components of their own, and no
//! component that nothing refers to.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// The field by which a schema says what it is called. It is in no document.
pub(super) const NAME: &str = "$name";
const PREFIX: &str = "#/components/schemas/";

/// Makes every schema with a name within `schema`, and it itself where it has one, a component, and
/// leaves a reference in its place. Of forms that a property tells apart (`discriminator`) it adds
/// which value means which.
pub(super) fn named(mut schema: Value, components: &mut Map<String, Value>) -> Value {
    let mapping = mapping(&schema);
    match &mut schema {
        Value::Object(map) => {
            for value in map.values_mut() {
                *value = named(value.take(), components);
            }
            if let Some(mapping) = mapping {
                map["discriminator"]["mapping"] = mapping;
            }
            if let Some(Value::String(name)) = map.remove(NAME) {
                let reference = json!({"$ref": format!("{PREFIX}{name}")});
                components.insert(name, schema);
                return reference;
            }
        }
        Value::Array(list) => {
            for value in list {
                *value = named(value.take(), components);
            }
        }
        _ => {}
    }
    schema
}

/// Which value of the discriminating property means which of the forms.
fn mapping(schema: &Value) -> Option<Value> {
    let property = schema.get("discriminator")?.get("propertyName")?.as_str()?;
    let forms = schema.get("oneOf")?.as_array()?;
    let meant = forms.iter().filter_map(|form| {
        let value = form["properties"][property]["const"].as_str()?;
        let name = form.get(NAME)?.as_str()?;
        Some((value.to_owned(), json!(format!("{PREFIX}{name}"))))
    });
    Some(meant.collect::<Map<_, _>>().into())
}

/// Drops the components that nothing in `rest` refers to, directly or through others.
pub(super) fn drop_unused(components: &mut Map<String, Value>, rest: &[&Value]) {
    let mut used = BTreeSet::new();
    let mut new: Vec<String> = rest.iter().flat_map(|part| references(part)).collect();
    while let Some(name) = new.pop() {
        if let Some(schema) = components.get(&name)
            && used.insert(name)
        {
            new.extend(references(schema));
        }
    }
    components.retain(|name, _| used.contains(name));
}

/// The names of all components that a value refers to.
fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(key, value)| match (key.as_str(), value) {
                ("$ref", Value::String(target)) => {
                    let name = target.strip_prefix(PREFIX);
                    name.map(str::to_owned).into_iter().collect()
                }
                _ => references(value),
            })
            .collect(),
        Value::Array(list) => list.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_parts_become_components_and_forms_are_told_apart() {
        let form = |kind: &str, name: &str| {
            json!({
                "$name": name,
                "properties": {"type": {"const": kind}, "more": {"$name": "More", "type": "object"}},
            })
        };
        let schema = json!({
            "discriminator": {"propertyName": "type"},
            "oneOf": [form("a", "FormA"), form("b", "FormB")],
        });
        let mut components = Map::new();
        let schema = named(schema, &mut components);
        assert_eq!(
            schema["oneOf"][1],
            json!({"$ref": "#/components/schemas/FormB"})
        );
        assert_eq!(
            schema["discriminator"]["mapping"]["a"],
            "#/components/schemas/FormA"
        );
        let names: Vec<_> = components.keys().collect();
        assert_eq!(names, ["FormA", "FormB", "More"]);
        assert_eq!(
            components["FormA"]["properties"]["more"]["$ref"],
            "#/components/schemas/More"
        );
    }

    #[test]
    fn what_nothing_refers_to_is_dropped() {
        let reference = |name: &str| json!({"$ref": format!("{PREFIX}{name}")});
        let mut components = Map::from_iter([
            ("Used".to_owned(), json!({"items": reference("Below")})),
            ("Below".to_owned(), json!({"anyOf": [reference("Used")]})),
            (
                "Unused".to_owned(),
                json!({"items": reference("BelowUnused")}),
            ),
            ("BelowUnused".to_owned(), json!({})),
        ]);
        drop_unused(&mut components, &[&json!([{"schema": reference("Used")}])]);
        let names: Vec<_> = components.keys().collect();
        assert_eq!(names, ["Below", "Used"]);
    }
}
