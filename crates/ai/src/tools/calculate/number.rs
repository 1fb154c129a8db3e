//! Fractions of any size, within reason, and their decimals.

use super::expression::Fault;
use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{Pow, Signed, ToPrimitive, Zero};

/// The largest numerator or denominator that is worked with: about 600 digits.
const MOST_BITS: u64 = 2_048;
const LARGEST_EXPONENT: i32 = 1_000;
/// Digits behind the point of what does not come out even, and the most of what does.
const ROUNDED_TO: u32 = 10;
const LONGEST_EXACT: u32 = 20;

/// As it is, or too large to go on with.
pub fn bounded(number: BigRational) -> Result<BigRational, Fault> {
    let fits = number.numer().bits().max(number.denom().bits()) <= MOST_BITS;
    if fits { Ok(number) } else { Err(Fault::TooLarge) }
}

pub fn divide(number: &BigRational, by: &BigRational) -> Result<BigRational, Fault> {
    if by.is_zero() { Err(Fault::DivisionByZero) } else { bounded(number / by) }
}

/// The remainder has the sign of `number`.
pub fn remainder(number: &BigRational, by: &BigRational) -> Result<BigRational, Fault> {
    if by.is_zero() { Err(Fault::DivisionByZero) } else { bounded(number % by) }
}

pub fn power(base: &BigRational, exponent: &BigRational) -> Result<BigRational, Fault> {
    if !exponent.is_integer() {
        return Err(Fault::BrokenExponent);
    }
    let exponent = exponent.to_i32().filter(|exponent| exponent.abs() <= LARGEST_EXPONENT).ok_or(Fault::TooLarge)?;
    if exponent < 0 && base.is_zero() {
        return Err(Fault::DivisionByZero);
    }
    // Known before it is worked out: a power is as long as its base, so many times.
    let bits = base.numer().bits().max(base.denom().bits());
    if bits * u64::from(exponent.unsigned_abs()) > 2 * MOST_BITS {
        return Err(Fault::TooLarge);
    }
    bounded(Pow::pow(base, exponent))
}

/// As text, and whether that is all of it.
pub fn decimal(number: &BigRational) -> (String, bool) {
    let (places, exact) = match even_places(number.denom()) {
        Some(places) => (places, true),
        None => (ROUNDED_TO, false),
    };
    let scaled = number * BigRational::from_integer(BigInt::from(10).pow(places));
    let digits = scaled.round().to_integer();
    let sign = if digits.is_negative() { "-" } else { "" };
    let digits = digits.abs().to_string();
    let places = places as usize;
    let padded = format!("{digits:0>width$}", width = places + 1);
    let (whole, broken) = padded.split_at(padded.len() - places);
    let broken = broken.trim_end_matches('0');
    if broken.is_empty() { (format!("{sign}{whole}"), exact) } else { (format!("{sign}{whole}.{broken}"), exact) }
}

/// How many digits behind the point it takes, if it comes out even with few.
fn even_places(denominator: &BigInt) -> Option<u32> {
    let (twos, rest) = factor(denominator, 2);
    let (fives, rest) = factor(&rest, 5);
    let places = twos.max(fives);
    (rest == BigInt::from(1) && places <= LONGEST_EXACT).then_some(places)
}

fn factor(number: &BigInt, prime: u32) -> (u32, BigInt) {
    let prime = BigInt::from(prime);
    let (mut rest, mut count) = (number.clone(), 0);
    while count <= LONGEST_EXACT && rest.is_multiple_of(&prime) {
        rest /= &prime;
        count += 1;
    }
    (count, rest)
}
