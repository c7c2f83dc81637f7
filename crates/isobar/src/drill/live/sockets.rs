//! Connections that brokers hold, as the kernel tells them: nobody has to be asked.

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

const TABLE: &str = "/proc/net/tcp";
/// As the kernel numbers the states of a connection.
const ESTABLISHED: &str = "01";

/// How many connections stand at each of these addresses, in their order; 0 where the kernel does
/// not say.
pub(super) fn established(at: &[SocketAddr]) -> Vec<u32> {
    let table = std::fs::read_to_string(TABLE).unwrap_or_default();
    count(&table, at)
}

fn count(table: &str, at: &[SocketAddr]) -> Vec<u32> {
    let places: HashMap<SocketAddr, usize> = at.iter().copied().zip(0..).collect();
    let mut counts = vec![0; at.len()];
    // The table is read piece by piece while it changes: some of it may come twice.
    let mut seen = HashSet::new();
    for line in table.lines().skip(1) {
        let mut words = line.split_ascii_whitespace().skip(1);
        let (Some(local), Some(remote), Some(state)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        if state != ESTABLISHED {
            continue;
        }
        if let Some(place) = address(local).and_then(|local| places.get(&local)) {
            counts[*place] += u32::from(seen.insert((local, remote)));
        }
    }
    counts
}

/// `0100007F:075B`: the address as it lies in memory, the port in order.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let ip = u32::from_str_radix(ip, 16).ok().filter(|_| ip.len() == 8)?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(SocketAddrV4::new(Ipv4Addr::from(ip.to_ne_bytes()), port).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_stands() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue\n\
             0: 0100007F:075B 00000000:0000 0A 00000000:00000000\n\
             1: 0100007F:075B 0100007F:C350 01 00000000:00000000\n\
             2: 0100007F:075B 0100007F:C351 01 00000000:00000000\n\
             3: 0100007F:075B 0100007F:C352 06 00000000:00000000\n\
             4: 0100007F:C350 0100007F:075B 01 00000000:00000000\n\
             5: 0100007F:075B 0100007F:C351 01 00000000:00000000\njunk\n";
        let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if cfg!(target_endian = "little") {
            assert_eq!(count(table, &[at(1883), at(1884)]), [2, 0]);
        }
    }

    #[test]
    fn sees_a_connection_of_its_own() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let addr = listener.local_addr().expect("it has one");
        let _client = std::net::TcpStream::connect(addr).expect("it listens");
        let _server = listener.accept().expect("a client waits");
        assert_eq!(established(&[addr]), [1]);
    }
}
