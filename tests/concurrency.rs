//! Trainings on several threads, side by side, whose observers use rayon in every way that
//! it allows: all return, and with the bits of a training on one thread.

#![cfg(feature = "rayon")]

use handwritten::data::{Dataset, Subset};
use handwritten::net::params_len;
use handwritten::training::{Control, EpochReport, StepReport, TrainingState};
use handwritten::{
    Activation, Batch, Config, Context, Isa, Matrix, Net, Observer, Product, Workspace, train,
};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::{self, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Rounds, shared out among the tests. `HANDWRITTEN_ROUNDS` replaces the number.
const ROUNDS: usize = 10_000;

/// Without a finished call for so long, a test hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Two hidden layers: to make shards for one would take most of the time.
const WIDTHS: [usize; 4] = [130, 40, 24, 10];

/// Where each thread of the tests is, and the number of places that have been left.
struct Places {
    current: Mutex<Vec<(String, &'static str)>>,
    left: AtomicUsize,
}

static PLACES: Places = Places {
    current: Mutex::new(Vec::new()),
    left: AtomicUsize::new(0),
};

impl Places {
    /// Calls `body` as the thread `name`, which is at `place` until it returns.
    fn within<R>(&self, name: &str, place: &'static str, body: impl FnOnce() -> R) -> R {
        let entry = (name.to_string(), place);
        self.lock().push(entry.clone());
        let result = body();
        let mut current = self.lock();
        let index = current.iter().rposition(|other| *other == entry);
        current.remove(index.unwrap());
        self.left.fetch_add(1, Ordering::Relaxed);
        result
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(String, &'static str)>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the process if nothing is finished for a long time, and says where all threads are.
fn watch() {
    let mut seen = None;
    loop {
        thread::sleep(PATIENCE);
        let left = Some(PLACES.left.load(Ordering::Relaxed));
        if left == seen && !PLACES.lock().is_empty() {
            // What a test prints by a macro is held back until it ends.
            let text = format!("nothing has been finished for {PATIENCE:?}\n{}", report());
            let _ = std::io::stderr().write_all(text.as_bytes());
            process::exit(101);
        }
        seen = left;
    }
}

/// The places of the tests' threads, and what the system says of every thread.
fn report() -> String {
    let mut text = String::new();
    for (name, place) in PLACES.lock().iter() {
        writeln!(text, "{name}: {place}").unwrap();
    }
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    for task in fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten()
    {
        let path = task.path();
        let [name, waits_in] = ["comm", "wchan"].map(|file| read(path.join(file)));
        let stat = read(path.join("stat"));
        let state = stat.rsplit(") ").next().and_then(|rest| rest.get(..1));
        let (name, state) = (name.trim(), state.unwrap_or("?"));
        writeln!(text, "thread {name}: state {state}, waits in {waits_in}").unwrap();
    }
    let id = process::id().to_string();
    let gdb = ["-p", &id, "-batch", "-ex", "thread apply all backtrace"];
    match Command::new("gdb").args(gdb).output() {
        Ok(output) => text.push_str(&String::from_utf8_lossy(&output.stdout)),
        Err(_) => text.push_str("without gdb there are no backtraces\n"),
    }
    text
}

/// Calls `round` with the numbers of a share of all rounds, under the watch.
fn rounds(share: usize, mut round: impl FnMut(usize)) {
    static WATCH: std::sync::Once = std::sync::Once::new();
    WATCH.call_once(|| {
        thread::Builder::new()
            .name("watch".into())
            .spawn(watch)
            .unwrap();
        // As on a machine with two cores.
        ThreadPoolBuilder::new()
            .num_threads(2)
            .build_global()
            .unwrap();
    });
    let all = std::env::var("HANDWRITTEN_ROUNDS");
    let all = all.map_or(ROUNDS, |text| text.parse().unwrap());
    for number in 0..all.div_ceil(share) {
        round(number);
    }
}

fn images() -> Dataset {
    let pixel = |at: usize| {
        if at.is_multiple_of(3) {
            (at * 31 % 251) as u8
        } else {
            0
        }
    };
    let pixels = (0..96 * WIDTHS[0]).map(pixel).collect();
    let labels = (0..96).map(|i| (i * 7 % 10) as u8).collect();
    Dataset::new(pixels, 1, WIDTHS[0], labels).unwrap()
}

/// Does something with rayon after each epoch.
struct Uses<'a> {
    name: &'a str,
    round: usize,
    other_pool: &'a ThreadPool,
}

impl Uses<'_> {
    fn at<R>(&self, place: &'static str, body: impl FnOnce() -> R) -> R {
        PLACES.within(self.name, place, body)
    }

    /// The number of a kind of use, from 0.
    fn use_rayon(&self, kind: usize) {
        match kind {
            0 => self.at("a product on two threads", product),
            1 => {
                self.at("broadcast", || rayon::broadcast(|_| ()));
            }
            2 => self.at("install in another pool", || {
                self.other_pool.install(product)
            }),
            3 => {
                self.at("yield_now", rayon::yield_now);
                self.at("yield_local", rayon::yield_local);
            }
            4 => {
                self.at("join", || rayon::join(|| (), product));
            }
            5 => self.at("scope", || {
                rayon::scope(|scope| {
                    scope.spawn(|_| product());
                    scope.spawn_broadcast(|_, _| ());
                });
            }),
            _ => {
                let (sender, receiver) = std::sync::mpsc::channel();
                rayon::spawn(move || sender.send(()).unwrap());
                // In a pool the spawned job may need this thread, if all others are in
                // the same place.
                self.at("a spawned job", || {
                    while receiver.try_recv().is_err() {
                        rayon::yield_now();
                        thread::yield_now();
                    }
                });
            }
        }
    }
}

const KINDS: usize = 7;

impl Observer for Uses<'_> {
    fn on_step(&mut self, step: &StepReport) -> Control {
        if step.step == 1 {
            self.at("yield_now in a step", rayon::yield_now);
        }
        Control::Continue
    }

    fn on_epoch(&mut self, epoch: &EpochReport, _now: &TrainingState<'_>) -> Control {
        self.use_rayon((self.round + epoch.epoch) % KINDS);
        Control::Continue
    }
}

/// A product that two threads share out, whose epilogue uses rayon too.
fn product() {
    let a = Matrix::from_fn(96, 160, |i, p| (i * p % 7) as f32);
    let b = Matrix::from_fn(160, 96, |p, j| (p + j) as f32);
    let mut c = Matrix::zeros(96, 96);
    thread_local! {
        static CONTEXT: RefCell<Context<'static>> = RefCell::new(Context::with_threads(2));
    }
    let double = |row: usize, _column: usize, part: &mut [f32]| {
        if row.is_multiple_of(32) {
            rayon::join(rayon::yield_now, rayon::yield_local);
        }
        part.iter_mut().for_each(|z| *z *= 2.0);
    };
    let product = Product::new(a.view(), b.view()).epilogue(&double);
    // Outside a pool the second of two is shared out, by threads that must start first.
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let is_shared = CALLS.fetch_add(1, Ordering::Relaxed).is_multiple_of(8);
    for _ in 0..1 + usize::from(is_shared) {
        // In its epilogue a thread may come to another product.
        CONTEXT.with(|ctx| match ctx.try_borrow_mut() {
            Ok(mut ctx) => product.compute(c.view_mut(), &mut ctx),
            Err(_) => product.compute(c.view_mut(), &mut Context::with_threads(2)),
        });
    }
    // Whole numbers below 2^24: exact.
    let element: usize = (0..160).map(|p| p % 7 * (p + 2)).sum();
    assert_eq!(c.view().row(1)[2], (2 * element) as f32);
}

/// Trains a net and returns its parameters.
fn trained(threads: usize, observer: &mut (impl Observer + ?Sized)) -> Vec<f32> {
    let param = |i: usize| (i * 7919 % 1009) as f32 / 5045.0 - 0.1;
    let params = (0..params_len(&WIDTHS)).map(param).collect();
    let mut net = Net::new(&WIDTHS, Activation::Sigmoid, params);
    let data = images();
    let all = Subset::all(&data);
    let config = Config {
        epochs: 1,
        batch: Batch::Mini(48),
        ..Config::default()
    };
    let mut workspace = Workspace::new(&WIDTHS, threads).with_isa(Isa::from_env().unwrap());
    train(&mut net, &all, &all, &config, &mut workspace, observer).unwrap();
    net.params().to_vec()
}

#[test]
fn trainings_outside_a_pool_do_not_wait_for_each_other() {
    let other_pool = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let expected = trained(1, &mut ());
    rounds(2, |round| {
        thread::scope(|scope| {
            for (i, name) in ["one", "other"].into_iter().enumerate() {
                let (expected, other_pool) = (&expected, &other_pool);
                scope.spawn(move || {
                    let round = round + i * (1 + round / KINDS);
                    let mut uses = Uses {
                        name,
                        round,
                        other_pool,
                    };
                    let params = PLACES.within(name, "train", || trained(2, &mut uses));
                    assert!(params == *expected);
                });
            }
            // A third thread, which trains nothing.
            PLACES.within("third", "a product on two threads", product);
        });
    });
}

#[test]
fn trainings_in_a_pool_do_not_wait_for_each_other() {
    let [pool, other_pool] = [2, 1].map(|threads| {
        let pool = ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap()
    });
    let expected = trained(1, &mut ());
    let run = |name, round| {
        let mut uses = Uses {
            name,
            round,
            other_pool: &other_pool,
        };
        let params = PLACES.within(name, "train in a pool", || trained(2, &mut uses));
        assert!(params == expected);
    };
    rounds(2, |round| {
        pool.install(|| {
            rayon::join(
                || run("left", round),
                || run("right", round / KINDS + round),
            )
        });
    });
}
