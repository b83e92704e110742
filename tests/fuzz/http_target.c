/* What a client may write into a request's target, and an administrator into a file of keys. The
 * first byte says which reader gets the rest. Checked against rules: what comes out is UTF-8
 * without control characters, decoding an encoded text gives the text, a route's literals are in
 * the path. */
#include "fuzz.h"

#include "base/text.h"
#include "server/http_keys.h"
#include "server/http_router.h"

static void nothing(void *ctx, struct http_request *r)
{
    (void)ctx;
    (void)r;
}

static const struct http_route routes[] = {
    {"GET", "/", HTTP_OPEN, nothing, 0, NULL},
    {"GET", "/a/{x}", HTTP_OPEN, nothing, 0, NULL},
    {"GET", "/a/b", HTTP_OPEN, nothing, 0, NULL},
    {"POST", "/{x}/{y}/c/{z}", HTTP_OPEN, nothing, 0, NULL},
};

static void check_text(const char *s)
{
    FUZZ_CHECK(text_is_utf8(s, strlen(s)));
    for (; *s; s++)
        FUZZ_CHECK((unsigned char)*s >= 0x20 && *s != 0x7F);
}

static void check_error(enum pal_status st, const struct pal_error *err)
{
    FUZZ_CHECK(st == PAL_EUSAGE && err->status == PAL_EUSAGE);
    FUZZ_CHECK(err->message[0] && text_is_utf8(err->message, strlen(err->message)));
}

/* Escapes every byte of what was decoded and decodes that. */
static void check_decoding(struct arena *a, const char *p, const char *end)
{
    const char *out = NULL, *again = NULL;
    struct pal_error err = {0};
    enum pal_status st = url_decode(a, p, end, true, &out, &err);
    if (st != PAL_OK) {
        FUZZ_CHECK(!out);
        check_error(st, &err);
        return;
    }
    size_t len = strlen(out);
    FUZZ_CHECK(len <= (size_t)(end - p));
    check_text(out);
    char *escaped = malloc(3 * len + 1);
    if (!escaped)
        return;
    for (size_t i = 0; i < len; i++)
        snprintf(escaped + 3 * i, 4, "%%%02x", (unsigned char)out[i]);
    FUZZ_CHECK(url_decode(a, escaped, escaped + 3 * len, false, &again, &err) == PAL_OK);
    FUZZ_CHECK(strcmp(out, again) == 0);
    free(escaped);
}

static void check_query(struct arena *a, const char *p, const char *end)
{
    struct url_pair *pairs = NULL;
    size_t count = 0, separators = 0;
    struct pal_error err = {0};
    enum pal_status st = url_query(a, p, end, &pairs, &count, &err);
    if (st != PAL_OK) {
        check_error(st, &err);
        return;
    }
    for (const char *at = p; at < end; at++)
        separators += *at == '&';
    FUZZ_CHECK(count <= separators + 1 && count <= 256);
    for (size_t i = 0; i < count; i++) {
        check_text(pairs[i].name);
        check_text(pairs[i].value);
    }
}

static void check_route(struct arena *a, const char *p, const char *end)
{
    struct router *router = NULL;
    struct route_match m;
    struct pal_error err = {0};
    if (p == end || *p != '/')
        return;
    FUZZ_CHECK(router_new(routes, 4, &router, &err) == PAL_OK);
    enum pal_status st = router_match(router, METHOD_GET, p, end, a, &m, &err);
    if (st != PAL_OK)
        check_error(st, &err);
    else if (m.route) {
        FUZZ_CHECK(m.route == &routes[m.index] && (m.allow & METHOD_GET));
        FUZZ_CHECK(m.index == 0 || (end - p > 3 && memcmp(p, "/a/", 3) == 0));
        FUZZ_CHECK((m.param_count == 1) == (m.index == 1));
        for (size_t i = 0; i < m.param_count; i++) {
            check_text(m.param[i].value);
            FUZZ_CHECK(m.param[i].value[0]);
        }
    }
    router_free(router);
}

static void check_keys(const char *p, size_t size)
{
    struct keys *keys = NULL;
    struct pal_error err = {0};
    const char *name = NULL;
    enum pal_status st = keys_parse("keys", p, size, &keys, &err);
    if (st != PAL_OK) {
        FUZZ_CHECK(!keys);
        check_error(st, &err);
        return;
    }
    FUZZ_CHECK(keys_find(keys, "no such secret in it", &name) == HTTP_OPEN || name);
    keys_free(keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    char *copy = size ? malloc(size) : NULL; /* of its exact size: reading past it is seen */
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    const char *p = copy + 1, *end = copy + size;
    if (*copy & 1)
        check_keys(p, size - 1);
    else {
        check_decoding(&a, p, end);
        check_query(&a, p, end);
        check_route(&a, p, end);
    }
    arena_done(&a);
    free(copy);
    return 0;
}
