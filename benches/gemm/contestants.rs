//! This crate and its peers, as closures that compute a product.

use crate::common::peers::{by_gemm, by_matrixmultiply};
use crate::shape::{Shape, stored, strides, view};
use handwritten::{Beta, Context, Isa, MatMut, Matrix, gemm};

/// Computes the product into its argument, C.
pub(crate) type Compute<'a> = Box<dyn FnMut(&mut [f32]) + Send + 'a>;

/// A crate by name.
pub(crate) type Contestant<'a> = (&'static str, Compute<'a>);

/// This crate, and then its peers.
pub(crate) fn contestants<'a>(
    shape: Shape,
    operands: (&'a Matrix, &'a Matrix),
    threads: usize,
    isa: Isa,
) -> Vec<Contestant<'a>> {
    let Shape { m, k, n, .. } = shape;
    let (ta, tb) = shape.transposed;
    let (a_strides, b_strides) = (strides((m, k), ta), strides((k, n), tb));
    let (a, b) = (operands.0.as_slice(), operands.1.as_slice());
    let mut list: Vec<Contestant<'a>> = vec![
        ("handwritten", handwritten(shape, operands, threads, isa)),
        (
            "gemm",
            Box::new(move |c| {
                by_gemm((m, k, n), (a, a_strides), (b, b_strides), false, c, threads);
            }),
        ),
        ("faer", faer(shape, (a, b), threads)),
    ];
    // These two take their number of threads from a variable that the process reads once;
    // they are compared on one thread.
    if threads == 1 {
        list.push((
            "matrixmultiply",
            Box::new(move |c| {
                by_matrixmultiply((m, k, n), (a, a_strides), (b, b_strides), false, c, threads);
            }),
        ));
        list.push(("ndarray", ndarray(shape, (a, b))));
    }
    list
}

fn handwritten<'a>(
    shape: Shape,
    (a, b): (&'a Matrix, &'a Matrix),
    threads: usize,
    isa: Isa,
) -> Compute<'a> {
    let Shape { m, n, .. } = shape;
    let (ta, tb) = shape.transposed;
    let (va, vb) = (view(a, ta), view(b, tb));
    let mut ctx = Context::with_threads(threads).with_isa(isa);
    Box::new(move |c| {
        gemm(va, vb, Beta::Zero, MatMut::new(c, m, n), &mut ctx);
    })
}

fn faer<'a>(shape: Shape, (a, b): (&'a [f32], &'a [f32]), threads: usize) -> Compute<'a> {
    let Shape { m, k, n, .. } = shape;
    let (ta, tb) = shape.transposed;
    let par = match threads {
        1 => faer::Par::Seq,
        _ => faer::Par::rayon(threads),
    };
    let view = |data: &'a [f32], shape, transposed| {
        let (rows, cols) = stored(shape, transposed);
        let view = faer::MatRef::from_row_major_slice(data, rows, cols);
        if transposed { view.transpose() } else { view }
    };
    let (fa, fb) = (view(a, (m, k), ta), view(b, (k, n), tb));
    Box::new(move |c| {
        let c = faer::MatMut::from_row_major_slice_mut(c, m, n);
        faer::linalg::matmul::matmul(c, faer::Accum::Replace, fa, fb, 1.0, par);
    })
}

fn ndarray<'a>(shape: Shape, (a, b): (&'a [f32], &'a [f32])) -> Compute<'a> {
    let Shape { m, k, n, .. } = shape;
    let (ta, tb) = shape.transposed;
    let view = |data: &'a [f32], shape, transposed| {
        let view = ndarray::ArrayView2::from_shape(stored(shape, transposed), data);
        let view = view.expect("as many elements as the shape has");
        if transposed {
            view.reversed_axes()
        } else {
            view
        }
    };
    let (na, nb) = (view(a, (m, k), ta), view(b, (k, n), tb));
    Box::new(move |c| {
        let c = ndarray::ArrayViewMut2::from_shape((m, n), c);
        let mut c = c.expect("as many elements as the shape has");
        ndarray::linalg::general_mat_mul(1.0, &na, &nb, 0.0, &mut c);
    })
}
