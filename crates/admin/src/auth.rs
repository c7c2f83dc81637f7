//! Who may read: whoever shows the token, as `Bearer` or as the password of `Basic`.
//!
//! `Basic` is there for browsers, which ask for it by themselves; the user name is ignored.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The token's digest: comparing digests takes the same time whatever was guessed, its
/// length included.
#[derive(Clone)]
pub(crate) struct Token {
    /// `None` for the empty token, which nothing matches: an empty file must not open the door.
    digest: Option<[u8; 32]>,
}

impl Token {
    pub(crate) fn new(token: &str) -> Token {
        Token { digest: (!token.is_empty()).then(|| digest(token.as_bytes())) }
    }

    /// Whether `headers` show the token. More than one `Authorization` shows nothing.
    pub(crate) fn admits(&self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return false };
        let Some(shown) = shown_token(value.as_bytes()) else { return false };
        let Some(digest_wanted) = &self.digest else { return false };
        digest(&shown).ct_eq(digest_wanted).into()
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The token within an `Authorization` value (RFC 9110 section 11.4, RFC 7617 section 2).
fn shown_token(value: &[u8]) -> Option<Vec<u8>> {
    let space = value.iter().position(|&byte| byte == b' ')?;
    let (scheme, credentials) = (&value[..space], value[space..].trim_ascii());
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(credentials.to_vec());
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let user_pass = BASE64_STANDARD.decode(credentials).ok()?;
    let colon = user_pass.iter().position(|&byte| byte == b':')?;
    Some(user_pass[colon + 1..].to_vec())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let value = |value: &&str| (AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        values.iter().map(value).collect()
    }

    #[test]
    fn only_the_token_admits_in_either_scheme() {
        let basic = |user_pass: &str| format!("Basic {}", BASE64_STANDARD.encode(user_pass));
        let table: &[(&[&str], bool)] = &[
            (&[], false),
            (&["Bearer s3cr:et"], true),
            (&["bearer   s3cr:et "], true),
            (&[&basic("anyone:s3cr:et")], true),
            (&[&basic(":s3cr:et")], true),
            (&["Bearer s3cr:e"], false),
            (&["Bearer s3cr:ett"], false),
            (&["Bearer "], false),
            (&["Bearer"], false),
            (&["s3cr:et"], false),
            (&["Digest s3cr:et"], false),
            (&[&basic("s3cr")], false),
            (&["Basic !!!"], false),
            (&["Basic "], false),
            (&["Bearer s3cr:et", "Bearer s3cr:et"], false),
        ];
        let token = Token::new("s3cr:et");
        for (values, admitted) in table {
            assert_eq!(token.admits(&headers(values)), *admitted, "{values:?}");
        }
    }

    #[test]
    fn an_empty_token_admits_nobody() {
        let token = Token::new("");
        for value in ["Bearer ", "Bearer  ", "Basic Og==", "Basic YTo="] {
            assert!(!token.admits(&headers(&[value])), "{value:?}");
        }
    }
}
