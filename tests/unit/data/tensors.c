/* safetensors files: what goes in comes out, to the byte; NumPy reads them; and of a file that is
 * damaged anywhere, or that lies about itself, nothing is believed. */
#include "test.h"

#include "base/file.h"
#include "base/intern.h"
#include "data/items.h"
#include "data/tensors.h"

#include <sys/wait.h>
#include <unistd.h>

static char path[64];

static int make_path(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/palate-tensors-%ld", (long)getpid());
    return 0;
}

static int remove_path(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static const float factors[2][3] = {{1, -2.5f, 3}, {4, 5, 1e-30f}};
static const uint32_t numbers[5] = {0, 1, 2, 4294967295u, 4};
static const uint64_t large[1] = {UINT64_MAX};
static const uint8_t bytes[3] = {7, 8, 9};

static enum pal_status write_sample(struct pal_error *err)
{
    struct tensors_out out = {0};
    enum pal_status st = tensors_add(&out, "bytes", TENSOR_U8, 3, 0, bytes, err);
    if (st == PAL_OK)
        st = tensors_add(&out, "factors", TENSOR_F32, 2, 3, factors, err);
    if (st == PAL_OK)
        st = tensors_add(&out, "empty", TENSOR_F64, 0, 4, NULL, err);
    if (st == PAL_OK)
        st = tensors_add(&out, "numbers", TENSOR_U32, 5, 0, numbers, err);
    if (st == PAL_OK)
        st = tensors_add(&out, "large", TENSOR_U64, 1, 0, large, err);
    if (st == PAL_OK)
        st = tensors_meta(&out, "title", "ein \"Apfel\"\n\xc3\xa4", err);
    if (st == PAL_OK)
        st = tensors_meta(&out, "none", "", err);
    if (st == PAL_OK)
        st = tensors_write(&out, path, err);
    tensors_out_done(&out);
    return st;
}

static char *read_file(size_t *size)
{
    struct pal_error err;
    struct file_map map;
    assert_ok(file_map(path, &map, &err), &err);
    char *copy = malloc(map.size + 1);
    memcpy(copy, map.data, map.size);
    *size = map.size;
    file_unmap(&map);
    return copy;
}

static void write_file(const char *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static void comes_back_as_it_was(void **state)
{
    (void)state;
    struct pal_error err;
    struct tensors *t;
    struct tensor x;
    size_t size, again_size;
    assert_ok(write_sample(&err), &err);
    char *first = read_file(&size);
    assert_ok(tensors_open(path, &t, &err), &err);
    assert_true(tensors_checked(t));
    assert_int_equal(tensors_count(t), 5);
    for (size_t i = 0; i < tensors_count(t); i++)
        assert_int_equal((uintptr_t)tensors_at(t, i)->data % 64, 0);
    assert_ok(tensors_get(t, "factors", TENSOR_F32, 2, 3, &x, &err), &err);
    assert_memory_equal(x.data, factors, sizeof factors);
    assert_ok(tensors_get(t, "numbers", TENSOR_U32, UINT64_MAX, 0, &x, &err), &err);
    assert_int_equal(x.shape[0], 5);
    assert_memory_equal(x.data, numbers, sizeof numbers);
    assert_ok(tensors_get(t, "large", TENSOR_U64, 1, 0, &x, &err), &err);
    assert_memory_equal(x.data, large, sizeof large);
    assert_ok(tensors_get(t, "bytes", TENSOR_U8, 3, 0, &x, &err), &err);
    assert_memory_equal(x.data, bytes, sizeof bytes);
    assert_ok(tensors_get(t, "empty", TENSOR_F64, 0, 4, &x, &err), &err);
    assert_string_equal(tensors_get_meta(t, "title"), "ein \"Apfel\"\n\xc3\xa4");
    assert_string_equal(tensors_get_meta(t, "none"), "");
    assert_null(tensors_get_meta(t, "other"));
    assert_null(tensors_find(t, "other"));
    assert_int_equal(tensors_meta_count(t), 3);
    const char *key, *value;
    tensors_meta_at(t, 1, &key, &value);
    assert_string_equal(key, "title");
    assert_int_equal(tensors_get(t, "other", TENSOR_U8, 1, 0, &x, &err), PAL_ECORRUPT);
    assert_int_equal(tensors_get(t, "bytes", TENSOR_U32, 3, 0, &x, &err), PAL_ECORRUPT);
    assert_int_equal(tensors_get(t, "bytes", TENSOR_U8, 4, 0, &x, &err), PAL_ECORRUPT);
    assert_int_equal(tensors_get(t, "bytes", TENSOR_U8, 3, 1, &x, &err), PAL_ECORRUPT);
    assert_non_null(strstr(err.message, path));
    assert_non_null(strstr(err.message, "'bytes'"));
    tensors_close(t);
    assert_ok(write_sample(&err), &err);
    char *again = read_file(&again_size);
    assert_int_equal(size, again_size);
    assert_memory_equal(first, again, size);
    free(first);
    free(again);
}

/* Every byte flipped, every length cut, and a byte too many: an error each time. */
static void damage_is_an_error(void **state)
{
    (void)state;
    struct pal_error err;
    struct tensors *t;
    size_t size;
    assert_ok(write_sample(&err), &err);
    char *whole = read_file(&size), *bad = malloc(size + 1);
    long live = mem_live();
    for (size_t i = 0; i < size; i++)
        for (int bit = 0; bit < 8; bit += 3) {
            memcpy(bad, whole, size);
            bad[i] ^= (char)(1 << bit);
            write_file(bad, size);
            /* the checksum's name or key may be what was hit: then it is a file without one */
            if (tensors_open(path, &t, &err) == PAL_OK) {
                assert_false(tensors_checked(t));
                assert_true(i < 80);
                tensors_close(t);
            } else {
                assert_int_equal(err.status, PAL_ECORRUPT);
                assert_non_null(strstr(err.message, path));
            }
        }
    for (size_t cut = 0; cut < size; cut++) {
        write_file(whole, cut);
        assert_int_equal(tensors_open(path, &t, &err), PAL_ECORRUPT);
    }
    whole[size] = 0;
    write_file(whole, size + 1);
    assert_int_equal(tensors_open(path, &t, &err), PAL_ECORRUPT);
    assert_int_equal(mem_live(), live);
    unlink(path);
    assert_int_equal(tensors_open(path, &t, &err), PAL_ENOTFOUND);
    free(whole);
    free(bad);
}

static void open_header(const char *json, size_t data, enum pal_status want, const char *says)
{
    struct pal_error err = {.message = ""};
    struct tensors *t;
    size_t len = strlen(json);
    char *file = calloc(1, 8 + len + data);
    file[0] = (char)(len & 0xff);
    file[1] = (char)(len >> 8);
    memcpy(file + 8, json, len);
    write_file(file, 8 + len + data);
    free(file);
    enum pal_status st = tensors_open(path, &t, &err);
    if (st != want)
        fail_msg("%s: %s: %s", json, pal_status_name(st), err.message);
    if (st == PAL_OK)
        tensors_close(t);
    else if (!strstr(err.message, says))
        fail_msg("%s: '%s' does not say '%s'", json, err.message, says);
}

/* Files by other writers, and ones that no honest writer makes. */
static void headers_are_not_believed(void **state)
{
    (void)state;
#define ONE(type, shape, place)                                                                    \
    "{\"a\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" place "}}"
    open_header("{}", 0, PAL_OK, "");
    open_header(ONE("F32", "[2]", "[0,8]"), 8, PAL_OK, "");
    open_header(ONE("F32", "[2]", "[0,8]") "   ", 8, PAL_OK, "");
    open_header("{\"__metadata__\":{\"format\":\"pt\"}}", 0, PAL_OK, "");
    open_header("", 0, PAL_ECORRUPT, "JSON");
    open_header("[]", 0, PAL_ECORRUPT, "JSON");
    open_header("{\"a\":1}", 0, PAL_ECORRUPT, "type");
    open_header("{}", 1, PAL_ECORRUPT, "not as long");
    open_header("{\"__metadata__\":{\"format\":1}}", 0, PAL_ECORRUPT, "__metadata__");
    open_header("{\"__metadata__\":[]}", 0, PAL_ECORRUPT, "__metadata__");
    open_header("{\"__metadata__\":{\"palate.xxh3\":\"00\"}}", 0, PAL_ECORRUPT, "checksum");
    open_header("{\"__metadata__\":{\"palate.xxh3\":\"0000000000000000\"}}", 0, PAL_ECORRUPT,
                "checksum");
    open_header(ONE("BF16", "[2]", "[0,4]"), 4, PAL_ECORRUPT, "type");
    open_header(ONE("F32", "[]", "[0,4]"), 4, PAL_ECORRUPT, "dimensions");
    open_header(ONE("F32", "[1,1,1]", "[0,4]"), 4, PAL_ECORRUPT, "dimensions");
    open_header(ONE("F32", "[-1]", "[0,4]"), 4, PAL_ECORRUPT, "shape");
    open_header(ONE("F32", "[1.0]", "[0,4]"), 4, PAL_ECORRUPT, "shape");
    open_header(ONE("F32", "[1]", "[0,8]"), 4, PAL_ECORRUPT, "past");
    open_header(ONE("F32", "[1]", "[4,0]"), 4, PAL_ECORRUPT, "past");
    open_header(ONE("F32", "[1]", "[0]"), 4, PAL_ECORRUPT, "past");
    open_header(ONE("F32", "[1]", "[0,5]"), 5, PAL_ECORRUPT, "shape");
    open_header(ONE("F32", "[4611686018427387904,4]", "[0,0]"), 0, PAL_ECORRUPT, "shape");
    open_header(ONE("F32", "[9223372036854775807,1]", "[0,4]"), 4, PAL_ECORRUPT, "shape");
    open_header(ONE("F32", "[99999999999999999999]", "[0,4]"), 4, PAL_ECORRUPT, "JSON");
    open_header(ONE("U8", "[1]", "[1,2]"), 2, PAL_ECORRUPT, "gap");
    open_header("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
                "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
                3, PAL_ECORRUPT, "overlap");
    open_header("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
                1, PAL_ECORRUPT, "JSON");
#undef ONE
}

static void tables_come_back(void **state)
{
    (void)state;
    struct pal_error err;
    struct tensors_out out = {0};
    struct tensors *t;
    struct intern ids = {0}, none = {0}, ids2;
    struct texts titles = {0}, titles2;
    struct labels tags = {0}, no_tags = {0}, tags2, no_tags2;
    uint32_t number, n;
    for (int i = 0; i < 100; i++) {
        char text[32];
        int len = snprintf(text, sizeof text, "item %d", i * 7);
        assert_ok(intern_add(&ids, text, (size_t)len, &number, &err), &err);
        assert_ok(texts_add(&titles, text, i % 3 ? (size_t)len : 0, &err), &err);
        for (int j = 0; j < i % 4; j++)
            assert_ok(labels_add(&tags, text, (size_t)(5 + j % 2), &err), &err);
        assert_ok(labels_end_row(&tags, &err), &err);
    }
    assert_ok(tensors_add_intern(&out, "ids", &ids, &err), &err);
    assert_ok(tensors_add_intern(&out, "none", &none, &err), &err);
    assert_ok(tensors_add_texts(&out, "titles", &titles, &err), &err);
    assert_ok(tensors_add_labels(&out, "tags", &tags, &err), &err);
    assert_ok(tensors_add_labels(&out, "no tags", &no_tags, &err), &err);
    assert_ok(tensors_write(&out, path, &err), &err);
    assert_ok(tensors_open(path, &t, &err), &err);
    assert_ok(tensors_get_intern(t, "none", &ids2, &err), &err);
    assert_int_equal(ids2.count, 0);
    assert_ok(tensors_get_intern(t, "ids", &ids2, &err), &err);
    assert_ok(tensors_get_texts(t, "titles", &titles2, &err), &err);
    assert_ok(tensors_get_labels(t, "tags", &tags2, &err), &err);
    assert_ok(tensors_get_labels(t, "no tags", &no_tags2, &err), &err);
    assert_int_equal(no_tags2.rows, 0);
    assert_int_equal(ids2.count, 100);
    assert_int_equal(titles2.count, 100);
    assert_int_equal(tags2.rows, 100);
    for (uint32_t i = 0; i < 100; i++) {
        assert_string_equal(intern_text(&ids2, i), intern_text(&ids, i));
        assert_string_equal(texts_at(&titles2, i), i % 3 ? intern_text(&ids, i) : "");
        const uint32_t *label = labels_at(&tags2, i, &n), *was = labels_at(&tags, i, &number);
        assert_int_equal(n, number);
        for (uint32_t j = 0; j < n; j++)
            assert_string_equal(intern_text(&tags2.names, label[j]),
                                intern_text(&tags.names, was[j]));
    }
    tensors_close(t);
    tensors_out_done(&out);
    intern_done(&ids);
    intern_done(&ids2);
    texts_done(&titles);
    texts_done(&titles2);
    labels_done(&tags);
    labels_done(&tags2);
}

/* A table of bytes and offsets as given; is it refused, without a leak? */
static void refuse_table(const char *text, size_t len, const uint64_t *start, size_t count)
{
    struct pal_error err;
    struct tensors_out out = {0};
    struct tensors *t;
    struct intern ids;
    assert_ok(tensors_add(&out, "x", TENSOR_U8, len, 0, text, &err), &err);
    assert_ok(tensors_add(&out, "x.start", TENSOR_U64, count, 0, start, &err), &err);
    assert_ok(tensors_write(&out, path, &err), &err);
    assert_ok(tensors_open(path, &t, &err), &err);
    long live = mem_live();
    assert_int_equal(tensors_get_intern(t, "x", &ids, &err), PAL_ECORRUPT);
    assert_int_equal(mem_live(), live);
    tensors_close(t);
    tensors_out_done(&out);
}

static void offsets_are_not_believed(void **state)
{
    (void)state;
    refuse_table("a\0b", 4, (uint64_t[]){0, 2, 5}, 3);   /* past the end */
    refuse_table("a\0b", 4, (uint64_t[]){0, 2, 3}, 3);   /* does not end in NUL */
    refuse_table("a\0b", 4, (uint64_t[]){0, 0, 4}, 3);   /* no room for a NUL */
    refuse_table("a\0b", 4, (uint64_t[]){2, 2, 4}, 3);   /* does not begin at 0 */
    refuse_table("a\0b", 4, (uint64_t[]){0, 400, 4}, 3); /* goes back */
    refuse_table("a\0b", 4, NULL, 0);
    refuse_table("a\0a", 4, (uint64_t[]){0, 2, 4}, 3); /* one text twice */
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    struct pal_error err;
    struct tensors *t;
    long live = mem_live();
    for (long at = 1;; at++) {
        unlink(path);
        mem_fail_at(at);
        enum pal_status st = write_sample(&err);
        if (st == PAL_OK)
            st = tensors_open(path, &t, &err);
        if (st == PAL_OK) {
            tensors_close(t);
            assert_true(at > 10);
            break;
        }
        assert_int_equal(st, PAL_ENOMEM);
        assert_int_equal(mem_live(), live);
    }
    mem_fail_at(0);
    assert_int_equal(mem_live(), live);
}

static const char script[] =
    "import sys, json, struct, numpy as np\n"
    "raw = open(sys.argv[1], 'rb').read()\n"
    "n, = struct.unpack('<Q', raw[:8])\n"
    "head = json.loads(raw[8:8 + n])\n"
    "kind = {'F32': '<f4', 'U32': '<u4', 'U8': 'u1', 'U64': '<u8', 'F64': '<f8'}\n"
    "def get(name):\n"
    "    t = head[name]; b, e = t['data_offsets']\n"
    "    return np.frombuffer(raw[8 + n + b:8 + n + e], kind[t['dtype']]).reshape(t['shape'])\n"
    "f = get('factors')\n"
    "assert f.shape == (2, 3) and f.tolist()[0] == [1, -2.5, 3] and f[1, 0] == 4\n"
    "assert get('numbers').tolist() == [0, 1, 2, 2**32 - 1, 4]\n"
    "assert get('large').tolist() == [2**64 - 1] and get('empty').shape == (0, 4)\n"
    "assert head['__metadata__']['title'] == 'ein \"Apfel\"\\n\\u00e4'\n"
    "end = 0\n"
    "for b, e in sorted(t['data_offsets'] for k, t in head.items() if k != '__metadata__'):\n"
    "    assert b == end; end = e\n"
    "assert len(raw) == 8 + n + end\n";

static void numpy_reads_it(void **state)
{
    (void)state;
    struct pal_error err;
    const char *python = getenv("PALATE_NUMPY_PYTHON");
    if (!python || !*python) {
        print_message("skipped: no python3 with numpy\n");
        skip();
    }
    assert_ok(write_sample(&err), &err);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execl(python, python, "-c", script, path, (char *)NULL);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_as_it_was),     cmocka_unit_test(damage_is_an_error),
        cmocka_unit_test(headers_are_not_believed), cmocka_unit_test(tables_come_back),
        cmocka_unit_test(offsets_are_not_believed), cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(numpy_reads_it),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
