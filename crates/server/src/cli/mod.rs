//! The command line. `main` hands over here and gets an exit code back: 0 done, 1 failed while running, 2 the configuration
//! or the command line cannot be used.
//!
//! | module | holds |
//! |---|---|
//! | [`serve`] | `callie serve`: the server; also what a bare `callie` does |
//! | [`demo`] | `callie demo`: the world in a box |
//! | [`api_keys`] | `callie api-keys`: who may come in to the API |
//! | [`audit`] | `callie audit`: whether what was done is still written down |
//! | [`doctor`] | `callie doctor`: proves a line |
//! | [`health`] | `callie health`: asks the running server how it is |
//! | [`dumps`] | a crash leaves no memory on disk |
//! | [`config`] | `callie config check` |
//! | [`keys`] | `callie keys`: the keys that seal passwords |
//! | [`migrate`] | `callie migrate env`: from the first version's environment into the store |
//! | [`carry`] | `callie migrate store`: all users from one store to the other |
//! | [`openapi`] | `callie openapi` |
//! | [`terminal`] | what is printed |

pub mod api_keys;
pub mod audit;
pub mod carry;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod dumps;
pub mod health;
pub mod keys;
pub mod migrate;
pub mod openapi;
pub mod serve;
pub mod terminal;

use crate::config::ConfigFaults;
use clap::{Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};

/// Keeps the SIP accounts of many users registered, and answers and places their calls with an AI voice.
#[derive(Debug, Parser)]
#[command(name = "callie", version, about)]
struct Cli {
    /// Configuration file; callie.toml in this folder when there is one.
    #[arg(long, global = true, value_name = "PATH")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server until SIGTERM or Ctrl-C (what callie does without a command).
    Serve,
    /// Show a whole phone call on this machine: no account, no key, no network.
    Demo {
        /// Leave everything running afterwards, for a softphone or curl.
        #[arg(long)]
        keep: bool,
        /// The users live in a Firestore on this machine, where one of them is changed while the server runs.
        #[arg(long)]
        firestore: bool,
        /// Who talks: the offline engine, or Gemini Live or OpenAI Realtime, for which a stand-in on this machine answers.
        #[arg(long, value_enum, default_value_t = demo::Talker::Local)]
        engine: demo::Talker,
        /// The offline engine's voice; kokoro wants weights (scripts/models.sh kokoro).
        #[arg(long, value_enum, default_value_t = demo::DemoVoice::Flite)]
        voice: demo::DemoVoice,
    },
    /// Examine a user's line, from the DNS to a call of the account to itself.
    Doctor(doctor::DoctorCommand),
    /// Ask the running server how it is; fails when it takes no calls.
    Health(health::HealthCommand),
    /// About the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// The keys that open the HTTP API.
    #[command(subcommand)]
    ApiKeys(api_keys::ApiKeysCommand),
    /// What was done, and by whom.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// The keys that seal passwords.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// From the first version, or to another store.
    #[command(subcommand)]
    Migrate(migrate::MigrateCommand),
    /// Print the description of the HTTP API (OpenAPI).
    Openapi,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Read the configuration and print it with the source of each value, secrets masked.
    Check,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigFaults),
    #[error("{0:#}")]
    Run(#[from] anyhow::Error),
}

impl CliError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Run(_) => ExitCode::from(1),
            Self::Config(_) => ExitCode::from(2),
        }
    }
}

/// Reads the command line, does what it says, and tells how it went. clap itself ends with 2 on a faulty command line.
pub fn run() -> ExitCode {
    dumps::forbid();
    choose_tls();
    match execute(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::complain(&format!("callie: {error}"));
            error.exit_code()
        }
    }
}

/// The libraries bring two implementations of TLS's cryptography; rustls wants to be told which one is meant. The same as for the
/// sockets to the engines, where it costs least.
fn choose_tls() {
    // Refused only when somebody was here before, who then chose.
    let _chosen = rustls::crypto::ring::default_provider().install_default();
}

fn execute(cli: Cli) -> Result<(), CliError> {
    let file = cli.config.as_deref();
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::run(file),
        Command::Demo { keep, firestore, engine, voice } => {
            let plan = demo::Plan { keep, firestore, talker: engine, voice };
            Ok(serve::runtime()?.block_on(demo::run(plan))?)
        }
        Command::Doctor(command) => doctor::run(file, &command),
        Command::Health(command) => health::run(file, &command),
        Command::Config(ConfigCommand::Check) => config::check(file),
        Command::ApiKeys(command) => api_keys::run(file, command),
        Command::Audit(command) => audit::run(file, command),
        Command::Keys(command) => keys::run(file, command),
        Command::Migrate(command) => migrate::run(file, command),
        Command::Openapi => Ok(openapi::print()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_bare_callie_serves() {
        for (line, want) in [
            ("callie", "None"),
            ("callie serve --config x.toml", "Some(Serve)"),
            ("callie demo --keep", "Some(Demo { keep: true, firestore: false, engine: Local, voice: Flite })"),
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).expect("valid");
            assert_eq!(format!("{:?}", cli.command), want);
        }
    }
}
