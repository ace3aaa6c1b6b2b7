//! The product as it is defined: the oracle of every faster one.

use super::Beta;
use super::Product;
use super::kernel::MicroKernel;
use crate::compute::isa::Isa;
use crate::compute::matrix::{MatMut, MatRef};

/// `C = A·B` or `C += A·B`, each element one chain of multiply-adds over k in
/// ascending order, as `isa` rounds them.
///
/// Shapes: `a` m×k, `b` k×n, `c` m×n.
///
/// # Panics
/// Panics if the shapes do not fit together.
pub fn gemm(a: MatRef<'_>, b: MatRef<'_>, beta: Beta, mut c: MatMut<'_>, isa: Isa) {
    Product::new(a, b).0.assert_shapes(&c);
    let kernel = MicroKernel::of(isa);
    for i in 0..c.rows() {
        for (j, c) in c.row_mut(i).iter_mut().enumerate() {
            let start = match beta {
                Beta::Zero => 0.0,
                Beta::One => *c,
            };
            *c = (0..a.cols()).fold(start, |acc, p| kernel.mul_add(a.at(i, p), b.at(p, j), acc));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_known_by_hand() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let b = [7.0, 8.0, 9.0, 10.0, 11.0, 12.0];
        let (a, b) = (MatRef::new(&a, 2, 3), MatRef::new(&b, 3, 2));
        let mut c = [1.0; 4];
        gemm(a, b, Beta::Zero, MatMut::new(&mut c, 2, 2), Isa::detect());
        assert_eq!(c, [58.0, 64.0, 139.0, 154.0]);
        gemm(a, b, Beta::One, MatMut::new(&mut c, 2, 2), Isa::detect());
        assert_eq!(c, [116.0, 128.0, 278.0, 308.0]);
        let mut outer = [0.0; 9];
        gemm(
            a.t(),
            b.t(),
            Beta::Zero,
            MatMut::new(&mut outer, 3, 3),
            Isa::detect(),
        );
        assert_eq!(
            outer,
            [39.0, 49.0, 59.0, 54.0, 68.0, 82.0, 69.0, 87.0, 105.0]
        );
    }

    #[test]
    fn an_empty_sum_is_its_start() {
        let none = MatRef::new(&[], 1, 0);
        let mut c = [5.0];
        gemm(
            none,
            none.t(),
            Beta::One,
            MatMut::new(&mut c, 1, 1),
            Isa::detect(),
        );
        assert_eq!(c, [5.0]);
        gemm(
            none,
            none.t(),
            Beta::Zero,
            MatMut::new(&mut c, 1, 1),
            Isa::detect(),
        );
        assert_eq!(c, [0.0]);
    }
}
