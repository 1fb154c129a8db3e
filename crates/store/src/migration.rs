//! Carrying all documents from one store to another, as they are: sealed passwords stay sealed, fields that we do not know
//! come along. Both stores must have the same keys.
//!
//! Nothing at the destination is ever overwritten, and what is there already costs a look: a migration that was stopped is
//! run again, and goes on.

use crate::document::Pages;
use crate::{Adopted, DocumentStore, StoreError, StoredDocument};
use callie_domain::UserId;

/// What became of the documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carried {
    pub written: usize,
    /// They were there already, the same.
    pub same: usize,
    /// Another document of that name is at the destination. It stays.
    pub different: Vec<String>,
    /// Not JSON, not the name of a user, or not for the destination to hold: left behind, with the reason.
    pub left_behind: Vec<(String, String)>,
}

impl Carried {
    pub fn looked_at(&self) -> usize {
        self.written + self.same + self.different.len() + self.left_behind.len()
    }

    /// Whether the destination now has everything.
    pub fn is_whole(&self) -> bool {
        self.different.is_empty() && self.left_behind.is_empty()
    }
}

/// How many documents there are.
pub async fn count(store: &dyn DocumentStore) -> Result<usize, StoreError> {
    let mut pages = Pages::default();
    let mut count = 0;
    while let Some(page) = pages.next(store).await? {
        count += page.len();
    }
    Ok(count)
}

/// Carries every document of `from` to `to`. `progress` is told after
/// each document.
pub async fn carry(
    from: &dyn DocumentStore,
    to: &dyn DocumentStore,
    mut progress: impl FnMut(&Carried) + Send,
) -> Result<Carried, StoreError> {
    let mut carried = Carried::default();
    let mut pages = Pages::default();
    while let Some(page) = pages.next(from).await? {
        for document in page {
            carry_one(document, to, &mut carried).await?;
            progress(&carried);
        }
    }
    Ok(carried)
}

async fn carry_one(document: StoredDocument, to: &dyn DocumentStore, carried: &mut Carried) -> Result<(), StoreError> {
    let StoredDocument { name, body, .. } = document;
    let id = match name.parse::<UserId>() {
        Ok(id) => id,
        Err(fault) => {
            carried.left_behind.push((name, fault.to_string()));
            return Ok(());
        }
    };
    let Some(body) = body else {
        carried.left_behind.push((name, "it is not JSON".to_owned()));
        return Ok(());
    };
    match to.adopt(&id, &body).await {
        Ok(Adopted::Written) => carried.written += 1,
        Ok(Adopted::Same) => carried.same += 1,
        Ok(Adopted::Different) => carried.different.push(name),
        // It would be refused again and again: the others behind it are not to wait for it.
        Err(StoreError::Faulty { fault, .. }) => carried.left_behind.push((name, fault)),
        Err(fault) => return Err(fault),
    }
    Ok(())
}
