//! Scripts about who is told to go where.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;

use super::*;
use crate::outlook::{Entrance, Heard, Standing};
use crate::policy::AllDown;

extern crate std;

mod all_down;
mod elsewhere;
mod leaving;
mod nearest;
mod properties;
mod ranking;

const S: ServiceId = ServiceId(0);

/// Sites, and where they are in degrees. Ours is the first.
const SITES: [(&str, f64, f64); 7] = [
    ("fra", 50.11, 8.68),
    ("nyc", 40.71, -74.0),
    ("sin", 1.35, 103.82),
    ("syd", -33.87, 151.21),
    ("gru", -23.55, -46.63),
    ("nrt", 35.68, 139.65),
    ("jnb", -26.2, 28.05),
];

fn place(latitude: f64, longitude: f64) -> Place {
    Place::at_microdegrees((latitude * 1e6) as i32, (longitude * 1e6) as i32)
}

fn p(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn from(network: &str) -> Client {
    Client { network: Some(p(network)), located: None }
}

fn policy(ranking: Ranking) -> EntryPolicy {
    let places = SITES.iter().map(|(name, lat, lon)| (name.to_string(), place(*lat, *lon)));
    let ttl = Duration::from_secs(30);
    EntryPolicy { ranking, ttl, places: places.collect(), ..EntryPolicy::default() }
}

/// What the mesh says, and the engine that hears it.
struct Town {
    outlook: Outlook,
    entry: Entry,
    draws: Rng,
}

impl Town {
    /// The first `n` sites, each of two nodes with room for 500 of 1,000.
    fn of(n: usize, policy: EntryPolicy) -> Town {
        let sites = SITES.iter().take(n).map(|(name, ..)| name.to_string()).collect();
        let entrance = |at: usize| Entrance {
            site: SiteId(at as u16),
            standing: Standing::Reachable,
            brokers_up: 2,
            free: 500,
            capacity: 1_000,
            heard: Heard::default(),
            addresses: Arc::from(vec![
                format!("192.0.2.{}:1883", 10 * at + 1),
                format!("192.0.2.{}:1883", 10 * at + 2),
                format!("192.0.2.{}:8883", 10 * at + 2),
                format!("[2001:db8:ffff:{at}::1]:1883"),
            ]),
        };
        let entrances = vec![(0..n).map(entrance).collect()];
        let outlook = Outlook { generation: 1, sites, services: vec![vec![]], entrances };
        let mut entry = Entry::new(Arc::new(policy));
        assert!(entry.hear(&outlook));
        Town { outlook, entry, draws: Rng::new(7) }
    }

    /// News of one site.
    fn says(&mut self, name: &str, change: impl FnOnce(&mut Entrance)) {
        let site = self.id(name);
        let at = self.outlook.entrances[0].iter_mut().find(|entrance| entrance.site == site);
        change(at.unwrap());
        self.publish();
    }

    fn stands(&mut self, name: &str, standing: Standing) {
        self.says(name, |entrance| entrance.standing = standing);
    }

    fn has_free(&mut self, name: &str, free: u32) {
        self.says(name, |entrance| entrance.free = free);
    }

    fn publish(&mut self) {
        self.outlook.generation += 1;
        assert!(self.entry.hear(&self.outlook));
        assert_eq!(self.entry.generation(), self.outlook.generation);
    }

    fn id(&self, name: &str) -> SiteId {
        SiteId(self.outlook.sites.iter().position(|site| site == name).unwrap() as u16)
    }

    fn name(&self, site: SiteId) -> &str {
        &self.outlook.sites[site.index()]
    }

    fn question(&mut self, client: Client, form: Form) -> Ask {
        Ask { service: S, client, form, draw: self.draws.draw() }
    }

    fn asks(&mut self, client: Client, form: Form) -> Answer {
        let ask = self.question(client, form);
        let answer = self.entry.ask(&ask);
        assert_eq!(answer, self.entry.ask(&ask), "the same question");
        assert_eq!(answer.generation, self.outlook.generation);
        assert!(answer.ttl >= Duration::from_secs(1));
        if let Ok(endpoints) = &answer.endpoints {
            assert!(!endpoints.is_empty());
            assert!(!form.is_of_ips() || endpoints.len() <= 2);
        }
        answer
    }

    /// The site of the first IPv4 address.
    fn first(&mut self, client: Client) -> String {
        let endpoints = self.asks(client, Form::V4).endpoints.unwrap();
        self.name(endpoints[0].site).to_string()
    }

    /// The sites of an answer, in order, each once.
    fn order(&mut self, client: Client) -> String {
        let endpoints = self.asks(client, Form::Endpoints).endpoints.unwrap();
        let mut names: Vec<&str> = endpoints.iter().map(|e| self.name(e.site)).collect();
        names.dedup();
        names.join(" ")
    }

    fn ttl(&mut self, client: Client) -> u64 {
        self.asks(client, Form::V4).ttl.as_secs()
    }

    fn verdict(&mut self, client: Client, name: &str) -> Judged {
        let (ask, id) = (self.question(client, Form::V4), self.id(name));
        let (_, judged) = self.entry.explain(&ask);
        judged.into_iter().find(|(site, _)| *site == id).unwrap().1
    }
}

const ANYONE: Client = Client { network: None, located: None };

#[test]
fn nothing_is_answered_before_the_first_digest() {
    let mut entry = Entry::new(Arc::new(policy(Ranking::Nearest)));
    let ask = Ask { service: S, client: ANYONE, form: Form::V4, draw: 1 };
    assert_eq!(entry.ask(&ask).endpoints, Err(Absence::NotReady));
    let mut outlook = Outlook::default();
    assert!(!entry.hear(&outlook), "nothing was published");
    outlook.generation = 1;
    outlook.entrances = vec![vec![]];
    assert!(entry.hear(&outlook));
    let answer = entry.ask(&ask);
    assert_eq!((answer.endpoints, answer.ttl), (Err(Absence::NotReady), TTL_NEAR));
    let town = Town::of(1, policy(Ranking::Nearest));
    let unknown = Ask { service: ServiceId(9), ..ask };
    assert_eq!(town.entry.ask(&unknown).endpoints, Err(Absence::NotReady));
}

#[test]
fn old_news_changes_nothing() {
    let mut town = Town::of(2, policy(Ranking::Nearest));
    let old = town.outlook.clone();
    town.stands("fra", Standing::Dead);
    assert!(!town.entry.hear(&old) && !town.entry.hear(&town.outlook.clone()));
    assert_eq!(town.first(ANYONE), "nyc");
}

#[test]
fn a_node_without_peers_names_itself() {
    for ranking in [Ranking::Nearest, Ranking::Headroom, Ranking::Failover] {
        let mut town = Town::of(1, policy(ranking));
        assert_eq!(town.first(ANYONE), "fra");
        assert_eq!(town.order(from("10.0.0.1")), "fra");
        assert_eq!(town.ttl(ANYONE), 30);
    }
}

#[test]
fn an_answer_for_dns_is_two_nodes_of_one_site_and_either_is_first() {
    let mut town = Town::of(3, policy(Ranking::Nearest));
    let mut first = [0; 2];
    for _ in 0..1_000 {
        let endpoints = town.asks(ANYONE, Form::V4).endpoints.unwrap();
        let ips: Vec<_> = endpoints.iter().map(|e| e.address.ip().unwrap().to_string()).collect();
        first[usize::from(ips[0] == "192.0.2.2")] += 1;
        let mut sorted = ips.clone();
        sorted.sort();
        assert_eq!(sorted, ["192.0.2.1", "192.0.2.2"], "a second port is no second address");
        assert!(endpoints.iter().all(|e| e.rank == 0 && e.why == Why::NearHome));
    }
    assert!(first.iter().all(|n| (450..550).contains(n)), "{first:?}");
    let v6 = town.asks(ANYONE, Form::V6).endpoints.unwrap();
    assert_eq!(v6.len(), 1);
    assert_eq!(v6[0].address.ip().unwrap().to_string(), "2001:db8:ffff::1");
}

/// Which of a site's nodes are named is drawn, so that each is first as often; which site, is not.
#[test]
fn of_a_larger_site_two_nodes_are_drawn_and_the_site_stays() {
    let mut town = Town::of(3, policy(Ranking::Nearest));
    let five = (1..=5).map(|n| format!("192.0.2.{n}:1883")).collect();
    town.says("fra", |entrance| entrance.addresses = five);
    let mut first = [0; 5];
    for _ in 0..1_000 {
        let endpoints = town.asks(ANYONE, Form::V4).endpoints.unwrap();
        assert_eq!(endpoints.len(), 2);
        assert!(endpoints.iter().all(|e| town.name(e.site) == "fra"));
        let ip = endpoints[0].address.ip().unwrap().to_string();
        first[ip.rsplit('.').next().unwrap().parse::<usize>().unwrap() - 1] += 1;
    }
    assert!(first.iter().all(|n| (150..250).contains(n)), "{first:?}");
}

#[test]
fn provisioning_names_every_port_of_every_site_up_to_a_limit() {
    let mut town = Town::of(7, policy(Ranking::Nearest));
    let endpoints = town.asks(ANYONE, Form::Endpoints).endpoints.unwrap();
    assert_eq!(endpoints.len(), 7 * 4);
    let ranks: Vec<u16> = endpoints.iter().map(|e| e.rank).collect();
    assert!(ranks.is_sorted() && ranks.iter().max() == Some(&6));
    let many = (0..64).map(|n| format!("10.9.8.{n}:1883"));
    let many: Arc<[String]> = many.collect();
    town.says("nyc", |entrance| entrance.addresses = many);
    let endpoints = town.asks(ANYONE, Form::Endpoints).endpoints.unwrap();
    assert_eq!(endpoints.len(), ENDPOINTS_MAX);
    let many = (0..64).map(|n| format!("10.9.7.{n}:1883"));
    let many: Arc<[String]> = many.collect();
    town.says("fra", |entrance| entrance.addresses = many);
    let endpoints = town.asks(ANYONE, Form::Endpoints).endpoints.unwrap();
    assert_eq!(endpoints.len(), ENDPOINTS_MAX);
    assert_eq!(endpoints.iter().filter(|e| e.rank == 0).count(), 58, "a large site is not alone");
    assert!((0..7).all(|rank| endpoints.iter().any(|e| e.rank == rank)));
}

#[test]
fn addresses_are_known_as_long_as_a_site_is() {
    let mut town = Town::of(2, policy(Ranking::Nearest));
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    assert!(town.entry.knows(ip("192.0.2.1")) && !town.entry.knows(ip("203.0.113.77")));
    let (fra, ghost) = (town.id("fra"), SiteId(77));
    assert_eq!(town.entry.judge(S, fra), Some(Ok(())));
    assert_eq!(town.entry.judge(S, ghost), None);
    town.says("fra", |entrance| entrance.brokers_up = 0);
    assert_eq!(town.entry.judge(S, fra), Some(Err(PassedOver::NoBroker)));
    town.says("fra", |entrance| entrance.standing = Standing::Dead);
    assert!(town.entry.knows(ip("192.0.2.1")), "its name may still be in somebody's cache");
}

#[test]
fn addresses_with_tls_and_without_are_asked_for_apart() {
    let mut town = Town::of(2, policy(Ranking::Nearest));
    let told = ["192.0.2.1:1883", "192.0.2.1:8883/mqtt.example.com"].map(ToString::to_string);
    town.says("fra", |entrance| entrance.addresses = Arc::from(told.to_vec()));
    let mut named = |form| -> Vec<(u16, String)> {
        let endpoints = town.asks(ANYONE, form).endpoints.unwrap();
        endpoints.iter().map(|e| (e.rank, e.address.to_string())).collect()
    };
    assert_eq!(named(Form::Secure), [(0, "192.0.2.1:8883".to_string())], "nyc has none");
    assert_eq!(named(Form::Plain)[0], (0, "192.0.2.1:1883".to_string()));
    assert!(named(Form::Plain).iter().all(|(_, at)| at != "192.0.2.1:8883"));
    assert_eq!(named(Form::Endpoints).iter().filter(|(rank, _)| *rank == 0).count(), 2);
    assert_eq!(named(Form::V4), [(0, "192.0.2.1:1883".to_string())], "an address has no ports");
    town.says("fra", |entrance| entrance.addresses = Arc::from(vec![told[0].clone()]));
    assert_eq!(town.asks(ANYONE, Form::Secure).endpoints, Err(Absence::NoSuchAddress));
}

#[test]
fn a_site_without_such_an_address_is_passed_over_and_none_is_said_plainly() {
    let mut town = Town::of(2, policy(Ranking::Nearest));
    let addresses: Arc<[String]> = Arc::from(vec!["fra.example.com:1883".to_string()]);
    town.says("fra", |entrance| entrance.addresses = addresses.clone());
    assert_eq!(town.first(ANYONE), "nyc");
    assert_eq!(town.verdict(ANYONE, "fra"), Judged::PassedOver(PassedOver::NoAddress));
    assert_eq!(town.order(ANYONE), "fra nyc", "a name is good for others");
    town.says("nyc", |entrance| entrance.addresses = addresses);
    let answer = town.asks(ANYONE, Form::V4);
    assert_eq!(answer.endpoints, Err(Absence::NoSuchAddress), "and not that all are down");
    let nonsense: Arc<[String]> = Arc::from(vec!["0.0.0.0:1883".to_string(), "?".to_string()]);
    town.says("fra", |entrance| entrance.addresses = nonsense);
    assert_eq!(town.order(ANYONE), "nyc", "what nobody can reach is not told");
}
