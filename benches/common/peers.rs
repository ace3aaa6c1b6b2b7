//! The peers that take pointers, with one signature: C = A·B, or C += A·B if
//! `accumulate`. Shapes are `(m, k, n)`: A is m × k, B is k × n, C is m × n and row-major.

// The peers take pointers.
#![allow(unsafe_code)]

/// The elements of a matrix, and its row and column strides in elements.
pub(crate) type Operand<'a> = (&'a [f32], [usize; 2]);

/// Crate `gemm`, which runs on several threads with rayon.
pub(crate) fn by_gemm(
    (m, k, n): (usize, usize, usize),
    (a, [a_row, a_column]): Operand<'_>,
    (b, [b_row, b_column]): Operand<'_>,
    accumulate: bool,
    c: &mut [f32],
    threads: usize,
) {
    let parallelism = match threads {
        1 => gemm::Parallelism::None,
        _ => gemm::Parallelism::Rayon(threads),
    };
    assert_fits((m, k), (a, [a_row, a_column]));
    assert_fits((k, n), (b, [b_row, b_column]));
    assert_eq!(c.len(), m * n);
    // SAFETY: by `assert_fits` the slices of A and B hold the last element of each, so all
    // elements. By `assert_eq!` that of C has m rows of n, and `&mut` borrows it for this
    // call alone.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            n as isize,
            accumulate,
            a.as_ptr(),
            a_column as isize,
            a_row as isize,
            b.as_ptr(),
            b_column as isize,
            b_row as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// Crate `matrixmultiply`, compared on one thread, since it reads its number of threads
/// from the environment once per process.
pub(crate) fn by_matrixmultiply(
    (m, k, n): (usize, usize, usize),
    (a, [a_row, a_column]): Operand<'_>,
    (b, [b_row, b_column]): Operand<'_>,
    accumulate: bool,
    c: &mut [f32],
    _threads: usize,
) {
    assert_fits((m, k), (a, [a_row, a_column]));
    assert_fits((k, n), (b, [b_row, b_column]));
    assert_eq!(c.len(), m * n);
    // SAFETY: by `assert_fits` the slices of A and B hold the last element of each, so all
    // elements. By `assert_eq!` that of C has m rows of n, and `&mut` borrows it for this
    // call alone.
    unsafe {
        matrixmultiply::sgemm(
            m,
            k,
            n,
            1.0,
            a.as_ptr(),
            a_row as isize,
            a_column as isize,
            b.as_ptr(),
            b_row as isize,
            b_column as isize,
            f32::from(u8::from(accumulate)),
            c.as_mut_ptr(),
            n as isize,
            1,
        );
    }
}

/// Panics unless a matrix has elements and its slice holds the last of them.
fn assert_fits((rows, columns): (usize, usize), (slice, [row, column]): Operand<'_>) {
    assert!(rows > 0 && columns > 0);
    assert!(slice.len() > (rows - 1) * row + (columns - 1) * column);
}
