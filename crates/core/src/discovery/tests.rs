//! Scripts about names: what is asked for when, and what an answer does.

use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use core::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::discovery::Trouble::{Empty, NoSuchName, ServerFailed, TimedOut};

const S: ServiceId = ServiceId(0);
const TTL: Duration = Duration::from_secs(30);

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn ip(n: u16) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, (n >> 8) as u8, n as u8))
}

fn ips(list: &[u16]) -> Answer {
    Answer::Addresses(list.iter().map(|n| ip(*n)).collect(), TTL)
}

fn srv(list: &[(u16, u16, u16, &str)]) -> Answer {
    let record = |(priority, weight, port, target): &(u16, u16, u16, &str)| Record {
        priority: *priority,
        weight: *weight,
        port: *port,
        target: (*target).to_string(),
    };
    Answer::Records(list.iter().map(record).collect(), TTL)
}

fn host(name: &str) -> Question {
    Question::Host(name.to_string(), Families::V4First)
}

fn named(name: &str) -> Target {
    Target::Host(name.to_string(), 1883, Families::V4First)
}

fn service(name: &str) -> Target {
    Target::Service(name.to_string(), Families::V4First)
}

/// Names, the clock, and what came out.
struct Book {
    core: Discovery,
    now: Time,
    asked: Vec<(AskId, Question)>,
    members: Vec<(u16, u16, u16)>,
    joins: Vec<(usize, usize)>,
    notices: Vec<Notice>,
    said: usize,
}

impl Book {
    fn new(targets: &[Target]) -> Book {
        let entry = |at: &Target| Entry { at: at.clone(), weight: 7 };
        Book::of(Plan { services: vec![targets.iter().map(entry).collect()], ..Plan::default() })
    }

    fn of(plan: Plan) -> Book {
        let mut book = Book {
            core: Discovery::new(plan, Time::ZERO),
            now: Time::ZERO,
            asked: Vec::new(),
            members: Vec::new(),
            joins: Vec::new(),
            notices: Vec::new(),
            said: 0,
        };
        book.drain();
        book
    }

    fn drain(&mut self) {
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Ask { ask, question, until } => {
                    assert_eq!(until, self.now + ASK_WITHIN);
                    self.asked.push((ask, question));
                }
                Output::Members { service, members, .. } if service == S => {
                    let short = |found: &Found| {
                        let IpAddr::V4(ip) = found.addr.ip() else { panic!("{found:?}") };
                        let [_, _, high, low] = ip.octets();
                        (u16::from(high) << 8 | u16::from(low), found.addr.port(), found.weight)
                    };
                    self.members = members.iter().map(short).collect();
                    self.said += 1;
                }
                Output::Members { .. } => {}
                Output::Join { join, addrs } => self.joins.push((join, addrs.len())),
                Output::Notice(notice) => self.notices.push(notice),
            }
        }
        assert!(self.core.poll_timeout() > self.now, "a timeout in the past is a busy loop");
    }

    /// Answers the question that was asked for this name.
    fn answer(&mut self, name: &str, answer: Answer) {
        let at = self.asked.iter().position(|(_, question)| question.name() == name);
        let (ask, _) = self.asked.remove(at.unwrap_or_else(|| panic!("{name} was not asked for")));
        self.core.answered(self.now, ask, answer);
        self.drain();
    }

    fn fail(&mut self, name: &str, trouble: Trouble) {
        self.answer(name, Answer::Failed(trouble));
    }

    /// Lets time pass until something is asked for, and says how long that took.
    fn next(&mut self) -> Duration {
        let since = self.now;
        while self.asked.is_empty() {
            self.now = self.core.poll_timeout();
            assert!(self.now < Time::NEVER, "nothing will ever be asked");
            self.core.tick(self.now);
            self.drain();
        }
        self.now.since(since)
    }

    fn places(&self) -> Vec<u16> {
        self.members.iter().map(|(n, ..)| *n).collect()
    }

    fn told(&mut self) -> Vec<Notice> {
        core::mem::take(&mut self.notices)
    }
}

fn about(wait: Duration, wanted: Duration) -> bool {
    wait >= wanted && wait <= wanted + wanted / 8
}

#[test]
fn each_address_of_a_name_is_a_broker_and_addresses_are_there_at_once() {
    let fixed = Target::Address("10.0.0.9:1884".parse().unwrap());
    let mut book = Book::new(&[fixed, named("a.lan")]);
    assert_eq!(book.members, [(9, 1884, 7)]);
    assert!(!book.core.is_known());
    book.answer("a.lan", ips(&[2, 1, 2]));
    assert_eq!(book.members, [(9, 1884, 7), (1, 1883, 7), (2, 1883, 7)]);
    assert!(book.core.is_known());
    let changed = Notice::Changed { name: "a.lan".into(), added: 2, removed: 0, now: 2 };
    assert_eq!(book.told(), [changed]);
    book.next();
    book.answer("a.lan", ips(&[1, 2]));
    assert_eq!(book.said, 2, "the order of an answer means nothing");
    book.next();
    book.answer("a.lan", ips(&[2, 3]));
    assert_eq!(book.places(), [9, 2, 3]);
    let changed = Notice::Changed { name: "a.lan".into(), added: 1, removed: 1, now: 2 };
    assert_eq!(book.told(), [changed]);
}

#[test]
fn a_name_is_asked_for_again_by_its_ttl_clamped_and_jittered() {
    for (ttl, wanted) in [(0, 5), (1, 5), (5, 5), (30, 30), (300, 300), (86_400, 300)] {
        let mut waits = BTreeSet::new();
        let mut book = Book::new(&[named("a.lan")]);
        for _ in 0..20 {
            book.answer("a.lan", Answer::Addresses(vec![ip(1)], secs(ttl)));
            let wait = book.next();
            assert!(about(wait, secs(wanted)), "{ttl}: {wait:?}");
            waits.insert(wait);
        }
        assert!(waits.len() > 10, "{waits:?}");
    }
    let run = |seed| {
        let services = vec![vec![Entry { at: named("a.lan"), weight: 1 }]];
        let mut book = Book::of(Plan { services, seed, ..Plan::default() });
        book.answer("a.lan", ips(&[1]));
        book.next()
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}

#[test]
fn whatever_fails_the_last_good_set_is_kept_and_that_is_told() {
    for trouble in Trouble::ALL {
        let mut book = Book::new(&[named("a.lan")]);
        book.answer("a.lan", ips(&[1, 2]));
        book.told();
        let mut waits = Vec::new();
        for _ in 0..6 {
            book.next();
            book.fail("a.lan", trouble);
            waits.push(book.next());
        }
        assert_eq!(book.places(), [1, 2]);
        let kept = Notice::Failed { name: "a.lan".into(), trouble, kept: 2 };
        assert_eq!(book.told(), [kept], "once");
        for (wait, wanted) in waits.iter().zip([5, 10, 20, 40, 60, 60]) {
            assert!(about(*wait, secs(wanted)), "{waits:?}");
        }
        let figures = book.core.names(book.now).remove(0);
        assert_eq!((figures.addresses, figures.trouble, figures.failed), (2, Some(trouble), 6));
        book.answer("a.lan", ips(&[1, 2]));
        assert_eq!(book.told(), [Notice::Answered("a.lan".into())]);
        assert_eq!(book.said, 1);
        assert!(about(book.next(), TTL));
    }
}

#[test]
fn an_answer_without_an_address_is_no_answer() {
    let mut book = Book::new(&[named("a.lan")]);
    book.answer("a.lan", ips(&[1]));
    let multicast = IpAddr::from([224, 0, 0, 1]);
    for addrs in [vec![], vec![IpAddr::from([0, 0, 0, 0]), multicast]] {
        book.next();
        book.answer("a.lan", Answer::Addresses(addrs, TTL));
        assert_eq!(book.places(), [1]);
    }
    assert_eq!(book.told().len(), 2, "changed, failed");
    book.next();
    book.answer("a.lan", Answer::Records(Vec::new(), TTL));
    assert_eq!(book.core.names(book.now)[0].trouble, Some(Trouble::Unusable));
}

#[test]
fn a_name_that_does_not_stand_for_anything_yet_is_asked_for_soon_again() {
    let mut book = Book::new(&[named("a.lan")]);
    book.fail("a.lan", NoSuchName);
    assert!(book.core.is_known(), "it is known to be nothing");
    assert_eq!(book.said, 0);
    let waits: Vec<Duration> = (0..6)
        .map(|_| {
            let wait = book.next();
            book.fail("a.lan", NoSuchName);
            wait
        })
        .collect();
    for (wait, wanted) in waits.iter().zip([1, 2, 4, 8, 10, 10]) {
        assert!(about(*wait, secs(wanted)), "{waits:?}");
    }
    book.next();
    book.answer("a.lan", ips(&[1]));
    assert_eq!(book.places(), [1]);
}

#[test]
fn a_question_without_an_answer_has_failed_in_time_and_a_late_answer_is_none() {
    let mut book = Book::new(&[named("a.lan")]);
    let (late, _) = book.asked.remove(0);
    assert_eq!(book.core.poll_timeout(), Time::ZERO + ASK_WITHIN);
    book.next();
    assert_eq!(book.core.names(book.now)[0].trouble, Some(TimedOut));
    book.core.answered(book.now, late, ips(&[1]));
    book.drain();
    assert!(book.members.is_empty());
    book.answer("a.lan", ips(&[2]));
    assert_eq!(book.places(), [2]);
}

#[test]
fn a_name_with_very_many_addresses_is_clamped_and_those_known_stay() {
    let mut book = Book::new(&[named("a.lan")]);
    let many: Vec<u16> = (1_000..6_000).collect();
    book.answer("a.lan", ips(&many));
    assert_eq!(book.places(), (1_000..2_024).collect::<Vec<u16>>());
    let clamped = Notice::Clamped { name: "a.lan".into(), found: 5_000, used: 1_024 };
    assert!(book.told().contains(&clamped));
    assert_eq!(book.core.names(book.now)[0].beyond, 3_976);
    // Lower ones have come, and one has gone: its place alone is free.
    let others: Vec<u16> = (0..1_000).chain(1_001..6_000).collect();
    book.next();
    book.answer("a.lan", ips(&others));
    let wanted: Vec<u16> = [0].into_iter().chain(1_001..2_024).collect();
    assert_eq!(book.places(), wanted);
    assert!(!book.told().iter().any(|n| matches!(n, Notice::Clamped { .. })), "told once");
}

#[test]
fn a_service_has_no_more_brokers_than_it_may() {
    let mut book = Book::new(&[named("a.lan"), named("b.lan")]);
    let some: Vec<u16> = (0..1_000).collect();
    let others: Vec<u16> = (500..1_500).collect();
    book.answer("a.lan", ips(&some));
    book.answer("b.lan", ips(&others));
    assert_eq!(book.members.len(), TARGETS_MAX);
    assert_eq!(book.places(), (0..1_024).collect::<Vec<u16>>(), "each once, by the first entry");
}

#[test]
fn records_give_ports_and_weights_and_the_lowest_priority_alone_counts() {
    let mut book = Book::new(&[service("_mqtt._tcp.lan")]);
    let records = [(5, 10, 1883, "a.lan."), (5, 0, 1884, "b.lan."), (9, 1, 1885, "c.lan.")];
    book.answer("_mqtt._tcp.lan", srv(&records));
    let asked: Vec<&Question> = book.asked.iter().map(|(_, question)| question).collect();
    assert_eq!(asked, [&host("a.lan."), &host("b.lan.")], "not for those that are not used");
    assert!(!book.core.is_known());
    book.answer("a.lan.", ips(&[1, 2]));
    assert_eq!(book.said, 0, "b is not known yet");
    book.answer("b.lan.", ips(&[3]));
    assert_eq!(book.members, [(1, 1883, 10), (2, 1883, 10), (3, 1884, 1)]);
    let figures = book.core.names(book.now);
    assert_eq!(figures.len(), 1, "targets are no names of the configuration");
    assert_eq!((figures[0].spare, figures[0].addresses, figures[0].asks), (1, 3, 3));
    // The weights of the file do not count, and the lowest priority may be another one.
    book.next();
    while let Some((_, question)) = book.asked.first().cloned() {
        match question.name() {
            "_mqtt._tcp.lan" => {
                book.answer("_mqtt._tcp.lan", srv(&[(1, 300, 1, "a.lan."), (1, 600, 2, "a.lan.")]))
            }
            name => {
                let name = name.to_string();
                book.answer(&name, ips(&[1]));
            }
        }
        if book.members.iter().any(|(_, port, _)| *port == 1) {
            break;
        }
        if book.asked.is_empty() {
            book.next();
        }
    }
    assert!(
        book.members
            .iter()
            .all(|(_, port, weight)| (*port, *weight) == (1, 128) || (*port, *weight) == (2, 256)),
        "{:?}",
        book.members
    );
}

#[test]
fn a_target_that_is_not_known_yet_takes_nobody_away() {
    let mut book = Book::new(&[service("_m._tcp")]);
    book.answer("_m._tcp", srv(&[(0, 1, 1883, "a.lan.")]));
    book.answer("a.lan.", ips(&[1]));
    assert_eq!(book.places(), [1]);
    // Another target alone: until it is known, and for as long as it has no address, a stays.
    while book.asked.iter().all(|(_, q)| q.name() != "_m._tcp") {
        book.asked.clear();
        book.next();
    }
    book.answer("_m._tcp", srv(&[(0, 1, 1883, "b.lan.")]));
    assert_eq!(book.places(), [1]);
    book.fail("b.lan.", ServerFailed);
    assert_eq!(book.places(), [1]);
    let kept = Notice::Failed { name: "_m._tcp".into(), trouble: Empty, kept: 1 };
    assert!(book.told().contains(&kept));
    let figures = book.core.names(book.now).remove(0);
    assert_eq!((figures.trouble, figures.unresolved), (Some(Empty), vec!["b.lan.".to_string()]));
    while book.asked.iter().all(|(_, q)| q.name() != "b.lan.") {
        book.asked.clear();
        book.next();
    }
    book.answer("b.lan.", ips(&[2]));
    assert_eq!(book.places(), [2]);
}

#[test]
fn a_target_whose_lookup_fails_keeps_its_addresses() {
    let mut book = Book::new(&[service("_m._tcp")]);
    book.answer("_m._tcp", srv(&[(0, 1, 1883, "a.lan."), (0, 1, 1883, "b.lan.")]));
    book.answer("a.lan.", ips(&[1]));
    book.answer("b.lan.", ips(&[2]));
    for _ in 0..20 {
        book.next();
        while let Some((_, question)) = book.asked.first().cloned() {
            let name = question.name().to_string();
            match &*name {
                "a.lan." => book.fail(&name, NoSuchName),
                "b.lan." => book.answer(&name, ips(&[2])),
                _ => book.answer(&name, srv(&[(0, 1, 1883, "a.lan."), (0, 1, 1883, "b.lan.")])),
            }
        }
    }
    assert_eq!(book.places(), [1, 2]);
    assert_eq!(book.said, 1);
}

#[test]
fn no_such_service_here_is_no_reason_to_let_everyone_go() {
    let mut book = Book::new(&[service("_m._tcp")]);
    book.answer("_m._tcp", srv(&[(0, 1, 1883, "a.lan.")]));
    book.answer("a.lan.", ips(&[1]));
    for records in [vec![(0, 0, 0, ".")], vec![(0, 1, 0, "a.lan.")], vec![]] {
        while book.asked.iter().all(|(_, q)| q.name() != "_m._tcp") {
            book.asked.clear();
            book.next();
        }
        book.answer("_m._tcp", srv(&records));
        assert_eq!(book.places(), [1]);
        assert_eq!(book.core.names(book.now)[0].trouble, Some(Empty));
    }
}

#[test]
fn a_host_with_both_families_is_one_host() {
    let six: IpAddr = "fd00::1".parse().unwrap();
    let both = || Answer::Addresses(vec![six, ip(1)], TTL);
    for (families, wanted) in [
        (Families::V4First, ip(1)),
        (Families::V4, ip(1)),
        (Families::V6First, six),
        (Families::V6, six),
    ] {
        let at = Target::Host("a.lan".into(), 1883, families);
        let services = vec![vec![Entry { at, weight: 1 }]];
        let mut core = Discovery::new(Plan { services, ..Plan::default() }, Time::ZERO);
        let Some(Output::Ask { ask, .. }) = core.poll_output() else { panic!("it is due") };
        core.answered(Time::ZERO, ask, both());
        let members = core::iter::from_fn(|| core.poll_output()).find_map(|output| match output {
            Output::Members { members, .. } => Some(members),
            _ => None,
        });
        let members = members.expect("it has an address");
        assert_eq!(members.iter().map(|found| found.addr.ip()).collect::<Vec<_>>(), [wanted]);
    }
}

#[test]
fn what_two_entries_lead_to_is_said_of_both() {
    let entry = |name| Entry { at: named(name), weight: 1 };
    let services = vec![vec![entry("a.lan"), entry("b.lan")]];
    let mut core = Discovery::new(Plan { services, ..Plan::default() }, Time::ZERO);
    let asked = core::iter::from_fn(|| core.poll_output()).collect::<Vec<_>>();
    let mut said = Vec::new();
    for output in asked {
        let Output::Ask { ask, question, .. } = output else { panic!("{output:?}") };
        let list: &[u16] = if question.name() == "a.lan" { &[1, 2] } else { &[2, 3] };
        core.answered(Time::ZERO, ask, ips(list));
        said.extend(core::iter::from_fn(|| core.poll_output()));
    }
    let last = said.into_iter().rev().find_map(|output| match output {
        Output::Members { members, again, .. } => Some((members, again)),
        _ => None,
    });
    let (members, again) = last.expect("there are some");
    let short = |found: &[Found]| -> Vec<(usize, IpAddr)> {
        found.iter().map(|found| (found.entry, found.addr.ip())).collect()
    };
    assert_eq!(short(&members), [(0, ip(1)), (0, ip(2)), (1, ip(3))]);
    assert_eq!(short(&again), [(1, ip(2))]);
}

#[test]
fn a_name_that_leads_to_this_node_leads_nowhere() {
    let entry = Entry { at: named("a.lan"), weight: 1 };
    let own = vec!["10.0.0.1:1883".parse().unwrap(), "0.0.0.0:1883".parse().unwrap()];
    let mut book = Book::of(Plan { services: vec![vec![entry]], own, ..Plan::default() });
    let loopback = IpAddr::from([127, 0, 0, 1]);
    book.answer("a.lan", Answer::Addresses(vec![ip(1), loopback, ip(2)], TTL));
    assert_eq!(book.places(), [2]);
}

#[test]
fn names_are_asked_once_for_all_who_use_them_and_not_too_many_at_a_time() {
    let entry = |n: usize| Entry { at: named(&format!("n{}.lan", n % 40)), weight: 1 };
    let services = vec![(0..80).map(entry).collect(), (0..80).map(entry).collect()];
    let joins = vec![named("n0.lan"), Target::Address("10.0.0.1:7443".parse().unwrap())];
    let mut book = Book::of(Plan { services, joins, ..Plan::default() });
    assert_eq!(book.joins, [(1, 1)]);
    assert_eq!(book.asked.len(), ASKS_MAX);
    let mut seen = BTreeSet::new();
    while let Some((_, question)) = book.asked.first().cloned() {
        assert!(seen.insert(question.clone()));
        let name = question.name().to_string();
        book.answer(&name, ips(&[seen.len() as u16]));
        assert!(book.asked.len() <= ASKS_MAX);
    }
    assert_eq!(seen.len(), 40);
    assert_eq!(book.members.len(), 40);
    assert_eq!(book.joins, [(1, 1), (0, 1)]);
    assert!(book.core.is_known());
}

#[test]
fn targets_that_no_record_names_any_longer_are_forgotten() {
    let mut book = Book::new(&[service("_m._tcp")]);
    for n in 0..50 {
        while book.asked.iter().all(|(_, q)| q.name() != "_m._tcp") {
            book.asked.clear();
            book.next();
        }
        let target = format!("h{n}.lan.");
        book.answer("_m._tcp", srv(&[(0, 1, 1883, &target)]));
        book.answer(&target, ips(&[n]));
        assert_eq!(book.places(), [n]);
        assert_eq!(book.core.watches.len(), 2);
    }
}
