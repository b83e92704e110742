/* The figures of a comparison, from JSON as palate eval writes it and as somebody may have changed
 * it: what is there is shown, what is not is left out, and running out of memory is told. */
#include "test.h"

#include "report/report.h"

#include <math.h>

static const char text[] =
    "{\"split\":\"time:90/10\",\"part\":\"test\",\"seed\":3,\"protocol\":\"full\",\"bootstrap\":50,"
    "\"confidence\":0.9,\"relevant_from\":0.5,\"results\":["
    "{\"label\":\"a<b\",\"metrics\":{\"ndcg@10\":0.2,\"coverage@10\":0.5},\"users\":7,"
    "\"intervals\":{\"ndcg@10\":[0.1,0.3]},\"train_seconds\":2,\"peak_rss_bytes\":3000000,"
    "\"ranker\":{\"importance\":{\"f\":0.75,\"g\":0.25}}},"
    "{\"label\":\"second\",\"metrics\":{\"ndcg@10\":0.1,\"coverage@10\":0.9},\"groups\":7}],"
    "\"comparisons\":[{\"a\":\"a<b\",\"b\":\"second\",\"p\":0.25}]}";

static struct results open_results(void)
{
    struct pal_error err;
    struct results r;
    assert_ok(results_parse(text, sizeof text - 1, "it", &r, &err), &err);
    return r;
}

/* Keeps which figures came, and looks at some. */
struct seen {
    char ids[512];
    double importance, memory, high;
};

static void take(void *ctx, const struct figure *f)
{
    struct seen *s = ctx;
    size_t used = strlen(s->ids);
    snprintf(s->ids + used, sizeof s->ids - used, "%s ", f->id);
    if (strcmp(f->id, "ranker-1") == 0)
        s->importance = f->series[0].value[0];
    if (strcmp(f->id, "memory") == 0)
        s->memory = f->series[0].value[0];
    if (strcmp(f->id, "metric-1") == 0)
        s->high = f->series[0].high[0];
}

static void which_figures(void **state)
{
    (void)state;
    struct results r = open_results();
    struct arena arena;
    struct seen seen = {0};
    arena_init(&arena);
    struct figures to = {.take = take, .ctx = &seen, .arena = &arena};
    report_models(&to, &r);
    assert_false(to.failed);
    assert_string_equal(seen.ids, "overview metric-1 metric-2 against-coverage training memory "
                                  "ranker-1 ");
    assert_true(seen.importance == 75 && seen.memory == 3 && seen.high == 0.3);
    arena_done(&arena);
    results_done(&r);
}

static void the_summary(void **state)
{
    (void)state;
    struct results r = open_results();
    struct str plain = {0}, html = {0};
    report_summary(&plain, &r, false);
    report_summary(&html, &r, true);
    assert_string_equal(str_text(&plain),
                        "Best by ndcg@10 is a<b with 0.2000 (90 % interval 0.1000 to 0.3000). Next "
                        "is second with 0.1000, which the best is 100.0 % above: no more than what "
                        "chance may bring about (p = 0.250).");
    assert_non_null(
        strstr(str_text(&html), "<b>a&lt;b</b> with <data value=\"0.2\">0.2000</data>"));
    str_done(&plain);
    str_done(&html);
    results_done(&r);
}

static void take_fact(void *ctx, const char *name, const char *fact)
{
    str_fmt(ctx, "%s=%s\n", name, fact);
}

static void the_protocol(void **state)
{
    (void)state;
    struct results r = open_results();
    struct str out = {0};
    report_protocol(&r, take_fact, &out);
    assert_string_equal(str_text(&out),
                        "Split=time:90/10, the test part, seed 3\n"
                        "Protocol=all items ranked for 7 users; found is what weighs at least 0.5\n"
                        "Intervals=90 %, from 50 resamplings of the users\n");
    str_done(&out);
    results_done(&r);
}

/* Whichever allocation fails, it is known that not all was taken, and nothing is lost. */
static void out_of_memory(void **state)
{
    (void)state;
    struct results r = open_results();
    bool ended = false;
    for (long n = 1; n < 1000 && !ended; n++) {
        struct arena arena;
        struct seen seen = {0};
        arena_init(&arena);
        struct figures to = {.take = take, .ctx = &seen, .arena = &arena};
        mem_fail_at(n);
        report_models(&to, &r);
        mem_fail_at(0);
        ended = !to.failed;
        arena_done(&arena);
    }
    assert_true(ended);
    results_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(which_figures),
        cmocka_unit_test(the_summary),
        cmocka_unit_test(the_protocol),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
