/* The logistic function 1 / (1 + e^-x), quick and near enough for training.
 *
 * e^-x = 2^n 2^f with a whole n and f from -1/2 to 1/2: n goes into the exponent of a float, 2^f is
 * a polynomial (the Taylor series up to f^6, whose remainder is below 2e-7). The result is within
 * 4e-7 of the true one (measured over all x in steps of 1e-4; the test asserts it), never below 0
 * or above 1. x is cut to [-80, 80]; NaN gives a number, too. No branch and no table, so that
 * compilers turn a loop of it into vector instructions. */
#ifndef MATH_SIGMOID_H
#define MATH_SIGMOID_H

#include <stdint.h>
#include <string.h>

static inline float sigmoid(float x)
{
    const float to_whole = 12582912.0f; /* 1.5 * 2^23: adding it rounds to a whole number */
    x = x < -80 ? -80 : x;
    x = x < 80 ? x : 80;
    float y = x * -1.44269504f, rounded = y + to_whole, f = y - (rounded - to_whole);
    uint32_t bits;
    memcpy(&bits, &rounded, sizeof bits);
    bits = (bits + 127) << 23; /* the low bits of `rounded` are n */
    float power, p = 1.54035304e-4f;
    memcpy(&power, &bits, sizeof power);
    p = p * f + 1.33335581e-3f;
    p = p * f + 9.61812911e-3f;
    p = p * f + 5.55041087e-2f;
    p = p * f + 2.40226507e-1f;
    p = p * f + 6.93147181e-1f;
    p = p * f + 1;
    return 1 / (1 + power * p);
}

#endif
