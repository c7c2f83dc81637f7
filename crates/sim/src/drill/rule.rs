//! What a negative drill breaks, and what must notice.

use isobar_core::mesh::MeshRules;
use isobar_core::policy::Rules;

macro_rules! words {
    ($(#[$about:meta])* $name:ident $($variant:ident $word:literal $doc:literal)*) => {
        $(#[$about])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $name { $(#[doc = $doc] $variant,)* }

        impl $name {
            /// All of them, as documented.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// As a drill spells it.
            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }

            /// What it says.
            pub fn doc(self) -> &'static str {
                match self { $($name::$variant => $doc,)* }
            }

            /// The one of this word.
            pub fn of(word: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|one| one.word() == word)
            }
        }
    };
}

words! {
    /// A rule of core that a drill can switch off, to show that its absence is noticed.
    Rule
    Commit "commit" "What a broker says of the client commits the flow."
    WaitingRoom "waiting-room" "What comes too fast waits, instead of being turned away."
    Reserve "reserve" "Flows of other sites leave a share of the room to a site's own clients."
    OneHop "one-hop" "A flow that came by tunnel is placed here or refused."
    Witnesses "witnesses" "Nobody is dead by our own silence alone where witnesses exist."
    WeightedChoice "weighted-choice" "A site is drawn by weight; the apparent best is not simply taken."
    Full "full" "Refusals teach a broker's limit."
    TooFast "too-fast" "A site that took flows too fast is not taken for full."
    Budget "budget" "Retries after timeouts draw on a budget."
    Isolation "isolation" "Who hears less than half of the others judges nobody."
    Incarnations "incarnations" "What was held dead returns in a higher incarnation only."
    Provenance "provenance" "News of a site comes from its nodes or from siblings."
}

words! {
    /// What is checked in every drill, whatever it expects.
    Check
    ClientStates "client-states" "Every client is in exactly one state."
    Books "books" "Counts equal the truth when quiet, and never go below zero; every place is given back once."
    Limits "limits" "No broker, service or node is given more than its limit."
    KnownBad "known-bad" "Nothing is placed on what the node knows to be down, full or draining."
    JudgedOnce "judged-once" "A client that a broker refused for its own sake is not shown to another."
    KeepsReserve "keeps-reserve" "No flow of another site takes a place of the reserve."
    Hops "hops" "No flow is carried through more than one other site."
    HomeFirst "home-first" "No flow is sent away while a local broker could take it."
    Ownership "ownership" "Only owners advance their records, and nothing dead comes back in the same incarnation."
    FalseDead "false-dead" "No healthy site that most can reach is held dead."
    Queues "queues" "Every queue stays within its bound."
    Converges "converges" "After a healed world is left alone, all hold of each other what is so."
    ServesAll "serves-all" "Everyone is served where capacity suffices."
    Drains "drains" "Drains finish."
    Calms "calms" "Retries fall back to nothing once their trigger is over."
}

impl Rule {
    /// The rules of core with this one switched off.
    pub fn without(self) -> (Rules, MeshRules) {
        let (mut rules, mut mesh) = (Rules::default(), MeshRules::default());
        let rule = match self {
            Rule::Commit => &mut rules.commit,
            Rule::WaitingRoom => &mut rules.waiting_room,
            Rule::Reserve => &mut rules.reserve,
            Rule::OneHop => &mut rules.one_hop,
            Rule::WeightedChoice => &mut rules.weighted_choice,
            Rule::Full => &mut rules.full,
            Rule::TooFast => &mut rules.too_fast,
            Rule::Budget => &mut rules.budget,
            Rule::Witnesses => &mut mesh.witnesses,
            Rule::Isolation => &mut mesh.isolation,
            Rule::Incarnations => &mut mesh.incarnations,
            Rule::Provenance => &mut mesh.provenance,
        };
        *rule = false;
        (rules, mesh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_switches_off_one_rule() {
        for rule in Rule::ALL {
            assert_ne!(rule.without(), (Rules::default(), MeshRules::default()), "{rule:?}");
            assert_eq!(Rule::of(rule.word()), Some(*rule));
        }
        assert_eq!(Check::of("hops"), Some(Check::Hops));
        assert_eq!(Check::of("hop"), None);
    }
}
