//! The version in `o=` (RFC 3264 §8): unchanged while the description is, one more when it says something else.

use super::LocalMedia;

/// Our next description behind `last`, by `write`; the version that it needs stays in `local`.
pub fn renewed(local: &mut LocalMedia, last: &str, write: impl Fn(&LocalMedia) -> String) -> String {
    let same = write(local);
    if same == last {
        return same;
    }
    local.version += 1;
    write(local)
}
