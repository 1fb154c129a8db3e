//! A model of a server, of either style, and of everything that may happen between it and us in whatever order. However it goes,
//! in the end the view is the server's collection, and on the way nothing goes back in time.

use super::tests::{body, keyring, name_id};
use super::{Event, Keep, LiveView, Outputs};
use crate::firestore::value::RawDocument;
use crate::{Entry, Revision};
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};

const NAMES: [&str; 4] = ["alice", "bob", "carol", "not a user"];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Style {
    /// Differences.
    Production,
    /// Every change is RESET and the whole set.
    Emulator,
}

#[derive(Debug, Clone)]
enum Step {
    /// Somebody else writes; `greeting` 0 makes a document that cannot be used.
    Put(usize, u8),
    Delete(usize),
    /// We write; the view is told of it by a later `Told`.
    OwnPut(usize, u8),
    OwnDelete(usize, bool),
    Told,
    Deliver(u8),
    /// The stream ends and a new one begins.
    Drop,
    /// The server starts over of itself.
    Reset,
    /// A question of ours reaches the server, and its answer us.
    Asked,
    Answered,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let name = 0..NAMES.len();
    let step = prop_oneof![
        3 => (name.clone(), 0..9u8).prop_map(|(n, g)| Step::Put(n, g)),
        2 => name.clone().prop_map(Step::Delete),
        3 => (name.clone(), 1..9u8).prop_map(|(n, g)| Step::OwnPut(n, g)),
        2 => (name, any::<bool>()).prop_map(|(n, exact)| Step::OwnDelete(n, exact)),
        4 => Just(Step::Told),
        6 => (1..6u8).prop_map(Step::Deliver),
        1 => Just(Step::Drop),
        1 => Just(Step::Reset),
        2 => Just(Step::Asked),
        2 => Just(Step::Answered),
    ];
    prop::collection::vec(step, 1..60)
}

/// Revision and greeting.
type Stored = (Revision, u8);
type Documents = BTreeMap<String, Stored>;

struct World {
    style: Style,
    clock: Revision,
    documents: Documents,
    /// What every name was changed to, by time.
    history: Vec<(Revision, String, Option<Stored>)>,
    wire: VecDeque<Event>,
    own: VecDeque<Event>,
    questions: VecDeque<(String, Revision, u64)>,
    answers: VecDeque<Event>,
    token: Option<Revision>,
    view: LiveView,
    shown: BTreeMap<String, Revision>,
    buried: BTreeMap<String, Revision>,
    kept: BTreeMap<String, Revision>,
}

fn raw(name: &str, revision: Revision, greeting: u8) -> RawDocument {
    RawDocument { name: name.to_owned(), revision, body: body(greeting) }
}

impl World {
    fn new(style: Style) -> Self {
        let mut world = Self {
            style,
            clock: 1_000,
            documents: BTreeMap::new(),
            history: Vec::new(),
            wire: VecDeque::new(),
            own: VecDeque::new(),
            questions: VecDeque::new(),
            answers: VecDeque::new(),
            token: None,
            view: LiveView::new(keyring()),
            shown: BTreeMap::new(),
            buried: BTreeMap::new(),
            kept: BTreeMap::new(),
        };
        world.connect();
        world
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Put(n, greeting) => drop(self.change(NAMES[n], Some(greeting))),
            Step::Delete(n) => drop(self.change(NAMES[n], None)),
            Step::OwnPut(n, greeting) => {
                let revision = self.change(NAMES[n], Some(greeting));
                self.own.push_back(Event::Wrote(raw(NAMES[n], revision, greeting)));
            }
            Step::OwnDelete(n, exact) => {
                let Some((deleted, _)) = self.documents.get(NAMES[n]).copied() else { return };
                let at = self.change(NAMES[n], None);
                self.own.push_back(Event::Deleted { name: NAMES[n].to_owned(), at: if exact { at } else { deleted } });
            }
            Step::Told => self.own.pop_front().into_iter().for_each(|event| self.feed(event)),
            Step::Deliver(count) => (0..count).for_each(|_| self.deliver()),
            Step::Drop => self.connect(),
            Step::Reset => self.whole(Event::Reset),
            Step::Asked => self.ask(),
            Step::Answered => self.answers.pop_front().into_iter().for_each(|event| self.feed(event)),
        }
    }

    fn change(&mut self, name: &str, greeting: Option<u8>) -> Revision {
        self.clock += 10;
        let at = self.clock;
        let value = greeting.map(|greeting| (at, greeting));
        let existed = match value {
            Some(value) => self.documents.insert(name.to_owned(), value).is_some() || greeting.is_some(),
            None => self.documents.remove(name).is_some(),
        };
        self.history.push((at, name.to_owned(), value));
        match (self.style, existed) {
            (_, false) => {}
            (Style::Emulator, true) => self.whole(Event::Reset),
            (Style::Production, true) => {
                self.tell(name, value, at);
                self.wire.push_back(Event::Consistent { at });
            }
        }
        at
    }

    fn tell(&mut self, name: &str, value: Option<Stored>, at: Revision) {
        self.wire.push_back(match value {
            Some((revision, greeting)) => Event::Changed(raw(name, revision, greeting)),
            None => Event::Gone { name: name.to_owned(), at },
        });
    }

    fn whole(&mut self, first: Event) {
        self.wire.push_back(first);
        for (name, value) in self.documents.clone() {
            self.tell(&name, Some(value), 0);
        }
        self.end_of_set();
    }

    fn end_of_set(&mut self) {
        self.wire.push_back(Event::Current);
        self.wire.push_back(Event::Consistent { at: self.clock });
    }

    /// A new stream: from the token, when there is one and the server knows it.
    fn connect(&mut self) {
        self.wire.clear();
        match self.token {
            Some(since) if self.style == Style::Production => {
                self.wire.push_back(Event::Added { resumed: true });
                let changes: BTreeMap<_, _> =
                    self.history.iter().filter(|(at, ..)| *at > since).map(|(at, n, v)| (n.clone(), (*at, *v))).collect();
                for (name, (at, value)) in changes {
                    self.tell(&name, value, at);
                }
                self.wire.push_back(Event::Filter { count: self.documents.len() });
                self.end_of_set();
            }
            _ => self.whole(Event::Added { resumed: false }),
        }
    }

    fn deliver(&mut self) {
        if let Some(event) = self.wire.pop_front() {
            let settles = match &event {
                Event::Consistent { at } => Some(*at),
                _ => None,
            };
            self.feed(event);
            if let Some(at) = settles.filter(|_| self.view.is_settled()) {
                self.token = Some(at);
            }
        }
    }

    fn ask(&mut self) {
        if let Some((name, held, asked)) = self.questions.pop_front() {
            self.answers.push_back(match self.documents.get(&name) {
                Some((revision, greeting)) => Event::Found { document: raw(&name, *revision, *greeting), asked },
                None => Event::Missing { name, at: held, asked },
            });
        }
    }

    fn feed(&mut self, event: Event) {
        if let Event::Deleted { name, at } = &event {
            self.buried.insert(name.clone(), *at);
        }
        let Outputs { view, keep, verify, asked, resync, .. } = self.view.handle(event);
        keep.into_iter().for_each(|keep| self.keep(keep));
        self.questions.extend(verify.into_iter().map(|(name, held)| (name, held, asked)));
        if resync {
            self.token = None;
            self.connect();
        }
        for (id, entry) in view.iter().flat_map(|view| &view.users) {
            let Entry::Good(stored) = entry else { continue };
            let before = self.shown.insert(id.to_string(), stored.revision).unwrap_or(0);
            assert!(before <= stored.revision, "{id} goes back from {before} to {}", stored.revision);
            let buried = self.buried.get(id.as_str()).copied().unwrap_or(0);
            assert!(buried < stored.revision, "{id} is back though it was deleted at {buried}");
        }
    }

    fn keep(&mut self, keep: Keep) {
        match keep {
            Keep::Put(document) => drop(self.kept.insert(document.name, document.revision)),
            Keep::Drop(name) => drop(self.kept.remove(&name)),
            Keep::Only(names) => self.kept.retain(|name, _| names.contains(name)),
        }
    }

    fn come_to_rest(&mut self) {
        while !(self.wire.is_empty() && self.own.is_empty() && self.questions.is_empty() && self.answers.is_empty()) {
            [Step::Told, Step::Deliver(1), Step::Asked, Step::Answered].into_iter().for_each(|step| self.take(step));
        }
    }

    fn check(&self) {
        let good = self.documents.iter().filter(|(name, (_, greeting))| **name != NAMES[3] && *greeting != 0);
        let view = self.view.view.clone();
        for (name, (revision, greeting)) in good.clone() {
            match view.users.get(&name_id(name)) {
                Some(Entry::Good(stored)) => {
                    assert_eq!((stored.revision, &stored.user.calls.default_greeting), (*revision, &greeting.to_string()));
                }
                other => panic!("{name} is there, but the view has {other:?}"),
            }
            assert_eq!(self.kept.get(name), Some(revision), "{name} is kept as it is");
        }
        for (id, entry) in &view.users {
            assert!(self.documents.contains_key(id.as_str()), "{id} is gone, but the view has {entry:?}");
        }
        let faulty = view.users.values().filter(|entry| matches!(entry, Entry::Faulty { .. })).count();
        assert_eq!(view.users.len(), good.count() + faulty);
        assert!(self.kept.keys().all(|name| self.documents.contains_key(name)), "nothing that is gone is kept");
        let listing = self.documents.iter().map(|(name, (revision, _))| (name.clone(), *revision)).collect();
        assert_eq!(self.view.differences(&listing), Vec::<String>::new());
    }
}

fn run(style: Style, steps: Vec<Step>) {
    let mut world = World::new(style);
    steps.into_iter().for_each(|step| world.take(step));
    world.come_to_rest();
    world.check();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_view_of_a_server_that_sends_differences_is_its_collection(steps in steps()) {
        run(Style::Production, steps);
    }

    #[test]
    fn the_view_of_a_server_that_starts_over_each_time_is_its_collection(steps in steps()) {
        run(Style::Emulator, steps);
    }
}
