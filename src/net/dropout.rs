//! Dropout: hidden units that are left out at random.

use crate::compute::rng::mix;
use crate::net::layout::LayerLayout;

/// The units that share a random number, a byte of it each.
const UNITS: usize = 8;

/// Dropout of the hidden units of a net in an epoch (Srivastava et al., *Dropout: A Simple Way to
/// Prevent Neural Networks from Overfitting*, JMLR 2014): for each example each hidden unit is left
/// out with the same probability, its activation 0, so that no unit relies on another.
///
/// As in section 10 of the paper, training does not scale what is left. The net to be used is
/// [`Dropout::scale`] of the net in training.
///
/// Which units an example lacks depends on the seed, the epoch and the numbers of example, layer
/// and unit alone, so results have the same bits for any number of threads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dropout {
    /// Units are left out of 256.
    dropped: u8,
    key: u64,
}

impl Dropout {
    /// Dropout with a probability, rounded to a multiple of 1/256, in epoch `epoch`. `None` if
    /// that is 0.
    ///
    /// # Panics
    /// Panics if the probability is not from 0 to 0.99.
    pub fn new(probability: f32, seed: u64, epoch: usize) -> Option<Self> {
        assert!(
            (0.0..=0.99).contains(&probability),
            "dropout with probability {probability}"
        );
        let dropped = (probability * 256.0 + 0.5) as u8;
        (dropped > 0).then_some(Self {
            dropped,
            key: mix(mix(seed).wrapping_add(epoch as u64)),
        })
    }

    /// Sets the units to 0 that are left out of a layer, the first hidden one being 0. `a` holds
    /// some units from `first` on, which is a multiple of 8, of each of the examples with these
    /// numbers, one example after another.
    ///
    /// # Panics
    /// Panics if `first` is no multiple of 8, or `a` no whole number of units of each example.
    pub fn apply(self, layer: usize, examples: &[u32], first: usize, a: &mut [f32]) {
        let width = a.len() / examples.len().max(1);
        let is_whole = width * examples.len() == a.len() && first.is_multiple_of(UNITS);
        assert!(
            is_whole,
            "{} units from {first} on of {} examples",
            a.len(),
            examples.len()
        );
        for (&example, a) in examples.iter().zip(a.chunks_exact_mut(width.max(1))) {
            let key = mix(self.key ^ (u64::from(example) << 8) ^ layer as u64);
            for (group, units) in (first / UNITS..).zip(a.chunks_mut(UNITS)) {
                let draws = mix(key.wrapping_add(group as u64)).to_le_bytes();
                for (unit, draw) in units.iter_mut().zip(draws) {
                    *unit = if draw < self.dropped { 0.0 } else { *unit };
                }
            }
        }
    }

    /// Multiplies the weights that hidden units have in the next layer by the probability that
    /// they are there.
    ///
    /// # Panics
    /// Panics if there are not as many parameters as a net with layers of these widths has.
    pub fn scale(self, widths: &[usize], params: &mut [f32]) {
        let kept = 1.0 - f32::from(self.dropped) / 256.0;
        for layer in 1..widths.len() - 1 {
            let weights = LayerLayout::of(widths, layer).weights();
            params[weights].iter_mut().for_each(|w| *w *= kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_that_is_asked_for_is_left_out() {
        assert_eq!(Dropout::new(0.0, 1, 1), None);
        let dropout = Dropout::new(0.25, 1, 1).unwrap();
        let examples: [u32; 40] = core::array::from_fn(|i| i as u32);
        let mut a = [1.0; 40 * 100];
        dropout.apply(0, &examples, 0, &mut a);
        let left_out = a.iter().filter(|&&a| a == 0.0).count();
        // Six deviations of a count whose mean is 1 000.
        assert!(left_out.abs_diff(1000) < 165, "{left_out}");
        assert!(a.iter().all(|&a| a == 0.0 || a == 1.0));
    }

    #[test]
    fn parts_of_a_layer_are_those_of_the_whole() {
        let dropout = Dropout::new(0.5, 7, 3).unwrap();
        let mut whole = [1.0; 3 * 50];
        dropout.apply(1, &[4, 9, 2], 0, &mut whole);
        let mut part = [1.0; 2 * 18];
        dropout.apply(1, &[9, 2], 32, &mut part);
        for (example, part) in (1..).zip(part.chunks(18)) {
            assert_eq!(part, &whole[example * 50 + 32..][..18]);
        }
        for other in [Dropout::new(0.5, 8, 3), Dropout::new(0.5, 7, 4)] {
            let mut a = [1.0; 3 * 50];
            other.unwrap().apply(1, &[4, 9, 2], 0, &mut a);
            assert_ne!(a, whole);
        }
        let mut a = [1.0; 3 * 50];
        dropout.apply(0, &[4, 9, 2], 0, &mut a);
        assert_ne!(a, whole);
    }

    #[test]
    fn weights_of_units_are_scaled_by_their_probability() {
        let mut params = [4.0; 2 * 2 + 2 + 2 * 3 + 3];
        Dropout::new(0.25, 1, 1)
            .unwrap()
            .scale(&[2, 2, 3], &mut params);
        assert_eq!(params[..6], [4.0; 6]);
        assert_eq!(params[6..12], [3.0; 6]);
        assert_eq!(params[12..], [4.0; 3]);
    }
}
