//! Where on Earth an address is, by a city database in MaxMind's format.
//!
//! It is read whole, once: a file that is replaced or cut while a node runs changes nothing.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use isobar_core::entry::{Located, Place};
use maxminddb::{LookupResult, MaxMindDbError, Reader, path};

/// Octets of a file; city databases have some 130 million.
const FILE_MAX: u64 = 1 << 30;

/// A database.
pub struct Geo {
    reader: Reader<Vec<u8>>,
}

/// Why there is no database.
#[derive(Debug)]
pub enum GeoError {
    /// It cannot be read, or is no such file.
    Unreadable(MaxMindDbError),
    /// It is larger than any of them.
    TooLarge,
    /// It knows no places of addresses.
    NoPlaces(String),
}

impl Geo {
    /// Reads a file.
    pub fn open(file: &Path) -> Result<Geo, GeoError> {
        if std::fs::metadata(file).is_ok_and(|found| found.len() > FILE_MAX) {
            return Err(GeoError::TooLarge);
        }
        let reader = Reader::open_readfile(file).map_err(GeoError::Unreadable)?;
        let kind = reader.metadata().database_type.clone();
        if !kind.contains("City") && !kind.contains("Enterprise") && !kind.contains("Location") {
            return Err(GeoError::NoPlaces(kind));
        }
        Ok(Geo { reader })
    }

    /// What it says of an address.
    pub fn locate(&self, ip: IpAddr) -> Located {
        if ip.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return Located { place: None, bits: 0 };
        }
        let alone = if ip.is_ipv4() { 32 } else { 128 };
        // What a file says may be wrong anywhere in it: that address has no place then.
        let Ok(found) = self.reader.lookup(ip) else {
            return Located { place: None, bits: alone };
        };
        // IPv4 is a part of a tree of IPv6.
        let bits = found.network().map_or(alone, |network| match (ip, network.ip()) {
            (IpAddr::V4(_), IpAddr::V6(_)) => network.prefix().saturating_sub(96),
            _ => network.prefix(),
        });
        Located { place: Geo::place(&found), bits }
    }

    fn place(found: &LookupResult<'_, Vec<u8>>) -> Option<Place> {
        let degrees = |key| found.decode_path::<f64>(&path!["location", key]).ok().flatten();
        let (latitude, longitude) = (degrees("latitude")?, degrees("longitude")?);
        let fit = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
        let micro = |degrees: f64| (degrees * 1e6).round() as i32;
        fit.then(|| Place::at_microdegrees(micro(latitude), micro(longitude)))
    }
}

impl fmt::Debug for Geo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Geo").field("type", &self.reader.metadata().database_type).finish()
    }
}

impl fmt::Display for GeoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GeoError::Unreadable(error) => write!(f, "{error}"),
            GeoError::TooLarge => write!(f, "larger than 1 GiB"),
            GeoError::NoPlaces(kind) => {
                write!(f, "a database of type {kind}, which does not say where addresses are")
            }
        }
    }
}

impl std::error::Error for GeoError {}

#[cfg(test)]
mod tests;
