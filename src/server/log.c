/* See log.h. A line is one write to the descriptor, which keeps lines whole. */
#include "server/log.h"

#include "base/clock.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void write_line(const struct log *l, const char *line, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = write(l->fd, line + at, len - at);
        if (n <= 0)
            return; /* nobody can be told */
        at += (size_t)n;
    }
}

/* Quotes, backslashes and control characters as JSON wants them. */
static void put_quoted(struct str *out, const char *text)
{
    str_char(out, '"');
    for (const char *p = text; *p; p++)
        if (*p == '"' || *p == '\\')
            str_fmt(out, "\\%c", *p);
        else if ((unsigned char)*p < 0x20)
            str_fmt(out, "\\u%04x", *p);
        else
            str_char(out, *p);
    str_char(out, '"');
}

void log_stamp(char out[32])
{
    int64_t ms = clock_wall_ms();
    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    size_t len = strftime(out, 24, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &utc));
    snprintf(out + len, 32 - len, ".%03dZ", (int)(ms % 1000));
}

void log_say(const struct log *l, enum log_level level, const char *message)
{
    static const char *const names[] = {"info", "warning", "error"};
    struct str line = {0};
    char stamp[32];
    log_stamp(stamp);
    if (l->json) {
        str_fmt(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":", stamp, names[level]);
        put_quoted(&line, message);
        str_put(&line, "}\n");
    } else {
        str_fmt(&line, "%.8s %s%s%s\n", strchr(stamp, 'T') + 1,
                level == LOG_INFO ? "" : names[level], level == LOG_INFO ? "" : ": ", message);
    }
    if (str_ok(&line))
        write_line(l, str_text(&line), line.len);
    str_done(&line);
}

void log_line(const struct log *l, const char *line, size_t len)
{
    struct str whole = {0};
    if (!l->json)
        return;
    str_add(&whole, line, len);
    str_char(&whole, '\n');
    if (str_ok(&whole))
        write_line(l, str_text(&whole), whole.len);
    str_done(&whole);
}
