//! A product on several threads: each computes some rows of C, or some columns of a
//! single row. k is never split, so the number of threads changes no bit.

use super::blocking::Task;
use super::kernel::MicroKernel;
use super::params::SERIAL_BELOW;
use super::{Context, Start};
use crate::compute::matrix::MatMut;
use core::ops::Range;

/// Splits a task among `threads` threads of the rayon pool for as long as it has at
/// least [`SERIAL_BELOW`] multiply-adds (a task of one row, half of that), and
/// computes it into `c`.
pub(super) fn parallel(
    task: &Task<'_>,
    c: MatMut<'_>,
    kernel: MicroKernel,
    threads: usize,
    packing: &mut [f32],
) {
    let is_row = task.a.rows() == 1;
    if threads > 1 && task.multiply_adds() >= SERIAL_BELOW >> u8::from(is_row) {
        let left = threads / 2;
        let (packing, rest) = packing.split_at_mut(Context::packing_len(left));
        let split = if is_row {
            split_columns(task, c, (left, threads), kernel)
        } else {
            split_rows(task, c, (left, threads), kernel)
        };
        match split {
            Ok([(one, c), (other, d)]) => {
                rayon::join(
                    || parallel(&one, c, kernel, left, packing),
                    || parallel(&other, d, kernel, threads - left, rest),
                );
            }
            Err(c) => task.compute(c, kernel, packing),
        }
        return;
    }
    task.compute(c, kernel, packing);
}

/// Two tasks, each with its part of C, or all of C if it is too small to be split.
type Split<'t, 'c> = Result<[(Task<'t>, MatMut<'c>); 2], MatMut<'c>>;

/// Splits off the rows of the first `left` of `threads` threads.
fn split_rows<'t, 'c>(
    task: &Task<'t>,
    c: MatMut<'c>,
    (left, threads): (usize, usize),
    kernel: MicroKernel,
) -> Split<'t, 'c> {
    let (m, k) = (task.a.rows(), task.a.cols());
    // Where vectors lie along the columns of C, fewer rows fill fewer lanes.
    let least = match task.is_narrow(kernel) {
        true => 4 * kernel.lanes(),
        false => 2,
    };
    if m < least {
        return Err(c);
    }
    let above = (m * left).div_ceil(threads);
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
    Ok([(upper, top), (lower, bottom)])
}

/// Splits off the columns of the first `left` of `threads` threads, whole vectors, of
/// a task of one row.
fn split_columns<'t, 'c>(
    task: &Task<'t>,
    c: MatMut<'c>,
    (left, threads): (usize, usize),
    kernel: MicroKernel,
) -> Split<'t, 'c> {
    let n = c.cols();
    let cut = (n * left / threads).next_multiple_of(kernel.lanes());
    if cut == 0 || cut >= n {
        return Err(c);
    }
    let (one, other) = c.split_row(cut);
    let part = |columns: Range<usize>| Task {
        b: task.b.block(0..task.b.rows(), columns.clone()),
        start: match task.start {
            Start::Row(row) => Start::Row(&row[columns.clone()]),
            start => start,
        },
        first_column: task.first_column + columns.start,
        ..*task
    };
    Ok([(part(0..cut), one), (part(cut..n), other)])
}
