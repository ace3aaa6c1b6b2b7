/* A layer after the first: its inputs become integers in proportion to the largest of them. */
static void next_layer(const signed char *w, const float *scales, const float *b, const float *x,
                       int inputs, float *z, int outputs)
{
    /* Adding 1.5 * 2^23 rounds to an integer, ties to the even one. */
    const float magic = 12582912.0f;
    int32_t sums[MOST_OUTPUTS];
    float largest = 0.0f;
    int i;
    for (i = 0; i < outputs; i++) {
        sums[i] = 0;
    }
    for (i = 0; i < inputs; i++) {
        const float size = x[i] < 0.0f ? -x[i] : x[i];
        if (size > largest) {
            largest = size;
        }
    }
    for (i = 0; i < inputs && largest > 0.0f; i++, w += outputs) {
        const float share = x[i] / largest;
        const float product = share * 255.0f;
        const float shifted = product + magic;
        const int32_t n = (int32_t)(shifted - magic);
        if (n != 0) {
            add_row(n, w, sums, outputs);
        }
    }
    scale_sums(sums, scales, largest / 255.0f, b, z, outputs);
}

