//! Versions of the users' documents in SQLite.

use super::fault::Fault;
use super::{SqliteStore, Writer};
use crate::version::{MOST_VERSIONS, Version, VersionStore};
use crate::{Revision, StoreError};
use async_trait::async_trait;
use callie_domain::UserId;
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};
use std::collections::BTreeSet;

#[async_trait]
impl VersionStore for SqliteStore {
    async fn keep_versions(&self, versions: Vec<(UserId, Version)>) -> Result<(), StoreError> {
        self.write(move |writer| writer.keep_versions(&versions)).await
    }

    async fn forget_versions_except(&self, users: &[UserId]) -> Result<usize, StoreError> {
        let users = serde_json::to_string(users).unwrap_or_else(|_| "[]".to_owned());
        self.write(move |writer| {
            let sql = "DELETE FROM user_versions WHERE user_id NOT IN (SELECT value FROM json_each(?1))";
            Ok(writer.conn.prepare_cached(sql)?.execute([users])?)
        })
        .await
    }

    async fn versions(&self, user: &UserId, before: Option<Revision>, limit: u32) -> Result<Vec<Version>, StoreError> {
        let user = user.to_string();
        self.read(move |conn| {
            let sql = "SELECT version, seen_ms, document FROM user_versions
                WHERE user_id = ?1 AND (?2 IS NULL OR version < ?2) ORDER BY version DESC LIMIT ?3";
            let mut query = conn.prepare_cached(sql)?;
            let rows = query.query_map(params![user, before.map(number), limit], version)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn version(&self, user: &UserId, wanted: Revision) -> Result<Option<Version>, StoreError> {
        let user = user.to_string();
        self.read(move |conn| {
            let sql = "SELECT version, seen_ms, document FROM user_versions WHERE user_id = ?1 AND version = ?2";
            Ok(conn.prepare_cached(sql)?.query_row(params![user, number(wanted)], version).optional()?)
        })
        .await
    }
}

impl Writer {
    fn keep_versions(&mut self, versions: &[(UserId, Version)]) -> Result<(), Fault> {
        let tx = self.conn.transaction()?;
        for (user, version) in versions {
            let sql =
                "INSERT INTO user_versions (user_id, version, seen_ms, document) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
            let seen = version.seen_at.as_millisecond();
            tx.prepare_cached(sql)?.execute(params![
                user.as_str(),
                number(version.version),
                seen,
                version.document.to_string()
            ])?;
        }
        let users: BTreeSet<&UserId> = versions.iter().map(|(user, _)| user).collect();
        for user in users {
            let sql = "DELETE FROM user_versions WHERE user_id = ?1 AND version <
                (SELECT version FROM user_versions WHERE user_id = ?1 ORDER BY version DESC LIMIT 1 OFFSET ?2)";
            tx.prepare_cached(sql)?.execute(params![user.as_str(), MOST_VERSIONS - 1])?;
        }
        tx.commit()?;
        Ok(())
    }
}

/// SQLite's integers have a sign; no revision is as large.
fn number(revision: Revision) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}

fn version(row: &Row<'_>) -> rusqlite::Result<Version> {
    let document: String = row.get(2)?;
    Ok(Version {
        version: u64::try_from(row.get::<_, i64>(0)?).unwrap_or_default(),
        seen_at: Timestamp::from_millisecond(row.get(1)?).unwrap_or(Timestamp::UNIX_EPOCH),
        document: serde_json::from_str(&document).unwrap_or_default(),
    })
}
