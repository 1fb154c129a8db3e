//! What the file, `.env` and the environment say about our settings, as texts.

use super::keys::{self, Key};
use super::{ConfigFault, dotenv};
use figment::providers::{Format, Toml};
use figment::value::{Dict, Value};
use figment::{Profile, Provider};
use std::{collections::HashMap, ffi::OsString, fmt, io::ErrorKind, path::Path, path::PathBuf};

/// The texts, before anything is made of them.
#[derive(Debug, Default)]
pub struct Sources {
    pub file: Option<(PathBuf, Result<String, String>)>,
    pub dotenv: Option<Result<String, String>>,
    pub environment: Vec<(OsString, OsString)>,
    /// There is a folder `models` here.
    pub models_here: bool,
}

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    File(PathBuf),
    DotEnv,
    Environment,
}

/// A value and where it was given. Its text may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Given {
    pub text: String,
    pub place: Place,
}

/// All that was said.
#[derive(Debug, Default)]
pub struct Said {
    pub given: HashMap<&'static str, Given>,
    pub warnings: Vec<String>,
    pub faults: Vec<ConfigFault>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::DotEnv => f.write_str(".env"),
            Self::Environment => f.write_str("the environment"),
        }
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Given({})", self.place)
    }
}

impl Place {
    /// A setting as it is written in this place.
    pub fn name_of(&self, key: &Key) -> String {
        match self {
            Self::File(_) => key.file_name(),
            Self::DotEnv | Self::Environment => key.name.to_owned(),
        }
    }

    pub fn fault(&self, name: &str, problem: impl Into<String>) -> ConfigFault {
        ConfigFault { place: format!("{name} in {self}"), problem: problem.into() }
    }
}

impl Sources {
    /// `file` must be there when it is named; `callie.toml` and `.env` need not.
    pub fn read(file: Option<&Path>) -> Self {
        let default = Path::new("callie.toml");
        let path = file.unwrap_or(default);
        let file = match std::fs::read_to_string(path) {
            Err(e) if e.kind() == ErrorKind::NotFound && file.is_none() => None,
            read => Some((path.to_owned(), read.map_err(|e| e.to_string()))),
        };
        let dotenv = match std::fs::read_to_string(".env") {
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            read => Some(read.map_err(|e| e.to_string())),
        };
        Self { file, dotenv, environment: std::env::vars_os().collect(), models_here: Path::new("models").is_dir() }
    }

    /// The later source wins.
    pub fn collect(self) -> Said {
        let mut said = Said::default();
        if let Some((path, text)) = self.file {
            said.read_file(path, text);
        }
        if let Some(text) = self.dotenv {
            said.read_dotenv(text, &self.environment);
        }
        for (name, value) in self.environment {
            said.read_variable(name, value);
        }
        said.warnings.sort_unstable();
        said
    }
}

impl Said {
    fn read_file(&mut self, path: PathBuf, text: Result<String, String>) {
        let place = Place::File(path);
        let read = text.and_then(|text| Toml::string(&text).data().map_err(|e| without_quotation(&e.to_string())));
        match read {
            Ok(mut profiles) => self.read_table(profiles.remove(&Profile::Default).unwrap_or_default(), &place),
            Err(problem) => self.faults.push(ConfigFault { place: place.to_string(), problem }),
        }
    }

    fn read_table(&mut self, table: Dict, place: &Place) {
        for (name, value) in table {
            match text_of(&value) {
                Some(text) => self.take(&keys::from_file_name(&name), &name, text, place),
                None => self.faults.push(place.fault(&name, "must be a text, a number, a list of texts, true or false")),
            }
        }
    }

    fn read_dotenv(&mut self, text: Result<String, String>, environment: &[(OsString, OsString)]) {
        let fault = |problem: String| ConfigFault { place: ".env".to_owned(), problem };
        let text = match text {
            Ok(text) => text,
            Err(problem) => return self.faults.push(fault(problem)),
        };
        let of_environment = |name: &str| {
            let (_, value) = environment.iter().find(|(known, _)| known == name)?;
            value.to_str().map(str::to_owned)
        };
        for item in dotenv::read(&text, of_environment) {
            match item {
                Ok((name, value)) => self.take_variable(&name, value, &Place::DotEnv),
                // The line is not quoted: it may hold a secret.
                Err(line) => self.faults.push(fault(format!("line {line} is not of the form NAME=value"))),
            }
        }
    }

    fn read_variable(&mut self, name: OsString, value: OsString) {
        let Ok(name) = name.into_string() else { return };
        match value.into_string() {
            Ok(value) => self.take_variable(&name, value, &Place::Environment),
            Err(_) if keys::is_ours(&name) => self.faults.push(Place::Environment.fault(&name, "is not valid UTF-8")),
            Err(_) => {}
        }
    }

    /// Other programs' variables are none of our business.
    fn take_variable(&mut self, name: &str, value: String, place: &Place) {
        if keys::is_ours(name) || keys::LATER.contains(&name) {
            self.take(name, name, value, place);
        }
    }

    /// An empty value is no value.
    fn take(&mut self, name: &str, written: &str, text: String, place: &Place) {
        if let Some(key) = Key::of(name) {
            if !text.trim().is_empty() {
                self.given.insert(key.name, Given { text: text.trim().to_owned(), place: place.clone() });
            }
        } else if keys::LATER.contains(&name) {
            self.warnings.push(format!("{written} in {place} is known and takes effect in a later version"));
        } else {
            let hint = match keys::nearest(name) {
                Some(key) => format!("did you mean {}?", place.name_of(key)),
                None => "`callie config check` lists all settings".to_owned(),
            };
            self.faults.push(place.fault(written, format!("is not a known setting; {hint}")));
        }
    }
}

/// The parser's complaint without the line that it quotes, which may hold a secret.
fn without_quotation(error: &str) -> String {
    let is_quotation =
        |line: &&str| line.split_once('|').is_some_and(|(number, _)| number.chars().all(|c| c.is_ascii_digit() || c == ' '));
    error.lines().filter(|line| !is_quotation(line)).collect::<Vec<_>>().join(": ")
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(_, text) => Some(text.clone()),
        Value::Bool(_, on) => Some(on.to_string()),
        Value::Num(_, number) => number.to_i128().map(|n| n.to_string()).or_else(|| number.to_u128().map(|n| n.to_string())),
        Value::Array(_, items) => {
            let texts: Option<Vec<_>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
            Some(texts?.join(","))
        }
        _ => None,
    }
}
