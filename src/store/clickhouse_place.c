/* Reading "clickhouse://…". */
#include "store/clickhouse_inside.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

static enum pal_status bad(struct pal_error *err, const char *why)
{
    return pal_fail(err, PAL_EUSAGE,
                    "events: %s; give clickhouse://[USER:PASSWORD@]HOST[:PORT]/DATABASE", why);
}

/* "USER:PASSWORD" */
static bool take_user(const char *p, const char *end, struct ch_place *out)
{
    const char *colon = memchr(p, ':', (size_t)(end - p));
    return fetch_unescape(out->user, sizeof out->user, p, colon ? colon : end) &&
           (!colon || fetch_unescape(out->password, sizeof out->password, colon + 1, end));
}

/* "HOST:PORT", an IPv6 address in brackets. */
static bool is_host(const char *p, const char *end)
{
    const char *port = NULL;
    uint64_t number;
    if (p < end && *p == '[') {
        const char *close = memchr(p, ']', (size_t)(end - p));
        if (!close || strspn(p + 1, "0123456789abcdefABCDEF:.") != (size_t)(close - p - 1))
            return false;
        port = close + 1;
    } else {
        size_t len = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");
        port = p + len;
        if (len == 0 || port > end)
            return false;
    }
    return port == end ||
           (*port == ':' && text_u64(port + 1, end, &number) && number > 0 && number < 65536);
}

static bool is_database(const char *s)
{
    size_t len = strlen(s);
    return len > 0 &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == len;
}

enum pal_status ch_place_read(const char *place, struct ch_place *out, struct pal_error *err)
{
    struct ch_place p = {.user = "default"};
    if (strncmp(place, "//", 2) != 0)
        return bad(err, "the address has no host");
    const char *host = place + 2, *end = host + strcspn(host, "/?"), *at = NULL;
    for (const char *q = host; q < end; q++)
        if (*q == '@')
            at = q;
    if (at && !take_user(host, at, &p))
        return bad(err, "user or password can't be read");
    host = at ? at + 1 : host;
    if (!is_host(host, end) || end - host > 200)
        return bad(err, "that is no host");
    const char *database = *end == '/' ? end + 1 : end, *query = database + strcspn(database, "?");
    if (!fetch_unescape(p.database, sizeof p.database, database, query) || !is_database(p.database))
        return bad(err, "a database's name has letters, digits and _ only");
    bool tls = false, port = memchr(host, ':', (size_t)(end - host)) && end[-1] != ']';
    if (strncmp(query, "?tls=1&", 7) == 0) {
        tls = true;
        query += 6;
    }
    if (strncmp(query + (*query != 0), "catalog=", 8) != 0 || !query[9])
        return bad(err, "where items and users are kept is missing: --store, or ?catalog=STORE");
    p.catalog = query + 9;
    int len = (int)(end - host);
    snprintf(p.url, sizeof p.url, "%s://%.*s%s/", tls ? "https" : "http", len, host,
             port  ? ""
             : tls ? ":8443"
                   : ":8123");
    snprintf(p.shown, sizeof p.shown, "clickhouse://%.*s/%s", len, host, p.database);
    *out = p;
    return PAL_OK;
}
