//! How clients find this node's site and the others: the guide, those who answer from it, and
//! what is told of them on the admin address.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use isobar_admin::SiteHealth;
use isobar_admin::view::dns::{Question, Record, Records, Site, Told};
use isobar_core::entry::{Form, Judged, PassedOver, Prefix};
use isobar_core::id::{ServiceId, SiteId};
use isobar_core::outlook::Outlook;
use isobar_core::policy::Ranking;
use isobar_core::report::DnsReport;
use isobar_entry::dns::{Server, StartError, target};
use isobar_entry::explain::{self, Explained};
use isobar_entry::geo::{Geo, GeoError};
use isobar_entry::records::{self, Wanted};
use isobar_entry::{Guide, settings};
use isobar_net::settings::NodeSettings;
use tokio::sync::watch;

use crate::config::EntrySettings;

/// Our own, in this node's table of sites.
const HOME: SiteId = SiteId(0);

/// Why clients cannot be answered.
#[derive(Debug)]
pub(super) enum EntryError {
    /// The city database.
    Geo(std::path::PathBuf, GeoError),
    /// The DNS server.
    Dns(StartError),
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EntryError::Geo(file, error) => {
                write!(f, "[entry] geo_db = {:?}: {error}", file.display().to_string())
            }
            EntryError::Dns(error) => error.fmt(f),
        }
    }
}

/// All that answers clients who ask where to go.
pub(super) struct Door {
    pub(super) guide: Guide,
    settings: EntrySettings,
    pub(super) geo: Option<Arc<Geo>>,
    server: Option<Server>,
    draws: AtomicU64,
}

impl Door {
    /// Binds and answers. Nothing has been heard yet, and that is what is answered.
    pub(super) fn open(settings: EntrySettings, node: &NodeSettings) -> Result<Door, EntryError> {
        let services = node.services.iter().map(|service| service.policy.name.as_str().into());
        let guide = Guide::new(settings.policy.clone(), services.collect());
        let geo = settings.geo_db.as_ref().map(|file| {
            Geo::open(file).map(Arc::new).map_err(|error| EntryError::Geo(file.clone(), error))
        });
        let geo = geo.transpose()?;
        let dns = settings.dns.as_ref().filter(|dns| !dns.bind.is_empty());
        let server = dns.map(|dns| {
            Server::start(&settings, dns, (guide.clone(), geo.clone()), node.seed)
                .map_err(EntryError::Dns)
        });
        let server = server.transpose()?;
        Ok(Door { guide, settings, geo, server, draws: AtomicU64::new(node.seed) })
    }

    /// Says where it answers.
    pub(super) fn announce(&self) {
        let Some(server) = &self.server else { return };
        let zone = self.settings.dns.as_ref().map(|dns| dns.zone.as_str()).unwrap_or_default();
        for addr in &server.addrs {
            tracing::info!(zone, %addr, "dns: listening");
        }
    }

    /// What the DNS server has done.
    pub(super) fn report(&self) -> Option<DnsReport> {
        self.server.as_ref().map(Server::report)
    }

    /// What is told of it on the admin address.
    pub(super) fn shown(self: &Arc<Door>) -> isobar_admin::Entry {
        let (site, ask, records) = (self.clone(), self.clone(), self.clone());
        isobar_admin::Entry {
            site: Arc::new(move |service| site.site(service)),
            ask: Arc::new(move |question| ask.ask(question)),
            records: Arc::new(move || records.records()),
        }
    }

    /// Whether this site would be named, for a service or for any.
    fn site(&self, service: Option<&str>) -> SiteHealth {
        let snapshot = self.guide.snapshot();
        let health = |service| match snapshot.entry.judge(service, HOME) {
            None => SiteHealth::Ill("not_ready"),
            // Whoever asks has an address for it.
            Some(Ok(()) | Err(PassedOver::NoAddress)) => SiteHealth::Well,
            Some(Err(why)) => SiteHealth::Ill(why.label()),
        };
        match service {
            Some(name) => self.guide.service(name).map_or(SiteHealth::Unknown, health),
            None => {
                let all = (0..self.guide.services()).map(|at| health(ServiceId(at)));
                let well = all.clone().find(|health| *health == SiteHealth::Well);
                well.or_else(|| all.clone().next()).unwrap_or(SiteHealth::Ill("not_ready"))
            }
        }
    }

    fn dns(&self) -> Result<&settings::DnsSettings, String> {
        let none = "no zone is configured: add zone to [entry.dns]";
        self.settings.dns.as_ref().ok_or_else(|| none.to_owned())
    }

    /// What a client would be told, and why.
    fn ask(&self, question: &Question) -> Result<Told, String> {
        let dns = self.dns()?;
        let asked = question.name.trim_end_matches('.').to_ascii_lowercase();
        let entry_of = |name: &str| dns.names.iter().find(|entry| entry.name == name);
        let (plain, secure) = ("_mqtt._tcp.", "_secure-mqtt._tcp.");
        let kind = question.kind.to_ascii_uppercase();
        let (form, name) = match &*kind {
            "A" => (Form::V4, &*asked),
            "AAAA" => (Form::V6, &*asked),
            "SRV" => match asked.strip_prefix(secure) {
                Some(name) => (Form::Secure, name),
                None => (Form::Plain, asked.strip_prefix(plain).unwrap_or(&asked)),
            },
            _ => return Err("only A, AAAA and SRV depend on the client".to_owned()),
        };
        let Some(entry) = entry_of(name) else {
            let names: Vec<&str> = dns.names.iter().map(|entry| &*entry.name).collect();
            return Err(format!("{name} is not answered; the names are {}", names.join(", ")));
        };
        let service = self.guide.service(&entry.service);
        let service = service.ok_or_else(|| format!("no service {}", entry.service))?;
        let from: Prefix = question.from.parse().map_err(|_| {
            "from must be an address or a network, such as 203.0.113.20 or 2001:db8::/48".to_owned()
        })?;
        let draw = self.draws.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let geo = self.geo.as_deref();
        let told = explain::explain(&self.guide, geo, (service, form), from, draw);
        Ok(self.told((asked.clone(), kind, entry.service.clone(), from), &dns.zone, told))
    }

    fn told(
        &self,
        (name, kind, service, from): (String, String, String, Prefix),
        zone: &str,
        told: Explained,
    ) -> Told {
        let snapshot = self.guide.snapshot();
        let ttl_seconds = told.ttl.as_secs().max(1);
        let record = |endpoint: &isobar_core::entry::Endpoint| {
            let port = endpoint.address.port;
            let host = target(&endpoint.address.host, zone);
            let ip = endpoint.address.ip().map(|ip| ip.to_string()).unwrap_or_default();
            let is_srv = kind == "SRV";
            let data = if is_srv { format!("{} 1 {port} {host}", endpoint.rank) } else { ip };
            let site = explain::name(&snapshot, endpoint.site);
            Record { name: format!("{name}."), ttl_seconds, kind: kind.clone(), data, site }
        };
        let records = told.endpoints.iter().map(record).collect();
        let rcode = match told.absence {
            None | Some(isobar_core::entry::Absence::NoSuchAddress) => "noerror",
            Some(_) => "servfail",
        };
        let sites = told.sites.into_iter().map(|(site, judged)| match judged {
            Judged::Named(rank, why) => Site { site, rank: Some(rank), why: why.label().into() },
            Judged::PassedOver(why) => Site { site, rank: None, why: why.label().into() },
        });
        Told {
            policy: match self.settings.policy.ranking {
                Ranking::Nearest => "nearest",
                Ranking::Headroom => "headroom",
                Ranking::Failover => "failover",
            }
            .into(),
            service,
            from: from.to_string(),
            located: told.located,
            generation: told.generation,
            rcode: rcode.into(),
            absence: told.absence.map(|absence| absence.label().into()),
            ttl_seconds,
            scope: told.scope,
            records,
            sites: sites.collect(),
            name,
            kind,
        }
    }

    /// What the zone should have now.
    fn records(&self) -> Result<Records, String> {
        let dns = self.dns()?;
        let (generation, wanted) = records::wanted(&self.guide, dns);
        let record = |wanted: Wanted| Record {
            name: wanted.name,
            ttl_seconds: wanted.ttl.as_secs().max(1),
            kind: wanted.kind.to_owned(),
            data: wanted.data,
            site: wanted.site,
        };
        let records = wanted.into_iter().map(record).collect();
        Ok(Records { zone: dns.zone.clone(), generation, records })
    }
}

/// Hears every outlook until the node has stopped.
pub(super) async fn follow(guide: Guide, mut outlook: watch::Receiver<Arc<Outlook>>) {
    loop {
        let news = outlook.borrow_and_update().clone();
        guide.hear(&news);
        if outlook.changed().await.is_err() {
            return;
        }
    }
}
