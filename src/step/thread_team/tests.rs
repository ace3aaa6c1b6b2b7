use super::threads::Member;
use super::*;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls `body` in a pool of `threads` threads.
pub(crate) fn in_pool<R: Send>(threads: usize, body: impl FnOnce() -> R + Send) -> R {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build().unwrap().install(body)
}

/// Calls `body` with a team of all threads of a pool.
fn in_team(threads: usize, body: impl FnOnce(&mut Team<'_>) + Send) {
    in_pool(threads, || {
        Team::with(threads, |team| {
            assert_eq!(team.threads(), threads);
            body(team);
        });
    });
}

#[test]
fn nobody_waits_for_threads_that_a_pool_does_not_have() {
    // Two teams outside any pool, each with another one in it.
    let nested = || {
        let all = rayon::current_num_threads();
        Team::with(all + 3, |team| {
            assert_eq!(team.threads(), all);
            Team::with(all + 3, |team| team.run(3, &|_, _| {}));
            team.run(3, &|_, _| {});
        });
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(nested);
        nested();
        other.join().unwrap();
    });
    in_team(2, |team| {
        Team::with(2, |team| team.run(3, &|_, _| {}));
        team.run(3, &|_, _| {});
    });
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
