//! Checks the gradient of a layer that this crate knows nothing of, by central
//! differences: a layer with the swish activation and a squared error.
//!
//! ```sh
//! cargo run --release --example own_layer_gradcheck
//! ```

use handwritten::training::gradcheck::{STEP, TOLERANCE, check};

/// A layer with the activation s(z) = z / (1 + e⁻ᶻ).
struct Layer {
    inputs: usize,
    outputs: usize,
}

impl Layer {
    /// z = b + x·W. Parameters: W, inputs×outputs row-major, then b.
    fn sums(&self, params: &[f64], x: &[f64]) -> Vec<f64> {
        let (weights, biases) = params.split_at(self.inputs * self.outputs);
        let mut z = biases.to_vec();
        for (x, row) in x.iter().zip(weights.chunks(self.outputs)) {
            z.iter_mut().zip(row).for_each(|(z, w)| *z += x * w);
        }
        z
    }

    /// The loss ½·|s(z) − t|².
    fn loss(&self, params: &[f64], x: &[f64], t: &[f64]) -> f64 {
        let z = self.sums(params, x);
        z.iter()
            .zip(t)
            .map(|(&z, t)| (z * sigma(z) - t).powi(2) / 2.0)
            .sum()
    }

    /// The gradient of the loss by every parameter. With `is_right` false it takes σ(z)
    /// for the derivative of s, which is σ(z) + s(z)·(1 − σ(z)).
    fn gradient(&self, params: &[f64], x: &[f64], t: &[f64], is_right: bool) -> Vec<f32> {
        let z = self.sums(params, x);
        let dz = z.iter().zip(t).map(|(&z, t)| {
            let s = z * sigma(z);
            let rest = if is_right { s * (1.0 - sigma(z)) } else { 0.0 };
            (s - t) * (sigma(z) + rest)
        });
        let dz: Vec<f64> = dz.collect();
        let dw = x.iter().flat_map(|x| dz.iter().map(move |dz| x * dz));
        dw.chain(dz.iter().copied()).map(|d| d as f32).collect()
    }
}

fn sigma(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

fn main() {
    let layer = Layer {
        inputs: 3,
        outputs: 2,
    };
    let params: [f32; 8] = [0.5, -0.25, 1.0, 0.75, -0.5, 0.125, 0.25, -1.0];
    let (x, t) = ([1.0, -2.0, 0.5], [0.3, -0.7]);
    let wide = params.map(f64::from);
    for is_right in [true, false] {
        let gradient = layer.gradient(&wide, &x, &t, is_right);
        let loss = |params: &[f64]| layer.loss(params, &x, &t);
        let found = check(&params, &gradient, 0..params.len(), STEP, loss);
        let verdict = if found.error <= TOLERANCE {
            "right"
        } else {
            "wrong"
        };
        println!(
            "{verdict}: largest error {:.1e}, at parameter {}: {:.5} given, {:.5} by differences",
            found.error, found.worst, found.analytic, found.numeric
        );
        assert_eq!(found.error <= TOLERANCE, is_right);
    }
}
