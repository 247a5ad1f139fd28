//! HTTP Basic authentication (RFC 7617) against bcrypt hashes.
//!
//! bcrypt is slow on purpose, so it runs off the async threads and one at a time, and whoever has been verified is
//! known again. A name that nobody has costs as much time as a wrong password.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bcrypt::HashParts;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::header::HeaderValue;
use sha2::Sha256;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::host::Random;
use crate::secret::Secret;

/// Verified logins that are known again; as many as the exporter-toolkit keeps.
const MOST_VERIFIED: usize = 100;

/// Salt and hash that stand in for those of a user who is not there: the example of the toolkit's documentation.
const NOBODY: &str = "X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";

/// Who has been verified.
#[derive(Debug)]
pub(super) struct Logins {
    /// What the digests of logins are keyed with, this process only, so that they are of no use elsewhere.
    key: Secret,
    /// The latest at the end.
    verified: Arc<Mutex<VecDeque<[u8; 32]>>>,
    one_at_a_time: Arc<Semaphore>,
}

/// What a client gives.
struct Login {
    /// Empty if it is no text, which is nobody's name.
    user: String,
    password: Zeroizing<Vec<u8>>,
}

impl Logins {
    pub(super) fn new(random: &Random) -> Self {
        Self {
            key: Secret::from(random.nonce()),
            verified: Arc::default(),
            one_at_a_time: Arc::new(Semaphore::new(1)),
        }
    }

    /// Whether the header's user is one of `users` and has the password.
    pub(super) async fn allow(
        &self,
        users: &BTreeMap<String, Secret>,
        authorization: Option<&HeaderValue>,
    ) -> bool {
        let Some(login) = authorization.and_then(Login::read) else {
            return false;
        };
        let (hash, is_user) = hash_for(users, &login.user);
        // The hash is part of it, so that a password that was changed is forgotten.
        let digest = self.digest(&login, &hash);
        if self.is_verified(&digest) {
            return true;
        }
        let turn = Arc::clone(&self.one_at_a_time).acquire_owned().await;
        // Another request of the same client may have been first.
        if self.is_verified(&digest) {
            return true;
        }
        let verified = Arc::clone(&self.verified);
        let verify = move || {
            let _turn = turn;
            let matches = bcrypt::verify(login.password.as_slice(), &hash).unwrap_or(false);
            if matches && is_user {
                // Here, since whoever asked may have given up by now, and is to get in at the next attempt.
                remember(&verified, digest);
            }
            matches && is_user
        };
        tokio::task::spawn_blocking(verify).await.unwrap_or(false)
    }

    fn digest(&self, login: &Login, hash: &str) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.expose().as_bytes())
            .expect("HMAC takes a key of any length");
        for part in [login.user.as_bytes(), hash.as_bytes(), login.password.as_slice()] {
            mac.update(&part.len().to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    fn is_verified(&self, digest: &[u8; 32]) -> bool {
        let verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        verified.contains(digest)
    }
}

impl Login {
    /// Reads `Basic` and the base64 of `user:password`.
    fn read(header: &HeaderValue) -> Option<Self> {
        let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = Zeroizing::new(STANDARD.decode(encoded.trim_matches(' ')).ok()?);
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        Some(Self {
            user: String::from_utf8(decoded[..colon].to_vec()).unwrap_or_default(),
            password: Zeroizing::new(decoded[colon + 1..].to_vec()),
        })
    }
}

fn remember(verified: &Mutex<VecDeque<[u8; 32]>>, digest: [u8; 32]) {
    let mut verified = verified.lock().unwrap_or_else(PoisonError::into_inner);
    if verified.len() >= MOST_VERIFIED {
        verified.pop_front();
    }
    verified.push_back(digest);
}

/// The hash to compare with, and whether it is a user's. For a name that nobody has it is as slow as the slowest of
/// the users', so that the time tells nothing.
fn hash_for(users: &BTreeMap<String, Secret>, name: &str) -> (Zeroizing<String>, bool) {
    if let Some(hash) = users.get(name) {
        return (Zeroizing::new(hash.expose().to_owned()), true);
    }
    let costs = users
        .values()
        .filter_map(|hash| hash.expose().parse::<HashParts>().ok());
    let cost = costs.map(|parts| parts.get_cost()).max().unwrap_or_default();
    (Zeroizing::new(format!("$2b${cost:02}${NOBODY}")), false)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    fn users() -> BTreeMap<String, Secret> {
        let hash = bcrypt::hash_with_salt("CorrectHorse", 4, [7; 16])
            .unwrap()
            .to_string();
        BTreeMap::from([("alice".to_owned(), Secret::from(hash))])
    }

    fn header(login: &str) -> HeaderValue {
        HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(login))).unwrap()
    }

    fn logins() -> Logins {
        Logins::new(&Random::seeded(1))
    }

    #[tokio::test]
    async fn only_a_user_with_the_right_password_is_let_in() {
        let (logins, users) = (logins(), users());
        for (login, right) in [
            ("alice:CorrectHorse", true),
            ("alice:correcthorse", false),
            ("alice:", false),
            ("Alice:CorrectHorse", false),
            ("bob:CorrectHorse", false),
            (":CorrectHorse", false),
            ("alice", false),
        ] {
            // Twice, as the second time may be told from memory.
            for _ in 0..2 {
                assert_eq!(logins.allow(&users, Some(&header(login))).await, right, "{login}");
            }
        }
        assert!(!logins.allow(&users, None).await);
    }

    #[tokio::test]
    async fn what_is_no_basic_header_lets_nobody_in() {
        let encoded = STANDARD.encode("alice:CorrectHorse");
        for (header, right) in [
            (format!("basic {encoded}"), true),
            (format!("Bearer {encoded}"), false),
            (encoded.clone(), false),
            ("Basic".to_owned(), false),
            ("Basic ***".to_owned(), false),
            (format!("Basic {}", STANDARD.encode([0xff, b':', 0xff])), false),
        ] {
            let value = HeaderValue::from_str(&header).unwrap();
            assert_eq!(logins().allow(&users(), Some(&value)).await, right, "{header}");
        }
    }

    #[tokio::test]
    async fn a_login_that_was_good_is_forgotten_with_its_hash_or_its_user() {
        let (logins, mut users) = (logins(), users());
        let header = header("alice:CorrectHorse");
        assert!(logins.allow(&users, Some(&header)).await);
        let other = bcrypt::hash_with_salt("BatteryStaple", 4, [7; 16]).unwrap();
        users.insert("alice".to_owned(), Secret::from(other.to_string()));
        assert!(!logins.allow(&users, Some(&header)).await);
        users.clear();
        assert!(!logins.allow(&users, Some(&header)).await);
    }

    #[tokio::test]
    async fn a_verified_login_needs_no_bcrypt_again_and_a_failed_one_does() {
        let (logins, users) = (logins(), users());
        assert!(logins.allow(&users, Some(&header("alice:CorrectHorse"))).await);
        // From here on bcrypt never gets its turn.
        let _turn = logins.one_at_a_time.try_acquire().unwrap();
        assert!(logins.allow(&users, Some(&header("alice:CorrectHorse"))).await);
        for login in ["alice:wrong", "bob:wrong"] {
            let header = header(login);
            let asked = pin!(logins.allow(&users, Some(&header)));
            let answer = asked.poll(&mut Context::from_waker(Waker::noop()));
            assert!(answer.is_pending(), "{login}");
        }
    }

    #[tokio::test]
    async fn who_gave_up_before_bcrypt_was_done_gets_in_at_the_next_attempt() {
        let (logins, users) = (logins(), users());
        let header = header("alice:CorrectHorse");
        {
            let asked = pin!(logins.allow(&users, Some(&header)));
            let answer = asked.poll(&mut Context::from_waker(Waker::noop()));
            assert!(answer.is_pending());
        }
        // The turn comes back once bcrypt is done, and is kept from then on.
        let _turn = logins.one_at_a_time.acquire().await.unwrap();
        assert!(logins.allow(&users, Some(&header)).await);
    }

    #[tokio::test]
    async fn no_more_logins_are_remembered_than_there_is_room_for() {
        let logins = logins();
        for number in 0..=MOST_VERIFIED {
            remember(&logins.verified, [u8::try_from(number).unwrap(); 32]);
        }
        assert_eq!(logins.verified.lock().unwrap().len(), MOST_VERIFIED);
        assert!(!logins.is_verified(&[0; 32]) && logins.is_verified(&[1; 32]));
    }

    #[test]
    fn a_name_that_nobody_has_costs_as_much_as_the_slowest_user() {
        let mut users = users();
        let slow = bcrypt::hash_with_salt("x", 6, [7; 16]).unwrap().to_string();
        users.insert("bob".to_owned(), Secret::from(slow));
        let (hash, is_user) = hash_for(&users, "mallory");
        assert_eq!(
            (hash.parse::<HashParts>().unwrap().get_cost(), is_user),
            (6, false)
        );
    }
}
