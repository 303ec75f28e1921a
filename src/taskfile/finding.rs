//! Findings: mistakes in files, each with its position.

use std::fmt;

use serde::Serialize;

/// A mistake in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file, such as `tasks/tasks.json`.
    pub file: String,
    /// 1-based; `None` if the mistake is about the whole file.
    pub line: Option<usize>,
    /// 1-based, in characters.
    pub column: Option<usize>,
    /// A phrase for people.
    pub problem: String,
}

/// A position in a text; both are 1-based.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

impl Finding {
    /// A mistake at `position` of `file`.
    #[must_use]
    pub fn at(file: &str, position: Position, problem: impl Into<String>) -> Self {
        let Position { line, column } = position;
        let (line, column) = (Some(line), Some(column));
        Self { file: file.to_owned(), line, column, problem: problem.into() }
    }

    /// A mistake that has no position in `file`.
    #[must_use]
    pub fn whole(file: &str, problem: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: None, column: None, problem: problem.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        for number in [self.line, self.column].into_iter().flatten() {
            write!(f, ":{number}")?;
        }
        write!(f, ": {}", self.problem)
    }
}
