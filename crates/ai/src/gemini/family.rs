//! The generations of Live models, as far as they accept different fields. A field that a family refuses ends the session
//! with 1007, so nothing "harmless" is sent.

/// Told by the model's name; names we do not know get the fields that all families share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Native audio previews: thinking budget, greeting by `clientContent`.
    V25,
    /// `gemini-3.1-flash-live-…`: thinking level.
    V31,
    /// `gemini-3.8-live`: no thinking, proactive always.
    V38,
    /// `gemini-3.8-live-extended-thinking`: thinking level, tools only beside the talk, several completions a request.
    V38Thinking,
    Unknown,
}

impl Family {
    /// `model` with or without `models/` or a publisher's path before it.
    pub fn of(model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or(model);
        match name {
            _ if name.starts_with("gemini-3.8-live-extended-thinking") => Self::V38Thinking,
            _ if name.starts_with("gemini-3.8-live") => Self::V38,
            _ if name.starts_with("gemini-3.1-") && name.contains("live") => Self::V31,
            _ if name.starts_with("gemini-2.5-") || name.starts_with("gemini-live-2.5-") => Self::V25,
            _ => Self::Unknown,
        }
    }

    /// Starts answering upon `realtimeInput.text`; the others want `clientContent`.
    pub fn takes_realtime_text(self) -> bool {
        self != Self::V25
    }

    /// Takes what was said before as `clientContent` that it does not answer; the others are told in their instruction.
    pub fn takes_history(self) -> bool {
        matches!(self, Self::V31 | Self::V38 | Self::V38Thinking)
    }

    /// Takes `clientContent` in mid-session for context, and does not answer it. Older ones close the session upon it, or answer.
    pub fn takes_context(self) -> bool {
        matches!(self, Self::V38 | Self::V38Thinking)
    }

    /// May think for a while before the first sound.
    pub fn is_slow(self) -> bool {
        self == Self::V38Thinking
    }

    /// Refuses to wait for a tool's result.
    pub fn tools_only_beside(self) -> bool {
        self == Self::V38Thinking
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_by_name() {
        let cases = [
            ("gemini-3.8-live", Family::V38),
            ("models/gemini-3.8-live", Family::V38),
            ("gemini-3.8-live-extended-thinking", Family::V38Thinking),
            ("gemini-3.1-flash-live-preview", Family::V31),
            ("gemini-2.5-flash-native-audio-preview-12-2025", Family::V25),
            ("projects/p/locations/l/publishers/google/models/gemini-live-2.5-flash-native-audio", Family::V25),
            ("gemini-3.5-live-translate-preview", Family::Unknown),
            ("gemini-4-live", Family::Unknown),
            ("", Family::Unknown),
        ];
        for (name, family) in cases {
            assert_eq!(Family::of(name), family, "{name}");
        }
    }
}
