/* See console.h. */
#include "cli/console.h"

#include "base/error.h"

#include <errno.h>
#include <langinfo.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

enum { FLUSH_AT = 1 << 16, WIDEST_TEXT = 100 };

static const char *const codes[] = {"", "\033[1m", "\033[2m", "\033[32m", "\033[31m"};

static unsigned terminal_width(int fd)
{
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    const char *columns = getenv("COLUMNS");
    long n = columns ? strtol(columns, NULL, 10) : 0;
    return n >= 20 && n <= 1000 ? (unsigned)n : 80;
}

void console_init(struct console *c)
{
    memset(c, 0, sizeof *c);
    c->fd = STDOUT_FILENO;
    c->tty = isatty(c->fd);
    c->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    c->width = c->tty ? terminal_width(c->fd) : 0;
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    c->color = c->tty && term && strcmp(term, "dumb") != 0 && !(no_color && *no_color);
}

void emit_say(struct emit *e, struct console *c)
{
    c->pending.failed |= e->text.failed;
    say_text(c, str_text(&e->text));
    str_done(&e->text);
}

void console_flush(struct console *c)
{
    size_t done = 0;
    while (done < c->pending.len && !c->error) {
        ssize_t n = write(c->fd, c->pending.text + done, c->pending.len - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            c->error = errno;
    }
    if (c->pending.failed && !c->error)
        c->error = ENOMEM;
    str_clear(&c->pending);
}

enum pal_status console_finish(struct console *c, struct pal_error *err)
{
    console_flush(c);
    str_done(&c->pending);
    if (c->error == ENOMEM)
        return pal_no_memory(err);
    if (c->error && c->error != EPIPE)
        return pal_fail(err, PAL_EIO, "can't write to standard output: %s", strerror(c->error));
    return PAL_OK;
}

bool console_gone(const struct console *c)
{
    return c->error == EPIPE;
}

void say_text(struct console *c, const char *text)
{
    str_put(&c->pending, text);
    if (c->pending.len >= FLUSH_AT)
        console_flush(c);
}

void say(struct console *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char small[1024], *text = small;
    int n = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    struct str large = {0};
    if (n >= (int)sizeof small) {
        va_start(ap, fmt);
        char *whole = NULL;
        if (vasprintf(&whole, fmt, ap) >= 0)
            str_put(&large, whole);
        free(whole);
        va_end(ap);
        text = large.text;
    }
    if (n < 0 || !text || large.failed)
        c->pending.failed = true;
    else
        say_text(c, text);
    str_done(&large);
}

void say_styled(struct console *c, enum style style, const char *text)
{
    bool on = c->color && style != PLAIN;
    say_text(c, on ? codes[style] : "");
    say_text(c, text);
    say_text(c, on ? "\033[0m" : "");
}

void say_heading(struct console *c, const char *text)
{
    say_text(c, "\n");
    say_styled(c, BOLD, text);
    say_text(c, "\n");
}

/* How many bytes of the line go into `columns`, at a blank if there is one. */
static size_t break_at(const char *line, size_t len, size_t columns)
{
    size_t used = 0, last_blank = 0;
    for (size_t i = 0; i < len; i++) {
        if (((unsigned char)line[i] & 0xC0) == 0x80)
            continue;
        if (line[i] == ' ')
            last_blank = i;
        if (used++ == columns)
            return last_blank ? last_blank : i;
    }
    return len;
}

void say_paragraph(struct console *c, unsigned indent, const char *text)
{
    size_t width = c->width == 0 ? 80 : c->width;
    width = (width > WIDEST_TEXT ? WIDEST_TEXT : width < 40 ? 40 : width) - indent;
    while (*text) {
        size_t len = strcspn(text, "\n");
        bool kept = *text == ' ';
        const char *line = text;
        do {
            size_t n = kept ? len : break_at(line, len, width);
            say(c, "%*s%.*s\n", n ? (int)indent : 0, "", (int)n, line);
            line += n;
            len -= n;
            for (; len && *line == ' '; len--)
                line++;
        } while (len);
        text = line + (*line == '\n');
    }
}

/* Decodes one character of valid or broken UTF-8; a broken byte stands for itself. */
static size_t decode(const char *s, wchar_t *out)
{
    unsigned char b = (unsigned char)s[0];
    size_t n = b < 0x80 ? 1 : b >= 0xF0 ? 4 : b >= 0xE0 ? 3 : b >= 0xC0 ? 2 : 1;
    uint32_t value = n == 1 ? b : b & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if (((unsigned char)s[i] & 0xC0) != 0x80) {
            *out = (wchar_t)b;
            return 1;
        }
        value = value << 6 | ((unsigned char)s[i] & 0x3F);
    }
    *out = (wchar_t)value;
    return n;
}

static size_t char_columns(wchar_t ch)
{
    int w = wcwidth(ch);
    return w < 0 ? 1 : (size_t)w;
}

size_t text_columns(const char *s)
{
    size_t columns = 0;
    wchar_t ch;
    for (; *s; columns += char_columns(ch))
        s += decode(s, &ch);
    return columns;
}

void text_calm(char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char b = (unsigned char)s[i];
        bool c1 = b == 0xC2 && i + 1 < len && ((unsigned char)s[i + 1] & 0xE0) == 0x80;
        if (b < 0x20 || b == 0x7F || c1)
            s[i] = ' ';
        if (c1) /* U+0080 to U+009F are two bytes */
            s[++i] = ' ';
    }
}

size_t text_fit(const struct console *c, const char *s, size_t columns, struct str *out)
{
    size_t whole = text_columns(s);
    if (whole <= columns) {
        str_put(out, s);
        return whole;
    }
    const char *more = c->utf8 ? "…" : "...";
    size_t more_columns = c->utf8 ? 1 : 3, used = 0;
    while (*s) {
        wchar_t ch;
        size_t n = decode(s, &ch), w = char_columns(ch);
        if (used + w + more_columns > columns)
            break;
        str_add(out, s, n);
        used += w;
        s += n;
    }
    if (used + more_columns > columns)
        return used;
    str_put(out, more);
    return used + more_columns;
}

void put_bar(const struct console *c, struct str *out, double share, size_t columns)
{
    static const char *const eighth[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    size_t units = (size_t)lround(share * (double)columns * 8);
    if (!c->utf8) {
        for (size_t i = 0; i < (units + 4) / 8; i++)
            str_char(out, '#');
        return;
    }
    for (size_t i = 0; i < units / 8; i++)
        str_put(out, "█");
    str_put(out, eighth[units % 8]);
}
