//! Checks a value against a schema of the API's document: the few words of JSON Schema that the document uses. A word that is
//! not known here is a mistake, so that nothing goes unchecked.

use serde_json::Value;

/// What is wrong with `value`, each with its place; nothing if it is as `schema` says.
pub(super) fn check(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    at(document, schema, value, "answer", &mut wrong);
    wrong
}

fn at(document: &Value, schema: &Value, value: &Value, place: &str, wrong: &mut Vec<String>) {
    let Some(words) = schema.as_object() else {
        return wrong.push(format!("{place}: {schema} is no schema"));
    };
    for (word, said) in words {
        match word.as_str() {
            "description" | "default" => {}
            "$ref" => {
                let pointer = said.as_str().unwrap_or_default().trim_start_matches('#');
                match document.pointer(pointer) {
                    Some(schema) => at(document, schema, value, place, wrong),
                    None => wrong.push(format!("{place}: {said} is not in the document")),
                }
            }
            "type" => {
                if !is_a(value, said.as_str().unwrap_or_default()) {
                    wrong.push(format!("{place}: {value} is no {said}"));
                }
            }
            "enum" => {
                if !said.as_array().is_some_and(|all| all.contains(value)) {
                    wrong.push(format!("{place}: {value} is none of {said}"));
                }
            }
            "minimum" => {
                if value.as_f64() < said.as_f64() {
                    wrong.push(format!("{place}: {value} is less than {said}"));
                }
            }
            "maximum" => {
                if value.as_f64() > said.as_f64() {
                    wrong.push(format!("{place}: {value} is more than {said}"));
                }
            }
            "items" => {
                for (n, item) in value.as_array().into_iter().flatten().enumerate() {
                    at(document, said, item, &format!("{place}[{n}]"), wrong);
                }
            }
            "required" => {
                for name in said.as_array().into_iter().flatten().filter_map(Value::as_str) {
                    if value.get(name).is_none() {
                        wrong.push(format!("{place}: {name} is missing"));
                    }
                }
            }
            "properties" => {
                for (name, schema) in said.as_object().into_iter().flatten() {
                    if let Some(field) = value.get(name) {
                        at(document, schema, field, &format!("{place}.{name}"), wrong);
                    }
                }
            }
            "additionalProperties" => {
                let known = |name: &String| schema.get("properties").is_some_and(|p| p.get(name).is_some());
                let more = value.as_object().into_iter().flatten().filter(|(name, _)| !known(name));
                for (name, field) in more {
                    match said {
                        Value::Bool(false) => wrong.push(format!("{place}: {name} is not in the document")),
                        schema => at(document, schema, field, &format!("{place}.{name}"), wrong),
                    }
                }
            }
            "anyOf" | "oneOf" => {
                let tries = said.as_array().into_iter().flatten().map(|s| check(document, s, value));
                let tries: Vec<Vec<String>> = tries.collect();
                let fits = tries.iter().filter(|wrong| wrong.is_empty()).count();
                if fits == 0 || (word == "oneOf" && fits > 1) {
                    wrong.push(format!("{place}: fits {fits} of {word}: {tries:?}"));
                }
            }
            other => wrong.push(format!("{place}: the test does not know \"{other}\"")),
        }
    }
}

fn is_a(value: &Value, kind: &str) -> bool {
    match kind {
        "array" => value.is_array(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "object" => value.is_object(),
        "string" => value.is_string(),
        _ => false,
    }
}
