//! The fields of a task in its document: OpenAPI gets them from the table of fields.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

/// The fields of a task that its user decides about, as documents show them.
pub(super) struct TaskFields;

impl PartialSchema for TaskFields {
    /// Has no fields: those of the table are written into the document.
    fn schema() -> RefOr<Schema> {
        RefOr::T(Schema::default())
    }
}

impl ToSchema for TaskFields {
    fn name() -> Cow<'static, str> {
        "TaskFields".into()
    }
}
