use super::team::Member;
use super::*;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Calls `body` with a team of so many threads.
fn in_team(threads: usize, body: impl FnOnce(&mut Team<'_>)) {
    let mut own = Threads::default();
    let mut team = own.team(threads);
    assert_eq!(team.threads(), threads);
    body(&mut team);
}

/// Hands out a piece to each of `threads` threads, which waits until all have begun
/// theirs: no thread can do two.
fn meet(team: &mut Team<'_>, threads: usize) {
    let (begun, start) = (AtomicUsize::new(0), Instant::now());
    team.run(threads, &|_, _| {
        begun.fetch_add(1, Ordering::Relaxed);
        while begun.load(Ordering::Relaxed) < threads {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "a thread stays away"
            );
            std::thread::yield_now();
        }
    });
}

#[test]
fn all_threads_come_whether_they_are_awake_or_asleep() {
    for threads in [2, 3, 5] {
        in_team(threads, |team| {
            for round in 0..2000_u32 {
                // Threads of tests sleep after some ten microseconds.
                for _ in 0..round * 37 % 4000 {
                    core::hint::spin_loop();
                }
                meet(team, threads);
                if round % 500 == 0 {
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        });
    }
}

#[test]
fn threads_end_with_their_owner() {
    let mut own = Threads::default();
    assert_eq!(own.team(1).threads(), 1);
    meet(&mut own.team(3), 3);
    meet(&mut own.team(2), 2);
    let of_clone = own.clone();
    let shared = [&own, &of_clone].map(Threads::shared);
    drop((own, of_clone));
    // Each thread owns what it shares with the others until it ends.
    assert!(shared.iter().all(|shared| shared.upgrade().is_none()));
}

#[test]
fn a_team_has_no_more_threads_than_a_job_has_pieces() {
    assert_eq!(Threads::default().team(1000).threads(), MAX_PIECES);
    assert_eq!(Threads::available(usize::MAX), MAX_PIECES);
}

#[test]
fn each_owner_has_threads_of_its_own() {
    // Two owners at once, each of whose jobs waits for one of the other.
    let mut owners = [Threads::default(), Threads::default()];
    let [one, other] = &mut owners;
    let (one, other) = (&mut one.team(2), std::sync::Mutex::new(other.team(2)));
    one.run(2, &|piece, _| {
        if piece == 1 {
            locked(&other).run(2, &|_, _| {});
        }
    });
    meet(one, 2);
    meet(&mut locked(&other), 2);
}

#[test]
fn every_piece_is_done_once() {
    for threads in [1, 2, 5] {
        in_team(threads, |team| {
            for pieces in [1, 2, 3, 7, MAX_PIECES] {
                for _ in 0..200 {
                    let done = [const { AtomicUsize::new(0) }; MAX_PIECES];
                    team.run(pieces, &|piece, _| {
                        done[piece].fetch_add(1, Ordering::Relaxed);
                    });
                    for (piece, done) in done.into_iter().enumerate() {
                        assert_eq!(done.into_inner(), usize::from(piece < pieces));
                    }
                }
            }
        });
    }
}

#[test]
fn a_panic_reaches_who_handed_out_the_work_and_leaves_the_team_whole() {
    in_team(2, |team| {
        for broken in 0..4 {
            let done = AtomicUsize::new(0);
            let job = |piece: usize, _: &Member<'_>| {
                assert_ne!(piece, broken, "broken piece");
                done.fetch_add(1, Ordering::Relaxed);
            };
            let result = catch_unwind(AssertUnwindSafe(|| team.run(4, &job)));
            assert!(result.is_err());
            assert_eq!(done.into_inner(), 3);
        }
        team.run(2, &|_, _| {});
    });
}

#[test]
fn halves_of_a_pair_wait_for_each_other_even_on_one_thread() {
    for threads in [1, 2, 3] {
        in_team(threads, |team| {
            for _ in 0..200 {
                let stage = AtomicUsize::new(0);
                let reach = |from, to| {
                    let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
                    let reached = stage.compare_exchange(from, to, success, failure);
                    assert_eq!(reached, Ok(from));
                };
                let at = |least| stage.load(Ordering::Acquire) >= least;
                team.pair(
                    &mut |member| {
                        reach(0, 1);
                        member.wait_until(|| at(2));
                        reach(2, 3);
                    },
                    &mut |member| {
                        member.wait_until(|| at(1));
                        reach(1, 2);
                    },
                );
                assert_eq!(stage.into_inner(), 3);
            }
        });
    }
}

#[test]
fn nobody_waits_for_ever_for_who_has_panicked() {
    for threads in [1, 2] {
        in_team(threads, |team| {
            for broken in 0..2 {
                let mut halves = [0, 1].map(|half| {
                    move |member: &Member<'_>| {
                        // The other half never waits for the first.
                        assert!(half != broken, "half {broken} broke");
                        if half == 0 {
                            member.wait_until(|| false);
                        }
                    }
                });
                let [one, other] = &mut halves;
                let result = catch_unwind(AssertUnwindSafe(|| team.pair(one, other)));
                let panic = result.unwrap_err();
                let message = panic.downcast_ref::<std::string::String>();
                assert_eq!(message.unwrap(), &std::format!("half {broken} broke"));
            }
            team.pair(&mut |_| {}, &mut |_| {});
        });
    }
}
