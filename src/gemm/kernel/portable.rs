//! 4×8 micro-kernel on crate `wide`, for every target.
//!
//! With SSE2 the tile takes eight of sixteen registers, a row of B two and an
//! element of A one. `wide` chooses its registers when it is compiled, so this
//! kernel is as wide as the build's target allows, not the machine.

use super::MicroKernel;
use wide::f32x8;

const MR: usize = 4;
const NR: usize = 8;
pub(super) const KERNEL: MicroKernel = MicroKernel::new::<MR, NR>(tile);

/// See [`MicroKernel::accumulate`] for the shapes.
fn tile(a: &[f32], b: &[f32], c: &mut [f32]) {
    let (a, _) = a.as_chunks::<MR>();
    let (b, _) = b.as_chunks::<NR>();
    let (c, _) = c.as_chunks_mut::<NR>();
    // The chain of sums goes on from C, so cutting k into blocks changes no bit.
    let mut acc = [f32x8::ZERO; MR];
    for (acc, c) in acc.iter_mut().zip(&*c) {
        *acc = f32x8::new(*c);
    }
    // One rank-1 update per step of k.
    for (a, b) in a.iter().zip(b) {
        let b = f32x8::new(*b);
        for (acc, &a) in acc.iter_mut().zip(a) {
            *acc = f32x8::splat(a).mul_add(b, *acc);
        }
    }
    for (c, acc) in c.iter_mut().zip(acc) {
        *c = acc.to_array();
    }
}
