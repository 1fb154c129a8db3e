//! Our offer.

use super::LocalMedia;

/// Describes our side: our codecs, telephone-event, both directions.
pub fn offer(_local: &LocalMedia) -> String {
    String::new()
}
