//! API keys and sessions.

use super::SqliteStore;
use super::fault::Fault;
use crate::StoreError;
use crate::access::{AccessStore, Digest};
use async_trait::async_trait;
use callie_domain::{ApiKey, Role, Session};
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};

const KEY: &str = "id, name, role, user_id, created_ms, created_by, expires_ms, last_used_ms, revoked_ms, digest";

#[async_trait]
impl AccessStore for SqliteStore {
    async fn add_key(&self, key: &ApiKey, digest: Digest) -> Result<(), StoreError> {
        let key = key.clone();
        self.write(move |writer| {
            let sql = format!("INSERT INTO api_keys ({KEY}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)");
            let user = key.role.user().map(|user| user.as_str());
            let ms = |at: Option<Timestamp>| at.map(Timestamp::as_millisecond);
            let created = key.created_at.as_millisecond();
            let (expires, used, revoked) = (ms(key.expires_at), ms(key.last_used_at), ms(key.revoked_at));
            let row = params![key.id, key.name, key.role.word(), user, created, key.created_by, expires, used, revoked, digest];
            writer.conn.execute(&sql, row)?;
            Ok(())
        })
        .await
    }

    async fn key(&self, id: &str) -> Result<Option<(ApiKey, Digest)>, StoreError> {
        let id = id.to_owned();
        self.read(move |conn| {
            let mut query = conn.prepare_cached(&format!("SELECT {KEY} FROM api_keys WHERE id = ?1"))?;
            let read = |row: &Row<'_>| Ok((key(row), row.get("digest")?));
            let found = query.query_row([id], read).optional()?;
            found.map(|(key, digest)| Ok((key?, digest))).transpose()
        })
        .await
    }

    async fn keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        self.read(|conn| {
            let mut query = conn.prepare_cached(&format!("SELECT {KEY} FROM api_keys ORDER BY created_ms DESC, id"))?;
            let rows = query.query_map([], |row| Ok(key(row)))?;
            rows.map(|row| row?).collect()
        })
        .await
    }

    async fn has_keys(&self) -> Result<bool, StoreError> {
        self.read(|conn| {
            let mut query = conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM api_keys WHERE revoked_ms IS NULL)")?;
            Ok(query.query_row([], |row| row.get(0))?)
        })
        .await
    }

    async fn revoke_key(&self, id: &str, at: Timestamp) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.write(move |writer| {
            let tx = writer.conn.transaction()?;
            let sql = "UPDATE api_keys SET revoked_ms = ?2 WHERE id = ?1 AND revoked_ms IS NULL";
            let revoked = tx.execute(sql, params![id, at.as_millisecond()])?;
            tx.execute("DELETE FROM sessions WHERE key_id = ?1", [&id])?;
            tx.commit()?;
            Ok(revoked > 0)
        })
        .await
    }

    async fn key_used(&self, id: &str, at: Timestamp) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.write(move |writer| {
            let sql = "UPDATE api_keys SET last_used_ms = ?2 WHERE id = ?1";
            writer.conn.execute(sql, params![id, at.as_millisecond()])?;
            Ok(())
        })
        .await
    }

    async fn add_session(&self, digest: Digest, session: &Session) -> Result<(), StoreError> {
        let session = session.clone();
        self.write(move |writer| {
            let sql = "INSERT INTO sessions (digest, name, role, user_id, key_id, created_ms, last_used_ms)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let user = session.role.user().map(|user| user.as_str());
            let (created, used) = (session.created_at.as_millisecond(), session.last_used_at.as_millisecond());
            let row = params![digest, session.name, session.role.word(), user, session.key, created, used];
            writer.conn.execute(sql, row)?;
            Ok(())
        })
        .await
    }

    async fn session(&self, digest: Digest) -> Result<Option<Session>, StoreError> {
        self.read(move |conn| {
            let sql = "SELECT name, role, user_id, key_id, created_ms, last_used_ms FROM sessions WHERE digest = ?1";
            let mut query = conn.prepare_cached(sql)?;
            let read = |row: &Row<'_>| {
                Ok(role(row).and_then(|role| {
                    Ok(Session {
                        name: row.get("name")?,
                        role,
                        key: row.get("key_id")?,
                        created_at: at(row.get("created_ms")?)?,
                        last_used_at: at(row.get("last_used_ms")?)?,
                    })
                }))
            };
            query.query_row([digest], read).optional()?.transpose()
        })
        .await
    }

    async fn session_used(&self, digest: Digest, at: Timestamp) -> Result<(), StoreError> {
        self.write(move |writer| {
            let sql = "UPDATE sessions SET last_used_ms = ?2 WHERE digest = ?1";
            writer.conn.execute(sql, params![digest, at.as_millisecond()])?;
            Ok(())
        })
        .await
    }

    async fn end_session(&self, digest: Digest) -> Result<(), StoreError> {
        self.write(move |writer| {
            writer.conn.execute("DELETE FROM sessions WHERE digest = ?1", [digest])?;
            Ok(())
        })
        .await
    }

    async fn forget_sessions(&self, before: Timestamp) -> Result<(), StoreError> {
        self.write(move |writer| {
            writer.conn.execute("DELETE FROM sessions WHERE created_ms < ?1", [before.as_millisecond()])?;
            Ok(())
        })
        .await
    }
}

fn key(row: &Row<'_>) -> Result<ApiKey, Fault> {
    let time = |column: &str| row.get::<_, Option<i64>>(column)?.map(at).transpose();
    Ok(ApiKey {
        id: row.get("id")?,
        name: row.get("name")?,
        role: role(row)?,
        created_at: at(row.get("created_ms")?)?,
        created_by: row.get("created_by")?,
        expires_at: time("expires_ms")?,
        last_used_at: time("last_used_ms")?,
        revoked_at: time("revoked_ms")?,
    })
}

/// Nobody is let in as something that cannot be read.
fn role(row: &Row<'_>) -> Result<Role, Fault> {
    let unreadable = |what: &str| Fault::Store(StoreError::Unavailable(format!("the role of a key or session {what}")));
    let user = row.get::<_, Option<String>>("user_id")?.map(|id| id.parse());
    let user = user.transpose().map_err(|_| unreadable("names no user"))?;
    Role::read(&row.get::<_, String>("role")?, user).map_err(|fault| unreadable(&fault.to_string()))
}

fn at(ms: i64) -> Result<Timestamp, Fault> {
    Timestamp::from_millisecond(ms).map_err(|e| Fault::Store(StoreError::Unavailable(format!("a time in the database: {e}"))))
}
