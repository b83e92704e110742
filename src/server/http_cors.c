/* Cross-origin calls: which pages of other origins may read answers. Off unless origins are given.
 */
#include "server/http_inner.h"

#include "base/mem.h"

#include <string.h>

struct cors {
    char *origins; /* with NULs between */
    size_t len;
    bool any;
};

static bool is_origin(const char *s)
{
    const char *host = strstr(s, "://");
    return host && host > s && strspn(s, "abcdefghijklmnopqrstuvwxyz") == (size_t)(host - s) &&
           host[3] && !strpbrk(host + 3, "/ \t*?#");
}

enum pal_status cors_new(const char *origins, struct cors **out, struct pal_error *err)
{
    struct cors *c = mem_zero(1, sizeof *c);
    char *text = mem_text(origins, strlen(origins));
    enum pal_status st = PAL_OK;
    if (!c || !text) {
        st = pal_no_memory(err);
        goto done;
    }
    c->len = strlen(origins);
    c->any = strcmp(origins, "*") == 0;
    for (char *p = text; !c->any && p <= text + c->len; p += strlen(p) + 1) {
        char *comma = strchr(p, ',');
        if (comma)
            *comma = 0;
        if (!is_origin(p)) {
            st = pal_fail(err, PAL_EUSAGE,
                          "cors = '%.100s' is no list of origins: give "
                          "https://a.example,https://b.example or *",
                          origins);
            goto done;
        }
    }
    c->origins = text;
    *out = c;
    c = NULL;
    text = NULL;
done:
    mem_free(text);
    mem_free(c);
    return st;
}

void cors_free(struct cors *c)
{
    if (!c)
        return;
    mem_free(c->origins);
    mem_free(c);
}

static bool allows(const struct cors *c, const char *origin)
{
    if (c->any)
        return true;
    for (const char *p = c->origins; p <= c->origins + c->len; p += strlen(p) + 1)
        if (strcmp(p, origin) == 0)
            return true;
    return false;
}

void cors_answer(struct http_request *r)
{
    const struct cors *c = r->server->cors;
    const char *origin = r->call.origin;
    if (!c)
        return;
    if (!c->any)
        http_set_header(r, "Vary", "Origin");
    if (!origin || !allows(c, origin))
        return;
    http_set_header(r, "Access-Control-Allow-Origin", c->any ? "*" : origin);
    http_set_header(r, "Access-Control-Expose-Headers", "X-Request-Id, Retry-After");
}

bool cors_preflight(struct http_request *r)
{
    const struct cors *c = r->server->cors;
    if (r->call.method != METHOD_OPTIONS || !c || !r->call.origin ||
        !MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "Access-Control-Request-Method"))
        return false;
    if (allows(c, r->call.origin)) {
        struct str list = http_spare(r);
        method_list(r->call.match.allow, &list);
        http_set_header(r, "Access-Control-Allow-Methods", str_text(&list));
        http_set_header(r, "Access-Control-Allow-Headers",
                        "Authorization, Content-Type, X-API-Key, X-Request-Id");
        http_set_header(r, "Access-Control-Max-Age", "600");
        str_done(&list);
    }
    http_answer(r, 204, NULL, "", 0);
    return true;
}

bool cors_foreign(struct http_request *r)
{
    const struct cors *c = r->server->cors;
    const unsigned safe = METHOD_GET | METHOD_HEAD | METHOD_OPTIONS;
    bool reads = (r->call.method & safe) && r->call.match.route->right <= HTTP_READ;
    const char *site = reads ? NULL : http_header(r, "Sec-Fetch-Site");
    if (!site || strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0)
        return false;
    return !c || !r->call.origin || !allows(c, r->call.origin);
}
