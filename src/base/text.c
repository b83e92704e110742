/* See text.h. */
#include "base/text.h"

#include <ctype.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool text_u64(const char *p, const char *end, uint64_t *out)
{
    if (p == end || end - p > 20)
        return false;
    uint64_t v = 0;
    const char *safe = end - p > 19 ? p + 19 : end; /* so many digits can't be too much */
    for (; p < safe; p++) {
        unsigned digit = (unsigned char)*p - '0';
        if (digit > 9)
            return false;
        v = v * 10 + digit;
    }
    for (; p < end; p++) {
        unsigned digit = (unsigned char)*p - '0';
        if (digit > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v))
            return false;
    }
    *out = v;
    return true;
}

/* Digits around at most one point. Up to 15 of them with up to 22 decimals are exact in a double,
 * and so is the power of ten, so that one division rounds correctly (Clinger 1990). */
static bool simple_real(const char *p, const char *end, double *out)
{
    static const double power[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    bool minus = *p == '-';
    p += minus;
    if (p == end || end - p > 16)
        return false;
    uint64_t digits = 0;
    int count = 0, decimals = -1;
    for (; p < end; p++) {
        if (*p == '.' && decimals < 0) {
            decimals = 0;
            continue;
        }
        unsigned digit = (unsigned char)*p - '0';
        if (digit > 9)
            return false;
        digits = digits * 10 + digit;
        count++;
        decimals += decimals >= 0;
    }
    if (count == 0 || count > 15)
        return false;
    double v = (double)digits / power[decimals > 0 ? decimals : 0];
    *out = minus ? -v : v;
    return true;
}

bool text_real(const char *p, const char *end, double *out)
{
    if (p == end)
        return false;
    if (simple_real(p, end, out))
        return true;
    char copy[64];
    size_t len = (size_t)(end - p);
    if (len >= sizeof copy)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!strchr("0123456789+-.eE", p[i]) || !p[i])
            return false;
    memcpy(copy, p, len);
    copy[len] = 0;
    /* strtod obeys the locale's decimal point: give it that one */
    char *dot = strchr(copy, '.');
    if (dot)
        *dot = *localeconv()->decimal_point;
    char *stop;
    double v = strtod(copy, &stop);
    if (stop != copy + len || !isfinite(v))
        return false;
    *out = v;
    return true;
}

/* How many bytes follow a lead byte, or -1. */
static int utf8_follow(unsigned char c)
{
    if (c < 0x80)
        return 0;
    if (c >= 0xc2 && c <= 0xdf)
        return 1;
    if (c >= 0xe0 && c <= 0xef)
        return 2;
    if (c >= 0xf0 && c <= 0xf4)
        return 3;
    return -1;
}

size_t text_utf8_char(const char *text, const char *end)
{
    const unsigned char *p = (const unsigned char *)text;
    int follow = text < end ? utf8_follow(*p) : -1;
    if (follow < 0 || end - text <= follow)
        return 0;
    if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) || (*p == 0xf0 && p[1] < 0x90) ||
        (*p == 0xf4 && p[1] > 0x8f))
        return 0;
    for (int i = 1; i <= follow; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return (size_t)follow + 1;
}

bool text_is_utf8(const char *p, size_t len)
{
    const char *end = p + len;
    while (p < end) {
        size_t n = text_utf8_char(p, end);
        if (n == 0)
            return false;
        p += n;
    }
    return true;
}

uint32_t text_decode(const char *text, const char *text_end, size_t *len)
{
    const unsigned char *p = (const unsigned char *)text, *end = (const unsigned char *)text_end;
    size_t need = *p < 0x80 ? 1 : *p < 0xc2 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : 0;
    *len = 1;
    if (need <= 1 || (size_t)(end - p) < need)
        return *p;
    uint32_t c = *p & (0xffu >> (need + 1));
    for (size_t i = 1; i < need; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return *p;
        c = c << 6 | (p[i] & 0x3f);
    }
    *len = need;
    return c;
}

size_t text_encode(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((0xf00u >> len & 0xff) | c);
    return len;
}

/* The alphabets that have case follow a few rules, so that this needs no tables of Unicode. */
uint32_t text_lower(uint32_t c)
{
    if ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7) ||
        (c >= 0x391 && c <= 0x3a9 && c != 0x3a2) || (c >= 0x410 && c <= 0x42f))
        return c + 32;
    if (c >= 0x400 && c <= 0x40f)
        return c + 80;
    /* Latin Extended-A and Cyrillic beyond the basic letters: capital and small in turn */
    bool odd_capital = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e);
    bool even_capital = (c >= 0x100 && c <= 0x137 && c != 0x130 && c != 0x131) ||
                        (c >= 0x14a && c <= 0x177) || (c >= 0x460 && c <= 0x4bf);
    if (c == 0x178)
        return 0xff;
    if (odd_capital)
        return c + (c & 1);
    return even_capital ? c | 1 : c;
}

size_t text_from_latin1(const char *p, size_t len, char *out)
{
    char *o = out;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c < 0x80) {
            *o++ = (char)c;
        } else {
            *o++ = (char)(0xc0 | c >> 6);
            *o++ = (char)(0x80 | (c & 0x3f));
        }
    }
    return (size_t)(o - out);
}

bool text_is(const char *p, const char *end, const char *word)
{
    for (; p < end && *word; p++, word++)
        if (tolower((unsigned char)*p) != tolower((unsigned char)*word))
            return false;
    return p == end && !*word;
}

int64_t text_unix_time(int year, int month, int day, int hour, int minute, int second)
{
    /* days since 1970-01-01 with the year beginning in March, so that leap days come last */
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t in_era = y - era * 400;
    int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t days = era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
    return days * 86400 + hour * 3600 + minute * 60 + second;
}

/* Exactly `count` digits at *p, which moves past them; -1 if they are not there. */
static int digits(const char **p, const char *end, int count)
{
    int v = 0;
    for (int i = 0; i < count; i++, (*p)++) {
        if (*p >= end || !isdigit((unsigned char)**p))
            return -1;
        v = v * 10 + (**p - '0');
    }
    return v;
}

/* One given character at *p. */
static bool letter(const char **p, const char *end, char c)
{
    if (*p >= end || **p != c)
        return false;
    (*p)++;
    return true;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* "Z", "+02:00", "-0500" or nothing, as seconds to subtract. */
static bool zone(const char **p, const char *end, int *offset)
{
    *offset = 0;
    if (*p == end)
        return true;
    if (letter(p, end, 'Z'))
        return *p == end;
    int sign = **p == '+' ? 1 : **p == '-' ? -1 : 0;
    if (!sign)
        return false;
    (*p)++;
    int hours = digits(p, end, 2);
    letter(p, end, ':');
    int minutes = digits(p, end, 2);
    *offset = sign * (hours * 3600 + minutes * 60);
    return hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60 && *p == end;
}

static bool calendar_time(const char *p, const char *end, int64_t *out)
{
    int year = digits(&p, end, 4);
    if (year < 0 || !letter(&p, end, '-'))
        return false;
    int month = digits(&p, end, 2);
    if (month < 1 || month > 12 || !letter(&p, end, '-'))
        return false;
    int day = digits(&p, end, 2);
    if (day < 1 || day > days_in(year, month))
        return false;
    int hour = 0, minute = 0, second = 0, offset = 0;
    if (p < end) {
        if (!letter(&p, end, ' ') && !letter(&p, end, 'T'))
            return false;
        hour = digits(&p, end, 2);
        if (hour < 0 || hour > 23 || !letter(&p, end, ':'))
            return false;
        minute = digits(&p, end, 2);
        if (minute < 0 || minute > 59)
            return false;
        if (letter(&p, end, ':')) {
            second = digits(&p, end, 2);
            if (second < 0 || second > 60)
                return false;
            if (letter(&p, end, '.'))
                while (p < end && isdigit((unsigned char)*p))
                    p++;
        }
        if (!zone(&p, end, &offset))
            return false;
    }
    *out = text_unix_time(year, month, day, hour, minute, second) - offset;
    return true;
}

bool text_time(const char *p, const char *end, uint32_t *out)
{
    uint64_t number;
    int64_t seconds;
    double real;
    if (text_u64(p, end, &number))
        seconds = number >= 100000000000u ? (int64_t)(number / 1000) : (int64_t)number;
    else if (calendar_time(p, end, &seconds))
        ;
    else if (text_real(p, end, &real) && real >= 0 && real < 1e15)
        seconds = (int64_t)(real >= 1e11 ? real / 1000 : real);
    else
        return false;
    if (seconds < 0 || seconds > UINT32_MAX)
        return false;
    *out = (uint32_t)seconds;
    return true;
}
