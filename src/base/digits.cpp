/* See digits.h: C++'s to_chars, which knows no locale and promises printf's digits. */
extern "C" {
#include "base/digits.h"
}

#include <charconv>

extern "C" size_t digits_real(char *out, double x, int precision)
{
    return std::to_chars(out, out + DIGITS_MOST, x, std::chars_format::general, precision).ptr -
           out;
}

extern "C" size_t digits_int(char *out, int64_t x)
{
    return std::to_chars(out, out + DIGITS_MOST, x).ptr - out;
}

extern "C" size_t digits_uint(char *out, uint64_t x)
{
    return std::to_chars(out, out + DIGITS_MOST, x).ptr - out;
}
