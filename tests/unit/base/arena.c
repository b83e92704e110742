/* Blocks of one lifetime: apart from each other, on their border, and the memory used again. */
#include "test.h"

#include "base/arena.h"
#include "base/rng.h"

enum { BLOCKS = 2000 };

/* Fills many blocks of random sizes, each with its own byte, and looks whether any was touched by
 * another. */
static void use(struct arena *a, uint64_t seed)
{
    struct rng r;
    rng_init(&r, seed, 0);
    static unsigned char *blocks[BLOCKS];
    static size_t sizes[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        sizes[i] = rng_below(&r, i % 100 == 0 ? 100000 : 300);
        blocks[i] = arena_alloc(a, sizes[i], 1);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 64, 0);
        memset(blocks[i], (int)(i % 251), sizes[i]);
    }
    for (size_t i = 0; i < BLOCKS; i++)
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(blocks[i][k], i % 251);
}

static void blocks_keep_apart(void **state)
{
    (void)state;
    long live = mem_live();
    struct arena a;
    arena_init(&a);
    use(&a, 1);
    arena_done(&a);
    assert_int_equal(mem_live(), live);
}

static void a_loop_soon_allocates_nothing(void **state)
{
    (void)state;
    long live = mem_live();
    struct arena a = {0};
    long before = -1;
    for (uint64_t turn = 0; turn < 10; turn++) {
        if (turn == 4)
            before = mem_calls();
        use(&a, 7); /* the same sizes in each turn */
        arena_reset(&a);
        assert_int_equal(mem_live(), live + 1);
    }
    assert_int_equal(mem_calls(), before);
    arena_done(&a);
    arena_done(&a); /* done twice is done */
    assert_int_equal(mem_live(), live);
}

static void empty_may_be_reset_and_used_after_done(void **state)
{
    (void)state;
    struct arena a = {0};
    arena_reset(&a);
    arena_done(&a);
    assert_non_null(arena_alloc(&a, 1, 1));
    arena_done(&a);
    assert_non_null(arena_alloc(&a, 0, 8));
    arena_done(&a);
}

static void zeroed_even_when_used_before(void **state)
{
    (void)state;
    struct arena a = {0};
    memset(arena_alloc(&a, 5000, 1), 0xff, 5000);
    arena_reset(&a);
    unsigned char *p = arena_zero(&a, 2500, 2);
    assert_non_null(p);
    for (size_t i = 0; i < 5000; i++)
        assert_int_equal(p[i], 0);
    arena_done(&a);
}

static void text_is_copied(void **state)
{
    (void)state;
    struct arena a = {0};
    char from[] = "heat (1995)";
    char *s = arena_text(&a, from, 4);
    assert_non_null(s);
    from[0] = 'b';
    assert_string_equal(s, "heat");
    assert_string_equal(arena_text(&a, "", 0), "");
    arena_done(&a);
}

/* A refused chunk leaves what was handed out, and the arena usable. */
static void out_of_memory_changes_nothing(void **state)
{
    (void)state;
    long live = mem_live();
    struct arena a = {0};
    char *s = arena_text(&a, "here", 4);
    assert_non_null(s);
    mem_fail_at(1);
    assert_null(arena_alloc(&a, 1, 1 << 20));
    assert_string_equal(s, "here");
    assert_null(arena_alloc(&a, SIZE_MAX / 2, 3));
    assert_null(arena_alloc(&a, SIZE_MAX - 10, 1));
    assert_null(arena_zero(&a, SIZE_MAX / 2, 1));
    assert_null(arena_text(&a, "", SIZE_MAX));
    assert_non_null(arena_alloc(&a, 1, 1 << 20));
    assert_string_equal(s, "here");
    arena_done(&a);
    assert_int_equal(mem_live(), live);
}

static void says_what_it_holds(void **state)
{
    (void)state;
    struct arena a = {0};
    assert_int_equal(arena_size(&a), 0);
    assert_non_null(arena_alloc(&a, 1, 1));
    size_t first = arena_size(&a);
    assert_true(first > 0 && first <= 1 << 16);
    assert_non_null(arena_alloc(&a, 1, 1 << 20));
    assert_true(arena_size(&a) >= first + (1 << 20));
    arena_reset(&a);
    size_t kept = arena_size(&a);
    assert_true(kept >= 1 << 20 && kept <= 2 << 20);
    arena_done(&a);
    assert_int_equal(arena_size(&a), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_keep_apart),
        cmocka_unit_test(a_loop_soon_allocates_nothing),
        cmocka_unit_test(empty_may_be_reset_and_used_after_done),
        cmocka_unit_test(zeroed_even_when_used_before),
        cmocka_unit_test(text_is_copied),
        cmocka_unit_test(out_of_memory_changes_nothing),
        cmocka_unit_test(says_what_it_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
