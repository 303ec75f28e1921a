//! Tokens: make, rotate, take back.

use super::{Access, CONFIG, Identity};
use crate::{
    clock::random_bytes,
    domain::{
        Millis,
        access::{
            Grant, Role,
            pattern::Pattern,
            record::{TokenHash, TokenRecord},
            secret::token_of,
        },
        ids::TokenId,
        lock::lock,
    },
    store::{AccessChange, Audit, StoreError},
};

/// The most tokens.
const MOST_TOKENS: usize = 1000;
/// The longest name of a token, in characters.
const LONGEST_NAME: usize = 50;

/// A token that is asked for.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// The name.
    pub name: String,
    /// The role.
    pub role: Role,
    /// The handlers whose tasks it sees; `None`: all.
    pub handlers: Option<Vec<Pattern>>,
    /// When it ends; `None`: as late as the configuration lets it.
    pub expires_at: Option<Millis>,
}

/// Why a change of tokens is refused.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// A field of a new token is wrong.
    #[error("{0} {1}")]
    Invalid(&'static str, String),
    /// Another token has the name.
    #[error("Token with name \"{0}\" already exists")]
    NameTaken(String),
    /// There is no such token.
    #[error("Token not found")]
    NotFound,
    /// There are [`MOST_TOKENS`].
    #[error("there are {MOST_TOKENS} tokens, the most that may be: delete some first")]
    TooMany,
    /// The new token would have more rights than the one that asks for it.
    #[error("a token may not make one with more rights than its own")]
    Above,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Access {
    /// All tokens, in the order in which they were made.
    pub async fn tokens(&self) -> Vec<TokenRecord> {
        self.follow(0).await;
        lock(&self.state).tokens.values().cloned().collect()
    }

    /// Makes a token: its text, which is not kept, and its record. `audit` makes the audit record.
    ///
    /// # Errors
    /// A wrong field, a name that is taken, rights above those of `maker`, a failure of the store.
    pub async fn make_token(
        &self,
        wanted: NewToken,
        maker: &Identity,
        audit: impl FnOnce(&TokenRecord) -> Option<Audit>,
    ) -> Result<(String, TokenRecord), TokenError> {
        let _changing = self.changing.lock().await;
        self.follow(0).await;
        let now = self.clock.now();
        let NewToken { name, role, handlers, expires_at } = wanted;
        check_name(&name)?;
        let expires_at = self.check_end(expires_at, now)?;
        if !maker.grant.includes(&Grant { role, handlers: handlers.clone() }) {
            return Err(TokenError::Above);
        }
        {
            let state = lock(&self.state);
            if state.tokens.values().any(|token| token.name == name) {
                return Err(TokenError::NameTaken(name));
            }
            if state.tokens.len() >= MOST_TOKENS {
                return Err(TokenError::TooMany);
            }
        }
        let text = new_text();
        let token = TokenRecord {
            id: self.ids.token(now),
            name,
            role,
            handlers,
            hash: TokenHash::of(text.as_bytes()),
            previous: None,
            created_at: now,
            created_by: maker.name.clone(),
            expires_at,
            rotated_at: None,
            last_used_at: None,
            last_address: None,
        };
        match self.write_token(&token, audit(&token)).await {
            // Another node was faster.
            Err(StoreError::TokenNameTaken(name)) => Err(TokenError::NameTaken(name)),
            written => Ok(written.map(|()| (text, token))?),
        }
    }

    /// Gives a token a new text; the one of before works for `overlap` milliseconds more.
    ///
    /// # Errors
    /// There is no such token, or the store fails.
    pub async fn rotate_token(
        &self,
        id: TokenId,
        overlap: Millis,
        audit: impl FnOnce(&TokenRecord) -> Option<Audit>,
    ) -> Result<(String, TokenRecord), TokenError> {
        let _changing = self.changing.lock().await;
        self.follow(0).await;
        let token = lock(&self.state).tokens.get(&id).cloned().ok_or(TokenError::NotFound)?;
        let text = new_text();
        let token = token.rotate(TokenHash::of(text.as_bytes()), self.clock.now(), overlap);
        self.write_token(&token, audit(&token)).await?;
        Ok((text, token))
    }

    /// Takes a token back, with its sessions.
    ///
    /// # Errors
    /// There is no such token, or the store fails.
    pub async fn remove_token(
        &self,
        id: TokenId,
        audit: impl FnOnce(&TokenRecord) -> Option<Audit>,
    ) -> Result<TokenRecord, TokenError> {
        let _changing = self.changing.lock().await;
        self.follow(0).await;
        let token = lock(&self.state).tokens.get(&id).cloned().ok_or(TokenError::NotFound)?;
        let sessions: Vec<_> = {
            let state = lock(&self.state);
            let its = |hash| state.by_hash.get(hash) == Some(&id);
            state
                .sessions
                .values()
                .filter(|session| its(&session.token))
                .map(|session| session.hash)
                .collect()
        };
        let ended = sessions.iter().map(|hash| AccessChange::RemoveSession(*hash));
        let changes = [AccessChange::RemoveToken(id)].into_iter().chain(ended).collect();
        self.store.change_access(changes, audit(&token)).await?;
        let mut state = lock(&self.state);
        state.remove(id);
        state.sessions.retain(|hash, _| !sessions.contains(hash));
        Ok(token)
    }

    async fn write_token(&self, token: &TokenRecord, audit: Option<Audit>) -> Result<(), StoreError> {
        let put = AccessChange::PutToken(Box::new(token.clone()));
        self.store.change_access(vec![put], audit).await?;
        lock(&self.state).put(token.clone());
        Ok(())
    }

    /// When a new token ends.
    fn check_end(&self, wanted: Option<Millis>, now: Millis) -> Result<Option<Millis>, TokenError> {
        let latest = self.longest.map(|longest| now.saturating_add(longest));
        match (wanted, latest) {
            (Some(end), _) if end <= now => {
                Err(TokenError::Invalid("expiresAt", "must be a time to come".to_owned()))
            }
            (Some(end), Some(latest)) if end > latest => {
                let problem = format!("must not be later than {latest}: tokens.maxAge is set");
                Err(TokenError::Invalid("expiresAt", problem))
            }
            (wanted, latest) => Ok(wanted.or(latest)),
        }
    }
}

fn check_name(name: &str) -> Result<(), TokenError> {
    let fits = (1..=LONGEST_NAME).contains(&name.chars().count());
    if !fits || name.trim() != name || name.chars().any(char::is_control) {
        let problem = format!(
            "must have 1 to {LONGEST_NAME} characters, no line break, and no blank at its start or end"
        );
        return Err(TokenError::Invalid("name", problem));
    }
    if name == CONFIG {
        let problem = format!("must not be \"{CONFIG}\": the token of the configuration has that name");
        return Err(TokenError::Invalid("name", problem));
    }
    Ok(())
}

fn new_text() -> String {
    token_of([u128::from_be_bytes(random_bytes()), u128::from_be_bytes(random_bytes())])
}
