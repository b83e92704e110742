/* The bytes of segments, against segments built here record by record: what is whole is read back,
 * no cut and no flipped bit is taken for a record, and a torn last commit is told from damage. */
#include "place.h"

enum { SALT = 77, ROOM = 4096 };

static size_t put_record(uint8_t *p, uint64_t salt, uint32_t place_in_commit, uint64_t seq)
{
    uint8_t bytes[BODY_MOST];
    size_t size = body(seq, bytes);
    record_open(p, (uint8_t)(seq % 251), size);
    memcpy(p + RECORD_HEAD, bytes, size);
    assert_int_equal(record_seal(p, salt, place_in_commit, seq), RECORD_HEAD + size);
    return RECORD_HEAD + size;
}

/* A segment that begins at `first` with commits of the given lengths; at[i] is where record i
 * begins, at[n] where the last one ends. */
static size_t build(uint8_t *p, uint64_t first, const size_t *commits, size_t n, size_t *at)
{
    struct segment_head h = {first, first, SALT};
    size_t used = SEGMENT_HEAD, k = 0;
    segment_write_head(&h, p);
    for (size_t c = 0; c < n; c++)
        for (uint32_t i = 0; i < commits[c]; i++) {
            at[k] = used;
            used += put_record(p + used, SALT, i, first + k++);
        }
    at[k] = used;
    return used;
}

static void a_head_is_read_back(void **state)
{
    (void)state;
    struct segment_head h = {9000000000u, 8999999990u, 0xfedcba9876543210u}, back = {0};
    uint8_t p[SEGMENT_HEAD];
    segment_write_head(&h, p);
    assert_true(segment_read_head(p, sizeof p, &back));
    assert_int_equal(back.first, h.first);
    assert_int_equal(back.follows, h.follows);
    assert_int_equal(back.salt, h.salt);
    for (size_t bit = 0; bit < 8 * sizeof p; bit++) {
        p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(segment_read_head(p, sizeof p, &back));
        p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_false(segment_read_head(p, sizeof p - 1, &back));
    h.follows = h.first + 1; /* a segment can't begin before what it follows */
    segment_write_head(&h, p);
    assert_false(segment_read_head(p, sizeof p, &back));
}

static void a_record_is_read_back(void **state)
{
    (void)state;
    uint8_t p[RECORD_HEAD + BODY_MOST];
    struct journal_entry e = {0};
    size_t need = 0, size = put_record(p, SALT, 3, 500);
    assert_int_equal(record_read(p, size, SALT, 500, &e, &need), RECORD_WHOLE);
    assert_int_equal(need, size);
    assert_int_equal(e.seq, 500);
    assert_int_equal(id_of(&e), 500);
    assert_int_equal(record_read(p, size, SALT, 501, &e, &need), RECORD_BAD);
    assert_int_equal(record_read(p, size, SALT + 1, 500, &e, &need), RECORD_BAD);
    for (size_t have = 0; have < size; have++) {
        assert_int_equal(record_read(p, have, SALT, 500, &e, &need), RECORD_SHORT);
        assert_int_equal(need, have < RECORD_HEAD ? RECORD_HEAD : size);
    }
    for (size_t bit = 0; bit < 8 * size; bit++) {
        p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_true(record_read(p, size, SALT, 500, &e, &need) != RECORD_WHOLE);
        p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    memset(p, 0, sizeof p);
    assert_int_equal(record_read(p, size, SALT, 0, &e, &need), RECORD_BAD);
}

static void sizes_have_bounds(void **state)
{
    (void)state;
    size_t room = RECORD_HEAD + JOURNAL_RECORD_MOST + 1, need;
    uint8_t *p = calloc(room, 1);
    assert_non_null(p);
    struct journal_entry e;
    record_open(p, 255, JOURNAL_RECORD_MOST);
    record_seal(p, SALT, 0, 1);
    assert_int_equal(record_read(p, room, SALT, 1, &e, &need), RECORD_WHOLE);
    assert_int_equal(e.size, JOURNAL_RECORD_MOST);
    assert_int_equal(e.kind, 255);
    record_open(p, 255, JOURNAL_RECORD_MOST + 1);
    record_seal(p, SALT, 0, 1);
    assert_int_equal(record_read(p, room, SALT, 1, &e, &need), RECORD_BAD);
    record_open(p, 255, 0);
    record_seal(p, SALT, 0, 1);
    assert_int_equal(record_read(p, room, SALT, 1, &e, &need), RECORD_BAD);
    free(p);
}

/* Cut anywhere, with zeros behind or without: the records before the cut are there. */
static void every_cut_leaves_what_is_whole(void **state)
{
    (void)state;
    static const size_t commits[] = {1, 3, 2};
    uint8_t p[ROOM], part[ROOM];
    size_t at[7], size = build(p, 10, commits, 3, at);
    for (size_t cut = 0; cut <= size; cut++) {
        struct segment_walk w, zeros;
        memset(part, 0, sizeof part);
        memcpy(part, p, cut);
        segment_walk(part, cut, UINT64_MAX, &w);
        segment_walk(part, sizeof part, UINT64_MAX, &zeros);
        assert_int_equal(w.headless, cut < SEGMENT_HEAD);
        /* A cut that left only zeros off a head leaves it whole once zeros follow. */
        if (w.headless)
            continue;
        size_t k = 0;
        while (k < 6 && at[k + 1] <= cut)
            k++;
        assert_int_equal(w.next, 10 + k);
        assert_int_equal(w.good, at[k]);
        assert_false(w.damaged);
        assert_true(w.used >= w.good && w.used <= cut);
        assert_true(zeros.next >= w.next && zeros.next <= w.next + 1);
        assert_false(zeros.damaged);
    }
}

/* Whatever is flipped in one record: records before it stay; it and all behind it are gone, and
 * that is damage only if a later commit is among them. */
static void a_flipped_bit_is_torn_or_damage(void **state)
{
    (void)state;
    static const size_t commits[] = {2, 3};
    static const size_t last_of_first = 1;
    uint8_t p[ROOM] = {0};
    size_t at[6];
    build(p, 1, commits, 2, at);
    for (size_t k = 0; k < 5; k++)
        for (size_t bit = 8 * at[k]; bit < 8 * at[k + 1]; bit++) {
            struct segment_walk w;
            p[bit / 8] ^= (uint8_t)(1 << bit % 8);
            segment_walk(p, sizeof p, UINT64_MAX, &w);
            assert_int_equal(w.next, 1 + k);
            assert_int_equal(w.good, at[k]);
            assert_int_equal(w.damaged, k <= last_of_first);
            p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
}

/* Of the last commit any blocks may be missing. */
static void blocks_of_a_torn_commit_come_in_any_order(void **state)
{
    (void)state;
    static const size_t commits[] = {2, 5};
    uint8_t p[ROOM] = {0}, torn[ROOM];
    size_t at[8];
    build(p, 1, commits, 2, at);
    for (unsigned there = 0; there < 1 << 5; there++) {
        struct segment_walk w;
        uint64_t expected = 3;
        memcpy(torn, p, sizeof p);
        for (unsigned k = 0; k < 5; k++)
            if (!(there >> k & 1))
                memset(torn + at[k + 2], 0, at[k + 3] - at[k + 2]);
        while (there >> (expected - 3) & 1)
            expected++;
        segment_walk(torn, sizeof torn, UINT64_MAX, &w);
        assert_int_equal(w.next, expected);
        assert_false(w.damaged);
    }
}

static void a_walk_stops_where_it_is_told(void **state)
{
    (void)state;
    static const size_t commits[] = {4};
    uint8_t p[ROOM] = {0};
    size_t at[5];
    struct segment_walk w;
    build(p, 6, commits, 1, at);
    segment_walk(p, sizeof p, 8, &w);
    assert_int_equal(w.next, 8);
    assert_int_equal(w.good, at[2]);
    assert_false(w.damaged);
}

static void names_are_numbers(void **state)
{
    (void)state;
    char name[SEGMENT_NAME];
    uint64_t first = 7;
    segment_name(UINT64_MAX, name);
    assert_true(segment_number(name, &first));
    assert_true(first == UINT64_MAX);
    segment_name(12, name);
    assert_string_equal(name, "00000000000000000012.journal");
    assert_true(segment_number(name, &first));
    assert_int_equal(first, 12);
    static const char *const others[] = {"",
                                         "lock",
                                         "12.journal",
                                         "00000000000000000012.journal~",
                                         "0000000000000000001x.journal",
                                         "00000000000000000012.Journal",
                                         "99999999999999999999.journal"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(segment_number(others[i], &first));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_read_back),
        cmocka_unit_test(a_record_is_read_back),
        cmocka_unit_test(sizes_have_bounds),
        cmocka_unit_test(every_cut_leaves_what_is_whole),
        cmocka_unit_test(a_flipped_bit_is_torn_or_damage),
        cmocka_unit_test(blocks_of_a_torn_commit_come_in_any_order),
        cmocka_unit_test(a_walk_stops_where_it_is_told),
        cmocka_unit_test(names_are_numbers),
    };
    return cmocka_run_group_tests_name("journal/segment", tests, NULL, NULL);
}
