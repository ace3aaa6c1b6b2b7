//! A team of threads that stays together from step to step.
//!
//! A step of training is two pieces of work of some ten microseconds, which is
//! as long as it takes to wake a thread. So the threads of a team wait awake
//! for a while, then they let others run, and after some milliseconds without
//! work they sleep. Nobody depends on them: who hands out work takes pieces of
//! it too, and all of them where no other thread gets to run, be it that the
//! machine is busy or that there is only one core. Meanwhile they are not there
//! for anything else that the pool is asked for.

#![cfg_attr(feature = "rayon", allow(unsafe_code))]

#[cfg(not(feature = "rayon"))]
pub(crate) use of_one::Team;
#[cfg(feature = "rayon")]
pub(crate) use of_threads::{MAX_PIECES, Team, locked};
#[cfg(all(test, feature = "rayon"))]
pub(crate) use tests::in_pool;

#[cfg(feature = "rayon")]
mod of_threads {
    use core::any::Any;
    use core::ptr;
    use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
    use std::boxed::Box;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
    use std::thread;
    use std::time::Duration;

    /// Looks for work before others are let run: some 20 µs.
    const AWAKE: u32 = 2_000;

    /// Looks for work, letting others run, before sleeping: some milliseconds.
    const YIELDING: u32 = 10_000;

    /// How long to sleep between looks for work.
    const SLEEP: Duration = Duration::from_micros(200);

    /// The most pieces that work is cut into: the bits of a word.
    pub(crate) const MAX_PIECES: usize = 64;

    type Job<'a> = &'a (dyn Fn(usize, &Member<'_>) + Sync);

    /// Threads that wait for work, if there are any. Only who holds the team
    /// hands out work, to everybody, and waits until it is done.
    pub(crate) struct Team<'a> {
        work: &'a Work,
        threads: usize,
    }

    /// One of them, while it does a piece of work.
    pub(crate) struct Member<'a> {
        work: &'a Work,
        /// The number of the thread, and of its own piece.
        own: usize,
    }

    /// What the threads of a team share.
    struct Work {
        offer: Line<Offer>,
        /// How many pieces are not done.
        undone: Line<AtomicUsize>,
        has_panicked: AtomicBool,
        panic: Mutex<Option<Box<dyn Any + Send>>>,
    }

    /// What those look at who wait for work.
    struct Offer {
        /// What is to be done with each piece; nobody's memory unless some are not
        /// done.
        job: AtomicPtr<Job<'static>>,
        /// The pieces that nobody has taken, a bit for each.
        untaken: AtomicU64,
        is_over: AtomicBool,
    }

    /// On cache lines of its own, two of which many processors fetch at once.
    #[repr(align(128))]
    struct Line<T>(T);

    impl Team<'_> {
        /// Calls `body` with a team of `threads` threads, or of all that there are in
        /// the rayon pool that the caller is in, itself among them.
        pub(crate) fn with<R>(threads: usize, body: impl FnOnce(&mut Team<'_>) -> R) -> R {
            // Where the caller is in no pool this leaves it a thread.
            let threads = match threads {
                1 => 1,
                _ => threads.min(rayon::current_num_threads()),
            };
            let work = Work {
                offer: Line(Offer {
                    job: AtomicPtr::new(ptr::null_mut()),
                    untaken: AtomicU64::new(0),
                    is_over: AtomicBool::new(false),
                }),
                undone: Line(AtomicUsize::new(0)),
                has_panicked: AtomicBool::new(false),
                panic: Mutex::new(None),
            };
            if threads == 1 {
                return body(&mut Team {
                    work: &work,
                    threads,
                });
            }
            let work = Arc::new(work);
            // They share the work, so that the end need not wait for those whose
            // turn in the pool has not come.
            for own in 1..threads {
                let work = Arc::clone(&work);
                rayon::spawn(move || work.wait(own));
            }
            // Even if the body panics, so that nobody waits for ever.
            let _over = Over(&work.offer.0.is_over);
            body(&mut Team {
                work: &work,
                threads,
            })
        }

        /// Who holds it, alone, while the others wait.
        pub(crate) fn alone(&mut self) -> Team<'_> {
            Team {
                work: self.work,
                threads: 1,
            }
        }

        /// How many threads it has, itself among them.
        pub(crate) fn threads(&self) -> usize {
            self.threads
        }

        /// Calls `job` with each number below `pieces`, on as many threads as are
        /// there, and returns when all is done. A thread takes its own piece
        /// first, so that what the piece works on stays in its caches from one
        /// call to the next.
        ///
        /// # Panics
        /// Panics if the job does, or if there are no pieces or more than
        /// [`MAX_PIECES`].
        pub(crate) fn run(&mut self, pieces: usize, job: Job<'_>) {
            let work = self.work;
            assert!(
                (1..=MAX_PIECES).contains(&pieces),
                "work in {pieces} pieces"
            );
            let (offer, undone) = (&work.offer.0, &work.undone.0);
            let job = ptr::from_ref(&job).cast_mut().cast();
            offer.job.store(job, Ordering::Relaxed);
            undone.store(pieces, Ordering::Relaxed);
            // The first piece is taken already.
            let untaken = !0 >> (MAX_PIECES - pieces) & !1;
            offer.untaken.store(untaken, Ordering::Release);
            let member = Member { work, own: 0 };
            member.do_piece(0);
            while member.take_piece() {}
            let mut looks = 0;
            while undone.load(Ordering::Acquire) > 0 {
                pause(&mut looks, u32::MAX);
            }
            if work.has_panicked.swap(false, Ordering::Acquire)
                && let Some(panic) = locked(&work.panic).take()
            {
                resume_unwind(panic);
            }
        }

        /// Calls `one` here and `other` on another thread, or here too if none
        /// comes: then when `one` waits for it, or has returned.
        ///
        /// # Panics
        /// Panics if one of them does.
        pub(crate) fn pair<'a>(&mut self, one: Half<'a>, other: Half<'a>) {
            let halves = [Mutex::new(one), Mutex::new(other)];
            self.run(2, &|half, member| (*locked(&halves[half]))(member));
        }
    }

    /// Half of the work of a pair.
    type Half<'a> = &'a mut (dyn FnMut(&Member<'_>) + Send);

    impl Work {
        /// Takes pieces of whatever there is to do, its own first, until all is
        /// over.
        fn wait(&self, own: usize) {
            let member = Member { work: self, own };
            let mut looks = 0;
            while !self.offer.0.is_over.load(Ordering::Acquire) {
                if member.take_piece() {
                    looks = 0;
                }
                pause(&mut looks, YIELDING);
            }
        }
    }

    impl Member<'_> {
        /// Waits for what another piece brings about. Pieces that nobody has begun
        /// are done here meanwhile, so they may not wait for this one in turn.
        ///
        /// # Panics
        /// Panics if one of them has.
        pub(crate) fn wait_until(&self, is_so: impl Fn() -> bool) {
            let mut looks = 0;
            while !is_so() {
                if !self.take_piece() {
                    pause(&mut looks, u32::MAX);
                }
                let has_panicked = self.work.has_panicked.load(Ordering::Relaxed);
                assert!(!has_panicked, "what this waits for has panicked");
            }
        }

        /// Does a piece of the job, if there is one left: its own, or the first.
        fn take_piece(&self) -> bool {
            let untaken = &self.work.offer.0.untaken;
            let mut left = untaken.load(Ordering::Relaxed);
            while left > 0 {
                let own = 1 << (self.own % MAX_PIECES);
                let bit = if left & own == 0 {
                    left & left.wrapping_neg()
                } else {
                    own
                };
                left = untaken.fetch_and(!bit, Ordering::AcqRel);
                if left & bit != 0 {
                    self.do_piece(bit.trailing_zeros() as usize);
                    return true;
                }
            }
            false
        }

        /// Does a piece that is taken and not done.
        fn do_piece(&self, piece: usize) {
            let work = self.work;
            let job = work.offer.0.job.load(Ordering::Relaxed);
            // SAFETY: who takes a piece sees the job that was stored before the
            // pieces were offered, and `Team::run`, whose job it is, neither
            // returns nor unwinds before all pieces are done; nor does it run twice
            // at a time, since it borrows the one team of this work.
            let job = unsafe { *job };
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| job(piece, self))) {
                locked(&work.panic).get_or_insert(panic);
                work.has_panicked.store(true, Ordering::Release);
            }
            work.undone.0.fetch_sub(1, Ordering::Release);
        }
    }

    /// Ends a team's waiting when it is dropped.
    struct Over<'a>(&'a AtomicBool);

    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }

    /// Waits a little, the longer the more looks there have been: awake, then
    /// letting others run, then asleep.
    fn pause(looks: &mut u32, yielding: u32) {
        *looks = looks.saturating_add(1);
        if *looks < AWAKE {
            core::hint::spin_loop();
        } else if *looks < AWAKE.saturating_add(yielding) {
            thread::yield_now();
        } else {
            thread::sleep(SLEEP);
        }
    }

    /// What a mutex guards; nothing that it guards can be left half done.
    pub(crate) fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(not(feature = "rayon"))]
mod of_one {
    use core::marker::PhantomData;

    /// One thread.
    pub(crate) struct Team<'a>(PhantomData<&'a ()>);

    impl Team<'_> {
        /// Calls `body` with a team of one, however many `threads` are allowed.
        pub(crate) fn with<R>(_threads: usize, body: impl FnOnce(&mut Team<'_>) -> R) -> R {
            body(&mut Team(PhantomData))
        }

        /// The same.
        pub(crate) fn alone(&mut self) -> Team<'_> {
            Team(PhantomData)
        }

        /// One.
        pub(crate) fn threads(&self) -> usize {
            1
        }
    }
}

#[cfg(all(test, feature = "rayon"))]
mod tests {
    use super::*;
    use core::sync::atomic::{AtomicUsize, Ordering};
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// Does something in a pool of so many threads.
    pub(crate) fn in_pool<R: Send>(threads: usize, body: impl FnOnce() -> R + Send) -> R {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(body)
    }

    /// The same with a team of all of them.
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
                let job = |piece: usize, _: &of_threads::Member<'_>| {
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
                        move |member: &of_threads::Member<'_>| {
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
}
