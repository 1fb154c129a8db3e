//! Text to number, by recursive descent:
//!
//! ```text
//! sum     = product { ("+" | "-") product }
//! product = signed { ("*" | "/" | "%") signed }
//! signed  = { "+" | "-" } power
//! power   = percent [ "^" signed ]
//! percent = atom { "%" }              where nothing follows that the remainder could be of
//! atom    = number | "(" sum ")"
//! ```

use super::number::{bounded, divide, power, remainder};
use num_bigint::BigInt;
use num_rational::BigRational;

const LONGEST: usize = 500;
const DEEPEST: usize = 32;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the expression is too long")]
    TooLong,
    #[error("the expression is nested too deep")]
    TooDeep,
    #[error("the expression ends too early")]
    Ends,
    #[error("{0:?} is not expected there; only numbers with a decimal point, + - * / % ^ and parentheses are")]
    Unexpected(String),
    #[error("{0:?} is no number")]
    NoNumber(String),
    #[error("division by zero")]
    DivisionByZero,
    #[error("only whole exponents are possible")]
    BrokenExponent,
    #[error("the number is too large")]
    TooLarge,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Number(BigRational),
    Sign(char),
}

pub fn value_of(text: &str) -> Result<BigRational, Fault> {
    if text.len() > LONGEST {
        return Err(Fault::TooLong);
    }
    let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0 };
    let value = parser.sum()?;
    match parser.peek() {
        None => Ok(value),
        Some(token) => Err(Fault::Unexpected(shown(token))),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, Fault> {
    let text = text.replace("**", "^");
    let mut rest = text.trim_start();
    let mut tokens = Vec::new();
    while let Some(first) = rest.chars().next() {
        let length = if first.is_ascii_digit() || first == '.' {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let (number, _) = rest.split_at(end);
            tokens.push(Token::Number(decimal(number).ok_or_else(|| Fault::NoNumber(number.to_owned()))?));
            end
        } else {
            let sign = match first {
                '×' | '·' => '*',
                '÷' => '/',
                '−' | '–' => '-',
                '+' | '-' | '*' | '/' | '%' | '^' | '(' | ')' => first,
                other => return Err(Fault::Unexpected(other.to_string())),
            };
            tokens.push(Token::Sign(sign));
            first.len_utf8()
        };
        rest = rest.get(length..).unwrap_or_default().trim_start();
    }
    Ok(tokens)
}

/// `12`, `.5`, `5.`, `0.25`
fn decimal(text: &str) -> Option<BigRational> {
    let (whole, broken) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{broken}");
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let places = u32::try_from(broken.len()).ok()?;
    is_number.then(|| digits.parse::<BigInt>().ok().map(|digits| BigRational::new(digits, BigInt::from(10).pow(places))))?
}

fn shown(token: &Token) -> String {
    match token {
        Token::Number(number) => super::number::decimal(number).0,
        Token::Sign(sign) => sign.to_string(),
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn sign(&self) -> Option<char> {
        self.sign_at(self.next)
    }

    fn sign_at(&self, place: usize) -> Option<char> {
        match self.tokens.get(place) {
            Some(Token::Sign(sign)) => Some(*sign),
            _ => None,
        }
    }

    /// Takes the next sign if it is one of these.
    fn take(&mut self, signs: &str) -> Option<char> {
        let sign = self.sign().filter(|sign| signs.contains(*sign))?;
        self.next += 1;
        Some(sign)
    }

    fn sum(&mut self) -> Result<BigRational, Fault> {
        let mut value = self.product()?;
        while let Some(sign) = self.take("+-") {
            let other = self.product()?;
            value = bounded(if sign == '+' { value + other } else { value - other })?;
        }
        Ok(value)
    }

    fn product(&mut self) -> Result<BigRational, Fault> {
        let mut value = self.signed()?;
        while let Some(sign) = self.take("*/%") {
            let other = self.signed()?;
            value = match sign {
                '*' => bounded(value * other)?,
                '/' => divide(&value, &other)?,
                _ => remainder(&value, &other)?,
            };
        }
        Ok(value)
    }

    fn signed(&mut self) -> Result<BigRational, Fault> {
        let mut negative = false;
        while let Some(sign) = self.take("+-") {
            negative ^= sign == '-';
        }
        let value = self.power()?;
        Ok(if negative { -value } else { value })
    }

    fn power(&mut self) -> Result<BigRational, Fault> {
        let base = self.percent()?;
        match self.take("^") {
            Some(_) => {
                let exponent = self.deeper(Self::signed)?;
                power(&base, &exponent)
            }
            None => Ok(base),
        }
    }

    fn percent(&mut self) -> Result<BigRational, Fault> {
        let mut value = self.atom()?;
        while self.sign() == Some('%') && !self.begins_value(self.next + 1) {
            self.next += 1;
            value = bounded(value / BigRational::from_integer(BigInt::from(100)))?;
        }
        Ok(value)
    }

    /// A sign before a number is one between two: `50% + 1` is no remainder.
    fn begins_value(&self, place: usize) -> bool {
        matches!(self.tokens.get(place), Some(Token::Number(_))) || self.sign_at(place) == Some('(')
    }

    fn atom(&mut self) -> Result<BigRational, Fault> {
        let token = self.peek().cloned().ok_or(Fault::Ends)?;
        self.next += 1;
        match token {
            Token::Number(number) => Ok(number),
            Token::Sign('(') => {
                let value = self.deeper(Self::sum)?;
                match self.peek() {
                    Some(Token::Sign(')')) => self.next += 1,
                    Some(token) => return Err(Fault::Unexpected(shown(token))),
                    None => return Err(Fault::Ends),
                }
                Ok(value)
            }
            token => Err(Fault::Unexpected(shown(&token))),
        }
    }

    fn deeper(&mut self, parse: fn(&mut Self) -> Result<BigRational, Fault>) -> Result<BigRational, Fault> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Fault::TooDeep);
        }
        let value = parse(self);
        self.depth -= 1;
        value
    }
}
