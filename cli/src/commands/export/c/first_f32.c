/* z = b + x * W of the first layer, whose parameters are W, inputs x outputs, then b. x is the
   image divided by 255; bytes of 0 add nothing. */
static void first_layer(const float *w, const unsigned char *image, int inputs, float *z,
                        int outputs)
{
    const float *b = w + (long)inputs * outputs;
    int i, j;
    for (j = 0; j < outputs; j++) {
        z[j] = b[j];
    }
    for (i = 0; i < inputs; i++, w += outputs) {
        const unsigned char byte = PIXEL(image[i]);
        if (byte != 0) {
            const float x = (float)byte / 255.0f;
            for (j = 0; j < outputs; j++) {
                z[j] = multiply_add(x, w[j], z[j]);
            }
        }
    }
}

