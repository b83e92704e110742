/* The seam to the heap: what it hands out, what it counts, and how a test makes it fail. */
#include "test.h"

static void zero_bytes_are_a_block(void **state)
{
    (void)state;
    long live = mem_live();
    void *blocks[] = {mem_alloc(0, 8), mem_zero(8, 0), mem_aligned(0, 0), mem_resize(NULL, 0, 4)};
    for (size_t i = 0; i < 4; i++)
        assert_non_null(blocks[i]);
    assert_int_equal(mem_live(), live + 4);
    for (size_t i = 0; i < 4; i++)
        mem_free(blocks[i]);
    assert_int_equal(mem_live(), live);
    mem_free(NULL);
    assert_int_equal(mem_live(), live);
}

static void products_that_overflow_fail(void **state)
{
    (void)state;
    long live = mem_live();
    size_t half = SIZE_MAX / 2 + 1;
    assert_null(mem_alloc(half, 2));
    assert_null(mem_zero(half, 2));
    assert_null(mem_aligned(half, 2));
    char *block = mem_alloc(4, 1);
    assert_non_null(block);
    memcpy(block, "abc", 4);
    assert_null(mem_resize(block, half, 2));
    assert_string_equal(block, "abc");
    size_t cap = 4;
    assert_int_equal(mem_grow(&block, &cap, SIZE_MAX, 1), -1);
    assert_int_equal(mem_grow(&block, &cap, SIZE_MAX / 8, 16), -1);
    assert_int_equal(cap, 4);
    assert_string_equal(block, "abc");
    mem_free(block);
    assert_null(mem_text("", SIZE_MAX));
    assert_int_equal(mem_live(), live);
}

static void zeroed_is_zero(void **state)
{
    (void)state;
    unsigned char *dirty = mem_alloc(1000, 1);
    assert_non_null(dirty);
    memset(dirty, 0xff, 1000);
    mem_free(dirty);
    unsigned char *p = mem_zero(250, 4);
    assert_non_null(p);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(p[i], 0);
    mem_free(p);
}

static void aligned_is_aligned(void **state)
{
    (void)state;
    for (size_t n = 1; n < 200; n += 7) {
        char *p = mem_aligned(n, 3);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 64, 0);
        memset(p, 1, n * 3);
        mem_free(p);
    }
    char *big = mem_aligned((4u << 20) + 1, 1);
    assert_non_null(big);
    assert_int_equal((uintptr_t)big % (2u << 20), 0);
    big[4u << 20] = 1;
    mem_free(big);
}

static void resize_keeps_the_content(void **state)
{
    (void)state;
    long live = mem_live();
    uint32_t *a = mem_resize(NULL, 10, sizeof *a);
    assert_non_null(a);
    for (uint32_t i = 0; i < 10; i++)
        a[i] = i;
    a = mem_resize(a, 10000, sizeof *a);
    assert_non_null(a);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(a[i], i);
    assert_int_equal(mem_live(), live + 1);
    mem_free(a);
    assert_int_equal(mem_live(), live);
}

static void grow_doubles(void **state)
{
    (void)state;
    uint64_t *a = NULL;
    size_t cap = 0, moves = 0;
    for (size_t i = 0; i < 100000; i++) {
        size_t before = cap;
        assert_int_equal(mem_grow(&a, &cap, i + 1, sizeof *a), 0);
        assert_true(cap > i);
        moves += cap != before;
        a[i] = i * 3;
    }
    assert_true(moves <= 17); /* log2(100000) */
    for (size_t i = 0; i < 100000; i++)
        assert_true(a[i] == i * 3);
    mem_free(a);
}

static void text_ends_with_nul(void **state)
{
    (void)state;
    char *s = mem_text("abcdef", 3);
    assert_non_null(s);
    assert_string_equal(s, "abc");
    mem_free(s);
    s = mem_text("", 0);
    assert_non_null(s);
    assert_string_equal(s, "");
    mem_free(s);
}

/* The n-th call fails, once, whichever function it is; the ones before and after do not. */
static void the_chosen_call_fails(void **state)
{
    (void)state;
    for (long n = 1; n <= 7; n++) {
        long live = mem_live(), calls = mem_calls();
        char *grown = NULL;
        size_t cap = 0;
        mem_fail_at(n);
        void *got[7] = {mem_alloc(1, 1), mem_zero(1, 1), mem_aligned(1, 1), mem_resize(NULL, 1, 1)};
        got[4] = mem_grow(&grown, &cap, 1, 1) == 0 ? grown : NULL;
        got[5] = mem_text("x", 1);
        got[6] = mem_alloc(1, 1);
        for (long i = 0; i < 7; i++)
            assert_int_equal(got[i] == NULL, i == n - 1);
        assert_int_equal(mem_calls(), calls + 7);
        assert_int_equal(mem_live(), live + 6);
        for (long i = 0; i < 7; i++)
            mem_free(got[i]);
    }
    mem_fail_at(1);
    mem_fail_at(0);
    void *p = mem_alloc(1, 1);
    assert_non_null(p);
    mem_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_bytes_are_a_block),   cmocka_unit_test(products_that_overflow_fail),
        cmocka_unit_test(zeroed_is_zero),           cmocka_unit_test(aligned_is_aligned),
        cmocka_unit_test(resize_keeps_the_content), cmocka_unit_test(grow_doubles),
        cmocka_unit_test(text_ends_with_nul),       cmocka_unit_test(the_chosen_call_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
