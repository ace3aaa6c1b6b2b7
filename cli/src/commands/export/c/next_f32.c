/* z = b + x * W of a layer after the first. */
static void next_layer(const float *w, const float *x, int inputs, float *z, int outputs)
{
    const float *b = w + (long)inputs * outputs;
    int i, j;
    for (j = 0; j < outputs; j++) {
        z[j] = b[j];
    }
    for (i = 0; i < inputs; i++, w += outputs) {
        if (x[i] != 0.0f) {
            for (j = 0; j < outputs; j++) {
                z[j] = multiply_add(x[i], w[j], z[j]);
            }
        }
    }
}

