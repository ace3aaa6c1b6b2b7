//! The loop over listed rows of W, one text for all instruction sets with vectors of their own.

/// Defines `add_listed` in the file of an instruction set, out of its `LANES`,
/// `zero`, `splat`, `mul_add`, `load`, `store`, `load_part` and `store_part`.
macro_rules! define_add_listed {
    ($(#[$features:meta])*) => {
        /// See [`AddListed`](super::AddListed).
        $(#[$features])*
        pub(super) fn add_listed<T: Input>(
            inputs: &[T],
            places: &[u32],
            weights: &[f32],
            z: &mut [f32],
        ) -> Option<()> {
            let width = z.len();
            let vectors = width.div_ceil(LANES);
            // Blocks of about one width: the chains of a narrow one would wait for themselves.
            let blocks = vectors.div_ceil(8).max(1);
            let columns = vectors.div_ceil(blocks).max(1) * LANES;
            for (first, z) in (0..).step_by(columns).zip(z.chunks_mut(columns)) {
                match z.len().div_ceil(LANES) {
                    1 => block::<T, 1>(inputs, places, weights, width, first, z)?,
                    2 => block::<T, 2>(inputs, places, weights, width, first, z)?,
                    3 => block::<T, 3>(inputs, places, weights, width, first, z)?,
                    4 => block::<T, 4>(inputs, places, weights, width, first, z)?,
                    5 => block::<T, 5>(inputs, places, weights, width, first, z)?,
                    6 => block::<T, 6>(inputs, places, weights, width, first, z)?,
                    7 => block::<T, 7>(inputs, places, weights, width, first, z)?,
                    _ => block::<T, 8>(inputs, places, weights, width, first, z)?,
                }
            }
            Some(())
        }

        /// Adds the columns from `first` on of the listed rows of `width` columns, as many as
        /// `z` has elements: `V` vectors, of which the last may be partial.
        $(#[$features])*
        fn block<T: Input, const V: usize>(
            inputs: &[T],
            places: &[u32],
            weights: &[f32],
            width: usize,
            first: usize,
            z: &mut [f32],
        ) -> Option<()> {
            let len = z.len();
            let (whole, part) = z.split_at_mut_checked((V - 1) * LANES)?;
            let (whole, _) = whole.as_chunks_mut::<LANES>();
            let (mut sums, mut last) = ([zero(); V], load_part(part));
            for (sum, z) in sums.iter_mut().zip(&*whole) {
                *sum = load(z);
            }
            for &place in places {
                let place = place as usize;
                let x = splat(inputs.get(place)?.number());
                let row = weights.get(place * width + first..)?.get(..len)?;
                let (whole, part) = row.split_at_checked((V - 1) * LANES)?;
                let (whole, _) = whole.as_chunks::<LANES>();
                for (sum, w) in sums.iter_mut().zip(whole) {
                    *sum = mul_add(x, load(w), *sum);
                }
                last = mul_add(x, load_part(part), last);
            }
            for (sum, z) in sums.into_iter().zip(whole) {
                store(z, sum);
            }
            store_part(part, last);
            Some(())
        }
    };
}

pub(super) use define_add_listed;
