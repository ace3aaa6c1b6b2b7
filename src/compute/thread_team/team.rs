//! How a team hands out work.

#![allow(unsafe_code)]

use core::any::Any;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence};
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// Polls for work before a thread lets others run: some 20 µs, longer than most waits within a
/// step. A whole step of 784-30-10 with 32 images takes 42 µs on one thread (Zen 5). A tenth,
/// half and double of it make no difference beyond the noise on a Xeon with AVX-512
/// (docs/performance.md).
const SPINS: u32 = 2_000;

/// Polls for work, letting others run, before a thread sleeps: some milliseconds, longer than
/// a step and than the trial of a strategy that leaves threads idle. Half and double make no
/// difference beyond the noise, on the same machine. Soon in tests, which are to see threads
/// go to sleep at every moment.
const YIELDS: u32 = if cfg!(test) { 10 } else { 10_000 };

/// Maximum number of pieces of a job: the bits of a word.
pub(crate) const MAX_PIECES: usize = 64;

type Job<'a> = &'a (dyn Fn(usize, &Member<'_>) + Sync);

/// Threads that wait for work. Only the thread that holds the team hands out work, one
/// job at a time, and it waits until all pieces of the job are done.
pub(crate) struct Team<'a> {
    shared: &'a Shared,
    /// All threads of the team but the one that holds it.
    others: &'a [JoinHandle<()>],
}

/// A thread of a team while it does a piece of work.
pub(crate) struct Member<'a> {
    shared: &'a Shared,
    /// The number of the thread, and of the piece that it takes first.
    own: usize,
}

/// The state that the threads of a team share.
#[derive(Default)]
pub(super) struct Shared {
    offer: CacheLines<Offer>,
    /// The number of pieces that are not done.
    undone: CacheLines<AtomicUsize>,
    /// The threads that sleep or are about to, a bit for each.
    asleep: AtomicU64,
    has_panicked: AtomicBool,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// Polled by idle threads.
#[derive(Default)]
struct Offer {
    /// The job whose pieces are offered. Dangling unless `undone > 0`.
    job: AtomicPtr<Job<'static>>,
    /// The pieces that no thread has taken, a bit for each.
    untaken: AtomicU64,
    is_over: AtomicBool,
}

/// A value on cache lines of its own, two of which many processors fetch at once.
#[derive(Default)]
#[repr(align(128))]
struct CacheLines<T>(T);

impl<'a> Team<'a> {
    /// A team of the calling thread and of these others, which wait for work
    /// ([`Shared::wait`]).
    pub(super) fn new(shared: &'a Shared, others: &'a [JoinHandle<()>]) -> Self {
        Self { shared, others }
    }

    /// A team of the thread that holds this one. The others wait meanwhile.
    pub(crate) fn alone(&mut self) -> Team<'_> {
        Team::new(self.shared, &[])
    }

    /// The number of threads, the one that holds the team among them.
    pub(crate) fn threads(&self) -> usize {
        1 + self.others.len()
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
        self.wake(untaken);
        let member = Member { shared, own: 0 };
        member.do_piece(0);
        while member.take_piece() {}
        let mut polls = 0;
        while undone.load(Ordering::Acquire) > 0 {
            pause(&mut polls);
        }
        if shared.has_panicked.swap(false, Ordering::Acquire)
            && let Some(panic) = locked(&shared.panic).take()
        {
            resume_unwind(panic);
        }
    }

    /// Wakes those of the threads with these numbers, a bit for each, that sleep.
    fn wake(&self, numbers: u64) {
        // Either this sees the bit of a thread that goes to sleep, or the thread sees
        // the pieces that have been offered: `Shared::sleep` has the other fence.
        fence(Ordering::SeqCst);
        let mut asleep = self.shared.asleep.load(Ordering::Relaxed) & numbers;
        while asleep > 0 {
            let number = asleep.trailing_zeros() as usize;
            if let Some(handle) = self.others.get(number - 1) {
                handle.thread().unpark();
            }
            asleep &= asleep - 1;
        }
    }

    /// Calls `first` here and `second` on another thread. If no other thread gets to
    /// run, `second` is called here too: when `first` waits for it, or has returned.
    ///
    /// # Panics
    /// Panics if one of them does.
    pub(crate) fn pair<'j>(&mut self, first: PairJob<'j>, second: PairJob<'j>) {
        let jobs = [Mutex::new(first), Mutex::new(second)];
        self.run(2, &|i, member| (*locked(&jobs[i]))(member));
    }
}

/// One of the two jobs of a pair.
type PairJob<'a> = &'a mut (dyn FnMut(&Member<'_>) + Send);

impl Shared {
    /// Takes pieces of all jobs until the team is over, the piece of the number `own`
    /// first, which is from 1 to [`MAX_PIECES`] − 1.
    pub(super) fn wait(&self, own: usize) {
        let member = Member { shared: self, own };
        let mut polls = 0;
        while !self.offer.0.is_over.load(Ordering::Acquire) {
            if member.take_piece() {
                polls = 0;
            } else if polls < SPINS + YIELDS {
                pause(&mut polls);
            } else {
                self.sleep(own);
                polls = 0;
            }
        }
    }

    /// Sleeps until there is work, or the team is over, or for no reason.
    fn sleep(&self, own: usize) {
        let (offer, bit) = (&self.offer.0, 1 << own);
        self.asleep.fetch_or(bit, Ordering::Relaxed);
        // See `Team::wake`.
        fence(Ordering::SeqCst);
        let is_idle = offer.untaken.load(Ordering::Relaxed) == 0;
        if is_idle && !offer.is_over.load(Ordering::Relaxed) {
            thread::park();
        }
        self.asleep.fetch_and(!bit, Ordering::Relaxed);
    }

    /// Whether one of the first `others` threads sleeps.
    pub(super) fn has_sleepers(&self, others: usize) -> bool {
        let numbers = ((1 << others) - 1) << 1;
        self.asleep.load(Ordering::Relaxed) & numbers != 0
    }

    /// Makes the threads return from [`Shared::wait`], those that sleep as soon as they
    /// are woken.
    pub(super) fn end(&self) {
        self.offer.0.is_over.store(true, Ordering::Release);
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
                pause(&mut polls);
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

/// Waits a little: spinning, and after [`SPINS`] polls letting others run.
fn pause(polls: &mut u32) {
    *polls = polls.saturating_add(1);
    if *polls < SPINS {
        core::hint::spin_loop();
    } else {
        thread::yield_now();
    }
}

/// Locks a mutex, poisoned or not: what the mutexes of this folder guard is never left
/// half done.
pub(crate) fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
