//! Joining, coming back and leaving: what makes the process a node, and ends that.

use tokio_postgres::Error;

use super::{activity::Activity, writer::Writer};
use crate::{
    domain::Millis,
    store::{
        NewNode, StoreError,
        postgres::{
            connection::{Connection, text_of},
            fail,
            open::{self, Member, Resumed},
            share::Identity,
        },
    },
};

/// Why a node is gone that has found commits to be lost.
const LOST: &str = "the database has lost its last changes";

impl Writer {
    /// Makes the process a new node. The node that it was is gone.
    pub(super) async fn join(&mut self, node: &NewNode) -> Result<(), StoreError> {
        let failed = |error: Error| fail("join the store", &error);
        let former = self.member.map(|member| member.id);
        if let Some(directory) = &self.settings.data {
            open::note(directory, node.id).map_err(|error| StoreError::Backend {
                doing: "write the file `node` of the data directory",
                why: error.to_string(),
            })?;
        }
        let unused = self.link.take().filter(|link| self.member.is_none() && !link.is_closed());
        let link = match unused {
            Some(link) => link,
            // A commit of before may be on its way over the old connection.
            None => self.settings.connect().await?,
        };
        let now = self.now.as_ref().map(|now| now());
        if let Some(member) = &mut self.member {
            let Resumed { seq, .. } = open::resume(&link, member, (self.time, now)).await.map_err(failed)?;
            tell_lost(member, seq, &self.identity);
        }
        let member = open::join(&link, former, node, now).await.map_err(failed)?;
        let activity = Activity::load(&link, member.slot).await.map_err(failed)?;
        link.batch("COMMIT").await.map_err(failed)?;
        self.become_node(link, member, activity);
        Ok(())
    }

    fn become_node(&mut self, link: Connection, member: Member, activity: Activity) {
        (self.link, self.member, self.activity) = (Some(link), Some(member), Some(activity));
        self.fenced = None;
        self.identity.set(member.id);
    }

    /// Connects, and sees to it that nothing sent over an earlier connection takes effect any more.
    pub(super) async fn reconnect(&mut self) -> Result<(), StoreError> {
        let link = self.settings.connect().await?;
        let (seen, now) = (self.time, self.now.as_ref().map(|now| now()));
        let Some(member) = &mut self.member else { return Ok(()) };
        let away = |error: Error| StoreError::Unavailable(text_of(&error));
        let Resumed { seq, mut gone } = open::resume(&link, member, (seen, now)).await.map_err(away)?;
        if count_lost(member, seq) > 0 {
            if gone.is_none() {
                open::give_up(&link, member.id, now, LOST).await.map_err(away)?;
            }
            tell_lost(member, seq, &self.identity);
            gone = Some(LOST.to_owned());
        }
        if let Some(why) = gone
            && self.fenced.is_none()
        {
            tracing::error!(why, "this node was declared gone: it writes nothing more");
            self.fenced = Some(why);
            self.identity.note_gone();
        }
        let seq = seq.unwrap_or(member.seq);
        if seq > member.seq {
            // The commit whose answer was lost was made: the state of the writer after it is read.
            member.seq = seq;
            (self.made, self.activity) = (true, None);
            (self.garbage, self.expiry) = (true, Some(Millis::MIN));
        }
        self.link = Some(link);
        Ok(())
    }

    /// Tells that this process ends, so that others need not wait for it.
    pub(super) async fn leave(&self) {
        let (Some(link), Some(Member { id, .. })) = (&self.link, self.member) else { return };
        let now = self.now.as_ref().map(|now| now());
        if let Err(error) = open::give_up(link, id, now, "it has left").await {
            let error = text_of(&error);
            tracing::warn!(error, "this node cannot tell that it ends: others wait for its lease");
        }
    }
}

/// The commits of a node that the database does not have, whose account ends with the number `found`. A node that is
/// not known has lost its joining too.
fn count_lost(member: &Member, found: Option<i64>) -> i64 {
    (member.seq - found.unwrap_or(-1)).max(0)
}

/// Tells of the commits that are lost, once.
fn tell_lost(member: &mut Member, found: Option<i64>, identity: &Identity) {
    let lost = count_lost(member, found);
    if lost == 0 {
        return;
    }
    tracing::error!(
        node = %member.id,
        first = member.seq - lost + 1,
        last = member.seq,
        "the database has lost acknowledged changes, such as by a failover to a standby that did not have them: this \
         node joins anew, and runs may be doubled"
    );
    identity.add_lost(lost.unsigned_abs());
    member.seq -= lost;
}
