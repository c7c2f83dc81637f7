//! What the relay promises: its delay and loss, one way or both, and that it loses nothing else.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::Wan;
use super::path::{Fate, Figures, Path, Way};

const NOTHING: Duration = Duration::ZERO;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Two nodes in two places, with their fronts.
struct Pair {
    wan: Wan,
    fra: UdpSocket,
    nyc: UdpSocket,
    front_of_fra: SocketAddr,
    front_of_nyc: SocketAddr,
}

impl Pair {
    fn new(path: Path) -> Pair {
        let wan = Wan::start(7).unwrap();
        let node = |place| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let front = wan.node(place, socket.local_addr().unwrap()).unwrap();
            (socket, front)
        };
        let ((fra, front_of_fra), (nyc, front_of_nyc)) = (node("fra"), node("nyc"));
        wan.set_both("fra", "nyc", path);
        Pair { wan, fra, nyc, front_of_fra, front_of_nyc }
    }

    /// Whether a datagram from fra comes to nyc, and from where.
    fn is_heard(&self, within: Duration) -> Option<SocketAddr> {
        self.fra.send_to(b"hello", self.front_of_nyc).unwrap();
        self.nyc.set_read_timeout(Some(within)).unwrap();
        self.nyc.recv_from(&mut [0; 16]).ok().map(|(_, from)| from)
    }
}

#[test]
fn peers_see_each_other_where_they_are_advertised() {
    let pair = Pair::new(Path::default());
    let from = pair.is_heard(Duration::from_secs(5)).unwrap();
    assert_eq!(from, pair.front_of_fra);
    // So an answer finds its way.
    pair.nyc.send_to(b"back", from).unwrap();
    let mut buffer = [0; 16];
    let (length, from) = pair.fra.recv_from(&mut buffer).unwrap();
    assert_eq!((&buffer[..length], from), (&b"back"[..], pair.front_of_nyc));
    // Who is no node is nobody.
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    stranger.send_to(b"junk", pair.front_of_nyc).unwrap();
    let until = Instant::now() + Duration::from_secs(5);
    while pair.wan.strangers() == 0 {
        assert!(Instant::now() < until, "the stranger was not noticed");
        std::thread::sleep(ms(1));
    }
}

#[test]
fn a_round_trip_takes_as_long_as_it_should() {
    let pair = Pair::new(Path::of_rtt(ms(60)));
    let mut took: Vec<Duration> = (0..20)
        .map(|_| {
            let begun = Instant::now();
            let from = pair.is_heard(Duration::from_secs(5)).expect("nothing is lost");
            pair.nyc.send_to(b"back", from).unwrap();
            pair.fra.recv_from(&mut [0; 16]).unwrap();
            begun.elapsed()
        })
        .collect();
    took.sort();
    assert!(took[0] >= ms(60), "never sooner: {took:?}");
    assert!(took[10] <= ms(70), "the median: {took:?}");
}

/// Losses are drawn for each datagram in order, so the figure is the same in every run.
#[test]
fn as_many_are_lost_as_should_be_and_no_more() {
    let pair = Pair::new(Path::of_rtt(ms(4)).losing(5.0, NOTHING));
    const ALL: u64 = 4_000;
    let mut heard = 0;
    pair.nyc.set_nonblocking(true).unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    for sent in 1..=ALL {
        pair.fra.send_to(&[1; 100], pair.front_of_nyc).unwrap();
        // No more at once than the system's buffers hold, however busy the machine is.
        loop {
            while pair.nyc.recv_from(&mut [0; 128]).is_ok() {
                heard += 1;
            }
            let under_way = sent - heard - pair.wan.figures("fra", "nyc").lost;
            if under_way < if sent == ALL { 1 } else { 100 } {
                break;
            }
            assert!(Instant::now() < until, "{under_way} of {sent} under way");
            std::thread::sleep(ms(1));
        }
    }
    let figures = pair.wan.figures("fra", "nyc");
    assert_eq!((figures.arrived, figures.bytes), (heard, heard * 100));
    assert_eq!(figures.lost + heard, ALL, "nothing else is lost: {figures:?}");
    let percent = figures.lost as f64 * 100.0 / ALL as f64;
    assert!((4.0..=6.0).contains(&percent), "{percent} %");
    assert_eq!(pair.wan.figures("nyc", "fra"), Figures::default());
}

#[test]
fn a_way_is_cut_by_itself_and_comes_back() {
    let pair = Pair::new(Path::of_rtt(ms(2)));
    pair.wan.change("fra", "nyc", |path| path.is_cut = true);
    assert_eq!(pair.is_heard(ms(100)), None);
    pair.nyc.send_to(b"other way", pair.front_of_fra).unwrap();
    pair.fra.recv_from(&mut [0; 16]).expect("the other way is open");
    pair.wan.change("fra", "nyc", |path| path.is_cut = false);
    assert!(pair.is_heard(Duration::from_secs(5)).is_some());
    assert_eq!(pair.wan.figures("fra", "nyc").cut, 1);
}

/// A way driven by hand, without sockets or waiting.
fn fates(path: Path, every: Duration, count: u32) -> Vec<bool> {
    let mut way = Way::new(1, "fra", "nyc");
    way.path = path;
    let begin = Instant::now();
    let mut lost = Vec::new();
    for n in 0..count {
        let fate = way.send(begin + every * n, 100);
        lost.push(fate == Fate::Lost);
        if fate != Fate::Lost {
            way.arrive(100);
        }
    }
    lost
}

/// Lengths of the runs of losses, in datagrams.
fn runs(lost: &[bool]) -> Vec<usize> {
    lost.split(|lost| !lost).map(<[bool]>::len).filter(|length| *length > 0).collect()
}

#[test]
fn bursts_have_their_length_and_their_share() {
    for (percent, burst) in [(5.0, 200), (5.0, 100), (30.0, 200), (1.0, 50)] {
        let path = Path::default().losing(percent, ms(burst));
        let lost = fates(path, ms(1), 2_000_000);
        let share = lost.iter().filter(|lost| **lost).count() as f64 * 100.0 / 2_000_000.0;
        assert!((share / percent - 1.0).abs() < 0.1, "{percent} % in {burst} ms: {share} %");
        let runs = runs(&lost);
        let mean = lost.iter().filter(|lost| **lost).count() as f64 / runs.len() as f64;
        assert!((mean / burst as f64 - 1.0).abs() < 0.1, "{burst} ms: {mean} ms");
    }
    // Each by itself.
    let lost = fates(Path::default().losing(20.0, NOTHING), ms(1), 200_000);
    let mean = lost.iter().filter(|lost| **lost).count() as f64 / runs(&lost).len() as f64;
    assert!((1.2..1.3).contains(&mean), "1 / (1 - 0.2) = 1.25: {mean}");
    let all = fates(Path::default().losing(100.0, ms(200)), ms(1), 1_000);
    assert!(all.iter().all(|lost| *lost));
}

#[test]
fn the_same_seed_loses_the_same() {
    let path = Path::default().losing(10.0, ms(20));
    assert_eq!(fates(path, ms(3), 10_000), fates(path, ms(3), 10_000));
}

#[test]
fn jitter_spreads_and_keeps_the_order() {
    let mut way = Way::new(1, "fra", "nyc");
    way.path = Path { delay: ms(50), jitter: ms(20), ..Path::default() };
    let begin = Instant::now();
    let mut last = begin;
    let (mut shortest, mut longest) = (Duration::MAX, NOTHING);
    for n in 0..1_000 {
        let sent = begin + ms(100) * n;
        let Fate::Arrives(at) = way.send(sent, 1) else { panic!("lost") };
        assert!(at >= last);
        last = at;
        shortest = shortest.min(at - sent);
        longest = longest.max(at - sent);
    }
    assert!((ms(50)..ms(52)).contains(&shortest), "{shortest:?}");
    assert!((ms(68)..ms(70)).contains(&longest), "{longest:?}");
    // Sent at once, they come in order all the same.
    let arrivals: Vec<Fate> = (0..100).map(|_| way.send(begin + ms(200_000), 1)).collect();
    let times = arrivals.iter().map(|fate| match fate {
        Fate::Arrives(at) => *at,
        Fate::Lost => panic!("lost"),
    });
    assert!(times.is_sorted());
}

#[test]
fn what_is_under_way_is_bounded() {
    let mut way = Way::new(1, "fra", "nyc");
    way.path.delay = Duration::from_secs(3600);
    let now = Instant::now();
    let taken = (0..100_000).filter(|_| way.send(now, 1) != Fate::Lost).count();
    assert_eq!((taken, way.figures.overflowed), (32 * 1024, 100_000 - 32 * 1024));
    let mut way = Way::new(1, "fra", "nyc");
    way.path.delay = Duration::from_secs(3600);
    let taken = (0..1_000).filter(|_| way.send(now, 60_000) != Fate::Lost).count();
    assert_eq!(taken, 32 * 1024 * 1024 / 60_000);
}
