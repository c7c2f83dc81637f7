//! Every byte format Isobar reads or writes, and nothing else: no socket, no clock, no policy.
//!
//! - [`mqtt`]: the CONNECT that opens a flow, the answer that commits it, the few packets said in
//!   our own name, and a cursor over packet boundaries for everything in between.
//! - [`proxy`]: the PROXY protocol header a broker may be sent before the CONNECT.
//!
//! Whatever comes from outside is borrowed, never copied: a decoder here allocates nothing at
//! all, does work proportional to the bytes it is given, and never panics. Encoders append to the
//! caller's buffer and state the most they append.

pub mod mqtt;
pub mod proxy;
