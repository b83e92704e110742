/* The newest RECENT_IDS ids are known, the ones before them are not, in whatever order and however
 * often they come: checked against counting. */
#include "test.h"

#include "base/rng.h"
#include "engine/recent.h"

static bool add(struct recent *r, uint32_t number)
{
    char id[16];
    sprintf(id, "id-%u", number);
    return recent_add(r, id);
}

static void the_newest_are_known(void **state)
{
    struct recent *r = NULL;
    struct pal_error err;
    assert_ok(recent_new(&r, &err), &err);
    for (uint32_t i = 0; i < 3 * RECENT_IDS; i++)
        assert_false(add(r, i));
    for (uint32_t i = 2 * RECENT_IDS; i < 3 * RECENT_IDS; i++)
        assert_true(add(r, i)); /* which does not make them newer */
    for (uint32_t i = 0; i < 10; i++)
        assert_false(add(r, i)); /* long forgotten; these push the oldest out */
    assert_false(add(r, 2 * RECENT_IDS + 9));
    assert_true(add(r, 2 * RECENT_IDS + 11));
    recent_clear(r);
    assert_false(add(r, 2 * RECENT_IDS + 11));
    recent_free(r);
}

static void random_ids_agree_with_counting(void **state)
{
    enum { IDS = RECENT_IDS + RECENT_IDS / 2, STEPS = 6 * RECENT_IDS };
    struct recent *r = NULL;
    struct pal_error err;
    struct rng rng;
    uint32_t *added = calloc(IDS, sizeof *added), fresh = 0; /* when it was added, from 1 */
    assert_ok(recent_new(&r, &err), &err);
    rng_init(&rng, 5, 0);
    for (uint32_t i = 0; i < STEPS; i++) {
        uint32_t id = (uint32_t)rng_below(&rng, IDS);
        bool known = added[id] && fresh - added[id] < RECENT_IDS;
        assert_int_equal(add(r, id), known);
        if (!known)
            added[id] = ++fresh;
    }
    recent_free(r);
    free(added);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_are_known),
        cmocka_unit_test(random_ids_agree_with_counting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
