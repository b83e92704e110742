/* Arenas that are lent: the same memory again, none that is too large, apart between threads. */
#include "test.h"

#include "base/arenas.h"

#include <pthread.h>

static void the_next_gets_the_memory(void **state)
{
    (void)state;
    long live = mem_live();
    static struct arenas s;
    arenas_init(&s, 1 << 20);
    struct arena a = arenas_take(&s);
    void *first = arena_alloc(&a, 1000, 1);
    arenas_give(&s, &a);
    assert_int_equal(arena_size(&a), 0);
    long calls = mem_calls();
    for (int i = 0; i < 10; i++) {
        a = arenas_take(&s);
        assert_ptr_equal(arena_alloc(&a, 1000, 1), first);
        arenas_give(&s, &a);
    }
    assert_int_equal(mem_calls(), calls);
    arenas_done(&s);
    assert_int_equal(mem_live(), live);
}

static void what_is_large_is_not_kept(void **state)
{
    (void)state;
    long live = mem_live();
    static struct arenas s;
    arenas_init(&s, 1 << 16);
    struct arena a = arenas_take(&s);
    assert_non_null(arena_alloc(&a, 1 << 17, 1));
    arenas_give(&s, &a);
    assert_int_equal(mem_live(), live);
    a = arenas_take(&s);
    assert_int_equal(arena_size(&a), 0);
    arenas_give(&s, &a);
    arenas_done(&s);
    assert_int_equal(mem_live(), live);
}

static void only_so_many_are_kept(void **state)
{
    (void)state;
    long live = mem_live();
    static struct arenas s;
    static struct arena a[ARENAS_MOST + 3];
    arenas_init(&s, 1 << 20);
    for (size_t i = 0; i < ARENAS_MOST + 3; i++) {
        a[i] = arenas_take(&s);
        assert_non_null(arena_alloc(&a[i], 1, 1));
    }
    for (size_t i = 0; i < ARENAS_MOST + 3; i++)
        arenas_give(&s, &a[i]);
    assert_int_equal(mem_live(), live + ARENAS_MOST);
    arenas_done(&s);
    assert_int_equal(mem_live(), live);
}

/* Fills what it was lent with its own byte, again and again; counts what others touched. */
static struct arenas shared;

static void *use(void *byte)
{
    size_t touched = 0;
    for (int turn = 0; turn < 500; turn++) {
        struct arena a = arenas_take(&shared);
        unsigned char *p = arena_alloc(&a, 512, 1);
        for (size_t i = 0; p && i < 512; i++)
            p[i] = *(unsigned char *)byte;
        for (size_t i = 0; p && i < 512; i++)
            touched += p[i] != *(unsigned char *)byte;
        touched += !p;
        arenas_give(&shared, &a);
    }
    return (void *)touched;
}

static void threads_keep_apart(void **state)
{
    (void)state;
    pthread_t thread[4];
    unsigned char byte[4] = {1, 2, 3, 4};
    arenas_init(&shared, 1 << 20);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, use, &byte[i]), 0);
    for (int i = 0; i < 4; i++) {
        void *touched;
        assert_int_equal(pthread_join(thread[i], &touched), 0);
        assert_null(touched);
    }
    arenas_done(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_gets_the_memory),
        cmocka_unit_test(what_is_large_is_not_kept),
        cmocka_unit_test(only_so_many_are_kept),
        cmocka_unit_test(threads_keep_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
