//! Is a site gone? The part of the answer that is arithmetic.
//!
//! Three answers, by what acting on them costs. *Avoided* is ours alone and undone by the next
//! word: most links silent for 0.6 to 0.8 s, more for a longer round trip. *Suspect*: most links
//! silent for 1.2 s; witnesses are asked. *Dead* needs silence on all links for 1.6 s, most
//! witnesses, no word to any of them within the last second, and a node that itself hears half
//! of the others. It is like asking the neighbours before breaking a door.
//!
//! Figures and what was tried: `docs/decisions/0009-detector.md`.

use core::time::Duration;

/// Silence on most links after which no new flows go there, at no round trip.
pub const AVOIDED: Duration = Duration::from_millis(600);
/// By how much that is stretched at a round trip of 300 ms, and at most.
pub const AVOIDED_STRETCH: Duration = Duration::from_millis(150);
/// Silence on most links after which witnesses are asked.
pub const SUSPECT: Duration = Duration::from_millis(1_200);
/// Silence on all links without which nobody is dead.
pub const DEAD: Duration = Duration::from_millis(1_600);
/// Silence that must do where there is no witness.
pub const DEAD_UNWITNESSED: Duration = Duration::from_secs(3);
/// Who was heard within this time is not dead; and of such others, half must be heard by a judge.
pub const HEARD: Duration = Duration::from_secs(1);
/// Sites asked about a suspect.
pub const WITNESSES_MAX: usize = 5;
/// Between questions to a witness.
pub const ASK_EVERY: Duration = Duration::from_millis(200);
/// A vote counts for this long.
pub const VOTE_HOLDS: Duration = Duration::from_secs(1);

/// The silence of links to one site.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Hearing {
    /// Links there are.
    pub links: u32,
    /// Silent for long enough to avoid the site.
    pub avoided: u32,
    /// Silent for long enough to suspect it.
    pub suspect: u32,
    /// Silent for long enough to be dead.
    pub dead: u32,
    /// Whose far end has not heard us for long enough to avoid the site.
    pub deaf: u32,
    /// The silence of the link that heard last.
    pub least: Duration,
}

/// What the silence of links alone says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Sign {
    /// It is heard.
    Heard,
    /// It is heard, and does not hear us.
    Deaf,
    /// Silent for a moment.
    Silent,
    /// Silent for longer.
    Suspect,
}

impl Hearing {
    /// Adds a link: its silence, for how long its far end has not heard us, its round trip.
    pub fn add(&mut self, silence: Duration, deaf: Duration, rtt: Duration) {
        self.least = if self.links == 0 { silence } else { self.least.min(silence) };
        let avoided = AVOIDED + (rtt / 2).min(AVOIDED_STRETCH);
        self.links += 1;
        self.avoided += u32::from(silence >= avoided);
        self.suspect += u32::from(silence >= SUSPECT);
        self.dead += u32::from(silence >= DEAD);
        self.deaf += u32::from(deaf >= avoided);
    }

    /// What most links say.
    pub fn sign(&self) -> Sign {
        let most = |n: u32| n * 2 > self.links;
        match () {
            () if most(self.suspect) => Sign::Suspect,
            () if most(self.avoided) => Sign::Silent,
            () if most(self.deaf.max(self.avoided)) => Sign::Deaf,
            () => Sign::Heard,
        }
    }

    /// No link has heard it for as long as the dead are silent.
    pub fn all_silent(&self) -> bool {
        self.links > 0 && self.dead == self.links
    }
}

/// What witnesses say of a suspect, counted by how many there are and not by who answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Inquest {
    /// Witnesses there are.
    pub witnesses: u32,
    /// Those who have not heard it for a second.
    pub agree: u32,
    /// Those who have.
    pub heard: u32,
}

impl Inquest {
    /// Most agree, and nobody has heard it.
    pub fn agrees(&self) -> bool {
        self.agree * 2 > self.witnesses && self.heard == 0
    }
}

/// Whether who hears `heard` of `others` sites is fit to judge one of them. With one other site
/// there is nobody to compare with.
pub fn may_judge(heard: u32, others: u32) -> bool {
    others == 1 || heard * 2 >= others
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn hearing(silences: &[u64]) -> Hearing {
        let mut hearing = Hearing::default();
        for &silence in silences {
            hearing.add(ms(silence), ms(0), ms(0));
        }
        hearing
    }

    #[test]
    fn most_links_decide() {
        for (silences, sign) in [
            (&[0][..], Sign::Heard),
            (&[599], Sign::Heard),
            (&[600], Sign::Silent),
            (&[1_200], Sign::Suspect),
            (&[5_000, 0], Sign::Heard),
            (&[5_000, 700], Sign::Silent),
            (&[5_000, 5_000, 0], Sign::Suspect),
            (&[5_000, 0, 0], Sign::Heard),
            (&[], Sign::Heard),
        ] {
            assert_eq!(hearing(silences).sign(), sign, "{silences:?}");
        }
    }

    #[test]
    fn all_links_are_silent_for_the_dead() {
        assert!(!hearing(&[]).all_silent());
        assert!(!hearing(&[1_600, 1_599]).all_silent());
        assert!(hearing(&[1_600, 9_000]).all_silent());
    }

    #[test]
    fn far_sites_get_more_time() {
        for (rtt, silence, sign) in [
            (ms(0), 600, Sign::Silent),
            (ms(150), 674, Sign::Heard),
            (ms(150), 675, Sign::Silent),
            (ms(900), 749, Sign::Heard),
            (ms(900), 750, Sign::Silent),
        ] {
            let mut hearing = Hearing::default();
            hearing.add(ms(silence), ms(0), rtt);
            assert_eq!(hearing.sign(), sign, "{rtt:?} {silence}");
        }
        let mut deaf = Hearing::default();
        deaf.add(ms(0), ms(700), ms(0));
        assert_eq!(deaf.sign(), Sign::Deaf);
    }

    #[test]
    fn witnesses_are_counted_by_membership() {
        let inquest = |witnesses, agree, heard| Inquest { witnesses, agree, heard }.agrees();
        assert!(inquest(1, 1, 0));
        assert!(!inquest(1, 0, 0), "a silent witness means that we are cut off");
        assert!(!inquest(5, 2, 0) && inquest(5, 3, 0) && !inquest(5, 4, 1));
        assert!(!inquest(2, 1, 0));
    }

    #[test]
    fn the_few_do_not_judge_the_many() {
        assert!(may_judge(0, 1) && may_judge(1, 2) && !may_judge(0, 2));
        assert!(!may_judge(4, 9) && may_judge(5, 9));
    }
}
