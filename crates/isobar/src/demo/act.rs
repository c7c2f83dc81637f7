//! The acts of the demo's plays: what happens in each is in the scripts.

/// The acts of both scripts, in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Act {
    /// Clients arrive.
    Arrival,
    /// Nothing is wrong.
    Calm,
    /// A link is cut one way, between sites.
    Cut,
    /// A broker is full, or a site.
    Full,
    /// A broker hangs.
    Hung,
    /// A broker is killed, or those of a site.
    Killed,
    /// The brokers of the site are back.
    Home,
    /// A whole site is killed.
    Lost,
    /// Everything is back.
    After,
}

impl Act {
    /// All of them, in order.
    pub(super) const ALL: [Act; 9] = [
        Act::Arrival,
        Act::Calm,
        Act::Cut,
        Act::Full,
        Act::Hung,
        Act::Killed,
        Act::Home,
        Act::Lost,
        Act::After,
    ];

    /// One word for it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Act::Arrival => "arrival",
            Act::Calm => "calm",
            Act::Cut => "cut",
            Act::Full => "full",
            Act::Hung => "hung",
            Act::Killed => "killed",
            Act::Home => "home",
            Act::Lost => "lost",
            Act::After => "after",
        }
    }

    /// Its place among all.
    pub(super) fn index(self) -> usize {
        self as usize
    }
}
