//! Problem documents with the member `error`, which is all that the first version's errors had.

use crate::api::error::Problem;
use crate::exchange::DialError;
use axum::response::{IntoResponse, Response};
use callie_domain::Faults;
use callie_store::StoreError;

/// A problem that is told under both names.
#[derive(Debug)]
pub struct Refusal(Problem);

impl Refusal {
    /// A member that must be there is not; `error` is what the first version said then.
    pub fn missing(error: &str, detail: &str) -> Self {
        Self(Problem { error: Some(error.to_owned()), ..Problem::missing(detail) })
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(Problem { error: Some(problem.detail.clone()), ..problem })
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Problem::from(error).into()
    }
}

impl From<DialError> for Refusal {
    fn from(error: DialError) -> Self {
        Problem::from(error).into()
    }
}

impl From<Faults> for Refusal {
    fn from(faults: Faults) -> Self {
        Problem::from(faults).into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}
