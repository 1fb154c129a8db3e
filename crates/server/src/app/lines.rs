//! Lines: kept as the users' documents want them, and what is written down of both.

use super::forgetting;
use super::ground::Ground;
use crate::accounts::Reconciler;
use crate::api;
use crate::records::LineWatch;
use crate::versions::VersionKeeper;
use std::sync::Arc;

/// From now on lines are registered.
pub(super) fn follow(ground: &Ground<'_>) {
    let Ground { users, records, feed, directory, tasks, .. } = ground;
    let keeper = VersionKeeper { view: users.watch(), store: records.clone(), show: api::versions::kept_form };
    tasks.stack.spawn(keeper.run(tasks.stack_end.clone()));
    tasks.beside(forgetting::follow(users.clone(), records.clone()));
    let look = directory.clone();
    let look = Arc::new(move |user: &_| look.status(user).map(|status| status.state));
    let watch = LineWatch { store: records.clone(), look };
    tasks.records.spawn(watch.run(feed.subscribe(), tasks.stack_end.clone()));
    let reconciler = Reconciler::new(ground.stack.clone(), directory.clone(), feed.clone(), tasks.lines.clone());
    tasks.lines.spawn(reconciler.run(users.watch(), tasks.lines_end.clone()));
}
