//! Tokens of JavaScript, as far as modules need them.
//!
//! One pass without recursion, so a text of any shape costs its length and no stack. The text may be
//! wrong: then the tokens are of no use, and V8 says what is wrong.

/// The kind of a [`Token`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a keyword.
    Word,
    /// A string literal, with its quotes.
    Text,
    /// An operator or a bracket, the longest of those in [`OPERATORS`].
    Mark,
    /// A number, a regular expression or a piece of a template.
    Other,
}

/// A piece of the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: u32,
    pub(super) end: u32,
    /// Brackets around it.
    pub(super) depth: u32,
    /// Bodies of functions around it.
    pub(super) functions: u32,
}

/// Operators of more than one character that must not be taken apart here.
const OPERATORS: [&str; 12] = ["===", "!==", "...", ">>>", "=>", "==", "!=", "<=", ">=", "++", "--", "?."];

/// Words after which `/` starts a regular expression.
const BEFORE_REGEX: [&str; 15] = [
    "return",
    "typeof",
    "instanceof",
    "in",
    "of",
    "new",
    "delete",
    "void",
    "throw",
    "case",
    "do",
    "else",
    "await",
    "yield",
    "default",
];

/// Words whose parentheses come before a statement.
const BEFORE_STATEMENT: [&str; 6] = ["if", "while", "for", "with", "switch", "catch"];

struct Bracket {
    open: u8,
    /// The `{` of a function's body.
    function: bool,
    /// The `(` of `if (…)` and its kin.
    statement: bool,
    /// The `{` of an object.
    object: bool,
    /// The `${` of a template.
    template: bool,
}

struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    brackets: Vec<Bracket>,
    functions: u32,
    tokens: Vec<Token>,
    /// Whether the last `)` closed the parentheses of a statement, the last `}` an object.
    closed_statement: bool,
    closed_object: bool,
}

/// The tokens of a text.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer {
        text,
        bytes: text.as_bytes(),
        at: 0,
        brackets: Vec::new(),
        functions: 0,
        tokens: Vec::new(),
        closed_statement: false,
        closed_object: false,
    };
    if text.starts_with("#!") {
        lexer.skip_line();
    }
    while lexer.step() {}
    lexer.tokens
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Takes the next token; `false` at the end.
    fn step(&mut self) -> bool {
        let Some(&byte) = self.bytes.get(self.at) else { return false };
        let start = self.at;
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => self.at += 1,
            b'/' if self.peek(1) == b'/' => self.skip_line(),
            b'/' if self.peek(1) == b'*' => {
                self.at = self.text[start + 2..].find("*/").map_or(self.bytes.len(), |end| start + end + 4);
            }
            b'"' | b'\'' => {
                self.skip_string(byte);
                self.push(Kind::Text, start);
            }
            b'`' => {
                self.at += 1;
                self.skip_template(start);
            }
            b'/' if self.is_regex_allowed() && self.skip_regex() => self.push(Kind::Other, start),
            b'0'..=b'9' => self.take_number(start),
            b'.' if self.peek(1).is_ascii_digit() => self.take_number(start),
            _ if is_word(byte) => {
                while self.at < self.bytes.len() && is_word(self.bytes[self.at]) {
                    self.at += 1;
                }
                self.push(Kind::Word, start);
            }
            b'(' | b'[' | b'{' => self.open(byte),
            b')' | b']' | b'}' => self.close(byte),
            _ => {
                let rest = &self.bytes[start..];
                let operator = OPERATORS.iter().find(|operator| rest.starts_with(operator.as_bytes()));
                self.at += operator.map_or(1, |operator| operator.len());
                self.push(Kind::Mark, start);
            }
        }
        true
    }

    fn push(&mut self, kind: Kind, start: usize) {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let depth = place(self.brackets.len());
        let (start, end) = (place(start), place(self.at));
        self.tokens.push(Token { kind, start, end, depth, functions: self.functions });
    }

    fn last(&self) -> Option<(Kind, &str)> {
        let token = self.tokens.last()?;
        Some((token.kind, &self.text[token.start as usize..token.end as usize]))
    }

    fn is_regex_allowed(&self) -> bool {
        match self.last() {
            None => true,
            Some((Kind::Word, word)) => {
                let is_property = self.tokens.len() > 1 && {
                    let before = self.tokens[self.tokens.len() - 2];
                    before.kind == Kind::Mark
                        && [".", "?."].contains(&&self.text[before.start as usize..before.end as usize])
                };
                !is_property && BEFORE_REGEX.contains(&word)
            }
            Some((Kind::Text | Kind::Other, _)) => false,
            Some((Kind::Mark, ")")) => self.closed_statement,
            Some((Kind::Mark, "}")) => !self.closed_object,
            Some((Kind::Mark, mark)) => !["]", "++", "--"].contains(&mark),
        }
    }

    fn open(&mut self, open: u8) {
        let last = self.last();
        let after_word = matches!(last, Some((Kind::Word, _)));
        let statement =
            open == b'(' && matches!(last, Some((Kind::Word, word)) if BEFORE_STATEMENT.contains(&word));
        let function = open == b'{'
            && match last {
                Some((Kind::Mark, "=>")) => true,
                Some((Kind::Mark, ")")) => !self.closed_statement,
                _ => false,
            };
        let object = open == b'{'
            && !function
            && match last {
                Some((Kind::Mark, mark)) => ![")", ";", "{", "}"].contains(&mark),
                Some((Kind::Word, word)) => BEFORE_REGEX.contains(&word) && !["do", "else"].contains(&word),
                Some(_) => after_word,
                None => false,
            };
        let start = self.at;
        self.at += 1;
        self.push(Kind::Mark, start);
        self.functions += u32::from(function);
        self.brackets.push(Bracket { open, function, statement, object, template: false });
    }

    fn close(&mut self, close: u8) {
        let start = self.at;
        self.at += 1;
        let open = match close {
            b')' => b'(',
            b']' => b'[',
            _ => b'{',
        };
        let Some(bracket) = self.brackets.pop_if(|bracket| bracket.open == open) else {
            return self.push(Kind::Mark, start);
        };
        if bracket.template {
            return self.skip_template(start);
        }
        self.functions -= u32::from(bracket.function);
        self.closed_statement = bracket.statement;
        self.closed_object = bracket.object;
        self.push(Kind::Mark, start);
    }

    fn skip_line(&mut self) {
        let rest = &self.bytes[self.at..];
        self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    }

    fn skip_string(&mut self, quote: u8) {
        self.at += 1;
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == quote || byte == b'\n' {
                break;
            }
        }
        self.at = self.at.min(self.bytes.len());
    }

    /// Skips a template up to its end or to the next `${`.
    fn skip_template(&mut self, start: usize) {
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'\\' => self.at += 2,
                b'`' => {
                    self.at += 1;
                    return self.push(Kind::Other, start);
                }
                b'$' if self.peek(1) == b'{' => {
                    self.at += 2;
                    // Not `Other`: a regular expression may follow.
                    self.push(Kind::Mark, start);
                    self.brackets.push(Bracket {
                        open: b'{',
                        function: false,
                        statement: false,
                        object: false,
                        template: true,
                    });
                    return;
                }
                _ => self.at += 1,
            }
        }
        self.at = self.at.min(self.bytes.len());
    }

    /// Skips a regular expression; `false`, and nothing, when the line has no end of one.
    fn skip_regex(&mut self) -> bool {
        let mut at = self.at + 1;
        let mut in_class = false;
        loop {
            match self.bytes.get(at) {
                None | Some(b'\n') => return false,
                Some(b'\\') => at += 1,
                Some(b'[') => in_class = true,
                Some(b']') => in_class = false,
                Some(b'/') if !in_class => break,
                Some(_) => {}
            }
            at += 1;
        }
        at += 1;
        while self.bytes.get(at).is_some_and(|byte| is_word(*byte)) {
            at += 1;
        }
        self.at = at;
        true
    }

    fn take_number(&mut self, start: usize) {
        while self.bytes.get(self.at).is_some_and(|byte| is_word(*byte) || *byte == b'.') {
            self.at += 1;
        }
        self.push(Kind::Other, start);
    }
}

/// Whether a byte is a part of a name. Bytes of other alphabets are.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'#' | b'\\') || byte >= 0x80
}
