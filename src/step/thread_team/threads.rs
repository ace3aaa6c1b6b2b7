//! A team of threads of a rayon pool.

#![allow(unsafe_code)]

use core::any::Any;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Polls for work before a thread lets others run: some 20 µs, longer than most waits within a
/// step, of which one of 784-30-10 with 32 images takes 42 µs on one thread (Zen 5). A tenth,
/// half and double of it make no difference beyond the noise on a Xeon with AVX-512
/// (docs/performance.md).
const SPINS: u32 = 2_000;

/// Polls for work, letting others run, before a thread sleeps: some milliseconds, longer than
/// a step and than the trial of a strategy that leaves threads idle. Half and double make no
/// difference beyond the noise, on the same machine.
const YIELDS: u32 = 10_000;

/// Time that a thread sleeps between two polls: a few steps. Threads of a team that works do
/// not sleep, so that half and double make no difference either.
const SLEEP: Duration = Duration::from_micros(200);

/// Maximum number of pieces of a job: the bits of a word.
pub(crate) const MAX_PIECES: usize = 64;

type Job<'a> = &'a (dyn Fn(usize, &Member<'_>) + Sync);

/// Threads that wait for work. Only the thread that holds the team hands out work, one
/// job at a time, and it waits until all pieces of the job are done.
pub(crate) struct Team<'a> {
    shared: &'a Shared,
    threads: usize,
}

/// A thread of a team while it does a piece of work.
pub(crate) struct Member<'a> {
    shared: &'a Shared,
    /// The number of the thread, and of the piece that it takes first.
    own: usize,
}

/// The state that the threads of a team share.
struct Shared {
    offer: CacheLines<Offer>,
    /// The number of pieces that are not done.
    undone: CacheLines<AtomicUsize>,
    has_panicked: AtomicBool,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// Polled by idle threads.
struct Offer {
    /// The job whose pieces are offered. Dangling unless `undone > 0`.
    job: AtomicPtr<Job<'static>>,
    /// The pieces that no thread has taken, a bit for each.
    untaken: AtomicU64,
    is_over: AtomicBool,
}

/// A value on cache lines of its own, two of which many processors fetch at once.
#[repr(align(128))]
struct CacheLines<T>(T);

impl Team<'_> {
    /// Calls `body` with a team of `threads` threads, the caller among them, or of all
    /// threads of the rayon pool that the caller is in if these are fewer.
    pub(crate) fn with<R>(threads: usize, body: impl FnOnce(&mut Team<'_>) -> R) -> R {
        let threads = Self::available(threads);
        let shared = Shared {
            offer: CacheLines(Offer {
                job: AtomicPtr::new(ptr::null_mut()),
                untaken: AtomicU64::new(0),
                is_over: AtomicBool::new(false),
            }),
            undone: CacheLines(AtomicUsize::new(0)),
            has_panicked: AtomicBool::new(false),
            panic: Mutex::new(None),
        };
        if threads == 1 {
            return body(&mut Team {
                shared: &shared,
                threads,
            });
        }
        // Owned in common, so that the end need not wait for threads whose turn in the
        // pool has not come.
        let shared = Arc::new(shared);
        for own in 1..threads {
            let shared = Arc::clone(&shared);
            rayon::spawn(move || shared.wait(own));
        }
        // Dropped even if the body panics, so that no thread waits for ever.
        let _over = Over(&shared.offer.0.is_over);
        body(&mut Team {
            shared: &shared,
            threads,
        })
    }

    /// The threads of a team that `threads` are asked for.
    pub(crate) fn available(threads: usize) -> usize {
        match threads {
            // Asking would start rayon's global pool where the caller is in no pool.
            1 => 1,
            _ => threads.min(rayon::current_num_threads()),
        }
    }

    /// A team of the thread that holds this one. The others wait meanwhile.
    pub(crate) fn alone(&mut self) -> Team<'_> {
        Team {
            shared: self.shared,
            threads: 1,
        }
    }

    /// The number of threads, the one that holds the team among them.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// Calls `job` with each number below `pieces`, on as many threads as get to run,
    /// and returns when all calls have returned. A thread takes the piece of its own
    /// number first, so that what the piece works on stays in its caches from one call
    /// to the next.
    ///
    /// # Panics
    /// Panics if the job does, or if there are no pieces or more than [`MAX_PIECES`].
    pub(crate) fn run(&mut self, pieces: usize, job: Job<'_>) {
        let shared = self.shared;
        assert!(
            (1..=MAX_PIECES).contains(&pieces),
            "work in {pieces} pieces"
        );
        let (offer, undone) = (&shared.offer.0, &shared.undone.0);
        let job = ptr::from_ref(&job).cast_mut().cast();
        offer.job.store(job, Ordering::Relaxed);
        undone.store(pieces, Ordering::Relaxed);
        // The first piece is taken already.
        let untaken = !0 >> (MAX_PIECES - pieces) & !1;
        offer.untaken.store(untaken, Ordering::Release);
        let member = Member { shared, own: 0 };
        member.do_piece(0);
        while member.take_piece() {}
        let mut polls = 0;
        while undone.load(Ordering::Acquire) > 0 {
            pause(&mut polls, u32::MAX);
        }
        if shared.has_panicked.swap(false, Ordering::Acquire)
            && let Some(panic) = locked(&shared.panic).take()
        {
            resume_unwind(panic);
        }
    }

    /// Calls `first` here and `second` on another thread. If no other thread gets to
    /// run, `second` is called here too: when `first` waits for it, or has returned.
    ///
    /// # Panics
    /// Panics if one of them does.
    pub(crate) fn pair<'a>(&mut self, first: PairJob<'a>, second: PairJob<'a>) {
        let jobs = [Mutex::new(first), Mutex::new(second)];
        self.run(2, &|i, member| (*locked(&jobs[i]))(member));
    }
}

/// One of the two jobs of a pair.
type PairJob<'a> = &'a mut (dyn FnMut(&Member<'_>) + Send);

impl Shared {
    /// Takes pieces of all jobs, its own first, until the team is over.
    fn wait(&self, own: usize) {
        let member = Member { shared: self, own };
        let mut polls = 0;
        while !self.offer.0.is_over.load(Ordering::Acquire) {
            if member.take_piece() {
                polls = 0;
            }
            pause(&mut polls, YIELDS);
        }
    }
}

impl Member<'_> {
    /// Waits until another piece has brought about `is_so`. Pieces that no thread has
    /// begun are done here meanwhile, so they may not wait for this one in turn.
    ///
    /// # Panics
    /// Panics if another piece has panicked.
    pub(crate) fn wait_until(&self, is_so: impl Fn() -> bool) {
        let mut polls = 0;
        while !is_so() {
            if !self.take_piece() {
                pause(&mut polls, u32::MAX);
            }
            let has_panicked = self.shared.has_panicked.load(Ordering::Relaxed);
            assert!(!has_panicked, "what this waits for has panicked");
        }
    }

    /// Does a piece of the job, if one is left: the thread's own, or the first.
    fn take_piece(&self) -> bool {
        let untaken = &self.shared.offer.0.untaken;
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
        let shared = self.shared;
        let job = shared.offer.0.job.load(Ordering::Relaxed);
        // SAFETY: `job` points to the argument of the running `Team::run`. It is stored
        // before the bits of `untaken` are set (Release), one of which `take_piece` has
        // removed (AcqRel); piece 0 is done by the thread that stored it. The argument
        // is alive: `undone` counts this piece until the `fetch_sub` below, and
        // `Team::run` neither returns nor unwinds while it is above 0, since
        // `catch_unwind` holds all panics of the jobs. No other job replaces it
        // meanwhile, because `Team::run` borrows the team mutably.
        let job = unsafe { *job };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| job(piece, self))) {
            locked(&shared.panic).get_or_insert(panic);
            shared.has_panicked.store(true, Ordering::Release);
        }
        shared.undone.0.fetch_sub(1, Ordering::Release);
    }
}

/// Ends a team when it is dropped.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Waits a little, the longer the more polls there have been: spinning, then letting
/// others run, after `yields` polls of that asleep.
fn pause(polls: &mut u32, yields: u32) {
    *polls = polls.saturating_add(1);
    if *polls < SPINS {
        core::hint::spin_loop();
    } else if *polls < SPINS.saturating_add(yields) {
        thread::yield_now();
    } else {
        thread::sleep(SLEEP);
    }
}

/// Locks a mutex, poisoned or not: what the mutexes of this folder guard is never left
/// half done.
pub(crate) fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
