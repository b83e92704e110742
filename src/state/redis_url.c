/* redis://[[USER]:PASSWORD@]HOST[:PORT][/DB][?prefix=NAME], rediss:// the same with TLS (and
 * ?ca=FILE), redis+unix:///PATH[?db=N&…] through a socket file. User and password may have %XX. */
#include "state/redis_inside.h"

#include "base/mem.h"
#include "base/scheme.h"

#include <stdlib.h>
#include <string.h>

#define PORT   "6379"
#define PREFIX "palate"

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place; false for a '%' without two digits behind it, or a NUL. */
static bool decode(char *text)
{
    char *to = text;
    for (const char *p = text; *p; to++) {
        int high = 0, low = 0;
        if (*p == '%' && ((high = hex(p[1])) < 0 || (low = hex(p[2])) < 0 || !(high | low)))
            return false;
        *to = *p == '%' ? (char)(high << 4 | low) : *p;
        p += high | low ? 3 : 1;
    }
    *to = 0;
    return true;
}

static bool parse_db(const char *text, unsigned *out)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || n > 1000000)
        return false;
    *out = (unsigned)n;
    return true;
}

/* "prefix=a&ca=b", cut up in place; NULL or the name of what is wrong. */
static const char *parse_query(char *query, struct redis_url *u)
{
    for (char *p = query, *next; p && *p; p = next) {
        next = strchr(p, '&');
        if (next)
            *next++ = 0;
        char *value = strchr(p, '=');
        if (!value)
            return p;
        *value++ = 0;
        if (!decode(value) || !*value)
            return p;
        if (strcmp(p, "prefix") == 0)
            u->prefix = value;
        else if (strcmp(p, "ca") == 0 && u->tls)
            u->ca = value;
        else if (strcmp(p, "db") != 0 || !parse_db(value, &u->db))
            return p;
    }
    return NULL;
}

/* "USER:PASSWORD", cut up in place. */
static bool parse_login(char *login, struct redis_url *u)
{
    char *password = strchr(login, ':');
    if (password) {
        *password++ = 0;
        u->password = password;
    }
    u->user = *login ? login : NULL;
    return decode(login) && (!password || decode(password)) && password && *password;
}

/* "HOST:PORT" or "[::1]:PORT", cut up in place. */
static bool parse_host(char *host, struct redis_url *u)
{
    char *end = *host == '[' ? strchr(host, ']') : host;
    if (!end)
        return false;
    char *port = strchr(end, ':');
    if (port)
        *port++ = 0;
    if (*host == '[') {
        host++;
        *end = 0;
    }
    u->host = host;
    u->port = port && *port ? port : PORT;
    return *host && strspn(u->port, "0123456789") == strlen(u->port) && atoi(u->port) <= 65535;
}

static const char *parse_address(char *address, struct redis_url *u)
{
    char *path = strchr(address, '/'), *at;
    if (path)
        *path++ = 0;
    at = strrchr(address, '@');
    if (at) {
        *at++ = 0;
        if (!parse_login(address, u))
            return "what stands before the '@' (USER:PASSWORD or :PASSWORD, with %40 for an @)";
        address = at;
    }
    if (!parse_host(address, u))
        return "the host (HOST:PORT)";
    if (path && *path && !parse_db(path, &u->db))
        return "the database (a number behind the host: /0)";
    return NULL;
}

enum pal_status redis_url_parse(const char *url, struct redis_url *out, struct pal_error *err)
{
    struct redis_url u = {.prefix = PREFIX};
    const char *wrong = NULL, *rest = strstr(url, "://");
    scheme_copy(u.shown, sizeof u.shown, url);
    if (!rest)
        return pal_fail(err, PAL_EUSAGE, "state '%s': expected redis://HOST:PORT/DB", u.shown);
    u.tls = scheme_is(url, "rediss");
    u.text = mem_text(rest + 3, strlen(rest + 3));
    if (!u.text)
        return pal_no_memory(err);
    char *query = strchr(u.text, '?');
    if (query)
        *query++ = 0;
    if (scheme_is(url, "redis+unix"))
        wrong = *u.text == '/' ? NULL : "the path (redis+unix:///PATH)";
    else
        wrong = parse_address(u.text, &u);
    if (!u.host)
        u.path = u.text;
    if (!wrong)
        wrong = parse_query(query, &u);
    if (wrong) {
        pal_fail(err, PAL_EUSAGE, "state '%s': can't be understood: %s", u.shown, wrong);
        redis_url_done(&u);
        return PAL_EUSAGE;
    }
    *out = u;
    return PAL_OK;
}

void redis_url_done(struct redis_url *u)
{
    mem_free(u->text);
    u->text = NULL;
}
