//! Thirty sites spill to thirty others by news that is a second old. Who goes where?

use super::*;

const SITES: usize = 30;
const CAPACITY: u32 = 400;
/// How long a flow stays.
const STAY: u64 = 4_000;
/// Steps of 10 ms.
const STEP: u64 = 10;

/// What came of it: flows, tunnels refused for want of room, flows that found none.
#[derive(Debug, Default)]
struct Outcome {
    flows: u32,
    refused: u32,
    failed: u32,
}

/// What differs between rehearsals.
struct Toy {
    rules: Rules,
    /// In percent of all that the receivers hold.
    load: u32,
    /// Round trips in milliseconds, drawn by pair.
    rtts: core::ops::Range<u32>,
    /// Sites that a flow tries.
    tries: usize,
}

/// Over 20 seconds.
fn rehearse(toy: &Toy) -> Outcome {
    let Toy { rules, load, .. } = *toy;
    let mut senders: Vec<_> = (0..SITES)
        .map(|i| {
            let mut script = Script::with(&[]);
            (script.rules, script.rng) = (rules, Rng::new(i as u64));
            script
        })
        .collect();
    let mut chance = Rng::new(99);
    let (nearest, spread) = (toy.rtts.start, toy.rtts.end - toy.rtts.start);
    let mut row = || (0..SITES).map(|_| u64::from(nearest + chance.below(spread))).collect();
    let rtt: Vec<Vec<u64>> = (0..SITES).map(|_| row()).collect();
    let mut held = [0u32; SITES];
    let mut leaving: Vec<(u64, usize, usize, Passage)> = Vec::new();
    let mut news = held;
    let mut outcome = Outcome::default();
    // Little's law: so many a step, for the load wanted.
    let wanted = u64::from(load) * u64::from(CAPACITY) * SITES as u64 * STEP / STAY / 100;
    for step in 0..2_000 {
        let clock = step * STEP;
        let (gone, stay): (Vec<_>, Vec<_>) = leaving.into_iter().partition(|l| l.0 <= clock);
        leaving = stay;
        for (_, from, to, passage) in gone {
            held[to] -= 1;
            senders[from].spill.release(passage);
        }
        if clock.is_multiple_of(1_000) {
            // Everybody hears what everybody said a second ago.
            for (from, sender) in senders.iter_mut().enumerate() {
                let now = Time::ZERO + ms(clock);
                let told = |to: usize| {
                    let candidate =
                        candidate(SiteId(to as u16), rtt[from][to], CAPACITY - news[to]);
                    Candidate { heard: Heard::at(now - ms(1_000)), ..candidate }
                };
                sender.spill.hear(now, &(0..SITES).map(told).collect::<Vec<_>>());
            }
            news = held;
        }
        for _ in 0..wanted {
            let from = chance.below(SITES as u32) as usize;
            let sender = &mut senders[from];
            sender.now = Time::ZERO + ms(clock);
            outcome.flows += 1;
            let mut tried = Vec::new();
            let placed = loop {
                if tried.len() >= toy.tries {
                    break false;
                }
                let Abroad::Site(mut passage) = sender.abroad(&tried) else { break false };
                let to = passage.course().site.index();
                tried.push(passage.course().site);
                if held[to] < CAPACITY {
                    held[to] += 1;
                    sender.settle(&mut passage, Crossing::Accepted);
                    leaving.push((clock + STAY, from, to, passage));
                    break true;
                }
                outcome.refused += 1;
                // In the first toy nobody learns.
                let learns = toy.tries > 1;
                let full = refused(TunnelRefusal::Full, 0, 1_000);
                sender.ends(passage, if learns { full } else { Crossing::Abandoned });
            };
            outcome.failed += u32::from(!placed);
        }
    }
    outcome
}

const BEST_OF_ALL: Rules = Rules {
    full: true,
    budget: true,
    waiting_room: true,
    commit: true,
    reserve: true,
    one_hop: true,
    weighted_choice: false,
    too_fast: true,
};

#[test]
fn weighted_choice_does_not_herd_where_the_apparent_best_does() {
    let toy = |rules| Toy { rules, load: 52, rtts: 100..102, tries: 1 };
    let weighted = rehearse(&toy(Rules::default()));
    assert_eq!((weighted.flows, weighted.failed), (30_000, 0));
    let best = rehearse(&toy(BEST_OF_ALL));
    assert!(best.failed > 3_000, "{best:?}");
}

#[test]
fn near_sites_come_first_and_still_nobody_is_left_over() {
    let toy = Toy { rules: Rules::default(), load: 52, rtts: 20..180, tries: 3 };
    let spread = rehearse(&toy);
    assert_eq!(spread.failed, 0);
    assert!(spread.refused * 100 < spread.flows, "{spread:?}");
    // A quarter of all flows is new each second, and news are older: a refusal costs a round trip,
    // and the next site has room.
    let tight = rehearse(&Toy { load: 70, ..toy });
    assert_eq!(tight.failed, 0);
    assert!(tight.refused * 50 < tight.flows, "{tight:?}");
}
