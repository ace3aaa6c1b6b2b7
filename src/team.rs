//! A team of threads that stays together from step to step.
//!
//! A step of training is two pieces of work of some ten microseconds, which is
//! as long as it takes to wake a thread. So the threads of a team wait awake
//! for a while, then they let others run, and after some milliseconds without
//! work they sleep. Nobody depends on them: who hands out work takes pieces of
//! it too, and all of them where no other thread gets to run, be it that the
//! machine is busy or that there is only one core.

#![cfg_attr(feature = "rayon", allow(unsafe_code))]

#[cfg(not(feature = "rayon"))]
pub(crate) use of_one::Team;
#[cfg(feature = "rayon")]
pub(crate) use of_threads::{MAX_PIECES, Team};

#[cfg(feature = "rayon")]
mod of_threads {
    use core::any::Any;
    use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
    use std::boxed::Box;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::sync::{Mutex, MutexGuard, PoisonError};
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

    type Job<'a> = &'a (dyn Fn(usize) + Sync);

    /// Threads that wait for work, if there are any. Only who holds the team
    /// hands out work, to everybody, and waits until it is done.
    pub(crate) struct Team<'a> {
        work: &'a Work,
        threads: usize,
    }

    /// What the threads of a team share.
    struct Work {
        /// What is to be done with each piece.
        job: Mutex<Option<Job<'static>>>,
        /// The pieces that nobody has taken, a bit for each.
        untaken: AtomicU64,
        /// How many are not done.
        undone: AtomicUsize,
        is_over: AtomicBool,
        panic: Mutex<Option<Box<dyn Any + Send>>>,
    }

    impl Team<'_> {
        /// Calls `body` with a team of `threads` threads of the rayon pool that
        /// the caller is in, itself among them.
        pub(crate) fn with<R>(threads: usize, body: impl FnOnce(&mut Team<'_>) -> R) -> R {
            let work = Work {
                job: Mutex::new(None),
                untaken: AtomicU64::new(0),
                undone: AtomicUsize::new(0),
                is_over: AtomicBool::new(false),
                panic: Mutex::new(None),
            };
            if threads == 1 {
                return body(&mut Team {
                    work: &work,
                    threads,
                });
            }
            rayon::in_place_scope(|scope| {
                for own in 1..threads {
                    let work = &work;
                    scope.spawn(move |_| work.wait(own));
                }
                // Even if the body panics, so that nobody waits for ever.
                let _over = Over(&work.is_over);
                body(&mut Team {
                    work: &work,
                    threads,
                })
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
            // SAFETY: only the lifetime changes. Who reads the job has taken a
            // piece of it first, and this does not return, nor unwind, before
            // every piece is done; nor does it run twice at a time, since it
            // borrows the one team of this work.
            let lasting = unsafe { core::mem::transmute::<Job<'_>, Job<'static>>(job) };
            *locked(&work.job) = Some(lasting);
            work.undone.store(pieces, Ordering::Relaxed);
            work.untaken
                .store(!0 >> (MAX_PIECES - pieces), Ordering::Release);
            while work.take_piece(0) {}
            let mut looks = 0;
            while work.undone.load(Ordering::Acquire) > 0 {
                pause(&mut looks, u32::MAX);
            }
            if let Some(panic) = locked(&work.panic).take() {
                resume_unwind(panic);
            }
        }
    }

    impl Work {
        /// Takes pieces of whatever there is to do, its own first, until all is
        /// over.
        fn wait(&self, own: usize) {
            let mut looks = 0;
            while !self.is_over.load(Ordering::Acquire) {
                if self.untaken.load(Ordering::Relaxed) > 0 && self.take_piece(own) {
                    looks = 0;
                }
                pause(&mut looks, YIELDING);
            }
        }

        /// Does a piece of the job, if there is one left: its own, or the first.
        fn take_piece(&self, own: usize) -> bool {
            let mut piece = 0;
            let without = |untaken: u64| {
                piece = match untaken {
                    0 => return None,
                    _ if own < MAX_PIECES && untaken >> own & 1 == 1 => own,
                    _ => untaken.trailing_zeros() as usize,
                };
                Some(untaken & !(1 << piece))
            };
            let order = Ordering::AcqRel;
            if self
                .untaken
                .fetch_update(order, Ordering::Relaxed, without)
                .is_err()
            {
                return false;
            }
            let job = *locked(&self.job);
            if let Some(job) = job
                && let Err(panic) = catch_unwind(AssertUnwindSafe(|| job(piece)))
            {
                *locked(&self.panic) = Some(panic);
            }
            self.undone.fetch_sub(1, Ordering::Release);
            true
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
    fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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

    #[test]
    fn every_piece_is_done_once() {
        for threads in [1, 2, 5] {
            Team::with(threads, |team| {
                for pieces in [1, 2, 3, 7, MAX_PIECES] {
                    for _ in 0..200 {
                        let done = [const { AtomicUsize::new(0) }; MAX_PIECES];
                        team.run(pieces, &|piece| {
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
        Team::with(2, |team| {
            for broken in 0..4 {
                let done = AtomicUsize::new(0);
                let job = |piece| {
                    assert_ne!(piece, broken, "broken piece");
                    done.fetch_add(1, Ordering::Relaxed);
                };
                let result = catch_unwind(AssertUnwindSafe(|| team.run(4, &job)));
                assert!(result.is_err());
                assert_eq!(done.into_inner(), 3);
            }
            team.run(2, &|_| {});
        });
    }
}
