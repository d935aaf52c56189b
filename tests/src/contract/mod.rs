//! The OpenAPI document of the repository, and whether an answer keeps what it says.
//!
//! Every answer that an [`ApiClient`](crate::client::ApiClient) reads is held against it, so each
//! end-to-end test is a test of the document as well. An API test of its own shows that the document
//! is the one that is served.

mod schema;

use std::sync::LazyLock;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};

use crate::client::Answer;

/// `docs/openapi.json`.
static CONTRACT: LazyLock<Contract> = LazyLock::new(|| Contract {
    document: serde_json::from_str(include_str!("../../../docs/openapi.json")).unwrap_or_default(),
});

/// The document.
#[derive(Debug)]
pub struct Contract {
    document: Value,
}

/// An operation of it.
#[derive(Debug, Clone, Copy)]
pub struct Operation<'a> {
    /// As `GET`.
    pub method: &'a str,
    /// Its path with parameters in braces.
    pub path: &'a str,
    /// What the document says of it.
    pub body: &'a Value,
}

impl Contract {
    /// The one of this repository.
    #[must_use]
    pub fn of_repository() -> &'static Self {
        &CONTRACT
    }

    /// A schema that is a document of its own, with the schemas it refers to.
    ///
    /// # Errors
    /// When it is no JSON.
    pub fn of_schema(json: &str) -> Result<Self> {
        let document = serde_json::from_str(json).context("the schema is no JSON")?;
        Ok(Self { document })
    }

    /// Whether a value fits the schema that the document is.
    ///
    /// # Errors
    /// With the place that does not fit.
    pub fn fits(&self, value: &Value) -> Result<()> {
        self.fits_schema(value, &self.document)
    }

    /// A part of the document, such as `/components/schemas/MessageEvent`.
    #[must_use]
    pub fn part(&self, pointer: &str) -> Option<&Value> {
        self.document.pointer(pointer)
    }

    /// All operations.
    pub fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        self.paths().iter().flat_map(|(path, item)| {
            item.as_object()
                .into_iter()
                .flatten()
                .map(move |(method, body)| Operation { method, path, body })
        })
    }

    fn paths(&self) -> &Map<String, Value> {
        static NONE: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
        self.document["paths"].as_object().unwrap_or(&NONE)
    }

    /// Whether an answer to a request with this method and path (without a query) is as the
    /// document says.
    ///
    /// # Errors
    /// With what is not.
    pub fn check(&self, method: &str, path: &str, answer: &Answer) -> Result<()> {
        let about = || format!("{method} {path} was answered {}", answer.status);
        let found = self.find(path).and_then(|(path, item)| {
            let body = item.get(method.to_lowercase())?;
            Some(Operation { method, path, body })
        });
        match found {
            Some(operation) => self.check_operation(operation, answer),
            // Of what is not in the document, nothing but a refusal is.
            None => self.check_refusal(answer),
        }
        .with_context(about)
    }

    /// The path of the document that a request's path is an instance of: the one with the most
    /// literal segments, where several fit.
    fn find(&self, path: &str) -> Option<(&str, &Value)> {
        let fitting = self
            .paths()
            .iter()
            .filter(|(template, _)| fits(template, path));
        let (template, item) = fitting.min_by_key(|(template, _)| {
            (template.matches('{').count(), !template.contains("}:"))
        })?;
        Some((template, item))
    }

    fn check_operation(&self, operation: Operation<'_>, answer: &Answer) -> Result<()> {
        let responses = &operation.body["responses"];
        let response = responses.get(answer.status.to_string());
        let response = response.with_context(|| {
            format!("{} {} has no such answer", operation.method, operation.path)
        })?;
        let response = self.resolve(response)?;
        let Some(content) = response.get("content") else {
            ensure!(
                answer.bytes.is_empty(),
                "it has a body, which the document does not"
            );
            return Ok(());
        };
        let mimetype = answer.header("content-type").unwrap_or_default();
        let essence = mimetype.split(';').next().unwrap_or_default().trim();
        let form = content
            .get(essence)
            .or_else(|| content.get("*/*"))
            .with_context(|| format!("the document has no form {essence}"))?;
        if essence == "application/json" {
            self.fits_schema(&answer.json, &form["schema"])?;
        }
        for name in response["headers"]
            .as_object()
            .into_iter()
            .flat_map(Map::keys)
        {
            ensure!(
                answer.header(name).is_some(),
                "the header {name} is missing"
            );
        }
        Ok(())
    }

    fn check_refusal(&self, answer: &Answer) -> Result<()> {
        if answer.status < 400 {
            bail!("the document knows nothing of it");
        }
        for field in ["code", "message"] {
            answer.text(&format!("error/{field}"))?;
        }
        ensure!(answer.at("error/details").is_object(), "it has no details");
        Ok(())
    }

    /// Whether a value fits a schema of the document. Objects are taken to be closed: a field that
    /// the document does not name is an error here, though clients should bear it.
    ///
    /// # Errors
    /// With the place that does not fit.
    pub fn fits_schema(&self, value: &Value, schema: &Value) -> Result<()> {
        schema::check(self, value, schema, "")
    }

    /// What a reference refers to; anything else as it is.
    ///
    /// # Errors
    /// When it refers to nothing.
    pub fn resolve<'a>(&'a self, node: &'a Value) -> Result<&'a Value> {
        let Some(reference) = node.get("$ref").and_then(Value::as_str) else {
            return Ok(node);
        };
        let pointer = reference.trim_start_matches('#');
        self.document
            .pointer(pointer)
            .with_context(|| format!("{reference} refers to nothing"))
    }
}

/// Whether a path is an instance of a template.
fn fits(template: &str, path: &str) -> bool {
    let (mut template, mut path) = (template.split('/'), path.split('/'));
    loop {
        match (template.next(), path.next()) {
            (None, None) => return true,
            (Some(pattern), Some(segment)) if segment_fits(pattern, segment) => {}
            _ => return false,
        }
    }
}

fn segment_fits(pattern: &str, segment: &str) -> bool {
    match pattern
        .strip_prefix('{')
        .and_then(|rest| rest.split_once('}'))
    {
        None => pattern == segment,
        Some((_, "")) => !segment.is_empty() && !segment.contains(':'),
        Some((_, verb)) => segment
            .strip_suffix(verb)
            .is_some_and(|rest| !rest.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_are_instances_of_templates() {
        assert!(fits("/s/{a}/o/{b}", "/s/1/o/2"));
        assert!(fits("/s/{a}:start", "/s/1:start"));
        assert!(!fits("/s/{a}", "/s/1:start"));
        assert!(!fits("/s/{a}:start", "/s/1"));
        assert!(!fits("/s/{a}", "/s/"));
        assert!(!fits("/s/{a}", "/s/1/o"));
    }

    /// What is shown fits what is said.
    #[test]
    fn every_example_of_the_document_fits_its_schema() -> Result<()> {
        let contract = Contract::of_repository();
        let mut seen = 0;
        for operation in contract.operations() {
            let Operation { method, path, body } = operation;
            let mut shown: Vec<(&Value, &Value)> = Vec::new();
            let request = &body["requestBody"]["content"]["application/json"];
            for example in request["examples"]
                .as_object()
                .into_iter()
                .flat_map(Map::values)
            {
                shown.push((&example["value"], &request["schema"]));
            }
            for response in body["responses"]
                .as_object()
                .into_iter()
                .flat_map(Map::values)
            {
                let content = contract.resolve(response)?.get("content");
                let forms = content
                    .and_then(Value::as_object)
                    .into_iter()
                    .flat_map(Map::values);
                shown
                    .extend(forms.filter_map(|form| Some((form.get("example")?, &form["schema"]))));
            }
            for (example, schema) in shown {
                seen += 1;
                contract
                    .fits_schema(example, schema)
                    .with_context(|| format!("{method} {path}: {example}"))?;
            }
        }
        ensure!(seen > 50, "there are only {seen} examples");
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let contract = Contract::of_repository();
        let result = |value: Value| {
            let schema = json!({"$ref": "#/components/schemas/SendResult"});
            contract
                .fits_schema(&value, &schema)
                .map_err(|error| error.to_string())
        };
        let good = json!({
            "mode": "sync", "outboxId": "out_1", "waMessageId": "3EB0", "status": "sent",
            "timestamp": 1, "replayed": false, "pn": "15550001111@s.whatsapp.net", "lid": null,
        });
        assert_eq!(result(good.clone()), Ok(()));
        for (field, value, problem) in [
            ("mode", json!("later"), "/mode fits 0 of 2 forms"),
            ("timestamp", json!("1"), "/timestamp is \"1\", no integer"),
            (
                "more",
                json!(1),
                "/more is a field that the document does not name",
            ),
        ] {
            let mut bad = good.clone();
            bad[field] = value;
            let emitted = result(bad).unwrap_err();
            assert!(emitted.starts_with(problem), "{emitted}");
        }
    }
}
