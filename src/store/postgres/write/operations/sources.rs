//! Versions of handlers, and their sources.

use super::super::{
    group::{Failure, Group},
    operation::Work,
};
use crate::store::{
    KEPT_VERSIONS, VersionNote,
    postgres::connection::{args, query},
};

/// Adds runs to a version of a handler.
pub(crate) struct NoteVersion(pub(crate) VersionNote);

impl Work for NoteVersion {
    type Answer = ();

    async fn run(&mut self, group: &mut Group<'_>) -> Result<(), Failure> {
        let VersionNote { handler, hash, source, runs } = &self.0;
        let note = "INSERT INTO #version AS v (handler, hash, first_seen, last_seen, runs, source)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (handler, hash) DO UPDATE SET first_seen = least(v.first_seen, excluded.first_seen),
              last_seen = greatest(v.last_seen, excluded.last_seen), runs = v.runs + excluded.runs,
              source = coalesce(excluded.source, v.source)";
        let source = source.clone().map(String::into_bytes);
        let noted = args![handler.clone(), hash.to_vec(), runs.first_seen, runs.last_seen, runs.runs, source];
        let prune = "DELETE FROM #version v USING (
              SELECT hash, row_number() OVER (ORDER BY (hash = $2) DESC, last_seen DESC, hash DESC) AS place
              FROM #version WHERE handler = $1) o
            WHERE v.handler = $1 AND v.hash = o.hash AND o.place > $3";
        let prune = query(prune, args![handler.clone(), hash.to_vec(), KEPT_VERSIONS]);
        group.all(vec![query(note, noted), prune]).await.map(drop)
    }
}
