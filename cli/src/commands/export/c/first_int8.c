/* Adds n times a row of weights to the sums. */
static void add_row(int32_t n, const signed char *row, int32_t *sums, int outputs)
{
    int j;
    for (j = 0; j < outputs; j++) {
        sums[j] += n * row[j];
    }
}

/* z = b + sums * (scale * unit). */
static void scale_sums(const int32_t *sums, const float *scales, float unit, const float *b,
                       float *z, int outputs)
{
    int j;
    for (j = 0; j < outputs; j++) {
        const float unit_of_sum = scales[j] * unit;
        const float scaled = (float)sums[j] * unit_of_sum;
        z[j] = b[j] + scaled;
    }
}

/* The first layer: sums of bytes times weights. */
static void first_layer(const signed char *w, const float *scales, const float *b,
                        const unsigned char *image, int inputs, float *z, int outputs)
{
    int32_t sums[MOST_OUTPUTS];
    int i;
    for (i = 0; i < outputs; i++) {
        sums[i] = 0;
    }
    for (i = 0; i < inputs; i++, w += outputs) {
        const unsigned char byte = PIXEL(image[i]);
        if (byte != 0) {
            add_row(byte, w, sums, outputs);
        }
    }
    scale_sums(sums, scales, 1.0f / 255.0f, b, z, outputs);
}

