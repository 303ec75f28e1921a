//! Joining and leaving: what makes the process a node, and ends that.

use tokio_postgres::Error;

use super::{activity::Activity, writer::Writer};
use crate::store::{
    NewNode, StoreError,
    postgres::{
        connection::{Connection, text_of},
        open::{self, Member},
    },
};

impl Writer {
    /// Makes the process a new node. The node that it was is gone.
    pub(super) async fn join(&mut self, node: &NewNode) -> Result<(), StoreError> {
        let away = |error: Error| StoreError::Unavailable(text_of(&error));
        let former = self.member.map(|member| member.id);
        if let Some(directory) = &self.settings.data {
            open::note(directory, node.id).map_err(|error| StoreError::Backend {
                doing: "write the file `node` of the data directory",
                why: error.to_string(),
            })?;
        }
        // A commit of before may be on its way over the old connection.
        let link = self.settings.connect().await?;
        let now = self.now.as_ref().map(|now| now());
        let member = open::join(&link, former, node, now).await.map_err(away)?;
        let activity = Activity::load(&link, member.slot).await.map_err(away)?;
        link.batch("COMMIT").await.map_err(away)?;
        self.become_node(link, member, activity);
        Ok(())
    }

    fn become_node(&mut self, link: Connection, member: Member, activity: Activity) {
        (self.link, self.member, self.activity) = (Some(link), Some(member), Some(activity));
        self.fenced = None;
        self.identity.set(member.id);
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
