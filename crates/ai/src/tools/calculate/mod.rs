//! Sums that a model would guess: prices, shares, dates apart. Exact, and bounded in every way.

mod expression;
mod number;

use super::{Behaviour, Object, Outcome, Tool, Work};
use serde_json::{Value, json};

/// The four kinds of sum, remainders, powers and percentages.
#[derive(Debug, Clone, Copy)]
pub struct Calculate;

impl Calculate {
    pub const NAME: &'static str = "calculate";
}

impl Tool for Calculate {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn description(&self) -> &str {
        "Calculates exactly. Use it for every sum, price, share or percentage that you tell somebody, instead of working it out \
         yourself."
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": {"expression": {
                "type": "string",
                "description": "Numbers with a decimal point, + - * / ^ and parentheses; % is the remainder, or per cent behind \
                                a number. For example (3 * 89.50 + 12) * 19%."
            }},
            "required": ["expression"]
        })
    }

    fn behaviour(&self) -> Behaviour {
        Behaviour::Waits
    }

    fn call(&self, arguments: &Object) -> Work {
        let Some(text) = arguments.get("expression").and_then(Value::as_str) else {
            return Outcome::error("expression must be a text such as 3 * 89.50", true).into();
        };
        let outcome = match expression::value_of(text) {
            Ok(number) => {
                let (text, exact) = number::decimal(&number);
                let mut outcome = Outcome::output(text);
                if !exact {
                    outcome.result.insert("rounded".into(), json!(true));
                }
                outcome
            }
            Err(fault) => Outcome::error(fault.to_string(), true),
        };
        outcome.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn result(expression: &str) -> Object {
        let arguments = Object::from_iter([("expression".to_owned(), json!(expression))]);
        Calculate.call(&arguments).done().result
    }

    #[test]
    fn sums() {
        for (expression, value) in [
            ("1 + 2 * 3", "7"),
            ("(1 + 2) * 3", "9"),
            ("0.1 + 0.2", "0.3"),
            ("19.99 * 12 * 1.19", "285.4572"),
            ("10 / 4", "2.5"),
            ("7 % 3", "1"),
            ("-7 % 3", "-1"),
            ("250 * 19%", "47.5"),
            ("(3 * 89.50 + 12) * 19%", "53.295"),
            ("50% + 1", "1.5"),
            ("5 % (2)", "1"),
            ("2 ^ 10", "1024"),
            ("2 ^ 3 ^ 2", "512"),
            ("2 ** 3", "8"),
            ("2 ^ -2", "0.25"),
            ("-2 ^ 2", "-4"),
            ("(-2) ^ 2", "4"),
            ("1.05 ^ 30", "4.3219423752"),
            ("--3", "3"),
            ("+3 - -3", "6"),
            ("3 × 4 ÷ 6 − 1", "1"),
            (".5 + 5.", "5.5"),
            ("1 / 3", "0.3333333333"),
            ("2 / 3", "0.6666666667"),
            ("1 / 3 * 3", "1"),
            ("0 / 5", "0"),
            ("-1 / 3", "-0.3333333333"),
            ("1 / 10 ^ 12", "0.000000000001"),
            ("123456789012345678901234567890 * 10", "1234567890123456789012345678900"),
        ] {
            assert_eq!(result(expression)["output"], value, "{expression}");
        }
        assert_eq!(result("1 / 3")["rounded"], true);
        assert_eq!(result("1 / 4").get("rounded"), None);
    }

    #[test]
    fn what_is_no_sum_is_explained() {
        for (expression, why) in [
            ("", "ends too early"),
            ("1 +", "ends too early"),
            ("(1 + 2", "ends too early"),
            ("1 2", "\"2\" is not expected"),
            ("1 + x", "\"x\" is not expected"),
            ("1,000 + 1", "\",\" is not expected"),
            ("1.2.3", "\"1.2.3\" is no number"),
            (".", "\".\" is no number"),
            (")", "\")\" is not expected"),
            ("1 / 0", "division by zero"),
            ("1 % (2 - 2)", "division by zero"),
            ("0 ^ -1", "division by zero"),
            ("2 ^ 0.5", "whole exponents"),
            ("2 ^ 1001", "too large"),
            ("9 ^ 9 ^ 9", "too large"),
            ("9 ^ 999 ^ 2", "too large"),
        ] {
            let result = result(expression);
            assert!(result["error"].as_str().is_some_and(|error| error.contains(why)), "{expression}: {result:?}");
        }
        let deep = "(".repeat(100) + "1" + &")".repeat(100);
        assert!(result(&deep)["error"].as_str().is_some_and(|error| error.contains("nested")));
        assert!(result(&"-".repeat(200))["error"].is_string());
        assert!(result(&"1+".repeat(400))["error"].as_str().is_some_and(|error| error.contains("long")));
        assert!(Calculate.call(&Object::new()).done().is_error());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_or_stay_long(text in "[0-9.+*/%^() −×-]{0,64}") {
            result(&text);
        }

        #[test]
        fn whole_sums_are_right(a in -1_000_000_i64..1_000_000, b in -1_000_000_i64..1_000_000, c in 1_i64..1_000) {
            let expected = ((a + b) * c - a % c).to_string();
            prop_assert_eq!(&result(&format!("({a} + {b}) * {c} - {a} % {c}"))["output"], &json!(expected));
        }
    }
}
