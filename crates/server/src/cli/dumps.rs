//! No memory on disk: passwords and keys are in this process's memory in clear, so its crash leaves no dump of it.
//!
//! A limit of size alone would not do: the kernel hands whole dumps to a handler (`core_pattern` with a pipe) whatever the limit.
//! A process that is not dumpable is not dumped at all, and only root may look into its memory.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// For this process and, by the limit, for those that it starts.
pub fn forbid() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let refused = [setrlimit(Resource::Core, none), set_dumpable_behavior(DumpableBehavior::NotDumpable)];
    for error in refused.into_iter().filter_map(Result::err) {
        super::terminal::complain(&format!("warning: a crash may leave passwords in a core dump: {error}"));
    }
}
