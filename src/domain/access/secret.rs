//! The text of a token: `iso_`, 43 characters of 256 random bits, 6 characters of their checksum.
//!
//! The prefix lets scanners for secrets find it (`iso_[0-9A-Za-z]{49}`); the checksum (CRC-32C)
//! tells a mistyped token from an unknown one without a look-up.

const PREFIX: &str = "iso_";
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Digits of 256 bits.
const RANDOM: usize = 43;
/// Digits of 32 bits.
const CHECK: usize = 6;

/// The token of 256 random bits.
#[must_use]
pub fn token_of(bits: [u128; 2]) -> String {
    let mut text = PREFIX.to_owned();
    let mut number: Vec<u8> = bits.iter().flat_map(|half| half.to_be_bytes()).collect();
    let digits: Vec<char> = (0..RANDOM).map(|_| digit(divide(&mut number))).collect();
    text.extend(digits.into_iter().rev());
    text.push_str(&checksum(&text));
    text
}

/// The form of a text that somebody gives as a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A token with a right checksum.
    Token,
    /// It begins as a token does and is none: a character is wrong or missing.
    Mistyped,
    /// Another text, as the configuration's token may be.
    Other,
}

/// The form of a text.
#[must_use]
pub fn form_of(text: &str) -> Form {
    let Some(rest) = text.strip_prefix(PREFIX) else { return Form::Other };
    let is_right = rest.len() == RANDOM + CHECK
        && rest.bytes().all(|byte| DIGITS.contains(&byte))
        && text[text.len() - CHECK..] == checksum(&text[..text.len() - CHECK]);
    if is_right { Form::Token } else { Form::Mistyped }
}

fn checksum(text: &str) -> String {
    let mut rest = crc32c::crc32c(text.as_bytes());
    let mut digits = [' '; CHECK];
    for place in digits.iter_mut().rev() {
        *place = digit((rest % 62) as u8);
        rest /= 62;
    }
    digits.iter().collect()
}

fn digit(value: u8) -> char {
    char::from(DIGITS[usize::from(value)])
}

/// Divides a big-endian number by 62 and returns the remainder.
fn divide(number: &mut [u8]) -> u8 {
    let mut rest = 0_u16;
    for byte in number {
        let value = (rest << 8) | u16::from(*byte);
        *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
        rest = value % 62;
    }
    u8::try_from(rest).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_a_fixed_form() {
        let least = token_of([0, 0]);
        assert_eq!(&least[..47], format!("iso_{}", "0".repeat(43)));
        assert_eq!(least.len(), 53);
        let most = token_of([u128::MAX, u128::MAX]);
        // 2^256 - 1 in base 62, by long division in Python.
        assert_eq!(&most[4..47], "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1");
        assert_eq!((form_of(&least), form_of(&most)), (Form::Token, Form::Token));
    }

    #[test]
    fn each_single_wrong_or_missing_character_shows() {
        let token = token_of([0x0123_4567_89ab_cdef, 42]);
        for place in 4..token.len() {
            let mut wrong = token.clone().into_bytes();
            wrong[place] = if wrong[place] == b'a' { b'b' } else { b'a' };
            let wrong = String::from_utf8(wrong).expect("ASCII");
            assert_eq!(form_of(&wrong), Form::Mistyped, "{place}");
        }
        assert_eq!(form_of(&token[..52]), Form::Mistyped);
        assert_eq!(form_of(&format!("{token} ")), Form::Mistyped);
        assert_eq!(form_of("iso_ä"), Form::Mistyped);
        assert_eq!(form_of("some-other-token-of-old"), Form::Other);
    }
}
