/* The activation of the hidden layers: near zero the odd polynomial of Cephes' tanhf, elsewhere
   1 - 2 / (exp(2z) + 1). */
static void activate(float *z, int units)
{
    int j;
    for (j = 0; j < units; j++) {
        const float x = z[j];
        const float size = x < 0.0f ? -x : x;
        if (size < 0.625f) {
            const float square = x * x;
            float p = -5.7049887e-3f * square;
            p = p + 2.063909e-2f;
            p = p * square;
            p = p + -5.3739716e-2f;
            p = p * square;
            p = p + 1.3331442e-1f;
            p = p * square;
            p = p + -3.333328e-1f;
            p = p * square;
            p = p * x;
            z[j] = p + x;
        } else {
            const float e = exp_of(size + size);
            const float far = 1.0f - 2.0f / (e + 1.0f);
            z[j] = x < 0.0f ? -far : far;
        }
    }
}

