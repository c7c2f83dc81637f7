//! Every byte format Isobar reads or writes, and nothing else: no socket, no clock, no policy.
//!
//! - [`mqtt`]: the CONNECT that opens a flow, the answer that commits it, the few packets said in
//!   our own name, and a cursor over packet boundaries for everything in between.
//! - [`proxy`]: the PROXY protocol header a broker may be sent before the CONNECT.
//! - [`frame`]: what nodes say to each other on a news connection, and the frames it goes in.
//! - [`tunnel`]: what they say on a data connection.
//!
//! Whatever clients and brokers send is borrowed, never copied: a decoder of it allocates nothing
//! at all. What nodes send is held against its limits before anything is allocated for it. Every
//! decoder does work proportional to the bytes it is given, and never panics. Encoders append to
//! the caller's buffer and state the most they append.

pub mod frame;
pub mod mqtt;
pub mod proxy;
pub mod tunnel;
