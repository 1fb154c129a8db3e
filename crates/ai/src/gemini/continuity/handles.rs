//! The handle by which the next session takes up the current one's context, and whether it may be used.

/// After so many sessions that failed with a handle its context is at fault: it would break the next one too.
const FAILURES: u32 = 2;

#[derive(Debug, Default)]
pub struct Handles {
    newest: Option<String>,
    /// Something was said since it was given.
    stale: bool,
    failures: u32,
}

impl Handles {
    pub fn on_handle(&mut self, handle: String) {
        (self.newest, self.stale) = (Some(handle), false);
    }

    pub fn on_content(&mut self) {
        self.stale = true;
    }

    /// The newest, whatever was said since.
    pub fn usable(&self) -> Option<&str> {
        self.newest.as_deref()
    }

    /// The newest, if it knows of everything that was said.
    pub fn current(&self) -> Option<&str> {
        self.newest.as_deref().filter(|_| !self.stale)
    }

    /// It is refused, or its context is at fault.
    pub fn forget(&mut self) {
        self.newest = None;
        self.failures = 0;
    }

    /// A session with it has failed before it was of use.
    pub fn failed(&mut self) {
        self.failures += 1;
        if self.failures >= FAILURES {
            self.forget();
        }
    }

    /// A session with it has answered.
    pub fn works(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_counts_until_something_is_said() {
        let mut handles = Handles::default();
        assert_eq!(handles.usable(), None);
        handles.on_handle("h-1".into());
        handles.on_handle("h-2".into());
        assert_eq!(handles.current(), Some("h-2"));
        handles.on_content();
        assert_eq!((handles.current(), handles.usable()), (None, Some("h-2")));
        handles.on_handle("h-3".into());
        assert_eq!(handles.current(), Some("h-3"));
    }

    #[test]
    fn a_context_that_breaks_two_sessions_in_a_row_is_left_alone() {
        let mut handles = Handles::default();
        handles.on_handle("h-1".into());
        handles.failed();
        handles.works();
        handles.failed();
        handles.on_handle("h-2".into());
        assert_eq!(handles.usable(), Some("h-2"));
        handles.failed();
        assert_eq!(handles.usable(), None, "another handle of the same context is no better");
    }
}
