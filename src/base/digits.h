/* Numbers as text, as printf writes them in the C locale, at a fifth of its cost. */
#ifndef BASE_DIGITS_H
#define BASE_DIGITS_H

#include <stddef.h>
#include <stdint.h>

enum { DIGITS_MOST = 48 }; /* room for any of these; no NUL is written */

/* "%.*g" of a finite number, precision 1 to 17; returns the length. */
size_t digits_real(char out[DIGITS_MOST], double x, int precision);

size_t digits_int(char out[DIGITS_MOST], int64_t x);
size_t digits_uint(char out[DIGITS_MOST], uint64_t x);

#endif
