//! The fields of a JSON object, taken one by one.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::{Problems, is_blank};

/// Epoch milliseconds that a client can mean: from 2001, below which it meant seconds, to 2286.
pub(crate) const TIME: RangeInclusive<i64> = 1_000_000_000_000..=9_999_999_999_999;

/// The fields of a JSON object. Each is taken by its name and checked; [`Fields::finish`] tells of
/// those that nobody took. `null` counts as absent.
#[derive(Debug)]
pub(crate) struct Fields {
    path: String,
    map: Map<String, Value>,
    known: Vec<&'static str>,
}

impl Fields {
    /// The fields of the body.
    pub(crate) fn of_body(map: Map<String, Value>) -> Self {
        Self::at(String::new(), map)
    }

    fn at(path: String, map: Map<String, Value>) -> Self {
        Self {
            path,
            map,
            known: Vec::new(),
        }
    }

    /// The path of a field, for problems.
    pub(crate) fn path(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// Whether a field is given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(|value| !value.is_null())
    }

    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.map.remove(name).filter(|value| !value.is_null())
    }

    /// Takes a field without looking at it.
    pub(crate) fn ignore(&mut self, name: &'static str) {
        self.take(name);
    }

    /// Reports a field that is not given.
    pub(crate) fn require(&self, problems: &mut Problems, name: &str) {
        if !self.has(name) {
            problems.add(self.path(name), "is required");
        }
    }

    fn typed<T>(
        &mut self,
        problems: &mut Problems,
        name: &'static str,
        what: &str,
        read: impl FnOnce(Value) -> Result<T, Value>,
    ) -> Option<T> {
        let value = self.take(name)?;
        read(value)
            .map_err(|value| {
                problems.add(
                    self.path(name),
                    format!("must be {what}, not {}", kind_of(&value)),
                );
            })
            .ok()
    }

    /// Whatever is given.
    pub(crate) fn any(&mut self, name: &'static str) -> Option<Value> {
        self.take(name)
    }

    /// A text.
    pub(crate) fn text(&mut self, problems: &mut Problems, name: &'static str) -> Option<String> {
        self.typed(problems, name, "a text", |value| match value {
            Value::String(text) => Ok(text),
            other => Err(other),
        })
    }

    /// A text of so many characters.
    pub(crate) fn text_of(
        &mut self,
        problems: &mut Problems,
        name: &'static str,
        length: RangeInclusive<usize>,
    ) -> Option<String> {
        let text = self.text(problems, name)?;
        let (least, most) = (*length.start(), *length.end());
        // Counting characters is needed only where the bytes do not decide it.
        let fits = text.len() >= least
            && (text.len() <= most || text.chars().take(most + 1).count() <= most);
        if !fits {
            problems.add(
                self.path(name),
                format!("must have {least} to {most} characters"),
            );
            return None;
        }
        Some(text)
    }

    /// A text of so many characters of which something can be seen.
    pub(crate) fn legible(
        &mut self,
        problems: &mut Problems,
        name: &'static str,
        length: RangeInclusive<usize>,
    ) -> Option<String> {
        let text = self.text_of(problems, name, length)?;
        if is_blank(&text) {
            problems.add(self.path(name), "must not be blank");
            return None;
        }
        Some(text)
    }

    /// A text that is read as something else.
    pub(crate) fn parsed<T>(&mut self, problems: &mut Problems, name: &'static str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        let text = self.text(problems, name)?;
        text.parse()
            .map_err(|error: T::Err| problems.add(self.path(name), error.to_string()))
            .ok()
    }

    /// True or false.
    pub(crate) fn flag(&mut self, problems: &mut Problems, name: &'static str) -> Option<bool> {
        self.typed(problems, name, "true or false", |value| {
            value.as_bool().ok_or(value)
        })
    }

    /// A whole number in a range.
    pub(crate) fn integer(
        &mut self,
        problems: &mut Problems,
        name: &'static str,
        range: RangeInclusive<i64>,
    ) -> Option<i64> {
        let number = self.typed(problems, name, "a whole number", |value| {
            value.as_i64().or_else(|| whole(&value)).ok_or(value)
        })?;
        if !range.contains(&number) {
            let (least, most) = (range.start(), range.end());
            problems.add(self.path(name), format!("must be from {least} to {most}"));
            return None;
        }
        Some(number)
    }

    /// A number in a range.
    pub(crate) fn number(
        &mut self,
        problems: &mut Problems,
        name: &'static str,
        range: RangeInclusive<f64>,
    ) -> Option<f64> {
        let number = self.typed(problems, name, "a number", |value| {
            value.as_f64().ok_or(value)
        })?;
        if !range.contains(&number) {
            let (least, most) = (range.start(), range.end());
            problems.add(self.path(name), format!("must be from {least} to {most}"));
            return None;
        }
        Some(number)
    }

    /// A list of at most so many texts, each read as something else. Problems name the place.
    pub(crate) fn list<T>(
        &mut self,
        problems: &mut Problems,
        name: &'static str,
        most: usize,
    ) -> Option<List<T>>
    where
        T: FromStr,
        T::Err: Display,
    {
        let values = self.typed(problems, name, "a list of texts", |value| match value {
            Value::Array(values) => Ok(values),
            other => Err(other),
        })?;
        let length = values.len();
        if length > most {
            problems.add(self.path(name), format!("must have at most {most} entries"));
            return None;
        }
        let mut items = Vec::with_capacity(length);
        for (index, value) in values.into_iter().enumerate() {
            let read = match &value {
                Value::String(text) => text.parse().map_err(|error: T::Err| error.to_string()),
                other => Err(format!("must be a text, not {}", kind_of(other))),
            };
            let field = format!("{}[{index}]", self.path(name));
            match read {
                Ok(item) => items.push((field, item)),
                Err(message) => problems.add(field, message),
            }
        }
        Some(List { items, length })
    }

    /// A list of at most so many objects. Problems name the place.
    pub(crate) fn objects(
        &mut self,
        problems: &mut Problems,
        name: &'static str,
        most: usize,
    ) -> Option<List<Self>> {
        let values = self.typed(problems, name, "a list of objects", |value| match value {
            Value::Array(values) => Ok(values),
            other => Err(other),
        })?;
        let length = values.len();
        if length > most {
            problems.add(self.path(name), format!("must have at most {most} entries"));
            return None;
        }
        let mut items = Vec::with_capacity(length);
        for (index, value) in values.into_iter().enumerate() {
            let path = format!("{}[{index}]", self.path(name));
            match value {
                Value::Object(map) => items.push((path.clone(), Self::at(path, map))),
                other => problems.add(path, format!("must be an object, not {}", kind_of(&other))),
            }
        }
        Some(List { items, length })
    }

    /// An object.
    pub(crate) fn object(&mut self, problems: &mut Problems, name: &'static str) -> Option<Self> {
        let path = self.path(name);
        let map = self.typed(problems, name, "an object", |value| match value {
            Value::Object(map) => Ok(map),
            other => Err(other),
        })?;
        Some(Self::at(path, map))
    }

    /// An object of texts under names of the caller's own.
    pub(crate) fn texts(
        &mut self,
        problems: &mut Problems,
        name: &'static str,
    ) -> Option<Vec<(String, String)>> {
        let object = self.object(problems, name)?;
        let mut texts = Vec::with_capacity(object.map.len());
        for (key, value) in &object.map {
            match value {
                Value::String(text) => texts.push((key.clone(), text.clone())),
                other => problems.add(
                    object.path(key),
                    format!("must be a text, not {}", kind_of(other)),
                ),
            }
        }
        Some(texts)
    }

    /// Tells of every field that nobody took. `others` are fields that are known as well but have
    /// no place here, and why.
    pub(crate) fn finish(mut self, problems: &mut Problems, others: &[&str], why: &str) {
        self.known.sort_unstable();
        self.known.dedup();
        let allowed = self.known.join(", ");
        for name in self.map.keys() {
            let path = self.path(name);
            if others.contains(&name.as_str()) {
                problems.add(path, format!("{why}; allowed are {allowed}"));
            } else {
                problems.add(path, format!("is unknown; allowed are {allowed}"));
            }
        }
    }
}

/// The entries of a list that could be read.
#[derive(Debug, PartialEq)]
pub(crate) struct List<T> {
    /// Each with its path, for problems.
    pub(crate) items: Vec<(String, T)>,
    /// How many entries there were, sound or not.
    pub(crate) length: usize,
}

/// The number of a value such as `20.0`: JSON knows one kind of number only.
fn whole(value: &Value) -> Option<i64> {
    // Up to here a float holds every whole number.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number = value.as_f64()?;
    #[expect(clippy::cast_possible_truncation, reason = "it was looked at before")]
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Fields {
        Fields::of_body(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn every_problem_is_told_with_its_place() {
        let mut problems = Problems::default();
        let mut body = fields(r#"{"a": 1, "b": "x", "c": [1, "5"], "d": {"e": "no", "f": 0}}"#);
        body.require(&mut problems, "missing");
        assert_eq!(body.text(&mut problems, "a"), None);
        assert_eq!(body.integer(&mut problems, "b", 0..=9), None);
        let list = body.list::<u32>(&mut problems, "c", 9).unwrap();
        assert_eq!((list.length, &list.items[0].1), (2, &5));
        let mut inner = body.object(&mut problems, "d").unwrap();
        assert_eq!(inner.flag(&mut problems, "e"), None);
        inner.finish(&mut problems, &[], "");
        let reported: Vec<_> = problems
            .list()
            .iter()
            .map(|problem| format!("{}: {}", problem.field, problem.message))
            .collect();
        assert_eq!(
            reported,
            [
                "missing: is required",
                "a: must be a text, not a number",
                "b: must be a whole number, not a text",
                "c[0]: must be a text, not a number",
                "d.e: must be true or false, not a text",
                "d.f: is unknown; allowed are e",
            ]
        );
    }

    #[test]
    fn characters_are_counted_not_bytes() {
        let mut problems = Problems::default();
        let mut body = fields(r#"{"a": "äöü", "b": "äöüß"}"#);
        assert!(body.text_of(&mut problems, "a", 1..=3).is_some());
        assert!(body.text_of(&mut problems, "b", 1..=3).is_none());
    }

    #[test]
    fn a_whole_number_may_be_written_with_a_point() {
        let mut problems = Problems::default();
        let mut body = fields(r#"{"a": 20.0, "b": 20.5, "c": 1e300}"#);
        assert_eq!(body.integer(&mut problems, "a", 0..=99), Some(20));
        assert_eq!(body.integer(&mut problems, "b", 0..=99), None);
        assert_eq!(body.integer(&mut problems, "c", 0..=99), None);
        assert_eq!(problems.list().len(), 2);
    }

    #[test]
    fn null_is_absent() {
        let mut problems = Problems::default();
        let mut body = fields(r#"{"a": null}"#);
        assert!(!body.has("a"));
        assert_eq!(body.text(&mut problems, "a"), None);
        assert!(problems.list().is_empty());
    }
}
