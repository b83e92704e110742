/* See scheme.h. */
#include "base/scheme.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

bool scheme_is(const char *url, const char *scheme)
{
    size_t len = strlen(scheme);
    return strncmp(url, scheme, len) == 0 && url[len] == ':' && url[len + 1];
}

/* Where the host begins that a user and a password stand before; NULL if none do. */
static const char *find_at(const char *authority)
{
    const char *end = authority + strcspn(authority, "/?#"), *at = NULL;
    for (const char *p = authority; p < end; p++)
        if (*p == '@')
            at = p;
    return at;
}

static bool is_secret(const char *name, size_t len)
{
    static const char *const secret[] = {"password", "secret", "key", "token"};
    for (size_t i = 0; i < sizeof secret / sizeof *secret; i++) {
        size_t n = strlen(secret[i]);
        if (len >= n && strncasecmp(name + len - n, secret[i], n) == 0)
            return true;
    }
    return false;
}

/* "a=1&password=x" with its secrets hidden. */
static void show_query(struct str *out, const char *p)
{
    while (*p) {
        size_t whole = strcspn(p, "&"), name = strcspn(p, "=&");
        if (strncmp(p, "catalog=", 8) == 0) { /* another URL, up to the end */
            str_add(out, p, 8);
            scheme_show(out, p + 8);
            return;
        }
        if (name < whole && is_secret(p, name))
            str_fmt(out, "%.*s=***", (int)name, p);
        else
            str_add(out, p, whole);
        p += whole;
        if (*p)
            str_add(out, p++, 1);
    }
}

/* Whether a port and nothing else stands there. */
static bool is_port(const char *p)
{
    size_t n = strspn(p, "0123456789");
    return n > 0 && (!p[n] || strchr(",/?#", p[n]));
}

/* Where the host begins, should a '/', '?' or '#' stand in the password as it is: behind the last
 * '@' of all. */
static const char *find_late_at(const char *authority)
{
    const char *colon = strchr(authority, ':'), *at = strrchr(authority, '@');
    return colon && at && colon < at && !is_port(colon + 1) ? at : NULL;
}

void scheme_show(struct str *out, const char *url)
{
    const char *authority = strstr(url, "://");
    if (authority) {
        authority += 3;
        const char *at = find_at(authority);
        at = at ? at : find_late_at(authority);
        const char *colon = at ? memchr(authority, ':', (size_t)(at - authority)) : NULL;
        if (colon) {
            str_fmt(out, "%.*s:***", (int)(colon - url), url);
            url = at;
        }
    }
    const char *query = strchr(url, '?');
    if (!query) {
        str_put(out, url);
        return;
    }
    str_add(out, url, (size_t)(query - url) + 1);
    show_query(out, query + 1);
}

void scheme_copy(char *buf, size_t size, const char *url)
{
    struct str text = {0};
    scheme_show(&text, url);
    snprintf(buf, size, "%s", str_ok(&text) ? str_text(&text) : "?");
    str_done(&text);
}

enum { ABSENT_MOST = 16 };
static struct absent {
    const char *scheme, *library, *package;
} absent[ABSENT_MOST];
static size_t absent_count;

void scheme_absent(const char *scheme, const char *library, const char *package)
{
    if (absent_count < ABSENT_MOST)
        absent[absent_count++] = (struct absent){scheme, library, package};
}

void scheme_add(struct scheme_kinds *all, const struct scheme_kind *kind)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->kind[i] == kind)
            return;
    assert(all->count < SCHEME_KINDS_MOST);
    all->kind[all->count++] = kind;
}

/* "sqlite:FILE, postgres://HOST/DB" */
static void list_shapes(const struct scheme_kinds *all, struct str *out)
{
    for (size_t i = 0; i < all->count; i++) {
        const char *shape = all->kind[i]->shape;
        if (i == 0 || strcmp(shape, all->kind[i - 1]->shape) != 0)
            str_fmt(out, "%s%s", i ? ", " : "", shape);
    }
}

static enum pal_status unknown(const struct scheme_kinds *all, const char *url,
                               struct pal_error *err)
{
    char shown[256];
    scheme_copy(shown, sizeof shown, url);
    for (size_t i = 0; i < absent_count; i++)
        if (scheme_is(url, absent[i].scheme))
            return pal_fail(err, PAL_EUNSUPPORTED,
                            "%s '%s': this build was made without %s: install %s and build again",
                            all->what, shown, absent[i].library, absent[i].package);
    struct str shapes = {0};
    list_shapes(all, &shapes);
    enum pal_status st =
        str_ok(&shapes)
            ? pal_fail(err, PAL_EUNSUPPORTED,
                       "%s '%s': this build has no such kind of %s; it has: %s", all->what, shown,
                       all->what, all->count ? str_text(&shapes) : "none")
            : pal_no_memory(err);
    str_done(&shapes);
    return st;
}

enum pal_status scheme_find(const struct scheme_kinds *all, const char *url,
                            const struct scheme_kind **out, struct pal_error *err)
{
    for (size_t i = 0; i < all->count; i++)
        if (scheme_is(url, all->kind[i]->scheme)) {
            *out = all->kind[i];
            return PAL_OK;
        }
    return unknown(all, url, err);
}
