/* The activation of the hidden layers. */
static void activate(float *z, int units)
{
    int j;
    for (j = 0; j < units; j++) {
        z[j] = z[j] < 0.0f ? 0.0f : z[j] + 0.0f;
    }
}

