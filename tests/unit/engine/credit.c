/* A source is given back once, the latest that showed the item; what does not fit any more is
 * unknown, never another's; checked against an array that remembers all. */
#include "test.h"

#include "base/rng.h"
#include "engine/credit.h"

static void note(struct credit *c, const char *user_id, uint32_t item, uint8_t source)
{
    credit_note(c, user_id, &item, &source, 1);
}

static void the_latest_source_is_given_back_once(void **state)
{
    struct credit *c = NULL;
    struct pal_error err;
    assert_ok(credit_new(1024, &c, &err), &err);
    note(c, "ann", 7, 0);
    note(c, "ann", 8, 254);
    note(c, "bob", 7, 3);
    note(c, "bob", 7, 4);
    assert_int_equal(credit_take(c, "bob", 8), CREDIT_NONE);
    assert_int_equal(credit_take(c, "bob", 7), 4);
    assert_int_equal(credit_take(c, "bob", 7), CREDIT_NONE);
    assert_int_equal(credit_take(c, "ann", 8), 254);
    assert_int_equal(credit_take(c, "ann", 7), 0);
    assert_int_equal(credit_take(c, "ann", 7), CREDIT_NONE);
    note(c, "ann", 7, 1);
    credit_clear(c);
    assert_int_equal(credit_take(c, "ann", 7), CREDIT_NONE);
    credit_free(c);
    credit_free(NULL);
}

/* One row: the CREDIT_WAYS latest are known. */
static void the_oldest_makes_room(void **state)
{
    struct credit *c = NULL;
    struct pal_error err;
    assert_ok(credit_new(1, &c, &err), &err);
    for (uint32_t item = 0; item < 2 * CREDIT_WAYS; item++)
        note(c, "ann", item, (uint8_t)item);
    note(c, "ann", CREDIT_WAYS, 99); /* the oldest that is left, anew */
    note(c, "ann", 1000, 5);
    assert_int_equal(credit_take(c, "ann", CREDIT_WAYS + 1), CREDIT_NONE);
    assert_int_equal(credit_take(c, "ann", CREDIT_WAYS), 99);
    assert_int_equal(credit_take(c, "ann", 1000), 5);
    for (uint32_t item = CREDIT_WAYS + 2; item < 2 * CREDIT_WAYS; item++)
        assert_int_equal(credit_take(c, "ann", item), (int)item);
    for (uint32_t item = 0; item < 2 * CREDIT_WAYS; item++)
        assert_int_equal(credit_take(c, "ann", item), CREDIT_NONE);
    credit_free(c);
}

static void random_calls_agree_with_an_array(void **state)
{
    enum { USERS = 20, ITEMS = 50, STEPS = 200000, ROOM = 8 * USERS * ITEMS };
    int truth[USERS][ITEMS];
    size_t lost = 0, taken = 0;
    struct credit *c = NULL;
    struct pal_error err;
    struct rng rng;
    assert_ok(credit_new(ROOM, &c, &err), &err);
    rng_init(&rng, 3, 0);
    memset(truth, 0xff, sizeof truth); /* CREDIT_NONE */
    for (size_t i = 0; i < STEPS; i++) {
        uint32_t user = (uint32_t)rng_below(&rng, USERS), item = (uint32_t)rng_below(&rng, ITEMS);
        char id[16];
        sprintf(id, "user-%u", user);
        if (rng_below(&rng, 2)) {
            truth[user][item] = (int)rng_below(&rng, 255);
            note(c, id, item, (uint8_t)truth[user][item]);
            continue;
        }
        int source = credit_take(c, id, item);
        if (truth[user][item] != CREDIT_NONE && source == CREDIT_NONE)
            lost++;
        else
            assert_int_equal(source, truth[user][item]);
        taken += source != CREDIT_NONE;
        truth[user][item] = CREDIT_NONE;
    }
    assert_true(taken > STEPS / 8);
    assert_true(lost * 1000 < taken); /* a row of eight with an eighth of the room in use */
    credit_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_latest_source_is_given_back_once),
        cmocka_unit_test(the_oldest_makes_room),
        cmocka_unit_test(random_calls_agree_with_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
