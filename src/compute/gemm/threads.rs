//! A product on several threads: each computes some rows of C, or some columns of a
//! single row. k is never split, so the number of threads changes no bit.

use super::blocking::Task;
use super::kernel::MicroKernel;
use super::params::SERIAL_BELOW;
use super::{Context, Start};
use crate::compute::matrix::MatMut;
use crate::compute::thread_team::{Work, share_out};
use core::ops::Range;

/// Computes a task into `c`, on as many of the context's threads as it is worth.
pub(super) fn compute(task: Task<'_>, c: MatMut<'_>, kernel: MicroKernel, ctx: &mut Context<'_>) {
    let pieces = pieces(&task, kernel, ctx.threads);
    let Context {
        packing, helpers, ..
    } = ctx;
    let part = Part {
        task,
        c,
        kernel,
        packing,
    };
    if pieces == 1 {
        part.run();
    } else if rayon::current_thread_index().is_some() {
        // The threads of the caller's pool are awake, and as many as it is to have.
        join(part, pieces);
    } else if helpers.are_worth_calling(pieces, task.multiply_adds()) {
        share_out(&mut helpers.team(pieces), part, pieces);
    } else {
        part.run();
        helpers.note_alone();
    }
}

/// The number of threads, at most `threads`, that a task is worth: each has at least half of
/// [`SERIAL_BELOW`] multiply-adds and a row, or of a single row a quarter of it and a vector.
fn pieces(task: &Task<'_>, kernel: MicroKernel, threads: usize) -> usize {
    let (m, n) = (task.a.rows(), task.b.cols());
    let (serial_below, most) = match m {
        1 => (SERIAL_BELOW / 2, n / kernel.lanes()),
        // Where vectors lie along the columns of C, fewer rows fill fewer lanes.
        _ if task.is_narrow(kernel) => (SERIAL_BELOW, m / (2 * kernel.lanes())),
        _ => (SERIAL_BELOW, m),
    };
    let worth = task.multiply_adds() / (serial_below / 2);
    threads.min(worth).min(most).max(1)
}

/// Computes a part in `pieces` on the threads of the rayon pool that this is called in.
fn join(part: Part<'_>, pieces: usize) {
    if pieces == 1 {
        return part.run();
    }
    let left = pieces / 2;
    let (one, other) = part.split(left, pieces);
    rayon::join(|| join(one, left), || join(other, pieces - left));
}

/// A part of a product.
struct Part<'a> {
    task: Task<'a>,
    c: MatMut<'a>,
    kernel: MicroKernel,
    /// [`Context::packing_len`] elements for each piece.
    packing: &'a mut [f32],
}

impl Work for Part<'_> {
    fn split(self, left: usize, pieces: usize) -> (Self, Self) {
        let packing = self.packing.split_at_mut(Context::packing_len(left));
        let ((one, c), (other, d)) = match self.task.a.rows() {
            1 => {
                let vectors = self.c.cols().div_ceil(self.kernel.lanes());
                let cut = (vectors * left).div_ceil(pieces) * self.kernel.lanes();
                split_columns(&self.task, self.c, cut)
            }
            m => split_rows(&self.task, self.c, (m * left).div_ceil(pieces)),
        };
        let kernel = self.kernel;
        let part = |task, c, packing| Self {
            task,
            c,
            kernel,
            packing,
        };
        (part(one, c, packing.0), part(other, d, packing.1))
    }

    fn run(self) {
        self.task.compute(self.c, self.kernel, self.packing);
    }
}

/// Two tasks, each with its part of C.
type Split<'t, 'c> = ((Task<'t>, MatMut<'c>), (Task<'t>, MatMut<'c>));

/// Splits off the first `above` rows.
fn split_rows<'t, 'c>(task: &Task<'t>, c: MatMut<'c>, above: usize) -> Split<'t, 'c> {
    let (m, k) = (task.a.rows(), task.a.cols());
    let (top, bottom) = c.split_rows(above);
    let upper = Task {
        a: task.a.block(0..above, 0..k),
        ..*task
    };
    let lower = Task {
        a: task.a.block(above..m, 0..k),
        first_row: task.first_row + above,
        ..*task
    };
    ((upper, top), (lower, bottom))
}

/// Splits off the first `cut` columns of a task of one row.
fn split_columns<'t, 'c>(task: &Task<'t>, c: MatMut<'c>, cut: usize) -> Split<'t, 'c> {
    let n = c.cols();
    let (left, right) = c.split_row(cut);
    let part = |columns: Range<usize>| Task {
        b: task.b.block(0..task.b.rows(), columns.clone()),
        start: match task.start {
            Start::Row(row) => Start::Row(&row[columns.clone()]),
            start => start,
        },
        first_column: task.first_column + columns.start,
        ..*task
    };
    ((part(0..cut), left), (part(cut..n), right))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::gemm::Product;
    use crate::compute::isa::Isa;
    use crate::compute::matrix::MatRef;
    use std::vec;

    /// The threads, of up to 8, that an m·k·n product is worth.
    fn worth(isa: Isa, (m, k, n): (usize, usize, usize)) -> usize {
        let (a, b) = (vec![0.0; m * k], vec![0.0; k * n]);
        let product = Product::new(MatRef::new(&a, m, k), MatRef::new(&b, k, n));
        pieces(&product.0, MicroKernel::of(isa), 8)
    }

    #[test]
    fn a_product_is_worth_a_thread_for_each_half_of_the_least_work() {
        for isa in Isa::available() {
            let lanes = MicroKernel::of(isa).lanes();
            // One multiply-add less is worth one thread less.
            let (m, n) = (64, 64);
            let k = SERIAL_BELOW / 2 / (m * n);
            for threads in 2..=8 {
                assert_eq!(worth(isa, (m, threads * k, n)), threads);
                assert_eq!(worth(isa, (m, threads * k - 1, n)), threads - 1);
            }
            assert_eq!(worth(isa, (m, 9 * k, n)), 8);
            // No thread is without a row, or of one row without a vector.
            assert_eq!(worth(isa, (3, SERIAL_BELOW, 4 * lanes)), 3);
            assert_eq!(worth(isa, (1, SERIAL_BELOW, 3 * lanes)), 3);
            assert_eq!(worth(isa, (1, SERIAL_BELOW, lanes - 1)), 1);
            // A single row is worth as many at half of the work.
            assert_eq!(worth(isa, (1, SERIAL_BELOW / 2 / 128, 128)), 2);
            assert_eq!(worth(isa, (1, SERIAL_BELOW / 2 / 128 - 1, 128)), 1);
        }
    }
}
