//! The peak of the machine: a loop of multiply-adds in registers.

// The loops use the processor's own instructions.
#![allow(unsafe_code)]

use handwritten::{InstructionSet, Isa};
use std::hint::black_box;
use std::time::Instant;

/// GFLOP/s of the instruction set's multiply-adds alone, on `threads` threads at once.
pub(crate) fn peak(isa: Isa, threads: usize) -> f64 {
    const ROUNDS: usize = 12_000;
    let one = |_| {
        let start = Instant::now();
        let flops = match isa.instruction_set() {
            // SAFETY: an `Isa` with this set proves that the processor has AVX-512F.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => unsafe { x86::avx512(ROUNDS) },
            // SAFETY: an `Isa` with this set proves that the processor has AVX2 and FMA.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => unsafe { x86::avx2(ROUNDS) },
            _ => portable(ROUNDS),
        };
        flops / start.elapsed().as_secs_f64() / 1e9
    };
    match threads {
        1 => one(0),
        _ => rayon::broadcast(|_| one(0)).into_iter().sum(),
    }
}

/// `rounds` rounds of independent multiply-adds. Returns the number of floating-point
/// operations.
fn portable(rounds: usize) -> f64 {
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

/// Loops as [`portable`], with as many sums as hide the latency of a multiply-add.
#[cfg(target_arch = "x86_64")]
mod x86 {
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
