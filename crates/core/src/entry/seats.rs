//! Which endpoints get into an answer that has not room for all of them?
//!
//! Endpoints come in ranks, a site each. The first site is where the client shall go, and another
//! node of it is worth more than one of another site; but a large site must not take all seats, or
//! whoever does not reach it knows nobody else. So up to half of them are kept for other sites, one
//! for each, the nearer first; what is left is filled in order.

use alloc::vec::Vec;

use super::terms::Endpoint;

/// At most so many of an answer's endpoints, in their order.
pub fn represent(endpoints: &[Endpoint], most: usize) -> Vec<&Endpoint> {
    let sites = || endpoints.chunk_by(|a, b| a.rank == b.rank);
    let wanted: Vec<usize> = sites().map(<[Endpoint]>::len).collect();
    let seats = seats(&wanted, most);
    sites().zip(seats).flat_map(|(site, seats)| &site[..seats]).collect()
}

/// How many of `most` seats each site gets, of those that it could fill.
pub(super) fn seats(wanted: &[usize], most: usize) -> Vec<usize> {
    let others = wanted.iter().skip(1).filter(|n| **n > 0).count();
    let mut kept = others.min(most / 2);
    let mut left = most - kept;
    let mut seats: Vec<usize> = Vec::with_capacity(wanted.len());
    for (rank, wanted) in wanted.iter().enumerate() {
        let seat = match rank {
            0 => left.min(*wanted),
            _ => kept.min(*wanted).min(1),
        };
        if rank == 0 {
            left -= seat
        } else {
            kept -= seat
        }
        seats.push(seat);
    }
    for (seat, wanted) in seats.iter_mut().zip(wanted) {
        let more = left.min(wanted - *seat);
        (*seat, left) = (*seat + more, left - more);
    }
    seats
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_site_leaves_room_for_others() {
        for (wanted, most, expected) in [
            (&[20][..], 8, &[8][..]),
            (&[20, 20], 8, &[7, 1]),
            (&[20, 1, 1, 1], 8, &[5, 1, 1, 1]),
            (&[20, 3, 3, 3, 3, 3], 8, &[4, 1, 1, 1, 1, 0]),
            (&[2, 3, 3], 8, &[2, 3, 3]),
            (&[2, 9, 3], 8, &[2, 5, 1]),
            (&[1, 1, 1, 1, 1, 1, 1, 1, 1, 1], 8, &[1, 1, 1, 1, 1, 1, 1, 1, 0, 0]),
            (&[0, 9, 0, 9], 8, &[0, 7, 0, 1]),
            (&[3, 3], 1, &[1, 0]),
            (&[], 8, &[]),
        ] {
            assert_eq!(seats(wanted, most), expected, "{wanted:?}");
        }
    }
}
