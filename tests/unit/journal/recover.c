/* Opening what a crash, a power cut or a bad disk left: files are cut, filled and changed here byte
 * by byte, and opened again. */
#include "place.h"

enum { RECORDS = 6, ROOM = 1 << 16 };

static uint8_t whole[ROOM], other[ROOM];

/* A folder with one segment of RECORDS records; its bytes are in `whole`. Returns where record
 * `last` begins. */
static size_t make_one(size_t *size)
{
    struct journal_options o = quick();
    struct journal *j = open_journal(&o, 0, NULL);
    struct journal_status s;
    append_all(j, 1, RECORDS - 1);
    journal_status(j, &s);
    append_all(j, RECORDS, RECORDS);
    journal_close(j);
    *size = read_file(segment(1), whole, sizeof whole);
    return s.bytes;
}

/* Opens, expects records 1 to last, appends one more, and expects that to be there on a further
 * opening, which finds nothing to cut. */
static void expect_recovery(uint64_t last, uint64_t cut)
{
    struct journal_options o = quick();
    struct journal_recovery found;
    struct journal *j = open_journal(&o, 0, &found);
    assert_int_equal(found.first, 1);
    assert_int_equal(found.next, last + 1);
    assert_int_equal(found.cut_bytes, cut);
    assert_int_equal(strcmp(found.cut_file, cut ? segment(1) : ""), 0);
    append_all(j, last + 1, last + 1);
    journal_close(j);
    expect_ids(1, last + 1);
    j = open_journal(&o, 0, &found);
    assert_int_equal(found.cut_bytes, 0);
    assert_int_equal(found.next, last + 2);
    journal_close(j);
}

/* At every byte of the last record. Zeros at the end don't count as lost bytes. */
static void a_torn_tail_is_cut(void **state)
{
    (void)state;
    size_t size, last = make_one(&size);
    for (size_t cut = last; cut < size; cut++) {
        size_t used = cut;
        while (used > last && whole[used - 1] == 0)
            used--;
        write_file(segment(1), whole, cut);
        expect_recovery(RECORDS - 1, used - last);
    }
}

/* A file that was allocated ahead ends in zeros, behind a whole record or a torn one. */
static void a_tail_of_zeros_is_no_loss(void **state)
{
    (void)state;
    size_t size, last = make_one(&size);
    memset(whole + size, 0, sizeof whole - size);
    write_file(segment(1), whole, sizeof whole);
    expect_recovery(RECORDS, 0);
    for (size_t cut = last; cut < size; cut++) {
        memset(other, 0, sizeof other);
        memcpy(other, whole, cut);
        size_t used = cut;
        while (used > last && other[used - 1] == 0)
            used--;
        write_file(segment(1), other, sizeof other);
        expect_recovery(RECORDS - 1, used - last);
    }
}

static void garbage_behind_the_last_record_is_cut(void **state)
{
    (void)state;
    size_t size;
    make_one(&size);
    for (size_t i = 0; i < 5000; i++)
        whole[size + i] = (uint8_t)(i * 197 + 13) | 1;
    write_file(segment(1), whole, size + 5000);
    expect_recovery(RECORDS, 5000);
}

/* Every bit of the last record: nobody can tell it from a torn one. */
static void a_flipped_bit_in_the_last_record_cuts_it(void **state)
{
    (void)state;
    size_t size, last = make_one(&size);
    for (size_t bit = 8 * last; bit < 8 * size; bit += 5) {
        memcpy(other, whole, size);
        other[bit / 8] ^= (uint8_t)(1 << bit % 8);
        size_t used = size;
        while (used > last && other[used - 1] == 0)
            used--;
        write_file(segment(1), other, size);
        expect_recovery(RECORDS - 1, used - last);
    }
}

static void refuse(const char *file, const char *says)
{
    struct journal_options o = quick();
    struct journal_recovery found = {.cut_bytes = 99};
    struct journal *j = NULL;
    struct pal_error err;
    assert_int_equal(journal_open(folder, &o, 0, &found, &j, &err), PAL_ECORRUPT);
    assert_null(j);
    assert_int_equal(found.cut_bytes, 99);
    assert_non_null(strstr(err.message, file));
    assert_non_null(strstr(err.message, says));
}

/* Every bit before the last record: what is behind it was acknowledged. The file is left alone. */
static void damage_before_acknowledged_records_is_refused(void **state)
{
    (void)state;
    size_t size, last = make_one(&size);
    for (size_t bit = 0; bit < 8 * last; bit += 3) {
        memcpy(other, whole, size);
        other[bit / 8] ^= (uint8_t)(1 << bit % 8);
        write_file(segment(1), other, size);
        refuse(segment(1), "damaged");
        assert_int_equal(read_file(segment(1), whole + ROOM / 2, ROOM / 2), size);
        assert_memory_equal(whole + ROOM / 2, other, size);
    }
    write_file(segment(1), whole, size);
    expect_recovery(RECORDS, 0);
}

/* ---- several segments ---- */

/* Records 1 to 200 in several segments; *second and *last are the first numbers of those. */
static void make_many(uint64_t *second, uint64_t *last)
{
    struct journal_options o = quick();
    o.segment_bytes = 4096;
    struct journal *j = open_journal(&o, 0, NULL);
    append_all(j, 1, 200);
    journal_close(j);
    assert_true(segments() >= 4);
    *second = 2;
    while (access(segment(*second), F_OK))
        ++*second;
    *last = 200;
    while (access(segment(*last), F_OK))
        --*last;
}

static void damage_in_an_earlier_segment_is_refused(void **state)
{
    (void)state;
    uint64_t second, last;
    make_many(&second, &last);
    size_t size = read_file(segment(second), whole, sizeof whole);
    for (size_t at = 0; at < size; at += 11) {
        memcpy(other, whole, size);
        other[at] ^= 0x10;
        write_file(segment(second), other, size);
        refuse(segment(second), "damaged");
    }
    for (size_t cut = 0; cut < size; cut += 11) {
        write_file(segment(second), whole, cut);
        refuse(segment(second), "damaged");
    }
    assert_int_equal(unlink(segment(second)), 0);
    refuse(segment(1), "damaged"); /* it doesn't reach as far as the next one */
}

/* What the store has is not looked at, and deleted. */
static void damage_that_was_drained_is_no_matter(void **state)
{
    (void)state;
    uint64_t second, last;
    struct journal_options o = quick();
    struct journal_recovery found;
    make_many(&second, &last);
    write_file(segment(1), (const uint8_t *)"gone", 4);
    refuse(segment(1), "damaged");
    struct journal *j = open_journal(&o, second, &found);
    assert_int_equal(found.first, second);
    assert_int_equal(found.next, 201);
    assert_int_equal(access(segment(1), F_OK), -1);
    journal_close(j);
    expect_ids(second, 200);
}

/* What follows an earlier segment's end is the rest of a commit that failed. */
static void the_rest_of_a_failed_commit_is_passed_over(void **state)
{
    (void)state;
    uint64_t second, last;
    struct journal_options o = quick();
    struct journal_recovery found;
    make_many(&second, &last);
    size_t size = read_file(segment(1), whole, sizeof whole);
    struct segment_head head;
    assert_true(segment_read_head(whole, size, &head));
    for (uint32_t i = 0; i < 3; i++) { /* whole records with the next segment's numbers */
        record_open(whole + size, 1, 20);
        memset(whole + size + RECORD_HEAD, 0xee, 20);
        size += record_seal(whole + size, head.salt, i, second + i);
    }
    write_file(segment(1), whole, size);
    expect_ids(1, 200);
    struct journal *j = open_journal(&o, 0, &found);
    assert_int_equal(found.next, 201);
    assert_int_equal(found.cut_bytes, 0);
    struct journal_reader *r;
    struct journal_entry e[64];
    struct pal_error err;
    size_t count;
    uint64_t next = 1;
    assert_ok(journal_reader_new(j, 0, &r, &err), &err);
    do {
        assert_ok(journal_read(r, e, 64, 0, &count, &err), &err);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(id_of(&e[i]), next++);
    } while (count);
    assert_int_equal(next, 201);
    journal_reader_free(r);
    journal_close(j);
}

/* The power went while a segment was being made: with any part of its head, or allocated only. */
static void a_segment_that_was_being_made_goes(void **state)
{
    (void)state;
    uint64_t second, last;
    struct journal_options o = quick();
    struct journal_recovery found;
    uint8_t head[4096] = {0};
    make_many(&second, &last);
    segment_write_head(&(struct segment_head){201, 201, 5}, head);
    for (size_t cut = 0; cut < SEGMENT_HEAD; cut++) {
        for (int zeros = 0; zeros < 2; zeros++) {
            memset(other, 0, sizeof other);
            memcpy(other, head, cut);
            write_file(segment(201), other, zeros ? 4096 : cut);
            struct journal *j = open_journal(&o, 0, &found);
            assert_int_equal(found.next, 201);
            assert_true(found.cut_bytes <= cut);
            assert_int_equal(access(segment(201), F_OK), -1);
            journal_close(j);
        }
    }
    write_file(segment(201), head, 4096); /* whole: it goes on there */
    struct journal *j = open_journal(&o, 0, &found);
    assert_int_equal(found.next, 201);
    append_all(j, 201, 205);
    journal_close(j);
    assert_int_equal(access(segment(201), F_OK), 0);
    expect_ids(1, 205);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_torn_tail_is_cut),
        TEST(a_tail_of_zeros_is_no_loss),
        TEST(garbage_behind_the_last_record_is_cut),
        TEST(a_flipped_bit_in_the_last_record_cuts_it),
        TEST(damage_before_acknowledged_records_is_refused),
        TEST(damage_in_an_earlier_segment_is_refused),
        TEST(damage_that_was_drained_is_no_matter),
        TEST(the_rest_of_a_failed_commit_is_passed_over),
        TEST(a_segment_that_was_being_made_goes),
    };
    return cmocka_run_group_tests_name("journal/recover", tests, NULL, NULL);
}
