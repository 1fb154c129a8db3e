//! Where each source of a stream stands. Only an authentic packet makes one, so strangers cannot fill the table.

use super::window::Window;

/// Sources under one key. A transfer behind the far end brings another SSRC; the one that was silent longest gives way to a ninth.
const MAX_SOURCES: usize = 8;

#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    pub ssrc: u32,
    pub rtp: Option<Window>,
    pub rtcp: Option<Window>,
}

/// See the module. The one that was heard last comes first.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources([Option<Source>; MAX_SOURCES]);

impl Sources {
    pub fn get(&self, ssrc: u32) -> Option<&Source> {
        self.0.iter().flatten().find(|source| source.ssrc == ssrc)
    }

    /// The source, made if need be, at the head of the table.
    pub fn touch(&mut self, ssrc: u32) -> &mut Source {
        let is_it = |slot: &Option<Source>| slot.is_none_or(|source| source.ssrc == ssrc);
        let found = self.0.iter().position(is_it).unwrap_or(MAX_SOURCES - 1);
        self.0[..=found].rotate_right(1);
        let head = &mut self.0[0];
        if head.is_some_and(|source| source.ssrc != ssrc) {
            *head = None;
        }
        head.get_or_insert(Source { ssrc, rtp: None, rtcp: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_silent_source_gives_way() {
        let mut sources = Sources::default();
        for ssrc in 0..8 {
            sources.touch(ssrc).rtp = Some(Window::begin(u64::from(ssrc)));
        }
        sources.touch(0);
        sources.touch(8);
        assert!(sources.get(1).is_none(), "silent longest");
        for ssrc in [0, 2, 3, 4, 5, 6, 7] {
            let window = sources.get(ssrc).and_then(|source| source.rtp).expect("kept");
            assert_eq!(window.newest(), u64::from(ssrc));
        }
        assert!(sources.get(8).is_some_and(|source| source.rtp.is_none()));
    }
}
