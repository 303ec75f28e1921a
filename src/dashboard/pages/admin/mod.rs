//! Pages about the server itself: tokens, secrets and variables, the audit.

pub(in crate::dashboard) mod audit;
pub(in crate::dashboard) mod bindings;
pub(in crate::dashboard) mod tokens;

use serde_json::Value;

use crate::dashboard::ask::{Fault, Refusal};

/// Patterns of handlers, as people write them: with commas or blanks between them.
fn patterns(text: &str) -> Vec<Value> {
    let words = text.split(|c: char| c == ',' || c.is_whitespace());
    words.filter(|word| !word.is_empty()).map(Value::from).collect()
}

/// The sentences of a refusal, for the form that was refused.
///
/// # Errors
/// Every other fault.
fn refused(fault: Fault) -> Result<Vec<String>, Fault> {
    match fault {
        Fault::Refused(Refusal { code: 400 | 409, message, details }) => {
            if details.is_empty() {
                return Ok(vec![message]);
            }
            Ok(details
                .into_iter()
                .map(|problem| crate::domain::draft::sentence(&problem.field, &problem.problem))
                .collect())
        }
        fault => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::patterns;

    #[test]
    fn patterns_are_read_as_people_write_them() {
        assert_eq!(patterns(" reports/*, cleanup-logs\n a,, "), ["reports/*", "cleanup-logs", "a"]);
        assert!(patterns(" , ").is_empty());
    }
}
