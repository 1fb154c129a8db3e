//! The keys of recordings. Wrapping and unwrapping for writing happen on the writer's thread, so that a user's key is made once
//! and destroyed between two others' uses of it.

use super::SqliteStore;
use super::fault::Fault;
use crate::StoreError;
use crate::seal::{AtRest, Keyring, SealError, classify};
use crate::vault::key::TenantKey;
use crate::vault::{DataKey, Destroyed, NewRecording, VaultStore};
use async_trait::async_trait;
use callie_domain::{CallId, UserId};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::BTreeMap;

#[async_trait]
impl VaultStore for SqliteStore {
    async fn put_recording_key(&self, recording: NewRecording) -> Result<(), StoreError> {
        self.write(move |writer| {
            let tx = writer.conn.transaction()?;
            put(&tx, &writer.keyring, &recording)?;
            Ok(tx.commit()?)
        })
        .await
    }

    async fn recording_key(&self, call: CallId) -> Result<Option<DataKey>, StoreError> {
        let keyring = self.shared.keyring.clone();
        self.read(move |conn| {
            let sql = "SELECT r.user_id, r.key_id, r.wrapped, t.key_id, t.sealed
                       FROM recording_keys r JOIN tenant_keys t USING (user_id) WHERE call_id = ?1";
            let row = conn.prepare_cached(sql)?.query_row([call.to_string()], |row| {
                let [user, wrapped_by, key_id, sealed] = [row.get(0)?, row.get(1)?, row.get(3)?, row.get::<_, String>(4)?];
                Ok((user, wrapped_by, row.get::<_, Vec<u8>>(2)?, key_id, sealed))
            });
            let Some((user, wrapped_by, wrapped, key_id, sealed)) = row.optional()? else { return Ok(None) };
            // Wrapped by a key that was destroyed, of a database that was put together from two.
            if wrapped_by != key_id {
                return Ok(None);
            }
            let unreadable = |fault: SealError| unreadable(call, &fault);
            let tenant = TenantKey::open(&keyring, &id_of(&user)?, &key_id, &sealed).map_err(unreadable)?;
            Ok(Some(tenant.unwrap(call, &wrapped).map_err(unreadable)?))
        })
        .await
    }

    async fn rename_recording(&self, call: CallId, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.write(move |writer| {
            let tx = writer.conn.transaction()?;
            let sql =
                "UPDATE calls SET cdr = json_set(cdr, '$.recording', ?2) WHERE id = ?1 AND cdr ->> '$.recording' IS NOT NULL";
            let renamed = tx.execute(sql, params![call.to_string(), name])? > 0;
            if !renamed {
                forget(&tx, call)?;
            }
            tx.commit()?;
            Ok(renamed)
        })
        .await
    }

    async fn tenant_key_id(&self, user: &UserId) -> Result<Option<String>, StoreError> {
        let user = user.to_string();
        self.read(move |conn| {
            let mut query = conn.prepare_cached("SELECT key_id FROM tenant_keys WHERE user_id = ?1")?;
            Ok(query.query_row([user], |row| row.get(0)).optional()?)
        })
        .await
    }

    async fn destroy_recording_keys(&self, calls: &[CallId]) -> Result<u64, StoreError> {
        let calls = calls.to_vec();
        self.write(move |writer| {
            let tx = writer.conn.transaction()?;
            let mut destroyed = 0;
            for call in calls {
                destroyed += forget(&tx, call)?;
            }
            tx.commit()?;
            Ok(destroyed)
        })
        .await
    }

    async fn destroy_tenant_key(&self, user: &UserId) -> Result<Option<Destroyed>, StoreError> {
        let user = user.clone();
        self.write(move |writer| {
            let tx = writer.conn.transaction()?;
            let destroyed = destroy(&tx, &writer.keyring, &user)?;
            tx.commit()?;
            Ok(destroyed)
        })
        .await
    }

    async fn delete_later(&self, names: &[String]) -> Result<(), StoreError> {
        let (names, now) = (names.to_vec(), Timestamp::now().as_millisecond());
        self.write(move |writer| {
            let tx = writer.conn.transaction()?;
            for name in names {
                let sql = "INSERT INTO recordings_to_delete (name, asked_ms) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
                tx.execute(sql, params![name, now])?;
            }
            Ok(tx.commit()?)
        })
        .await
    }

    async fn deletions(&self) -> Result<Vec<String>, StoreError> {
        self.read(|conn| {
            let mut query = conn.prepare_cached("SELECT name FROM recordings_to_delete ORDER BY asked_ms, name LIMIT 1000")?;
            Ok(query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn deleted(&self, name: &str) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.write(move |writer| {
            writer.conn.execute("DELETE FROM recordings_to_delete WHERE name = ?1", [name])?;
            Ok(())
        })
        .await
    }

    async fn tenant_keys_by_kid(&self) -> Result<BTreeMap<String, usize>, StoreError> {
        self.read(|conn| {
            let mut census = BTreeMap::new();
            for (_, _, sealed) in rows(conn)? {
                if let AtRest::Sealed { kid: Some(kid) } = classify(&sealed) {
                    *census.entry(kid.to_owned()).or_default() += 1;
                }
            }
            Ok(census)
        })
        .await
    }

    async fn reseal_tenant_keys(&self) -> Result<(usize, Vec<(String, String)>), StoreError> {
        self.write(|writer| {
            let tx = writer.conn.transaction()?;
            let (mut resealed, mut unopened) = (0, Vec::new());
            for (user, key_id, sealed) in rows(&tx)?.into_iter().filter(|(.., sealed)| !writer.keyring.is_current(sealed)) {
                let id = id_of(&user)?;
                match TenantKey::open(&writer.keyring, &id, &key_id, &sealed).and_then(|key| key.seal(&writer.keyring, &id)) {
                    Ok(anew) => {
                        tx.execute("UPDATE tenant_keys SET sealed = ?2 WHERE user_id = ?1", params![user, anew])?;
                        resealed += 1;
                    }
                    Err(fault) => unopened.push((user, fault.to_string())),
                }
            }
            tx.commit()?;
            Ok((resealed, unopened))
        })
        .await
    }
}

/// Wraps the key of a recording and keeps it.
pub(super) fn put(conn: &Connection, keyring: &Keyring, recording: &NewRecording) -> Result<(), Fault> {
    let NewRecording { call, user, key } = recording;
    let tenant = match tenant(conn, keyring, user)? {
        Some(tenant) => tenant,
        None => make(conn, keyring, user)?,
    };
    keep(conn, user, &tenant, *call, key)
}

/// Destroys the key of a recording; gives how many that were.
pub(super) fn forget(conn: &Connection, call: CallId) -> Result<u64, Fault> {
    let gone = conn.prepare_cached("DELETE FROM recording_keys WHERE call_id = ?1")?.execute([call.to_string()])?;
    Ok(gone as u64)
}

fn keep(conn: &Connection, user: &UserId, tenant: &TenantKey, call: CallId, key: &DataKey) -> Result<(), Fault> {
    let wrapped = tenant.wrap(call, key).map_err(|fault| unreadable(call, &fault))?;
    let sql = "INSERT INTO recording_keys (call_id, user_id, key_id, wrapped) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (call_id) DO UPDATE SET key_id = excluded.key_id, wrapped = excluded.wrapped";
    conn.prepare_cached(sql)?.execute(params![call.to_string(), user.as_str(), tenant.id, wrapped])?;
    Ok(())
}

fn tenant(conn: &Connection, keyring: &Keyring, user: &UserId) -> Result<Option<TenantKey>, Fault> {
    let mut query = conn.prepare_cached("SELECT key_id, sealed FROM tenant_keys WHERE user_id = ?1")?;
    let row = query.query_row([user.as_str()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).optional()?;
    let Some((key_id, sealed)) = row else { return Ok(None) };
    TenantKey::open(keyring, user, &key_id, &sealed).map(Some).map_err(|fault| tenant_fault(user, &fault))
}

fn make(conn: &Connection, keyring: &Keyring, user: &UserId) -> Result<TenantKey, Fault> {
    let tenant = TenantKey::draw().map_err(|fault| tenant_fault(user, &fault))?;
    let sealed = tenant.seal(keyring, user).map_err(|fault| tenant_fault(user, &fault))?;
    let sql = "INSERT INTO tenant_keys (user_id, key_id, sealed, made_ms) VALUES (?1, ?2, ?3, ?4)";
    conn.execute(sql, params![user.as_str(), tenant.id, sealed, Timestamp::now().as_millisecond()])?;
    Ok(tenant)
}

fn destroy(conn: &Connection, keyring: &Keyring, user: &UserId) -> Result<Option<Destroyed>, Fault> {
    let sql = "SELECT key_id FROM tenant_keys WHERE user_id = ?1";
    let Some(key_id) = conn.query_row(sql, [user.as_str()], |row| row.get::<_, String>(0)).optional()? else {
        return Ok(None);
    };
    let going_on = going_on(conn, user)?;
    // A key that does not open any more is destroyed all the same; calls that are up then end without a recording to hear.
    let kept: Vec<(CallId, DataKey)> = match tenant(conn, keyring, user) {
        Ok(Some(tenant)) => {
            going_on.iter().filter_map(|(call, wrapped)| Some((*call, tenant.unwrap(*call, wrapped).ok()?))).collect()
        }
        _ => Vec::new(),
    };
    let wrapped = conn.execute("DELETE FROM recording_keys WHERE user_id = ?1", [user.as_str()])? as u64;
    conn.execute("DELETE FROM tenant_keys WHERE user_id = ?1", [user.as_str()])?;
    if !kept.is_empty() {
        let anew = make(conn, keyring, user)?;
        for (call, key) in &kept {
            keep(conn, user, &anew, *call, key)?;
        }
    }
    Ok(Some(Destroyed { key_id, recordings: wrapped - kept.len() as u64 }))
}

/// The recordings of calls that are up.
fn going_on(conn: &Connection, user: &UserId) -> Result<Vec<(CallId, Vec<u8>)>, Fault> {
    let sql = "SELECT call_id, wrapped FROM recording_keys r
               WHERE user_id = ?1 AND EXISTS (SELECT 1 FROM calls WHERE id = r.call_id AND ended_ms IS NULL)";
    let mut query = conn.prepare(sql)?;
    let rows = query.query_map([user.as_str()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    let mut found = Vec::new();
    for row in rows {
        let (call, wrapped) = row?;
        found.extend(call.parse().ok().map(|call| (call, wrapped)));
    }
    Ok(found)
}

fn rows(conn: &Connection) -> Result<Vec<(String, String, String)>, Fault> {
    let mut query = conn.prepare("SELECT user_id, key_id, sealed FROM tenant_keys ORDER BY user_id")?;
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn id_of(user: &str) -> Result<UserId, Fault> {
    user.parse().map_err(|_| Fault::Store(StoreError::Unavailable(format!("{user:?} is no name of a user"))))
}

fn unreadable(call: CallId, fault: &SealError) -> Fault {
    Fault::Store(StoreError::Setup(format!("the key of the recording of call {call} does not open: {fault}")))
}

fn tenant_fault(user: &UserId, fault: &SealError) -> Fault {
    Fault::Store(StoreError::Setup(format!("the key of the recordings of user {user} does not open: {fault}")))
}
