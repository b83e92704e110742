/* See readable.h. */
#include "base/readable.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

void put_count(struct str *out, uint64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            str_char(out, ',');
        str_char(out, digits[i]);
    }
}

void put_bytes(struct str *out, uint64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double x = (double)bytes;
    size_t unit = 0;
    for (; x >= 999.5 && unit < 4; unit++)
        x /= 1000;
    str_fmt(out, "%.*f %s", unit && x < 99.95 ? 1 : 0, x, units[unit]);
}

void put_seconds(struct str *out, double s)
{
    if (s < 0.0995)
        str_fmt(out, "%.0f ms", s * 1000);
    else if (s < 99.95)
        str_fmt(out, "%.*f s", s < 9.995 ? 2 : 1, s);
    else if (s < 5999.5)
        str_fmt(out, "%.0f min %02.0f s", floor(s / 60), fmod(floor(s), 60));
    else
        str_fmt(out, "%.0f h %02.0f min", floor(s / 3600), floor(fmod(s, 3600) / 60));
}

void put_percent(struct str *out, double share)
{
    double p = share * 100;
    str_fmt(out, "%.*f %%", p >= 9.995 || p == 0 ? 1 : p >= 0.1 ? 2 : 4, p);
}

void put_share(struct str *out, double share)
{
    if (share > 0 && share < 0.0005)
        str_put(out, "<0.1 %");
    else
        str_fmt(out, "%.1f %%", share * 100);
}

void put_date(struct str *out, int64_t time_s)
{
    time_t t = (time_t)time_s;
    struct tm tm;
    char text[32];
    if (gmtime_r(&t, &tm) && strftime(text, sizeof text, "%Y-%m-%d %H:%M", &tm))
        str_put(out, text);
}
