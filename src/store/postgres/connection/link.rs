//! One connection: its statements, prepared once, and requests that are sent together.

use std::{
    borrow::Cow,
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
};

use tokio_postgres::{Client, Error, Row, Statement, types::ToSql};

use super::{Arg, Dialect, Settings, pipeline::in_order};
use crate::domain::lock::lock;

/// The most statements that a connection keeps prepared: lists have many forms.
const MOST_PREPARED: usize = 400;

/// A statement with its parameters.
#[derive(Clone)]
pub(crate) struct Query {
    text: Cow<'static, str>,
    args: Vec<Arg>,
}

/// Makes a query; `#` in the text stands for the schema.
pub(crate) fn query(text: impl Into<Cow<'static, str>>, args: Vec<Arg>) -> Query {
    Query { text: text.into(), args }
}

#[cfg(test)]
impl Query {
    /// Asks for the plan of the query.
    pub(crate) fn explained(self) -> Self {
        Self { text: format!("EXPLAIN {}", self.text).into(), args: self.args }
    }
}

/// A connection to the server, for any number of requests at a time.
pub(crate) struct Connection {
    client: Client,
    settings: Arc<Settings>,
    prepared: Mutex<HashMap<String, Statement>>,
}

/// A statement in the form in which it is sent.
enum Form {
    Prepared(Statement),
    Text(String),
}

/// Queries whose statements are prepared.
pub(crate) struct Ready {
    forms: Vec<Form>,
    queries: Vec<Query>,
}

type Sent<'a> = Pin<Box<dyn Future<Output = Result<Vec<Row>, Error>> + Send + 'a>>;

impl Connection {
    pub(super) fn new(client: Client, settings: Arc<Settings>) -> Self {
        Self { client, settings, prepared: Mutex::default() }
    }

    /// Whether the connection has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// The statements that the server understands.
    pub(crate) fn dialect(&self) -> &'static Dialect {
        self.settings.dialect
    }

    /// Puts a text into the server's dialect, and the schema into it.
    pub(crate) fn qualify(&self, text: &str) -> String {
        self.dialect().speak(text).replace('#', &format!("{}.", self.settings.quoted_schema()))
    }

    async fn form(&self, query: &Query) -> Result<Form, Error> {
        if self.settings.pooler {
            return Ok(Form::Text(self.qualify(&query.text)));
        }
        if let Some(statement) = lock(&self.prepared).get(&*query.text) {
            return Ok(Form::Prepared(statement.clone()));
        }
        let types: Vec<_> = query.args.iter().map(Arg::kind).collect();
        let statement = self.client.prepare_typed(&self.qualify(&query.text), &types).await?;
        let mut prepared = lock(&self.prepared);
        if prepared.len() >= MOST_PREPARED {
            prepared.clear();
        }
        prepared.insert(query.text.clone().into_owned(), statement.clone());
        Ok(Form::Prepared(statement))
    }

    fn send_one<'a>(&'a self, form: Form, args: &'a [Arg]) -> Sent<'a> {
        Box::pin(async move {
            match form {
                Form::Prepared(statement) => {
                    let args: Vec<&(dyn ToSql + Sync)> = args.iter().map(|arg| arg as _).collect();
                    self.client.query(&statement, &args).await
                }
                Form::Text(text) => {
                    let args: Vec<_> = args.iter().map(|arg| (arg as _, arg.kind())).collect();
                    self.client.query_typed(&text, &args).await
                }
            }
        })
    }

    /// Asks one query.
    pub(crate) async fn rows(&self, query: Query) -> Result<Vec<Row>, Error> {
        let form = self.form(&query).await?;
        self.send_one(form, &query.args).await
    }

    /// Sends all queries before the first is answered. Only the first error counts: those behind it in a
    /// transaction follow from it.
    pub(crate) async fn all(&self, queries: Vec<Query>) -> Result<Vec<Vec<Row>>, Error> {
        self.between(None, queries, None).await
    }

    /// Sends all queries, between two simple texts, before the first is answered.
    pub(crate) async fn between(
        &self,
        before: Option<&str>,
        queries: Vec<Query>,
        after: Option<&str>,
    ) -> Result<Vec<Vec<Row>>, Error> {
        let ready = self.prepare(queries).await?;
        self.send(before, ready, after).await
    }

    /// Prepares the statements of queries.
    pub(crate) async fn prepare(&self, queries: Vec<Query>) -> Result<Ready, Error> {
        let mut forms = Vec::with_capacity(queries.len());
        for query in &queries {
            forms.push(self.form(query).await?);
        }
        Ok(Ready { forms, queries })
    }

    /// Sends queries that are prepared, as [`Connection::between`].
    pub(crate) async fn send(
        &self,
        before: Option<&str>,
        Ready { forms, queries }: Ready,
        after: Option<&str>,
    ) -> Result<Vec<Vec<Row>>, Error> {
        let simple = |text: &str| -> Sent<'_> {
            let text = text.to_owned();
            Box::pin(async move { self.client.batch_execute(&text).await.map(|()| Vec::new()) })
        };
        let first = before.map(simple).into_iter();
        let last = after.map(simple);
        let sent = forms.into_iter().zip(&queries).map(|(form, query)| self.send_one(form, &query.args));
        let results = in_order(first.chain(sent).chain(last).collect()).await;
        let (skipped, taken) = (usize::from(before.is_some()), queries.len());
        let results = results.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(results.into_iter().skip(skipped).take(taken).collect())
    }

    /// Runs a text of several statements.
    pub(crate) async fn batch(&self, text: &str) -> Result<(), Error> {
        self.client.batch_execute(&self.qualify(text)).await
    }
}
