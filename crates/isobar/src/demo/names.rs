//! How the demo's clients find a site: by one name, for which the nodes answer.
//!
//! A region is where some of the clients live. They share a resolver, as the customers of one
//! provider do: it asks the nodes' DNS servers, from an address by which the nodes know where it
//! is, and keeps an answer for as long as the answer says. A client is given its region and nothing
//! else: it connects by a [`Lead`], which is only had from an answer.
//!
//! What the regions are told is written down here too, and asked for often enough that a resolver
//! never has to ask for the first client that comes: they are busy ones, whose answers are as old
//! as may be.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::failure::Failure;
use super::mqtt::Gone;

/// All that a client knows, but for the port. It is the zone as well.
pub(super) const NAME: &str = "mqtt.example.com";
/// How long an answer may be kept: the least that there is, for a play of less than a minute.
pub(super) const TTL: Duration = Duration::from_secs(1);

/// For one question; the resolver asks a second time before it gives up.
const SERVER_PATIENCE: Duration = Duration::from_secs(2);
const WATCH_EVERY: Duration = Duration::from_millis(100);

/// `[entry]` of a node that answers at that address; `whereabouts` are its other keys.
pub(super) fn entry(dns: SocketAddr, servers: &[String], whereabouts: &str) -> String {
    let servers: Vec<String> =
        servers.iter().map(|server| format!("\"{server}.ns.example.com\"")).collect();
    let mut toml = format!("\n[entry]\n{whereabouts}\n[entry.dns]\n");
    // Writing to a String cannot fail.
    let _ = write!(
        toml,
        "bind = [\"{dns}\"]\nzone = \"{NAME}\"\nns = [{}]\npolicy = \"nearest\"\nttl = \"{}s\"\n",
        servers.join(", "),
        TTL.as_secs()
    );
    toml
}

/// An address of an answer, for one client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Lead {
    region: usize,
    door: usize,
    addr: SocketAddr,
    turn: usize,
}

impl Lead {
    /// Where the client lives.
    pub(super) fn region(&self) -> usize {
        self.region
    }

    /// The node that it leads to, by its index.
    pub(super) fn door(&self) -> usize {
        self.door
    }

    /// Where to connect.
    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its place in the answer, from 0.
    pub(super) fn turn(&self) -> usize {
        self.turn
    }

    #[cfg(test)]
    pub(super) fn of_test(region: usize, door: usize, turn: usize) -> Lead {
        let addr = SocketAddr::from(([127, 0, 0, 1], 1883));
        Lead { region, door, addr, turn }
    }
}

/// What a region is told.
#[derive(Clone, Debug)]
struct Told {
    /// The doors of the answer, in its order.
    doors: Vec<usize>,
    /// The answer's number, by which it is known when it comes out of the resolver's memory.
    id: u16,
    /// When a node gave it.
    given: Instant,
    /// Answers of nodes that said the same, one after the other.
    times: u32,
}

/// All that was answered.
struct Register {
    /// By region, once it was told something.
    told: Vec<Option<Told>>,
    /// By door: when it was last in an answer.
    named: Vec<Option<Instant>>,
    /// Addresses that are no door's.
    strange: u32,
    /// Answers that were given by nodes, and not remembered by resolvers.
    given: u64,
}

impl Register {
    fn hear(&mut self, region: usize, doors: Vec<usize>, id: u16) {
        let told = &mut self.told[region];
        if told.as_ref().is_some_and(|told| told.id == id) {
            return;
        }
        let same = told.as_ref().filter(|told| told.doors == doors);
        let times = same.map_or(1, |told| told.times + 1);
        *told = Some(Told { doors, id, given: Instant::now(), times });
        self.given += 1;
    }

    fn lead_to(&self, region: usize, door: usize) -> bool {
        let told = self.told[region].as_ref();
        told.is_some_and(|told| told.doors == [door] && told.times > 1)
    }

    fn pass_over(&self, door: usize) -> bool {
        let passes = |told: &Told| !told.doors.contains(&door) && told.times > 1;
        self.told.iter().all(|told| told.as_ref().is_some_and(passes))
    }
}

struct Shared {
    name: Name,
    resolvers: Vec<TokioResolver>,
    doors: Vec<SocketAddr>,
    register: Mutex<Register>,
}

/// The resolvers of all regions, and what they were told.
#[derive(Clone)]
pub(super) struct Names(Arc<Shared>);

impl Names {
    /// A resolver for each of `regions`, which are the addresses that they ask from. Nothing is
    /// asked yet.
    pub(super) fn new(
        servers: &[SocketAddr],
        regions: &[IpAddr],
        doors: Vec<SocketAddr>,
    ) -> Result<Names, Failure> {
        let unusable = |error: &dyn std::fmt::Display| Failure::Other(format!("{NAME}: {error}"));
        let name = Name::from_ascii(format!("{NAME}.")).map_err(|error| unusable(&error))?;
        let resolvers: Result<Vec<_>, _> =
            regions.iter().map(|from| resolver(servers, *from)).collect();
        let told = vec![None; regions.len()];
        let named = vec![None; doors.len()];
        let register = Mutex::new(Register { told, named, strange: 0, given: 0 });
        let resolvers = resolvers.map_err(|error| unusable(&error))?;
        Ok(Names(Arc::new(Shared { name, resolvers, doors, register })))
    }

    /// How many regions there are.
    pub(super) fn regions(&self) -> usize {
        self.0.resolvers.len()
    }

    /// A client of that region asks. Never empty.
    pub(super) async fn ask(&self, region: usize) -> Result<Vec<Lead>, Gone> {
        let Shared { name, resolvers, .. } = &*self.0;
        let found = resolvers[region].lookup(name.clone(), RecordType::A).await;
        let found = found.map_err(|error| Gone::new(format!("{NAME}: {error}")))?;
        let leads = self.write_down(region, &found);
        if leads.is_empty() { Err(Gone::new(format!("{NAME}: no address"))) } else { Ok(leads) }
    }

    fn write_down(&self, region: usize, found: &Lookup) -> Vec<Lead> {
        let ips = found.answers().iter().filter_map(|record| match &record.data {
            RData::A(a) => Some(IpAddr::V4(a.0)),
            _ => None,
        });
        let mut register = self.register();
        let (mut leads, now) = (Vec::new(), Instant::now());
        for ip in ips {
            match self.0.doors.iter().position(|door| door.ip() == ip) {
                Some(door) => {
                    let (addr, turn) = (self.0.doors[door], leads.len());
                    leads.push(Lead { region, door, addr, turn });
                    register.named[door] = Some(now);
                }
                None => register.strange += 1,
            }
        }
        register.hear(region, leads.iter().map(Lead::door).collect(), found.message().metadata.id);
        leads
    }

    /// Asks in every region again and again, until the set is dropped.
    pub(super) fn watch(&self) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for region in 0..self.regions() {
            let names = self.clone();
            tasks.spawn(async move {
                loop {
                    // Without an answer nothing is written down: the next one may come.
                    let _ = names.ask(region).await;
                    sleep(WATCH_EVERY).await;
                }
            });
        }
        tasks
    }

    /// What a region was told last, in the answer's order.
    pub(super) fn told(&self, region: usize) -> Vec<usize> {
        let register = self.register();
        register.told[region].as_ref().map_or_else(Vec::new, |told| told.doors.clone())
    }

    /// A region is led to that door alone, and not by one answer only.
    pub(super) fn lead_to(&self, region: usize, door: usize) -> bool {
        self.register().lead_to(region, door)
    }

    /// No region is led to that door, and not by one answer only.
    pub(super) fn pass_over(&self, door: usize) -> bool {
        self.register().pass_over(door)
    }

    /// The resolver of that region has just asked: what it was told stays for most of the TTL.
    pub(super) fn are_fresh(&self, region: usize) -> bool {
        let register = self.register();
        register.told[region].as_ref().is_some_and(|told| told.given.elapsed() < TTL / 4)
    }

    /// Answers that nodes gave to resolvers.
    pub(super) fn given(&self) -> u64 {
        self.register().given
    }

    /// For how long after that moment a door was still in answers.
    pub(super) fn named_after(&self, door: usize, moment: Instant) -> Duration {
        let named = self.register().named[door];
        named.map_or(Duration::ZERO, |named| named.saturating_duration_since(moment))
    }

    /// Addresses in answers that are no node's.
    pub(super) fn strange(&self) -> u32 {
        self.register().strange
    }

    fn register(&self) -> MutexGuard<'_, Register> {
        // Each change is complete in itself: a panic elsewhere leaves what can be read.
        self.0.register.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that asks these servers from that address, and no hosts file.
fn resolver(
    servers: &[SocketAddr],
    from: IpAddr,
) -> Result<TokioResolver, hickory_resolver::net::NetError> {
    let servers = servers.iter().map(|addr| {
        let mut server = NameServerConfig::udp_and_tcp(addr.ip());
        for connection in &mut server.connections {
            connection.port = addr.port();
            connection.bind_addr = Some(SocketAddr::new(from, 0));
        }
        server
    });
    let config = ResolverConfig::from_name_servers(servers.collect());
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    options.use_hosts_file = ResolveHosts::Never;
    options.timeout = SERVER_PATIENCE;
    options.attempts = 2;
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(regions: usize) -> Register {
        Register { told: vec![None; regions], named: Vec::new(), strange: 0, given: 0 }
    }

    #[test]
    fn one_answer_is_not_enough_however_often_it_is_remembered() {
        let mut register = register(1);
        register.hear(0, vec![2], 7);
        register.hear(0, vec![2], 7);
        assert!(!register.lead_to(0, 2));
        register.hear(0, vec![2], 8);
        assert!(register.lead_to(0, 2) && !register.lead_to(0, 1));
        register.hear(0, vec![2, 1], 9);
        register.hear(0, vec![2, 1], 10);
        assert!(!register.lead_to(0, 2), "not alone");
        assert_eq!(4, register.given);
    }

    #[test]
    fn a_door_is_passed_over_when_every_region_has_been_told_so() {
        let mut register = register(2);
        register.hear(0, vec![1], 1);
        register.hear(0, vec![1], 2);
        assert!(!register.pass_over(0), "nothing is known of the other region");
        register.hear(1, vec![2, 0], 1);
        register.hear(1, vec![2, 0], 2);
        assert!(!register.pass_over(0), "it comes second there");
        register.hear(1, vec![2], 3);
        assert!(!register.pass_over(0), "once is not enough");
        register.hear(1, vec![2], 4);
        assert!(register.pass_over(0));
    }

    #[test]
    fn what_is_written_for_a_node_is_a_good_configuration() {
        let dns = SocketAddr::from(([127, 0, 0, 1], 5353));
        let entry = entry(dns, &["a-1".to_owned(), "b-1".to_owned()], "places = []\n");
        let parsed: toml::Table = toml::from_str(&entry).expect("it is TOML");
        let dns = &parsed["entry"]["dns"];
        assert_eq!(Some("1s"), dns["ttl"].as_str());
        assert_eq!(Some("b-1.ns.example.com"), dns["ns"][1].as_str());
    }
}
