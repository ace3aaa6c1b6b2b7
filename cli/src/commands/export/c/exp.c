/* 2^n for n from -126 to 127. */
static float power_of_two(int n)
{
    union {
        uint32_t bits;
        float number;
    } both;
    both.bits = (uint32_t)(n + 127) << 23;
    return both.number;
}

/* The exponential function: x = n * ln 2 + r, then 2^n times the polynomial of Cephes' expf
   (S. L. Moshier, netlib.org/cephes) of r. */
static float exp_of(float x)
{
    /* Adding 1.5 * 2^23 rounds to an integer. */
    const float magic = 12582912.0f;
    const float below = x < -104.0f ? -104.0f : x;
    const float bounded = below > 89.0f ? 89.0f : below;
    float n, r, p, part;
    int exponent, half;
    if (x != x) {
        return x;
    }
    part = bounded * 1.44269504f;
    n = part + magic;
    n = n - magic;
    part = n * 0.693359375f;
    r = bounded - part;
    part = n * -2.1219444e-4f;
    r = r - part;
    p = 1.9875691e-4f * r;
    p = p + 1.3981999e-3f;
    p = p * r;
    p = p + 8.333452e-3f;
    p = p * r;
    p = p + 4.1665796e-2f;
    p = p * r;
    p = p + 1.6666665e-1f;
    p = p * r;
    p = p + 0.5f;
    part = r * r;
    p = p * part;
    p = p + r;
    p = p + 1.0f;
    /* 2^n in two factors, since n reaches beyond the exponents of float. */
    exponent = (int)n;
    half = (exponent + 1024) / 2 - 512;
    p = p * power_of_two(half);
    return p * power_of_two(exponent - half);
}

