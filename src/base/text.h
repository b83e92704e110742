/* Reading numbers and checking characters in text that is not NUL-terminated: [p, end). */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The whole of [p, end) as a number, or false: no sign, no blanks, no overflow. */
bool text_u64(const char *p, const char *end, uint64_t *out);

/* The whole of [p, end) as a finite decimal number ("4", "-3.5", "1e-3"), correctly rounded and the
 * same in every locale. */
bool text_real(const char *p, const char *end, double *out);

/* How many bytes the character at p takes, 1 to 4; 0 if none that is valid begins there or it does
 * not end before `end`. */
size_t text_utf8_char(const char *p, const char *end);

/* Valid UTF-8 by RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF. */
bool text_is_utf8(const char *p, size_t len);

/* The character at p, before end, and how many bytes it takes; a byte that begins none that is
 * valid stands for itself. Unlike the two above it lets surrogates and overlong forms pass. */
uint32_t text_decode(const char *p, const char *end, size_t *len);

/* Writes the character as UTF-8 to out (room for 4) and returns its bytes. */
size_t text_encode(uint32_t c, char *out);

/* The small letter of a capital, else c: Latin, Greek and Cyrillic, in no locale. */
uint32_t text_lower(uint32_t c);

/* Writes Latin-1 as UTF-8 to out (room for 2 * len bytes); returns the length written. */
size_t text_from_latin1(const char *p, size_t len, char *out);

/* Case-insensitive (ASCII) comparison of a NUL-terminated word with [p, end). */
bool text_is(const char *p, const char *end, const char *word);

/* Unix seconds of a UTC date and time on the proleptic Gregorian calendar. */
int64_t text_unix_time(int year, int month, int day, int hour, int minute, int second);

/* "2017-01-28 14:06:53", "2019-11-24T00:01:03.979311+00:00", "2019-11-24" or unix seconds or
 * milliseconds (from 1e11 on), as unix seconds UTC; false if it is none of these or lies outside
 * 1970–2106. */
bool text_time(const char *p, const char *end, uint32_t *out);

#endif
