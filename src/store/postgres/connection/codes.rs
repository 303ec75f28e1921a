//! Errors of the database, by their codes: whether the same statement may succeed later.

use tokio_postgres::Error;

/// The outlook of a statement that has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outlook {
    /// Another transaction came first: the same one may succeed at once.
    Overtaken,
    /// A lock was waited for too long: the same transaction may succeed later.
    Locked,
    /// The connection is lost, or of no more use: another one may go on.
    Lost,
    /// The server cannot do it now: it has no room, or the statement takes it too long.
    Unable,
    /// The statement fails whenever it is sent.
    Never,
}

impl Outlook {
    /// The outlook that an error tells of.
    pub(crate) fn of(error: &Error) -> Self {
        error.as_db_error().map_or(Self::Lost, |error| Self::of_code(error.code().code()))
    }

    fn of_code(code: &str) -> Self {
        match code {
            "55P03" => Self::Locked,
            // A version or the fence; a name that another transaction has taken.
            "22012" | "23505" => Self::Overtaken,
            // A plan from before a change of the tables, a statement that another connection has prepared.
            "0A000" | "26000" => Self::Lost,
            // The server stops, starts, or can only be read.
            _ if ["08", "25", "57P"].iter().any(|class| code.starts_with(class)) => Self::Lost,
            _ if code.starts_with("40") => Self::Overtaken,
            // No room on the disk or in memory, a time limit, a failure of the system.
            _ if ["53", "55", "57", "58"].iter().any(|class| code.starts_with(class)) => Self::Unable,
            _ => Self::Never,
        }
    }

    /// Whether another attempt to connect would end in the same way: a wrong password, user or database.
    pub(crate) fn is_final_for_connecting(error: &Error) -> bool {
        let code = error.as_db_error().map(|error| error.code().code());
        code.is_some_and(|code| code.starts_with("28") || code == "3D000")
    }

    /// Whether the server is there, and takes a connection later: it has none to spare, or starts.
    pub(crate) fn is_busy(error: &Error) -> bool {
        let code = error.as_db_error().map(|error| error.code().code());
        code.is_some_and(|code| code.starts_with("53") || code.starts_with("57P"))
    }
}

/// The error in words, without users' data.
pub(crate) fn text_of(error: &Error) -> String {
    match error.as_db_error() {
        Some(error) if error.code().code() == "53100" => {
            "the disk of the database is full (53100)".to_owned()
        }
        Some(error) => format!("{} ({})", error.message(), error.code().code()),
        None => {
            let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
            format!("{error}{}", cause.unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_may_pass_is_none_of_the_statement() {
        for (code, outlook) in [
            ("40001", Outlook::Overtaken),
            ("40P01", Outlook::Overtaken),
            ("22012", Outlook::Overtaken),
            ("55P03", Outlook::Locked),
            ("57P01", Outlook::Lost),
            ("25006", Outlook::Lost),
            ("08006", Outlook::Lost),
            ("57014", Outlook::Unable),
            ("53100", Outlook::Unable),
            ("53200", Outlook::Unable),
            ("53400", Outlook::Unable),
            ("58030", Outlook::Unable),
            ("22021", Outlook::Never),
            ("42P01", Outlook::Never),
            ("XX001", Outlook::Never),
        ] {
            assert_eq!(Outlook::of_code(code), outlook, "{code}");
        }
    }
}
