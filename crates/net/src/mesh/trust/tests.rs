//! Trust over real handshakes on loopback, with certificates made for the purpose.

mod fixture;
mod handshake;
mod loading;
mod rotation;
