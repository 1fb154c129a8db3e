//! The binary `callie`. Everything is in the library; see `cli`.

fn main() -> std::process::ExitCode {
    callie_server::cli::run()
}
