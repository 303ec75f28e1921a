//! Signs: the troubles of the server that alerts tell.

use std::{path::PathBuf, pin::Pin, sync::Arc};

use crate::{
    access::Access,
    alerts::{Sign, SignState, Signs},
    backup::Backups,
    config::Config,
    domain::{Millis, access::record::TokenRecord, alerts::Kind, time::DAY},
    handlers::catalog::{Catalog, HandlerState},
    store::{
        Direction, Store, TaskQuery, TaskSort,
        disk::{LEAST_FREE, free_bytes},
    },
};

/// Less free space than this is told before changes are refused, in bytes.
const DISK_LOW: u64 = 4 * LEAST_FREE;
/// A token is told when it ends within so many days, and again at each smaller number.
const DAYS_LEFT: [Millis; 3] = [30, 10, 1];

/// The parts of the server that are looked at.
pub(super) struct Troubles {
    store: Arc<dyn Store>,
    store_path: PathBuf,
    backups: Arc<Backups>,
    access: Arc<Access>,
    catalog: Catalog,
}

impl Signs for Troubles {
    fn look<'a>(
        &'a self,
        heard: &'a [Kind],
        now: Millis,
    ) -> Pin<Box<dyn Future<Output = Vec<Sign>> + Send + 'a>> {
        Box::pin(async move {
            let mut signs = Vec::new();
            match free_bytes(&self.store_path) {
                Some(free) if free < DISK_LOW => {
                    let text = format!(
                        "The disk is nearly full: {} MiB are free at {}",
                        free >> 20,
                        self.store_path.display()
                    );
                    signs.push(Sign::of_server(Kind::DiskLow, text));
                }
                Some(_) => {}
                None => signs.push(Sign::unknown(Kind::DiskLow, String::new())),
            }
            if let Some(error) = self.backups.state().error {
                let text = format!("The backup has failed: {error}");
                signs.push(Sign::of_server(Kind::BackupFailed, text));
            }
            signs.extend(self.access.tokens().await.iter().filter_map(|token| end_of(token, now)));
            if heard.contains(&Kind::HandlerBroken) {
                signs.extend(self.broken_handlers().await);
            }
            signs
        })
    }
}

impl Troubles {
    /// Looks at these parts.
    pub(super) fn new(
        config: &Config,
        store: &Arc<dyn Store>,
        backups: &Arc<Backups>,
        access: &Arc<Access>,
        catalog: &Catalog,
    ) -> Arc<Self> {
        Arc::new(Self {
            store: store.clone(),
            store_path: super::store::disk(config).to_owned(),
            backups: backups.clone(),
            access: access.clone(),
            catalog: catalog.clone(),
        })
    }

    /// The handlers that do not load, and that tasks use; those too of which it is not known.
    async fn broken_handlers(&self) -> Vec<Sign> {
        let unknown = |name| Sign::unknown(Kind::HandlerBroken, name);
        let mut signs = Vec::new();
        for HandlerState { file, error, checking, broke_off } in self.catalog.list().await {
            if checking || broke_off {
                signs.push(unknown(file.name));
                continue;
            }
            let Some(error) = error else { continue };
            let tasks = match self.store.tasks(of_handler(&file.name)).await {
                Ok(page) => page.total,
                Err(error) => {
                    tracing::warn!(%error, "the tasks of a handler that does not load cannot be counted");
                    signs.push(unknown(file.name));
                    continue;
                }
            };
            if tasks > 0 {
                let why = error.lines().next().unwrap_or_default();
                let use_it =
                    if tasks == 1 { "a task uses it".to_owned() } else { format!("{tasks} tasks use it") };
                let text = format!("The handler {} does not load, and {use_it}: {why}", file.name);
                let state = SignState::There { level: 0, text };
                signs.push(Sign { kind: Kind::HandlerBroken, about: file.name, state });
            }
        }
        signs
    }
}

/// The sign of a token that ends soon.
fn end_of(token: &TokenRecord, now: Millis) -> Option<Sign> {
    let left = token.expires_at.map(|end| end - now).filter(|left| *left > 0)?;
    let level = DAYS_LEFT.iter().filter(|days| left <= **days * DAY).count();
    let level = u32::try_from(level).ok().filter(|level| *level > 0)?;
    let text = match (left + DAY / 2) / DAY {
        _ if left < DAY => format!("The token {} ends in {} hours", token.name, left / 3_600_000),
        1 => format!("The token {} ends in a day", token.name),
        days => format!("The token {} ends in {days} days", token.name),
    };
    let state = SignState::There { level, text };
    Some(Sign { kind: Kind::TokenExpiring, about: token.id.to_string(), state })
}

/// A query that counts the tasks of a handler.
fn of_handler(name: &str) -> TaskQuery {
    TaskQuery {
        status: None,
        handler: Some(name.to_owned()),
        tag: None,
        bound: None,
        name: None,
        after: None,
        sort: TaskSort::NextRun,
        direction: Direction::Ascending,
        skip: 0,
        limit: 1,
        newest: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::{Role, record::TokenHash};

    #[test]
    fn a_token_is_told_at_thirty_ten_and_one_days() {
        let token = |expires_at| TokenRecord {
            id: crate::domain::ids::TokenId::from_bytes([1; 16]),
            name: "ci".to_owned(),
            role: Role::Viewer,
            handlers: None,
            hash: TokenHash([1; 32]),
            previous: None,
            created_at: 0,
            created_by: "config".to_owned(),
            expires_at,
            rotated_at: None,
            last_used_at: None,
            last_address: None,
        };
        let told = |left: Millis| end_of(&token(Some(1000 + left)), 1000).map(|sign| sign.state);
        for (left, sign) in [
            (31 * DAY, None),
            (30 * DAY, Some((1, "The token ci ends in 30 days"))),
            (10 * DAY, Some((2, "The token ci ends in 10 days"))),
            (DAY, Some((3, "The token ci ends in a day"))),
            (DAY / 2, Some((3, "The token ci ends in 12 hours"))),
            (0, None),
        ] {
            let state = |(level, text): (u32, &str)| SignState::There { level, text: text.to_owned() };
            assert_eq!(told(left), sign.map(state), "{left}");
        }
        assert_eq!(end_of(&token(None), 0), None);
    }
}
