//! Who is connected, and who has to leave when there is no room: a crowd of slow clients must not keep a scrape out.
//!
//! Where many have asked for nothing yet, the oldest of them leaves, otherwise whoever asked longest ago: neither those who
//! say nothing nor those who have asked once can hold all places, and a newcomer has the time for its handshake. A client
//! that reads as slowly as it likes leaves in the end, room or not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// So many may have asked for nothing yet before one of them has to leave rather than somebody who has asked. At a
/// hundred newcomers a second that gives each more than a second.
const QUIET: usize = 128;

/// Everybody who is connected.
#[derive(Clone, Debug, Default)]
pub(super) struct Crowd(Arc<Mutex<Members>>);

#[derive(Debug, Default)]
struct Members {
    /// Those who have asked for nothing come first, and in either half who leaves first.
    leaving: BTreeMap<Rank, CancellationToken>,
    /// Answers that are not sent yet, the oldest first.
    answers: BTreeMap<(Instant, u64), CancellationToken>,
    /// The last number that was given.
    number: u64,
}

/// Whether it has asked for anything, since when it has not asked again, and its number.
type Rank = (bool, Instant, u64);

/// One connection's place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Crowd,
    rank: Mutex<Rank>,
    /// Cancelled when the connection has to leave.
    pub(super) leave: CancellationToken,
}

/// An answer that is not sent yet; it is dropped once it is, or never will be.
#[derive(Debug)]
pub(super) struct Answering {
    crowd: Crowd,
    since: (Instant, u64),
}

impl Crowd {
    pub(super) fn join(&self) -> Place {
        let leave = CancellationToken::new();
        let mut members = self.lock();
        let rank = (false, Instant::now(), members.next());
        members.leaving.insert(rank, leave.clone());
        Place {
            crowd: self.clone(),
            rank: Mutex::new(rank),
            leave,
        }
    }

    /// Sends one away.
    pub(super) fn make_room(&self) {
        let mut members = self.lock();
        let quiet = members.leaving.keys().take_while(|(asked, ..)| !asked).count();
        let first_to_ask = members.leaving.keys().nth(quiet).copied();
        let leaves = match first_to_ask {
            Some(rank) if quiet <= QUIET => members.leaving.remove(&rank),
            _ => members.leaving.pop_first().map(|(_, leave)| leave),
        };
        if let Some(leave) = leaves {
            leave.cancel();
        }
    }

    /// Sends everybody away who has asked for nothing for so long, or takes so long to read an answer.
    pub(super) fn tidy(&self, longest_pause: Duration, longest_answer: Duration) {
        let now = Instant::now();
        let mut members = self.lock();
        members.leaving.retain(|(_, since, _), leave| {
            let stays = now - *since < longest_pause;
            if !stays {
                leave.cancel();
            }
            stays
        });
        let answers = members.answers.iter();
        for (_, leave) in answers.take_while(|((since, _), _)| now - *since >= longest_answer) {
            leave.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Members {
    fn next(&mut self) -> u64 {
        self.number += 1;
        self.number
    }
}

impl Place {
    /// The connection asks for something, and gets it as long as what is returned lives.
    pub(super) fn asked(&self) -> Answering {
        let mut rank = self.rank.lock().unwrap_or_else(PoisonError::into_inner);
        let mut members = self.crowd.lock();
        // Who was sent away already does not come back.
        if let Some(leave) = members.leaving.remove(&rank) {
            *rank = (true, Instant::now(), rank.2);
            members.leaving.insert(*rank, leave);
        }
        let since = (Instant::now(), members.next());
        members.answers.insert(since, self.leave.clone());
        Answering {
            crowd: self.crowd.clone(),
            since,
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.crowd.lock().answers.remove(&self.since);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let rank = self.rank.lock().unwrap_or_else(PoisonError::into_inner);
        self.crowd.lock().leaving.remove(&rank);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(places: &[&Place]) -> Vec<bool> {
        places.iter().map(|place| place.leave.is_cancelled()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn where_many_have_asked_for_nothing_the_oldest_of_them_leaves() {
        let crowd = Crowd::default();
        let asker = crowd.join();
        drop(asker.asked());
        let quiet: Vec<_> = (0..=QUIET).map(|_| crowd.join()).collect();
        crowd.make_room();
        assert_eq!(left(&[&quiet[0], &quiet[1], &asker]), [true, false, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn otherwise_whoever_asked_longest_ago_leaves_so_that_newcomers_have_time() {
        let crowd = Crowd::default();
        let (asker, later) = (crowd.join(), crowd.join());
        drop((asker.asked(), later.asked()));
        let quiet: Vec<_> = (0..QUIET).map(|_| crowd.join()).collect();
        crowd.make_room();
        assert_eq!(left(&[&quiet[0], &asker, &later]), [false, true, false]);
        crowd.make_room();
        assert_eq!(left(&[&quiet[0], &later]), [false, true]);
        crowd.make_room();
        assert_eq!(
            left(&[&quiet[0], &quiet[1]]),
            [true, false],
            "nobody else is there"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_again_is_the_last_to_leave() {
        let crowd = Crowd::default();
        let (first, second) = (crowd.join(), crowd.join());
        for place in [&first, &second, &first] {
            tokio::time::advance(Duration::from_secs(1)).await;
            drop(place.asked());
        }
        crowd.make_room();
        assert_eq!(left(&[&first, &second]), [false, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_was_given_back_is_nobodys() {
        let crowd = Crowd::default();
        let stays = crowd.join();
        drop(stays.asked());
        drop(crowd.join());
        crowd.make_room();
        assert_eq!(left(&[&stays]), [true]);
        drop(stays.asked());
        assert!(crowd.lock().leaving.is_empty(), "it came back");
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_nothing_for_long_leaves_though_there_is_room() {
        let crowd = Crowd::default();
        let idle = crowd.join();
        tokio::time::advance(Duration::from_secs(60)).await;
        let new = crowd.join();
        crowd.tidy(Duration::from_secs(70), Duration::from_secs(30));
        assert_eq!(left(&[&idle, &new]), [false, false]);
        tokio::time::advance(Duration::from_secs(10)).await;
        crowd.tidy(Duration::from_secs(70), Duration::from_secs(30));
        assert_eq!(left(&[&idle, &new]), [true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_an_answer_for_long_leaves_whatever_else_it_asks() {
        let crowd = Crowd::default();
        let (slow, usual) = (crowd.join(), crowd.join());
        let never_read = slow.asked();
        for _ in 0..3 {
            drop(usual.asked());
            drop(slow.asked());
            crowd.tidy(Duration::from_secs(70), Duration::from_secs(30));
            assert_eq!(left(&[&slow, &usual]), [false, false]);
            tokio::time::advance(Duration::from_secs(10)).await;
        }
        crowd.tidy(Duration::from_secs(70), Duration::from_secs(30));
        assert_eq!(left(&[&slow, &usual]), [true, false]);
        drop(never_read);
    }
}
