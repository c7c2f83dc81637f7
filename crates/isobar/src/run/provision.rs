//! Those who tell clients where to go by name or redirect: the provisioning endpoint in a thread of
//! its own, and what flows ask.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use isobar_core::report::ProvisionReport;
use isobar_entry::Guide;
use isobar_entry::geo::Geo;
use isobar_entry::provision::server::{self, LIMITS};
use isobar_entry::provision::{Figures, Offer, Outcome, Provisioner, Redirect};
use isobar_entry::settings::{EntrySettings, ProvisionSettings};
use isobar_net::Node;
use isobar_net::settings::NodeSettings;
use isobar_net::signpost::{Asker, Busy, Signpost, Told};
use tokio::sync::oneshot;

/// How often the endpoint is told of flows.
const TELL_FLOWS: Duration = Duration::from_millis(500);

/// The endpoint's socket, bound before anything else runs.
pub(super) struct Bound {
    settings: ProvisionSettings,
    socket: TcpListener,
}

/// What tells clients where to go, while the node runs.
pub(super) struct Desk {
    provisioner: Option<Arc<Provisioner>>,
    redirect: Arc<Redirect>,
    endpoint: Option<Endpoint>,
}

struct Endpoint {
    addr: SocketAddr,
    tls: bool,
    /// Dropped to end it.
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// Binds the endpoint, where there is one.
pub(super) fn bind(entry: &EntrySettings) -> Result<Option<Bound>, (SocketAddr, io::Error)> {
    let Some(settings) = entry.provision.clone() else { return Ok(None) };
    let bound = TcpListener::bind(settings.bind).and_then(|socket| {
        socket.set_nonblocking(true)?;
        Ok(socket)
    });
    match bound {
        Ok(socket) => Ok(Some(Bound { settings, socket })),
        Err(error) => Err((settings.bind, error)),
    }
}

/// What clients may be told of.
pub(super) fn offers(node: &NodeSettings) -> Vec<Offer> {
    let offer = |service: &isobar_net::settings::ServiceSettings| Offer {
        name: service.policy.name.as_str().into(),
        admits: service.policy.max_new_per_second,
    };
    node.services.iter().map(offer).collect()
}

impl Desk {
    /// Opens it for a node that runs.
    pub(super) fn open(
        bound: Option<Bound>,
        node: &Arc<Node>,
        (guide, geo): (&Guide, Option<Arc<Geo>>),
        offers: Vec<Offer>,
    ) -> io::Result<Desk> {
        let redirect = Arc::new(Redirect::new(guide.clone(), geo.clone()));
        let provisioner = bound.as_ref().map(|bound| {
            Arc::new(Provisioner::new(guide.clone(), geo, offers, bound.settings.rate))
        });
        node.set_signpost(signpost(provisioner.clone(), redirect.clone()));
        let endpoint = match (bound, &provisioner) {
            (Some(bound), Some(provisioner)) => Some(run(bound, node, provisioner.clone())?),
            _ => None,
        };
        Ok(Desk { provisioner, redirect, endpoint })
    }

    /// Where devices ask, if anywhere.
    pub(super) fn url(&self) -> Option<String> {
        let Endpoint { addr, tls, .. } = self.endpoint.as_ref()?;
        let scheme = if *tls { "https" } else { "http" };
        Some(format!("{scheme}://{addr}/v1/provision"))
    }

    /// What reports say of it.
    pub(super) fn reporter(&self) -> impl Fn() -> ProvisionReport + Send + Sync + use<> {
        let (provisioner, redirect) = (self.provisioner.clone(), self.redirect.clone());
        move || {
            let figures = provisioner.as_ref().map(|p| p.figures()).unwrap_or_default();
            let Figures { outcomes, by_mqtt, connections, bad_handshakes } = figures;
            let word = |(outcome, count): (Outcome, u64)| (outcome.label(), count);
            ProvisionReport {
                outcomes: outcomes.into_iter().map(word).collect(),
                by_mqtt,
                connections,
                bad_handshakes,
                redirected: redirect.count(),
            }
        }
    }

    /// Ends it; running answers have a moment.
    pub(super) fn close(self) {
        if let Some(Endpoint { stop, thread, .. }) = self.endpoint {
            drop(stop);
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// What flows ask.
fn signpost(provisioner: Option<Arc<Provisioner>>, redirect: Arc<Redirect>) -> Signpost {
    Signpost {
        elsewhere: Box::new(move |asker: &Asker<'_>, client| {
            redirect.elsewhere(asker.service, client, asker.source)
        }),
        provision: Box::new(move |asker: &Asker<'_>| {
            let provisioner = provisioner.as_ref().ok_or(Busy)?;
            let id = String::from_utf8_lossy(asker.client_id);
            let reply = provisioner.answer_mqtt(asker.service, &id, asker.source).ok_or(Busy)?;
            Ok(Told { payload: reply.body.into_bytes(), first: reply.first })
        }),
    }
}

fn run(bound: Bound, node: &Arc<Node>, provisioner: Arc<Provisioner>) -> io::Result<Endpoint> {
    let Bound { settings, socket } = bound;
    let addr = socket.local_addr()?;
    let table = settings.tls.as_deref().and_then(|name| node.certificates(name));
    let shown = table.map(|table| table.shown());
    let tls = shown.is_some();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (stop, stopped) = oneshot::channel();
    let node = Arc::downgrade(node);
    let telling = provisioner.clone();
    let main = async move {
        let tell = async {
            while let Some(node) = node.upgrade() {
                telling.flows(node.begun());
                drop(node);
                tokio::time::sleep(TELL_FLOWS).await;
            }
            std::future::pending::<()>().await;
        };
        let socket = match tokio::net::TcpListener::from_std(socket) {
            Ok(socket) => socket,
            Err(error) => return tracing::error!(%error, "provision: cannot watch its socket"),
        };
        let ended = async { drop(stopped.await) };
        let served = server::serve(socket, shown, provisioner, LIMITS, ended);
        tokio::select! {
            served = served => if let Err(error) = served {
                tracing::error!(%error, "provision: the listener is broken");
            },
            () = tell => {}
        }
    };
    let thread = std::thread::Builder::new().name("provision".into());
    let thread = thread.spawn(move || runtime.block_on(main))?;
    Ok(Endpoint { addr, tls, stop, thread })
}
