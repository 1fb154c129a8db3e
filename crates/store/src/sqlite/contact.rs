//! Contacts: one row for each user who has some.

use super::SqliteStore;
use super::fault::Fault;
use crate::{ContactStore, StoreError};
use async_trait::async_trait;
use callie_domain::{Contact, UserId};
use rusqlite::OptionalExtension as _;

#[async_trait]
impl ContactStore for SqliteStore {
    async fn contacts(&self, user: &UserId) -> Result<Vec<Contact>, StoreError> {
        let user = user.to_string();
        self.read(move |conn| {
            let mut query = conn.prepare_cached("SELECT contacts FROM contacts WHERE user_id = ?1")?;
            let list = query.query_row([&user], |row| row.get::<_, String>(0)).optional()?;
            let read = |list: String| serde_json::from_str(&list).map_err(|fault| unreadable(&user, &fault));
            list.map_or_else(|| Ok(Vec::new()), read)
        })
        .await
    }

    async fn owners(&self) -> Result<Vec<UserId>, StoreError> {
        self.read(|conn| {
            let mut query = conn.prepare_cached("SELECT user_id FROM contacts")?;
            let names = query.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
            // A name that cannot be read is nobody's.
            Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
        })
        .await
    }

    async fn put_contacts(&self, user: &UserId, contacts: Vec<Contact>) -> Result<(), StoreError> {
        let user = user.to_string();
        self.write(move |writer| {
            if contacts.is_empty() {
                writer.conn.execute("DELETE FROM contacts WHERE user_id = ?1", [&user])?;
                return Ok(());
            }
            let list = serde_json::to_string(&contacts).map_err(|fault| unreadable(&user, &fault))?;
            let sql = "INSERT INTO contacts (user_id, contacts) VALUES (?1, ?2)
                       ON CONFLICT (user_id) DO UPDATE SET contacts = excluded.contacts";
            writer.conn.execute(sql, (&user, list))?;
            Ok(())
        })
        .await
    }
}

fn unreadable(user: &str, fault: &serde_json::Error) -> Fault {
    Fault::Store(StoreError::Unavailable(format!("the contacts of {user} cannot be read: {fault}")))
}
