/* See http_router.h. Patterns are cut once; a request's path is compared with those that have as
 * many segments, of which there are few. */
#include "server/http_router.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

struct segment {
    const char *text; /* a literal, or a name without its braces */
    size_t len;
    bool named;
};

struct compiled {
    unsigned method; /* GET's route answers HEAD, too */
    unsigned count;
    unsigned literals; /* bits, the first segment the highest: the larger number goes first */
    struct segment segment[ROUTE_SEGMENTS];
};

struct router {
    const struct http_route *routes;
    size_t count;
    struct compiled *compiled;
};

static const struct {
    const char *name;
    enum http_method method;
} methods[] = {
    {"GET", METHOD_GET},         {"HEAD", METHOD_HEAD},     {"POST", METHOD_POST},
    {"PUT", METHOD_PUT},         {"DELETE", METHOD_DELETE}, {"PATCH", METHOD_PATCH},
    {"OPTIONS", METHOD_OPTIONS},
};
enum { METHODS = sizeof methods / sizeof methods[0] };

enum http_method method_of(const char *name)
{
    for (size_t i = 0; i < METHODS; i++)
        if (strcmp(methods[i].name, name) == 0)
            return methods[i].method;
    return METHOD_OTHER;
}

void method_list(unsigned set, struct str *out)
{
    bool first = true;
    for (size_t i = 0; i < METHODS; i++)
        if (set & methods[i].method) {
            str_put(out, first ? "" : ", ");
            str_put(out, methods[i].name);
            first = false;
        }
}

/* Cuts "/a/b" into at most ROUTE_SEGMENTS pieces; "/" has none. Returns how many, or one more. */
static size_t cut(const char *p, const char *end, struct segment *out)
{
    size_t n = 0;
    if (end - p <= 1)
        return 0;
    for (p++;; p++) {
        const char *stop = memchr(p, '/', (size_t)(end - p));
        if (!stop)
            stop = end;
        if (n == ROUTE_SEGMENTS)
            return n + 1;
        out[n++] = (struct segment){p, (size_t)(stop - p), false};
        if (stop == end)
            return n;
        p = stop;
    }
}

static void compile(const struct http_route *route, struct compiled *c)
{
    const char *p = route->pattern;
    unsigned names = 0;
    assert(p[0] == '/');
    size_t count = cut(p, p + strlen(p), c->segment);
    assert(count <= ROUTE_SEGMENTS);
    c->method = method_of(route->method);
    assert(c->method && c->method != METHOD_HEAD && c->method != METHOD_OPTIONS);
    if (c->method == METHOD_GET)
        c->method |= METHOD_HEAD;
    c->count = (unsigned)count;
    c->literals = 0;
    for (size_t i = 0; i < count; i++) {
        struct segment *s = &c->segment[i];
        if (s->len > 2 && s->text[0] == '{' && s->text[s->len - 1] == '}') {
            *s = (struct segment){s->text + 1, s->len - 2, true};
            names++;
        } else
            c->literals |= 1U << (ROUTE_SEGMENTS - 1 - i);
    }
    assert(names <= ROUTE_PARAMS);
    (void)names;
}

enum pal_status router_new(const struct http_route *routes, size_t count, struct router **out,
                           struct pal_error *err)
{
    struct router *r = mem_zero(1, sizeof *r);
    struct compiled *compiled = mem_alloc(count, sizeof *compiled);
    if (!r || !compiled) {
        mem_free(r);
        mem_free(compiled);
        return pal_no_memory(err);
    }
    for (size_t i = 0; i < count; i++)
        compile(&routes[i], &compiled[i]);
    *r = (struct router){routes, count, compiled};
    *out = r;
    return PAL_OK;
}

void router_free(struct router *r)
{
    if (!r)
        return;
    mem_free(r->compiled);
    mem_free(r);
}

/* A name takes any segment but an empty one. */
static bool fits(const struct compiled *c, const struct segment *path)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct segment *s = &c->segment[i];
        if (s->named ? path[i].len == 0
                     : s->len != path[i].len || memcmp(s->text, path[i].text, s->len) != 0)
            return false;
    }
    return true;
}

static enum pal_status take_params(const struct compiled *c, const struct segment *path,
                                   struct arena *a, struct route_match *m, struct pal_error *err)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct segment *s = &c->segment[i];
        if (!s->named)
            continue;
        struct url_pair *pair = &m->param[m->param_count++];
        pair->name = arena_text(a, s->text, s->len);
        if (!pair->name)
            return pal_no_memory(err);
        enum pal_status st =
            url_decode(a, path[i].text, path[i].text + path[i].len, false, &pair->value, err);
        if (st != PAL_OK)
            return st;
    }
    return PAL_OK;
}

enum pal_status router_match(const struct router *r, enum http_method method, const char *p,
                             const char *end, struct arena *a, struct route_match *out,
                             struct pal_error *err)
{
    struct segment path[ROUTE_SEGMENTS];
    const struct compiled *best = NULL;
    size_t count = cut(p, end, path);
    out->route = NULL;
    out->index = r->count;
    out->allow = 0;
    out->param_count = 0;
    for (size_t i = 0; i < r->count; i++) {
        const struct compiled *c = &r->compiled[i];
        if (c->count != count || !fits(c, path))
            continue;
        out->allow |= c->method | METHOD_OPTIONS;
        if ((c->method & method) && (!best || c->literals > best->literals)) {
            best = c;
            out->route = &r->routes[i];
            out->index = i;
        }
    }
    return best ? take_params(best, path, a, out, err) : PAL_OK;
}
