//! The current snapshot of `core::entry`, for all who answer clients.
//!
//! One writer hears what the mesh publishes and puts a new snapshot in the place of the old one;
//! any number of readers ask the one that is there, without a lock and without waiting for the
//! writer. Each answer is made from one snapshot, whose generation it carries.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use isobar_core::entry::{Answer, Ask, Entry};
use isobar_core::id::ServiceId;
use isobar_core::outlook::Outlook;
use isobar_core::policy::EntryPolicy;

/// A handle to the snapshot; clones share it.
#[derive(Clone, Debug)]
pub struct Guide(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    current: ArcSwap<Snapshot>,
    /// Held while a new snapshot is made; readers never look at it.
    writing: Mutex<()>,
    /// Names of services by [`ServiceId`].
    services: Vec<Arc<str>>,
}

/// What answers are made from.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The engine.
    pub entry: Entry,
    /// Names of sites by [`SiteId`](isobar_core::id::SiteId), our own first.
    pub sites: Arc<[Arc<str>]>,
}

impl Guide {
    /// Of a node with these services, in the order of its settings. It has heard of nothing yet.
    pub fn new(policy: Arc<EntryPolicy>, services: Vec<Arc<str>>) -> Guide {
        let snapshot = Snapshot { entry: Entry::new(policy), sites: Arc::from([]) };
        let current = ArcSwap::from_pointee(snapshot);
        Guide(Arc::new(Shared { current, writing: Mutex::new(()), services }))
    }

    /// Takes in what the mesh has published. Whether that is news.
    pub fn hear(&self, outlook: &Outlook) -> bool {
        // Nothing is half done where it could be poisoned.
        let _writing = self.0.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Snapshot::clone(&self.0.current.load());
        if !next.entry.hear(outlook) {
            return false;
        }
        if !next.sites.iter().map(|name| &**name).eq(outlook.sites.iter().map(String::as_str)) {
            next.sites = outlook.sites.iter().map(|name| Arc::from(name.as_str())).collect();
        }
        self.0.current.store(Arc::new(next));
        true
    }

    /// The snapshot of this moment: for an answer, and to be let go of with it.
    pub fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.0.current.load()
    }

    /// Where a client shall go.
    pub fn ask(&self, ask: &Ask) -> Answer {
        self.snapshot().entry.ask(ask)
    }

    /// The service of that name.
    pub fn service(&self, name: &str) -> Option<ServiceId> {
        let at = self.0.services.iter().position(|service| &**service == name)?;
        u16::try_from(at).ok().map(ServiceId)
    }

    /// How many services there are.
    pub fn services(&self) -> u16 {
        u16::try_from(self.0.services.len()).unwrap_or(u16::MAX)
    }

    /// The name of a service.
    pub fn service_name(&self, service: ServiceId) -> Option<&Arc<str>> {
        self.0.services.get(service.index())
    }
}

#[cfg(test)]
mod tests {
    use isobar_core::entry::{Absence, Client, Form};
    use isobar_core::id::SiteId;
    use isobar_core::outlook::{Entrance, Heard, Standing};

    use super::*;

    fn outlook(generation: u64, address: &str) -> Outlook {
        let entrance = Entrance {
            site: SiteId(0),
            standing: Standing::Reachable,
            brokers_up: 1,
            free: 10,
            capacity: 10,
            heard: Heard::default(),
            addresses: Arc::from([address.to_owned()]),
        };
        Outlook {
            generation,
            sites: vec!["fra".into()],
            services: vec![Vec::new(), Vec::new()],
            entrances: vec![Vec::new(), vec![entrance]],
        }
    }

    fn named(guide: &Guide) -> (u64, Result<String, Absence>) {
        let service = guide.service("other").expect("it is one of the two");
        let ask = Ask { service, client: Client::default(), form: Form::V4, draw: 1 };
        let answer = guide.ask(&ask);
        let named = answer.endpoints.map(|endpoints| endpoints[0].address.to_string());
        (answer.generation, named)
    }

    #[test]
    fn answers_are_those_of_the_newest_word_in_every_clone() {
        let policy = Arc::new(EntryPolicy::default());
        let guide = Guide::new(policy, vec!["mqtt".into(), "other".into()]);
        let reader = guide.clone();
        assert_eq!(named(&reader), (0, Err(Absence::NotReady)));
        assert!(guide.hear(&outlook(1, "192.0.2.1:1883")));
        assert_eq!(named(&reader), (1, Ok("192.0.2.1:1883".into())));
        let kept = reader.snapshot();
        assert!(guide.hear(&outlook(3, "192.0.2.2:1883")));
        assert!(!guide.hear(&outlook(2, "192.0.2.9:1883")), "an older word is no news");
        assert_eq!(named(&reader), (3, Ok("192.0.2.2:1883".into())));
        assert_eq!(kept.entry.generation(), 1, "a snapshot does not change in the hand");
        assert_eq!(&*kept.sites[0], "fra");
        assert_eq!(guide.service("none"), None);
        assert_eq!(guide.service_name(ServiceId(1)).map(|name| &**name), Some("other"));
    }

    #[test]
    fn readers_and_the_writer_do_not_wait_for_each_other() {
        let guide =
            Guide::new(Arc::new(EntryPolicy::default()), vec!["mqtt".into(), "other".into()]);
        guide.hear(&outlook(1, "192.0.2.1:1883"));
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut last = 0;
                while last < 1_000 {
                    let (generation, named) = named(&guide);
                    assert!(generation >= last && named.is_ok(), "never backwards, never empty");
                    last = generation;
                }
            });
            for generation in 2..=1_000 {
                assert!(guide.hear(&outlook(generation, "192.0.2.1:1883")));
            }
            reader.join().expect("the reader has seen the last word");
        });
    }
}
