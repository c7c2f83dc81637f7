//! What nodes say to each other, as plain values. `wire` spells them as frozen bytes.
//!
//! A node speaks of itself; what it passes on keeps the name and the order of its owner. Names
//! are spelled once per link, by [`Names`], and numbered in the tables of whoever *sends*: a
//! `u16` of a site, an owner or a service in any message below is an index into the sender's
//! tables, and the receiver keeps a map per link. A number that has not been named yet makes
//! that item be skipped and counted; heartbeats tell what is missing and it is asked for.
//!
//! [`Channel::Stream`](super::Channel::Stream) is reliable and in order, one per link and
//! direction; [`Channel::Datagram`](super::Channel::Datagram) may lose, double and reorder.
//! Beyond a limit below, `wire` refuses the frame; whatever stays within it and makes no sense
//! is skipped here and counted.

use alloc::string::String;
use alloc::vec::Vec;

pub use self::siblings::{
    BrokerCount, COUNT_PAGES_MAX, COUNTS_MAX, CountPage, Places, TAKINGS_MAX, Taker, Taking,
};

mod siblings;

/// Bytes of a site's, node's or service's name. Names are never empty.
pub const NAME_MAX: usize = 64;
/// Bytes of an address, as `host:port`.
pub const ADDRESS_MAX: usize = 262;
/// Addresses of one node, and of one service in one site.
pub const ADDRESSES_MAX: usize = 8;
/// Services of one node.
pub const SERVICES_MAX: usize = 256;
/// Services in one page.
pub const PAGE_SERVICES_MAX: usize = 40;
/// Pages of one node: enough for [`SERVICES_MAX`].
pub const PAGES_MAX: usize = SERVICES_MAX.div_ceil(PAGE_SERVICES_MAX);
/// Brokers of one service.
pub const BROKERS_MAX: usize = 256;
/// Brokers in one page of shapes, all its services together.
pub const PAGE_BROKERS_MAX: usize = 1_024;
/// Pages of load in one message, all its services together at most [`PAGE_SERVICES_MAX`].
pub const LOAD_PAGES_MAX: usize = 30;
/// Names of each kind in one [`Names`].
pub const NAMES_MAX: usize = 256;
/// Entries in one [`Ears`].
pub const EARS_MAX: usize = 48;
/// Entries in one [`Offer`] or [`Want`].
pub const OFFER_MAX: usize = 256;
/// Entries in one [`Peers`].
pub const PEERS_MAX: usize = 64;
/// Nodes of one site. Their places in it fit the 64 bits of [`Heartbeat::hears`].
pub const NODES_MAX: usize = 64;
/// Bytes of a message that goes as a datagram, frame header and all.
pub const DATAGRAM_MAX: usize = 1_100;

/// Everything one node says to another over a news link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// The first word of both sides. Stream.
    Hello(Hello),
    /// Spells what later messages number. Stream.
    Names(Names),
    /// "I live, and hear you." Datagram, at most 64 bytes with its frame.
    Heartbeat(Heartbeat),
    /// To be answered at once. Datagram.
    Ping {
        /// Comes back in the answer.
        token: u64,
    },
    /// The answer to a ping. Datagram.
    Pong {
        /// As asked.
        token: u64,
    },
    /// What the sender holds of the receiver, when that is not well. Datagram.
    Held(Held),
    /// "When did you last hear that site?" Datagram.
    WitnessAsk {
        /// Which site.
        site: u16,
    },
    /// The answer; also passed on to siblings. Datagram.
    Vote(Vote),
    /// What the sender's links hear. Between siblings. Datagram.
    Ears(Ears),
    /// Whom the sender's site holds dead. Between siblings. Stream.
    Verdict(Verdict),
    /// A node: is it draining, where is it reached? Stream.
    About(About),
    /// A page of a node's services: brokers, addresses. Stream.
    Shape(ShapePage),
    /// Pages of load, of several owners: at most [`LOAD_PAGES_MAX`]. Datagram; in answer to a
    /// [`Want`], stream.
    Load(Vec<LoadPage>),
    /// A page of flows per broker. Between siblings. Datagram.
    Counts(CountPage),
    /// "Give me some of your places of this broker's `maxconn`." Between siblings. Stream.
    PlacesAsk(Places),
    /// "These are yours." Between siblings. Stream.
    PlacesGive(Places),
    /// Clients that the sender's node has seen accepted: at most [`TAKINGS_MAX`]. Between
    /// siblings. Stream.
    Taken(Vec<Taking>),
    /// Anti-entropy: "this is what I have." Stream.
    Offer(Offer),
    /// Anti-entropy: "then tell me of these." Stream.
    Want(Want),
    /// Others, and where they were last reached. No news, only whom one might dial. Stream.
    Peers(Peers),
    /// An owner goes for good, and says so itself. Stream.
    Leave {
        /// Who.
        owner: u16,
        /// Its last incarnation.
        incarnation: u64,
    },
}

/// The first word on a link, from both sides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// Must be the site that the certificate names.
    pub site: String,
    /// Must be the node that the certificate names.
    pub node: String,
    /// Drawn at start: tells a second link of one process from a second process.
    pub process: u64,
    /// The sender's.
    pub incarnation: u64,
    /// The highest incarnation that the sender holds for the receiver; 0 for none.
    pub held: u64,
    /// The sender holds that incarnation dead.
    pub dead: bool,
    /// A sum over the identities the sender has met or was told of: where the sums differ,
    /// [`Peers`] follow.
    pub known: u64,
    /// Where the sender is reached: at most [`ADDRESSES_MAX`].
    pub addresses: Vec<String>,
    /// The sender's own services, spelled and numbered: at most [`SERVICES_MAX`].
    pub services: Vec<ServiceName>,
}

/// A service's number in the sender's table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServiceName {
    /// Below 1,024.
    pub number: u16,
    /// Its name.
    pub name: String,
}

/// A site's number in the sender's table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SiteName {
    /// Below 1,024.
    pub number: u16,
    /// Its name.
    pub name: String,
}

/// An owner's number in the sender's table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnerName {
    /// Below 16,384.
    pub number: u16,
    /// Its site, named here or before.
    pub site: u16,
    /// Its place among the nodes of its site, as the sender counts them: below [`NODES_MAX`].
    pub slot: u8,
    /// The node's name.
    pub node: String,
}

/// Names and numbers, to be read in this order; at most [`NAMES_MAX`] of each kind. A number
/// that had another name means the new one from here on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Names {
    /// Sites.
    pub sites: Vec<SiteName>,
    /// Nodes.
    pub owners: Vec<OwnerName>,
    /// Services.
    pub services: Vec<ServiceName>,
}

/// "I live." The owner is the node at the other end; heartbeats are never passed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heartbeat {
    /// The sender's.
    pub incarnation: u64,
    /// Counts the heartbeats of an incarnation on this link.
    pub seq: u64,
    /// Newest seq of the sender's [`About`].
    pub about: u64,
    /// Newest seq of the sender's shape pages.
    pub shape: u64,
    /// Newest seq of the sender's load pages.
    pub load: u64,
    /// Nodes of the sender's own site that it hears itself: a bit for each [`OwnerName::slot`].
    pub hears: u64,
    /// Milliseconds since the sender last heard the receiver on this link.
    pub silence: u16,
    /// The sender's topology wants this link. One that neither wants is closed.
    pub wanted: bool,
}

/// What the sender thinks of the receiver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held {
    /// The receiver's incarnation, as the sender holds it.
    pub incarnation: u64,
    /// What is wrong.
    pub doubt: Doubt,
}

/// Why one is told what is held of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doubt {
    /// You speak in an incarnation older than the one I hold.
    Old,
    /// You are silent: speak.
    Suspect,
    /// You are dead, in that incarnation and those before.
    Dead,
}

/// A witness's answer. A vote is no record: it changes nothing that is held of the site.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vote {
    /// The suspect.
    pub site: u16,
    /// Whose answer it is: the sender's own site, or one that a sibling was answered by.
    pub witness: u16,
    /// Milliseconds since the witness's site last heard it; `None` if it never did.
    pub silence: Option<u32>,
}

/// What the sender's own links to other sites hear: at most [`EARS_MAX`] a message. An ear that
/// is not told again for a while is forgotten.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ears {
    /// One for each link.
    pub ears: Vec<Ear>,
}

/// One link to another site, as the node at this end hears it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ear {
    /// The node at the far end.
    pub owner: u16,
    /// Milliseconds of silence, once they are worth telling; 0 while it is heard as it should.
    pub silence: u16,
    /// Milliseconds for which the far end has not heard us; 0 while it does.
    pub deaf: u16,
    /// Smoothed round trip in milliseconds.
    pub rtt: u16,
    /// [`Heartbeat::hears`] of the far end, in the slots of the sender.
    pub hears: u64,
}

/// Nodes of one site that the sender's site holds dead: at most [`NODES_MAX`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// The site, all of it.
    pub site: u16,
    /// Its nodes, each in that incarnation and those before.
    pub graves: Vec<Grave>,
}

/// A node held dead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grave {
    /// Who.
    pub owner: u16,
    /// The incarnation it will not come back in.
    pub incarnation: u64,
}

/// Whose word it is, and its place among that owner's words. Newer is greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Stamp {
    /// The owner's.
    pub incarnation: u64,
    /// From one counter an owner and incarnation, over all its pages.
    pub seq: u64,
}

/// A node of itself. Draining is said here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct About {
    /// Who.
    pub owner: u16,
    /// When.
    pub stamp: Stamp,
    /// It wants no new flows, neither carried ones nor from DNS.
    pub draining: bool,
    /// Where it is reached by other nodes: at most [`ADDRESSES_MAX`].
    pub addresses: Vec<String>,
}

/// A page of a node's services. A new page replaces the old one of that number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShapePage {
    /// Who.
    pub owner: u16,
    /// When.
    pub stamp: Stamp,
    /// Below [`PAGES_MAX`].
    pub page: u8,
    /// At most [`PAGE_SERVICES_MAX`], with at most [`PAGE_BROKERS_MAX`] brokers.
    pub services: Vec<ServiceShape>,
}

/// What changes seldom of a service in one node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServiceShape {
    /// Its number.
    pub service: u16,
    /// Places that the site keeps back for its own clients.
    pub reserve: u32,
    /// Where clients reach it: at most [`ADDRESSES_MAX`].
    pub addresses: Vec<String>,
    /// At most [`BROKERS_MAX`].
    pub brokers: Vec<BrokerShape>,
}

/// A broker, as one node sees it. Nodes of a site that name the same address mean the same one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BrokerShape {
    /// Its address, hashed.
    pub key: u64,
    /// Flows it takes, configured or learned; `None` where no limit is known.
    pub capacity: Option<u32>,
    /// What the node sees.
    pub state: BrokerSeen,
}

/// What a node sees of a broker.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum BrokerSeen {
    /// Takes flows.
    Up,
    /// Alive, and refuses more.
    Full,
    /// Alive, and the operator wants no more there.
    Draining,
    /// Takes nothing.
    Down,
}

/// A page of a node's load. A new page replaces the old one of that number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoadPage {
    /// Who.
    pub owner: u16,
    /// When.
    pub stamp: Stamp,
    /// Below [`PAGES_MAX`].
    pub page: u8,
    /// At most [`PAGE_SERVICES_MAX`].
    pub services: Vec<ServiceLoad>,
}

/// What changes all the time of a service in one node. At most 24 bytes on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ServiceLoad {
    /// Its number.
    pub service: u16,
    /// Flows that the node has placed on the brokers of its site.
    pub flows: u32,
    /// Flows that it would still take from other sites.
    pub room: u32,
    /// Flows a second that it takes from other sites.
    pub admit_per_second: u32,
}

/// What the sender has of those whom it may speak of to the receiver: at most [`OFFER_MAX`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offer {
    /// One for each owner.
    pub have: Vec<Have>,
}

/// What is held of one owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Have {
    /// Who.
    pub owner: u16,
    /// The highest known.
    pub incarnation: u64,
    /// A hash over the seqs of all its pages: equal sums, equal words.
    pub sum: u64,
}

/// Owners of whom the sender lacks something: at most [`OFFER_MAX`]. Answered with every page
/// held of them, on the stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Want {
    /// In the sender's numbers, as everywhere.
    pub owners: Vec<u16>,
}

/// Nodes one might dial: at most [`PEERS_MAX`]. Used only after a handshake with them has
/// succeeded; nothing else is believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peers {
    /// Who, and where.
    pub peers: Vec<Introduction>,
}

/// Where a node was last reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Introduction {
    /// Its site.
    pub site: String,
    /// Its name.
    pub node: String,
    /// At most [`ADDRESSES_MAX`].
    pub addresses: Vec<String>,
}
