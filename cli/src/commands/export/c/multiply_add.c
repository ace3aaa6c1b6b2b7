/* a * b + c, rounded once. Where the processor has no such instruction, fmaf takes hundreds of
   them: PREFIX_UNFUSED rounds twice instead, and has the bits of machines without one. */
#ifdef PREFIX_UNFUSED
static float multiply_add(float a, float b, float c)
{
    const float product = a * b;
    return product + c;
}
#elif defined(__GNUC__)
#define multiply_add __builtin_fmaf
#else
#include <math.h>
#define multiply_add fmaf
#endif

