//! GC's list of the attachments that are still valid.

use super::{ATTACHMENTS, VALID_ATTACHMENTS};
use crate::field::{Field, FieldError};
use crate::request::Request;

/// Container id and interface name of each valid attachment.
pub type Valid = Vec<(String, String)>;

/// Reads the list; none if the runtime gave none, which means: remove nothing.
pub fn valid_attachments(request: &Request) -> Result<Option<Valid>, FieldError> {
    let root = Field::root(&request.config);
    let mut field = root.key(VALID_ATTACHMENTS)?;
    if !field.is_present() {
        field = root.key(ATTACHMENTS)?;
    }
    if !field.is_present() {
        return Ok(None);
    }
    field
        .list()?
        .iter()
        .map(attachment)
        .collect::<Result<_, _>>()
        .map(Some)
}

/// An entry that cannot be read must fail the whole: to pass over it would mean to
/// remove a pod that lives.
fn attachment(field: &Field<'_>) -> Result<(String, String), FieldError> {
    let text = |key: &str| -> Result<String, FieldError> {
        let inner = field.key(key)?;
        let text = inner.string()?.filter(|text| !text.is_empty());
        text.map(str::to_owned)
            .ok_or_else(|| inner.wrong("a string that is not empty"))
    };
    Ok((text("containerID")?, text("ifname")?))
}
