/* Routing against a naive matcher that walks patterns and paths letter by letter. */
#include "test.h"

#include "base/rng.h"
#include "server/http_router.h"

static void nothing(void *ctx, struct http_request *r)
{
    (void)ctx;
    (void)r;
}

static const struct http_route routes[] = {
    {"GET", "/", HTTP_OPEN, nothing, 0, NULL},
    {"GET", "/items/{id}", HTTP_OPEN, nothing, 0, NULL},
    {"GET", "/items/search", HTTP_OPEN, nothing, 0, NULL},
    {"PUT", "/items/{id}", HTTP_OPEN, nothing, 0, NULL},
    {"GET", "/{any}/search", HTTP_OPEN, nothing, 0, NULL},
    {"POST", "/items", HTTP_OPEN, nothing, 0, NULL},
    {"DELETE", "/users/{user}/events/{event}", HTTP_OPEN, nothing, 0, NULL},
    {"GET", "/users/{user}/{what}/1", HTTP_OPEN, nothing, 0, NULL},
};
enum { COUNT = sizeof routes / sizeof routes[0] };

static struct router *make(void)
{
    struct router *r = NULL;
    struct pal_error err;
    assert_ok(router_new(routes, COUNT, &r, &err), &err);
    return r;
}

static enum pal_status match(const struct router *r, enum http_method m, const char *path,
                             struct arena *a, struct route_match *out)
{
    struct pal_error err;
    return router_match(r, m, path, path + strlen(path), a, out, &err);
}

static void finds_routes_and_names(void **state)
{
    (void)state;
    struct router *r = make();
    struct arena a = {0};
    struct route_match m;
    assert_int_equal(match(r, METHOD_GET, "/", &a, &m), PAL_OK);
    assert_int_equal(m.index, 0);
    assert_int_equal(match(r, METHOD_HEAD, "/items/a%2Fb", &a, &m), PAL_OK);
    assert_int_equal(m.index, 1);
    assert_int_equal(m.param_count, 1);
    assert_string_equal(m.param[0].name, "id");
    assert_string_equal(m.param[0].value, "a/b");
    assert_int_equal(match(r, METHOD_DELETE, "/users/u%201/events/e", &a, &m), PAL_OK);
    assert_int_equal(m.index, 6);
    assert_string_equal(m.param[0].value, "u 1");
    assert_string_equal(m.param[1].name, "event");
    assert_string_equal(m.param[1].value, "e");
    arena_done(&a);
    router_free(r);
}

/* The earlier segment decides, whatever the order of the table. */
static void literals_go_first(void **state)
{
    (void)state;
    struct router *r = make();
    struct arena a = {0};
    struct route_match m;
    assert_int_equal(match(r, METHOD_GET, "/items/search", &a, &m), PAL_OK);
    assert_int_equal(m.index, 2);
    assert_int_equal(match(r, METHOD_PUT, "/items/search", &a, &m), PAL_OK);
    assert_int_equal(m.index, 3);
    assert_int_equal(match(r, METHOD_GET, "/other/search", &a, &m), PAL_OK);
    assert_int_equal(m.index, 4);
    arena_done(&a);
    router_free(r);
}

static void tells_what_a_path_allows(void **state)
{
    (void)state;
    struct router *r = make();
    struct arena a = {0};
    struct route_match m;
    struct str list = {0};
    assert_int_equal(match(r, METHOD_OTHER, "/items/1", &a, &m), PAL_OK);
    assert_null(m.route);
    assert_int_equal(m.index, COUNT);
    method_list(m.allow, &list);
    assert_string_equal(str_text(&list), "GET, HEAD, PUT, OPTIONS");
    assert_int_equal(match(r, METHOD_GET, "/items", &a, &m), PAL_OK);
    str_clear(&list);
    method_list(m.allow, &list);
    assert_string_equal(str_text(&list), "POST, OPTIONS");
    assert_int_equal(match(r, METHOD_GET, "/item", &a, &m), PAL_OK);
    assert_int_equal(m.allow, 0);
    str_done(&list);
    arena_done(&a);
    router_free(r);
}

static void refuses_a_name_that_is_no_text(void **state)
{
    (void)state;
    struct router *r = make();
    struct arena a = {0};
    struct route_match m;
    assert_int_equal(match(r, METHOD_GET, "/items/%00", &a, &m), PAL_EUSAGE);
    assert_int_equal(match(r, METHOD_GET, "/items/%FF", &a, &m), PAL_EUSAGE);
    assert_int_equal(match(r, METHOD_GET, "/nothing/%00", &a, &m), PAL_OK); /* nobody reads it */
    assert_null(m.route);
    arena_done(&a);
    router_free(r);
}

/* Whether a pattern fits, by recursion on both texts. */
static bool naive(const char *pattern, const char *path)
{
    if (*pattern == '{') {
        const char *rest = strchr(pattern, '}') + 1;
        size_t len = strcspn(path, "/");
        return len > 0 && naive(rest, path + len);
    }
    if (*pattern != *path)
        return false;
    return !*pattern || naive(pattern + 1, path + 1);
}

static void random_paths_as_a_naive_matcher(void **state)
{
    static const char *const pieces[] = {"/", "items", "search", "users", "events", "1", "a", ""};
    (void)state;
    struct router *r = make();
    struct arena a = {0};
    struct rng rng;
    size_t found = 0;
    rng_init(&rng, 1, 0);
    for (int round = 0; round < 20000; round++) {
        char path[200] = "/";
        for (uint64_t n = rng_below(&rng, 8); n; n--)
            strcat(path, rng_below(&rng, 2) ? "/" : pieces[rng_below(&rng, 8)]);
        struct route_match m;
        assert_int_equal(match(r, METHOD_GET, path, &a, &m), PAL_OK);
        unsigned allow = 0;
        for (size_t i = 0; i < COUNT; i++)
            if (naive(routes[i].pattern, path))
                allow |= (unsigned)method_of(routes[i].method) | METHOD_OPTIONS;
        if (allow & METHOD_GET)
            allow |= METHOD_HEAD;
        assert_int_equal(m.allow, allow);
        assert_int_equal(m.route != NULL, (allow & METHOD_GET) != 0);
        if (m.route) {
            assert_true(naive(m.route->pattern, path));
            assert_ptr_equal(m.route, &routes[m.index]);
            found++;
        }
        arena_reset(&a);
    }
    assert_true(found > 500);
    arena_done(&a);
    router_free(r);
}

static void too_many_segments_fit_nothing(void **state)
{
    (void)state;
    struct router *r = make();
    struct arena a = {0};
    struct route_match m;
    char path[4000] = "";
    for (int i = 0; i < 1000; i++) {
        strcat(path, "/a");
        assert_int_equal(match(r, METHOD_GET, path, &a, &m), PAL_OK);
        assert_null(m.route);
    }
    arena_done(&a);
    router_free(r);
}

static void out_of_memory(void **state)
{
    (void)state;
    long live = mem_live();
    struct router *r = NULL;
    struct pal_error err;
    for (int n = 1; n <= 2; n++) {
        mem_fail_at(n);
        assert_int_equal(router_new(routes, COUNT, &r, &err), PAL_ENOMEM);
        assert_null(r);
    }
    mem_fail_at(0);
    r = make();
    struct arena a = {0};
    struct route_match m;
    mem_fail_at(1);
    assert_int_equal(match(r, METHOD_GET, "/items/1", &a, &m), PAL_ENOMEM);
    mem_fail_at(0);
    arena_done(&a);
    router_free(r);
    assert_int_equal(mem_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_routes_and_names),
        cmocka_unit_test(literals_go_first),
        cmocka_unit_test(tells_what_a_path_allows),
        cmocka_unit_test(refuses_a_name_that_is_no_text),
        cmocka_unit_test(random_paths_as_a_naive_matcher),
        cmocka_unit_test(too_many_segments_fit_nothing),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
