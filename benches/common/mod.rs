//! What the benches share: how they are asked and where their figures go, the
//! machine's peak, its name, and medians.

// The peak is measured with the processor's own instructions, and some peers take
// pointers.
#![allow(unsafe_code)]

pub(crate) mod peers;

use criterion::Criterion;
use handwritten::{InstructionSet, Isa};
use std::hint::black_box;
use std::time::Instant;

/// Which cases are compared, and the file for their figures.
pub(crate) struct Comparison {
    filter: String,
    csv: Option<String>,
}

/// Criterion, if it is to time ours alone, and otherwise the comparison. Paths are
/// those of the repository, whatever package this is.
pub(crate) fn asked(bench: &str) -> Result<Criterion, Comparison> {
    let top = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    std::env::set_current_dir(top).expect("the repository is there");
    // Cargo adds `--bench`; without it this is a test, for which once is enough.
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let is_bench = args.iter().any(|arg| arg == "--bench");
    args.retain(|arg| arg != "--bench");
    match &args[..] {
        _ if !is_bench => Ok(Criterion::default().configure_from_args()),
        [first, filter @ ..] if first == "--criterion" => Ok(filter
            .iter()
            .fold(Criterion::default(), |it, filter| it.with_filter(filter))),
        args => Err(Comparison::of(args, bench)),
    }
}

impl Comparison {
    fn of(args: &[String], bench: &str) -> Self {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let (filter, csv) = match args[..] {
            // The tables of the documentation are made of this file, so a few
            // cases must not replace it.
            [] => ("", Some(format!("target/{bench}.csv"))),
            [filter] => (filter, None),
            ["--csv", path] => ("", Some(path.to_string())),
            [filter, "--csv", path] | ["--csv", path, filter] => (filter, Some(path.to_string())),
            _ => refuse("a comparison takes one filter and --csv PATH, if anything"),
        };
        Self {
            filter: filter.to_string(),
            csv,
        }
    }

    /// Whether the filter is in a case's name, with whole numbers: `batch 1` is
    /// not in `batch 128`.
    pub(crate) fn takes(&self, name: &str) -> bool {
        let filter = self.filter.as_str();
        let digit = |c: char| c.is_ascii_digit();
        let cut = |left: &str, right: &str| left.ends_with(digit) && right.starts_with(digit);
        name.match_indices(filter).any(|(at, _)| {
            let (before, after) = (&name[..at], &name[at + filter.len()..]);
            !cut(before, filter) && !cut(filter, after)
        })
    }

    /// Ends the program, since the filter takes nothing.
    pub(crate) fn refuse(&self) -> ! {
        refuse(&format!("there is no case {:?}", self.filter));
    }

    pub(crate) fn write(&self, table: &str) {
        if let Some(csv) = &self.csv {
            let folder = std::path::Path::new(csv).parent();
            let made = folder.map_or(Ok(()), std::fs::create_dir_all);
            made.and_then(|()| std::fs::write(csv, table))
                .expect("the CSV can be written");
            println!("wrote {csv}");
        }
    }
}

fn refuse(message: &str) -> ! {
    eprintln!("error: {message}");
    std::process::exit(2);
}

/// Multiply-adds in registers, as many as `rounds` tells, and how many
/// floating point operations that were.
#[cfg(target_arch = "x86_64")]
mod peak {
    use std::arch::x86_64::*;
    use std::hint::black_box;

    #[target_feature(enable = "avx512f")]
    pub(super) fn avx512(rounds: usize) -> f64 {
        let mut sums = [_mm512_set1_ps(black_box(1.0)); 24];
        let factor = _mm512_set1_ps(black_box(0.999));
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, factor, factor);
            }
        }
        let total = sums.into_iter().reduce(|a, b| _mm512_add_ps(a, b));
        black_box(total.map(|total| _mm512_reduce_add_ps(total)));
        (rounds * 24 * 16 * 2) as f64
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn avx2(rounds: usize) -> f64 {
        let mut sums = [_mm256_set1_ps(black_box(1.0)); 12];
        let factor = _mm256_set1_ps(black_box(0.999));
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, factor, factor);
            }
        }
        let total = sums.into_iter().reduce(|a, b| _mm256_add_ps(a, b));
        black_box(total.map(|total| _mm256_cvtss_f32(total)));
        (rounds * 12 * 8 * 2) as f64
    }
}

/// The same with crate `wide`, as the portable arm computes.
fn peak_portable(rounds: usize) -> f64 {
    let mut sums = [wide::f32x4::splat(black_box(1.0)); 12];
    let factor = wide::f32x4::splat(black_box(0.999));
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = sum.mul_add(factor, factor);
        }
    }
    black_box(sums);
    (rounds * 12 * 4 * 2) as f64
}

/// GFLOP/s of the arm's multiply-adds alone, on as many threads at once.
pub(crate) fn peak(isa: Isa, threads: usize) -> f64 {
    const ROUNDS: usize = 12_000;
    let one = |_| {
        let start = Instant::now();
        let flops = match isa.instruction_set() {
            // SAFETY: an `Isa` proves that the machine has the instructions.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => unsafe { peak::avx512(ROUNDS) },
            // SAFETY: the same.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => unsafe { peak::avx2(ROUNDS) },
            _ => peak_portable(ROUNDS),
        };
        flops / start.elapsed().as_secs_f64() / 1e9
    };
    match threads {
        1 => one(0),
        _ => rayon::broadcast(|_| one(0)).into_iter().sum(),
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The processor's name, as Linux tells it.
pub(crate) fn processor() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(':'));
    name.map_or("unknown processor", |(_, name)| name.trim())
        .to_string()
}
