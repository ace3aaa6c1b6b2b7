/* The activation of the hidden layers: 1 / (1 + exp(-z)), out of exp(-|z|). */
static void activate(float *z, int units)
{
    int j;
    for (j = 0; j < units; j++) {
        const float e = exp_of(z[j] < 0.0f ? z[j] : -z[j]);
        const float above = z[j] < 0.0f ? e : 1.0f;
        z[j] = above / (1.0f + e);
    }
}

