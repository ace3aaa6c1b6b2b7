//! The products that are timed.

use handwritten::{MatRef, Matrix};
use rand_core::Rng;

/// A product C = A·B; A is m × k, B is k × n.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) m: usize,
    pub(crate) k: usize,
    pub(crate) n: usize,
    /// Whether A and whether B is a transposed view of a row-major matrix.
    pub(crate) transposed: (bool, bool),
}

/// Images and hidden units of the products with ten classes.
const CLASSES: [(usize, usize); 5] = [
    (32, 128),
    (128, 128),
    (128, 500),
    (1000, 1000),
    (60_000, 128),
];

/// Every product of training and inference, and squares.
pub(crate) fn shapes() -> Vec<Shape> {
    const NO: (bool, bool) = (false, false);
    let mut shapes = Vec::new();
    let mut add = |name, transposed, list: &[(usize, usize, usize)]| {
        shapes.extend(list.iter().map(|&(m, k, n)| Shape {
            name,
            m,
            k,
            n,
            transposed,
        }));
    };
    let squares = [32, 64, 128, 256, 512, 1024, 2048].map(|n| (n, n, n));
    add("square", NO, &squares);
    for images in [1, 32, 64, 128] {
        let forward_1 = [30, 128, 500, 1000].map(|hidden| (images, 784, hidden));
        add("forward 1", NO, &forward_1);
    }
    add("forward 1", NO, &[(256, 784, 1000)]);
    let forward_1 = [30, 128, 500].map(|hidden| (60_000, 784, hidden));
    add("forward 1", NO, &forward_1);
    let forward_2 = CLASSES.map(|(images, hidden)| (images, hidden, 10));
    add("forward 2", NO, &forward_2);
    let gradient_2 = [
        (128, 32),
        (128, 128),
        (500, 1000),
        (30, 60_000),
        (128, 60_000),
    ];
    let gradient_2 = gradient_2.map(|(hidden, images)| (hidden, images, 10));
    add("gradient of W2", (true, false), &gradient_2);
    let back = CLASSES.map(|(images, hidden)| (images, 10, hidden));
    add("back to hidden", (false, true), &back);
    let gradient_1 = [(32, 128), (64, 128), (128, 128), (1000, 500), (60_000, 128)];
    let gradient_1 = gradient_1.map(|(images, hidden)| (784, images, hidden));
    add("gradient of W1", (true, false), &gradient_1);
    shapes
}

impl Shape {
    pub(crate) fn title(self) -> String {
        let Self { name, m, k, n, .. } = self;
        format!("{name} {m}·{k}·{n}")
    }

    pub(crate) fn flops(self) -> f64 {
        2.0 * (self.m * self.k * self.n) as f64
    }

    /// Operands of integers so small that no sum is rounded.
    pub(crate) fn operands(self, rng: &mut impl Rng) -> (Matrix, Matrix) {
        let mut random = |rows, cols, transposed| {
            let (rows, cols) = stored((rows, cols), transposed);
            Matrix::from_fn(rows, cols, |_, _| (rng.next_u32() % 17) as f32 - 8.0)
        };
        (
            random(self.m, self.k, self.transposed.0),
            random(self.k, self.n, self.transposed.1),
        )
    }
}

/// Rows and columns in memory of an operand with these rows and columns.
pub(crate) fn stored((rows, cols): (usize, usize), transposed: bool) -> (usize, usize) {
    if transposed {
        (cols, rows)
    } else {
        (rows, cols)
    }
}

/// The operand that is stored in `matrix`.
pub(crate) fn view(matrix: &Matrix, transposed: bool) -> MatRef<'_> {
    if transposed {
        matrix.view().t()
    } else {
        matrix.view()
    }
}

/// The row stride and the column stride of an operand with these rows and columns.
pub(crate) fn strides((rows, cols): (usize, usize), transposed: bool) -> [usize; 2] {
    if transposed { [1, rows] } else { [cols, 1] }
}
