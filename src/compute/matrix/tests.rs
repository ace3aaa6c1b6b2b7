//! Views, blocks and shapes at their edges.

extern crate std;
use super::*;
use std::format;

#[test]
fn a_transposed_block_is_the_block_of_the_transpose() {
    let data: [f32; 12] = core::array::from_fn(|i| i as f32);
    let m = MatRef::with_row_stride(&data, 3, 3, 4);
    assert_eq!(m.row(2), [8.0, 9.0, 10.0]);
    assert_eq!(m.block(1..2, 1..3).as_slice(), m.row(1)[1..].to_vec());
    let block = m.block(1..3, 0..2);
    assert_eq!((block.rows(), block.cols()), (2, 2));
    for i in 0..2 {
        for j in 0..2 {
            assert_eq!(block.at(i, j), m.at(1 + i, j));
            assert_eq!(block.t().at(j, i), m.t().block(0..2, 1..3).at(j, i));
        }
    }
}

#[test]
fn the_last_row_may_end_where_the_data_end() {
    let mut data = [0.0; 7];
    let mut m = MatMut::with_row_stride(&mut data, 2, 3, 4);
    (0..2).for_each(|i| m.row_mut(i).copy_from_slice(&[1.0, 2.0, 3.0]));
    let (top, bottom) = m.split_rows(1);
    assert_eq!(top.as_ref().row(0), [1.0, 2.0, 3.0]);
    assert_eq!(bottom.as_ref().row(0), [1.0, 2.0, 3.0]);
    assert_eq!(data[3], 0.0);
}

#[test]
fn empty_matrices_have_their_shapes() {
    let none = MatRef::new(&[], 0, 5);
    assert_eq!((none.t().rows(), none.t().cols()), (5, 0));
    assert_eq!(none.block(0..0, 1..3).cols(), 2);
    let thin = MatRef::new(&[], 3, 0);
    assert!(thin.row(2).is_empty());
    let (top, bottom) = MatMut::new(&mut [], 3, 0).split_rows(2);
    assert_eq!((top.rows(), bottom.rows()), (2, 1));
}

#[test]
#[should_panic(expected = "5 elements for a 2×3 matrix")]
fn a_wrong_length_is_refused() {
    MatRef::new(&[0.0; 5], 2, 3);
}

#[test]
#[should_panic(expected = "at a row stride of 4")]
fn a_stride_beyond_the_data_is_refused() {
    MatRef::with_row_stride(&[0.0; 6], 2, 3, 4);
}

#[test]
#[should_panic(expected = "9 elements")]
fn an_overflowing_shape_is_refused() {
    MatRef::new(&[0.0; 9], usize::MAX, 3);
}

#[test]
fn a_stride_between_rows_that_are_not_there_does_not_matter() {
    // Were it multiplied, it would overflow.
    for (rows, cols) in [(1, 3), (0, 3), (4, 0)] {
        let (data, mut target) = ([0.0; 3], [0.0; 3]);
        let m = MatRef::with_row_stride(&data, rows, cols, usize::MAX);
        assert_eq!((m.rows(), m.cols()), (rows, cols));
        assert_eq!(m.block(0..rows, 0..cols).t().cols(), rows);
        assert!(m.tail(rows, cols).len() <= data.len());
        assert_eq!(m.as_slice().len(), rows * cols);
        let mut m = MatMut::with_row_stride(&mut target, rows, cols, usize::MAX);
        assert!(m.tail_mut(rows, cols).len() <= data.len());
        assert_eq!(m.runs().map(|run| run.len()).sum::<usize>(), rows * cols);
        let (top, bottom) = m.split_rows(rows);
        assert_eq!((top.rows(), bottom.rows()), (rows, 0));
    }
}

#[cfg(feature = "alloc")]
#[test]
fn a_matrix_has_its_rows() {
    let mut m = Matrix::from_fn(2, 3, |i, j| (3 * i + j) as f32);
    assert_eq!((m.rows(), m.cols()), (2, 3));
    m.row_mut(1)[2] = 9.0;
    assert_eq!(m.row(0), [0.0, 1.0, 2.0]);
    assert_eq!(m.row(1), [3.0, 4.0, 9.0]);
    assert!(Matrix::zeros(3, 0).row(2).is_empty());
}

#[cfg(feature = "alloc")]
#[test]
#[should_panic(expected = "row 2 of 2")]
fn a_row_beyond_the_last_is_refused() {
    Matrix::zeros(2, 3).row(2);
}

#[cfg(feature = "alloc")]
#[test]
#[should_panic(expected = "elements of a")]
fn a_matrix_of_more_elements_than_can_be_counted_is_refused() {
    let half = 1 << (usize::BITS / 2 + 1);
    Matrix::zeros(half, half);
}

#[test]
fn debug_prints_shapes_and_no_elements() {
    let mut data = [1.5; 7];
    let m = MatMut::with_row_stride(&mut data, 2, 3, 4);
    let text = format!("{:?} {m:?}", m.as_ref().t());
    assert_eq!(
        text,
        "MatRef { rows: 3, cols: 2, row_stride: 1, col_stride: 4, .. } \
         MatMut { rows: 2, cols: 3, row_stride: 4, .. }"
    );
    #[cfg(feature = "alloc")]
    assert_eq!(
        format!("{:?}", Matrix::zeros(2, 3)),
        "Matrix { rows: 2, cols: 3, .. }"
    );
}
