//! Server-sent events out of bytes, as far as chat endpoints use them: the `data:` lines.

/// The longest line kept; what is longer is no event of a chat.
const LONGEST_LINE: usize = 256 * 1024;

/// Collects bytes into lines.
#[derive(Debug, Default)]
pub struct EventLines {
    rest: Vec<u8>,
}

impl EventLines {
    /// The payloads of the `data:` lines that `bytes` complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut payloads = Vec::new();
        for &byte in bytes {
            if byte != b'\n' {
                if self.rest.len() < LONGEST_LINE {
                    self.rest.push(byte);
                }
                continue;
            }
            let line = String::from_utf8_lossy(&self.rest);
            if let Some(payload) = line.trim_end_matches('\r').strip_prefix("data:") {
                payloads.push(payload.trim().to_owned());
            }
            self.rest.clear();
        }
        payloads
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_may_come_in_any_pieces() {
        let text = ": hello\r\ndata: {\"a\":\"é\"}\r\n\r\nevent: x\ndata:[DONE]\n\ndata: cut";
        let whole = EventLines::default().push(text.as_bytes());
        assert_eq!(whole, ["{\"a\":\"é\"}", "[DONE]"]);
        let mut lines = EventLines::default();
        let single: Vec<String> = text.as_bytes().iter().flat_map(|byte| lines.push(&[*byte])).collect();
        assert_eq!(single, whole);
    }
}
