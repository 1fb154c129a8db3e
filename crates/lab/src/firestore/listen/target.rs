//! One target of a Listen stream: what its client has been told, and what it must be told now.

use super::message;
use crate::firestore::documents::{Documents, Live, Version};
use crate::firestore::faults::ListenStyle;
use crate::firestore::query::Query;
use gcloud_sdk::google::firestore::v1::target::{ResumeType, TargetType, query_target::QueryType};
use gcloud_sdk::google::firestore::v1::{self as v1, Document, ListenResponse};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use tonic::Status;

#[derive(Debug)]
enum Scope {
    Query(Box<Query>),
    Documents(Vec<String>),
}

#[derive(Debug)]
pub(super) struct Target {
    id: i32,
    scope: Scope,
    resume: Option<ResumeType>,
    /// The results the client knows of.
    view: HashMap<String, Version>,
}

impl Target {
    pub fn new(wanted: v1::Target) -> Result<Self, Status> {
        let scope = match wanted.target_type {
            Some(TargetType::Documents(target)) => Scope::Documents(target.documents),
            Some(TargetType::Query(target)) => match target.query_type {
                Some(QueryType::StructuredQuery(query)) => Scope::Query(Box::new(Query::new(target.parent, query)?)),
                None => return Err(Status::invalid_argument(format!("target {} has no query", wanted.target_id))),
            },
            None => return Err(Status::invalid_argument(format!("target {} has no type", wanted.target_id))),
        };
        Ok(Self { id: wanted.target_id, scope, resume: wanted.resume_type, view: HashMap::new() })
    }

    /// Everything from ADD to CURRENT. Who resumes hears only what changed since, and how many results there are; from Google's
    /// emulator he hears everything again.
    pub fn begin(&mut self, documents: &Documents, style: ListenStyle) -> Vec<ListenResponse> {
        let mut messages = vec![message::added(self.id)];
        let Some(resume) = self.resume.take() else {
            messages.extend(self.tell_all(documents));
            return messages;
        };
        match (style, as_known(&resume, documents)) {
            (ListenStyle::Resets, _) | (ListenStyle::Deltas, None) => messages.extend(self.begin_again(documents, style)),
            (ListenStyle::Deltas, Some(past)) => {
                self.view = view_of(&self.results(&past));
                messages.extend(self.compare_all(documents));
                messages.push(self.filter());
                messages.push(message::current(self.id, documents));
            }
        }
        messages
    }

    /// RESET, everything, CURRENT.
    pub fn begin_again(&mut self, documents: &Documents, style: ListenStyle) -> Vec<ListenResponse> {
        self.view.clear();
        let mut messages = vec![message::reset(self.id, (style == ListenStyle::Resets).then_some(documents))];
        messages.extend(self.tell_all(documents));
        messages
    }

    /// Everything, CURRENT.
    fn tell_all(&mut self, documents: &Documents) -> Vec<ListenResponse> {
        let mut messages = self.tell_missing(documents);
        messages.extend(self.compare_all(documents));
        messages.push(message::current(self.id, documents));
        messages
    }

    /// What these documents' changes mean for the target, as Google's emulator tells it: a query begins again, and documents are
    /// all told again without RESET and CURRENT.
    pub fn repeat(&mut self, changed: &[&str], documents: &Documents) -> Vec<ListenResponse> {
        if !self.is_touched(changed) {
            return Vec::new();
        }
        if matches!(self.scope, Scope::Query(_)) {
            return self.begin_again(documents, ListenStyle::Resets);
        }
        self.view.clear();
        let mut messages = self.tell_missing(documents);
        messages.extend(self.compare_all(documents));
        messages
    }

    /// What these documents' changes mean for the target.
    pub fn follow(&mut self, changed: &[&str], documents: &Documents) -> Vec<ListenResponse> {
        if !self.is_touched(changed) {
            return Vec::new();
        }
        if matches!(&self.scope, Scope::Query(query) if query.is_limited()) {
            return self.compare_all(documents);
        }
        changed.iter().filter_map(|name| self.covers(name).then(|| self.compare(name, documents)).flatten()).collect()
    }

    fn is_touched(&self, changed: &[&str]) -> bool {
        changed.iter().any(|name| self.covers(name))
    }

    /// How many results the client should know of.
    pub fn filter(&self) -> ListenResponse {
        message::filter(self.id, self.view.len())
    }

    fn covers(&self, name: &str) -> bool {
        match &self.scope {
            Scope::Query(query) => query.covers(name),
            Scope::Documents(names) => names.iter().any(|one| one == name),
        }
    }

    fn results(&self, live: &Live) -> Vec<Arc<Document>> {
        match &self.scope {
            Scope::Query(query) => query.run(live),
            Scope::Documents(names) => names.iter().filter_map(|name| live.get(name).cloned()).collect(),
        }
    }

    /// Documents asked for by name that do not exist; a query has none.
    fn tell_missing(&self, documents: &Documents) -> Vec<ListenResponse> {
        let Scope::Documents(names) = &self.scope else { return Vec::new() };
        let at = documents.version().timestamp();
        let missing = names.iter().filter(|name| documents.get(name).is_none());
        missing.map(|name| message::deleted(self.id, name.clone(), at)).collect()
    }

    fn compare_all(&mut self, documents: &Documents) -> Vec<ListenResponse> {
        let results = self.results(documents.live());
        let names: BTreeSet<String> = results.iter().map(|document| document.name.clone()).collect();
        let gone: Vec<String> = self.view.keys().filter(|name| !names.contains(*name)).cloned().collect();
        let gone: Vec<ListenResponse> = gone.into_iter().filter_map(|name| self.forget(&name, documents)).collect();
        results.iter().filter_map(|document| self.tell(document)).chain(gone).collect()
    }

    /// One document of a target without a limit.
    fn compare(&mut self, name: &str, documents: &Documents) -> Option<ListenResponse> {
        match documents.get(name) {
            Some(document) if self.matches(document) => self.tell(document),
            _ => self.forget(name, documents),
        }
    }

    fn matches(&self, document: &Document) -> bool {
        match &self.scope {
            Scope::Query(query) => query.matches(document),
            Scope::Documents(_) => true,
        }
    }

    fn tell(&mut self, document: &Arc<Document>) -> Option<ListenResponse> {
        let version = Version::of(document);
        let known = self.view.insert(document.name.clone(), version);
        let projected = match &self.scope {
            Scope::Query(query) => query.project(document),
            Scope::Documents(_) => document.as_ref().clone(),
        };
        (known != Some(version)).then(|| message::present(self.id, projected))
    }

    fn forget(&mut self, name: &str, documents: &Documents) -> Option<ListenResponse> {
        let known = self.view.remove(name)?;
        let at = documents.version().timestamp();
        Some(match documents.get(name) {
            None => message::deleted(self.id, name.to_owned(), at),
            Some(document) if Version::of(document) == known => message::pushed_out(self.id, name.to_owned(), at),
            Some(document) => message::changed_away(self.id, document.as_ref().clone()),
        })
    }
}

/// The past that the client knows, if it is still known here.
fn as_known(resume: &ResumeType, documents: &Documents) -> Option<Live> {
    let version = match resume {
        ResumeType::ResumeToken(token) => documents.version_of_token(token)?,
        ResumeType::ReadTime(time) => Version::from_timestamp(time),
    };
    documents.as_of(version)
}

fn view_of(results: &[Arc<Document>]) -> HashMap<String, Version> {
    results.iter().map(|document| (document.name.clone(), Version::of(document))).collect()
}
