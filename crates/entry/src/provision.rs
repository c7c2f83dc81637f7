//! Devices ask where to go: by HTTP (`server`), and through the node's listeners by MQTT.
//!
//! What they are told is [`Guide`]'s; how many may ask and when the others come back is core's
//! `Rush`. A client is known by its address and its client id: the id is what is drawn by, so that
//! the same client is told the same while nothing changes, and many clients are spread all the
//! same.

mod answer;
mod figures;
mod question;
mod redirect;
pub mod server;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use isobar_core::entry::rush::Rush;
use isobar_core::entry::{Absence, Answer, Ask, Client, Form, Prefix};
use isobar_core::id::{ClientKey, ServiceId, SiteId};
use isobar_core::time::Time;

use crate::Guide;
use crate::geo::Geo;
pub use figures::{Figures, Outcome};
pub use question::{CLIENT_ID_MAX, Format, Proto, Question, Unclear};
pub use redirect::Redirect;

use answer::{Excuse, Place, Told};
use figures::Counters;

/// Where nothing says how many clients a service takes a second: what one mosquitto takes with
/// ease.
const ADMITS_ASSUMED: u32 = 1_000;

/// Answers devices. One for the whole node.
#[derive(Debug)]
pub struct Provisioner {
    guide: Guide,
    geo: Option<Arc<Geo>>,
    /// By [`ServiceId`].
    services: Vec<Offer>,
    rush: Mutex<Rush>,
    since: Instant,
    counters: Counters,
}

/// A service that clients may be told of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offer {
    /// Its name.
    pub name: Arc<str>,
    /// Clients that it takes a second; 0 where it has no limit.
    pub admits: u32,
}

/// What a client is answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// What came of it.
    pub outcome: Outcome,
    /// What to say.
    pub body: String,
    /// What that is.
    pub content_type: &'static str,
    /// For how long it may be kept.
    pub ttl: Option<Duration>,
    /// When to ask again, where there is no answer.
    pub retry_after: Option<Duration>,
    /// Its tag.
    pub tag: Option<String>,
    /// The first server that is named, `host:port`.
    pub first: Option<String>,
}

impl Provisioner {
    /// Answers at most `rate` questions a second, from what `guide` knows of `services`, and `geo`
    /// of clients in no configured network.
    pub fn new(
        guide: Guide,
        geo: Option<Arc<Geo>>,
        services: Vec<Offer>,
        rate: u32,
    ) -> Provisioner {
        let rush = Mutex::new(Rush::new(rate, Time::ZERO));
        let (since, counters) = (Instant::now(), Counters::default());
        Provisioner { guide, geo, services, rush, since, counters }
    }

    /// What has been answered so far.
    pub fn figures(&self) -> Figures {
        self.counters.figures()
    }

    /// Tells how many flows the node has begun ever: a storm of them is one here as well.
    pub fn flows(&self, ever: u64) {
        let now = self.now();
        self.rush().flows(ever, now);
    }

    /// Answers a client at `from` that asks `query`, and has the answer with `tag`, if any.
    pub fn answer(&self, query: &str, from: IpAddr, tag: Option<&str>) -> Reply {
        let reply = self.judge(query, from, tag);
        self.counters.count(reply.outcome);
        reply
    }

    /// Answers a client of that service, who asked by MQTT. `None` where too many ask.
    pub fn answer_mqtt(&self, service: u16, client_id: &str, from: IpAddr) -> Option<Reply> {
        let now = self.now();
        if !self.rush().enter(from, now) {
            self.counters.count(Outcome::Limited);
            return None;
        }
        let question = Question {
            client_id: client_id.to_owned(),
            proto: Proto::Mqtt,
            service: None,
            format: Format::Json,
        };
        // A URL says of each place whether TLS is spoken there: the client sees what suits it.
        let reply = self.reply(&question, &[ServiceId(service)], Form::Endpoints, from, None);
        self.counters.count(reply.outcome);
        self.counters.by_mqtt();
        Some(reply)
    }

    fn judge(&self, query: &str, from: IpAddr, tag: Option<&str>) -> Reply {
        let now = self.now();
        // Too many are not even read.
        if !self.rush().enter(from, now) {
            let draw = ClientKey::of(query.as_bytes()).low();
            let later = self.rush().later(from, self.admits(None), draw, now);
            let why = "too many ask just now; come again later";
            return refused(Outcome::Limited, why, Some(later), Format::Json);
        }
        let question = match Question::read(query) {
            Ok(question) => question,
            Err(Unclear(why)) => return refused(Outcome::Unclear, &why, None, Format::Json),
        };
        let form = match question.proto {
            Proto::Mqtt => Form::Plain,
            Proto::Mqtts => Form::Secure,
        };
        let services: Vec<ServiceId> = match &question.service {
            Some(name) => match self.guide.service(name) {
                Some(service) => vec![service],
                None => {
                    let why = format!("there is no service {name:?}; leave it out, or ask for one");
                    return refused(Outcome::Unclear, &why, None, question.format);
                }
            },
            None => (0..self.services.len() as u16).map(ServiceId).collect(),
        };
        self.reply(&question, &services, form, from, tag)
    }

    /// The first of `services` that is anywhere to be had in this form.
    fn reply(
        &self,
        question: &Question,
        services: &[ServiceId],
        form: Form,
        from: IpAddr,
        tag: Option<&str>,
    ) -> Reply {
        let draw = self.draw(&question.client_id, from);
        let snapshot = self.guide.snapshot();
        let client = whereabouts(from, self.geo.as_deref());
        let ask = |service| {
            let ask = Ask { service, client, form, draw };
            (service, snapshot.entry.ask(&ask))
        };
        let mut answers = services.iter().copied().map(ask);
        let mut absence = Absence::NoSuchAddress;
        let found = answers.find_map(|(service, answer)| match answer.endpoints {
            Ok(_) => Some((service, answer)),
            Err(why) => {
                absence = absence.min(why);
                None
            }
        });
        let later = self.rush().later(
            from,
            self.admits(found.as_ref().map(|(service, _)| *service)),
            draw,
            self.now(),
        );
        let Some((service, answer)) = found else {
            return refused(
                Outcome::Nowhere,
                &excuse(absence, question),
                Some(later),
                question.format,
            );
        };
        let site = |site: SiteId| snapshot.sites.get(site.index()).map_or("?", |name| &**name);
        let Answer { generation, ttl, endpoints, .. } = answer;
        let endpoints = endpoints.unwrap_or_default();
        let places: Vec<Place> = endpoints.iter().map(|e| Place::new(e, site(e.site))).collect();
        let name = &self.services[service.index()].name;
        let own = answer::tag(question, name, &places);
        let first = endpoints.first().map(|endpoint| endpoint.address.to_string());
        let same = tag.is_some_and(|tag| matches(tag, &own));
        let body = if same {
            String::new()
        } else {
            let told = Told {
                client_id: &question.client_id,
                service: name,
                generation,
                ttl: ttl.as_secs(),
                retry_after: whole_seconds(later),
                retry_after_ms: later.as_millis() as u64,
                endpoints: places,
            };
            answer::write(&told, question.format)
        };
        Reply {
            outcome: if same { Outcome::Unchanged } else { Outcome::Answered },
            body,
            content_type: answer::content_type(question.format),
            ttl: Some(ttl),
            retry_after: None,
            tag: Some(own),
            first,
        }
    }

    /// Clients that a service takes a second; without a service, that the node does.
    fn admits(&self, service: Option<ServiceId>) -> u32 {
        let of = |offer: &Offer| if offer.admits > 0 { offer.admits } else { ADMITS_ASSUMED };
        match service {
            Some(service) => of(&self.services[service.index()]),
            None => self.services.iter().map(of).max().unwrap_or(ADMITS_ASSUMED),
        }
    }

    /// By the client's id; one that has none, by its address.
    fn draw(&self, client_id: &str, from: IpAddr) -> u64 {
        match client_id {
            "" => ClientKey::of(from.to_canonical().to_string().as_bytes()).low(),
            id => ClientKey::of(id.as_bytes()).low(),
        }
    }

    fn now(&self) -> Time {
        Time::ZERO + self.since.elapsed()
    }

    fn rush(&self) -> std::sync::MutexGuard<'_, Rush> {
        // Numbers: a panic between two of them leaves nothing half done that matters.
        self.rush.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a client is that connects from there.
fn whereabouts(from: IpAddr, geo: Option<&Geo>) -> Client {
    let located = geo.map(|geo| geo.locate(from.to_canonical()));
    Client { network: Some(Prefix::host(from)), located }
}

/// Whether a client's `If-None-Match` has this tag (RFC 9110, 13.1.2: a weak comparison).
fn matches(wanted: &str, own: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    wanted.split(',').any(|tag| tag.trim() == "*" || opaque(tag) == opaque(own))
}

/// Rounded up: who comes a little later is taken too.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

fn excuse(absence: Absence, question: &Question) -> String {
    match absence {
        Absence::NotReady => "this node has just started; come again in a moment".to_owned(),
        Absence::AllDown => "no site can take clients just now".to_owned(),
        Absence::NoSuchAddress => {
            format!("no site has an address for {}", question.proto.scheme())
        }
    }
}

fn refused(outcome: Outcome, error: &str, later: Option<Duration>, format: Format) -> Reply {
    let told = Excuse { error, retry_after: later.map(whole_seconds) };
    Reply {
        outcome,
        body: answer::excuse(&told, format),
        content_type: answer::content_type(format),
        ttl: None,
        retry_after: later,
        tag: None,
        first: None,
    }
}
