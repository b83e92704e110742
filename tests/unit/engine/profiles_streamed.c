/* Profiles where others fill the store: own events that are on their way through a stream, and what
 * other processes do. */
#include "profiles_world.h"

static struct profiles *new_streamed(void)
{
    struct profiles *p = NULL;
    struct pal_error err;
    const struct profile_limits limits = {1 << 20, 100, LONG, {IGNORED_MOST, 10 * 86400e3}, true};
    assert_ok(profiles_new(&limits, 0, &p, &err), &err);
    return p;
}

/* Of `told` own events the store has the first `stored`, and only `known` are known to be there:
 * read at any such moment, and again after more of them came and were known, each is there once. */
static void own_events_on_their_way_count_once(void **state)
{
    (void)state;
    for (uint32_t told = 0; told <= 6; told++)
        for (uint32_t stored = 0; stored <= told; stored++)
            for (uint32_t known = 0; known <= stored; known++) {
                struct fake f;
                struct arena tmp;
                fake_init(&f);
                arena_init(&tmp);
                struct profiles *p = new_streamed();
                for (uint32_t i = 0; i < told; i++)
                    like(p, "user-3", i + 1, i);
                for (uint32_t i = 0; i < stored; i++)
                    fake_apply(&f, &(struct happened){.user = 3, .item = i});
                profiles_drained(p, known, true);
                struct profile_view v = see(p, &f, "user-3", 0, &tmp);
                assert_items(&v, 0, told);
                like(p, "user-3", told + 1, told);
                for (uint32_t i = stored; i <= told; i++)
                    fake_apply(&f, &(struct happened){.user = 3, .item = i});
                profiles_drained(p, stored, true);
                profiles_other_erase(p, "user-3"); /* so that it is read again */
                v = see(p, &f, "user-3", 0, &tmp);
                assert_items(&v, 0, told + 1);
                profiles_free(p);
                arena_done(&tmp);
                fake_done(&f);
            }
}

/* What others do while a profile is read is in it, and once; what they do later, too, also when
 * what was read had it already. */
static void what_others_do_counts_once(void **state)
{
    struct fake f;
    struct arena tmp;
    (void)state;
    fake_init(&f);
    arena_init(&tmp);
    struct profiles *p = new_streamed();
    f.others = p;
    f.times = 3;
    struct profile_view v = see(p, &f, "user-1", 0, &tmp);
    assert_items(&v, 0, 3);
    assert_int_equal(f.loads, 4);
    for (uint32_t i = 2; i < 5; i++) /* 2 was read */
        profiles_other_event(p, "user-1", &(struct profile_event){i, 1, 1000 + i, true});
    v = see(p, &f, "user-1", 0, &tmp);
    assert_items(&v, 0, 5);
    profiles_other_event(p, "user-2", &(struct profile_event){0, 1, 1000, true});
    v = see(p, &f, "user-2", 0, &tmp); /* nobody had asked for this one: the store knows */
    assert_items(&v, 0, 0);
    profiles_free(p);
    arena_done(&tmp);
    fake_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_events_on_their_way_count_once),
        cmocka_unit_test(what_others_do_counts_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
