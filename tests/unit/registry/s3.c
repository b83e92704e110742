/* What a bucket adds to the contract (contract.c): addresses, listings and XML are read strictly;
 * and, where PALATE_TEST_BUCKET names a bucket, damage in it is noticed and changes nothing. */
#include "folder.h"

#include "registry/s3.h"
#include "registry/s3_inside.h"
#include "scripted.h"

#include <sys/stat.h>
#include <unistd.h>

/* ---- without a server ---- */

static void addresses_are_read(void **state)
{
    struct s3_place p;
    struct pal_error err;
    char a[PATH_MAX], b[PATH_MAX];
    unsetenv("AWS_ENDPOINT_URL");
    unsetenv("AWS_REGION");
    assert_ok(s3_place_read("s3://models/site%20a/b/?endpoint=http://h:9000/&region=eu-west-1&"
                            "cache=/tmp/x%26y",
                            &p, &err),
              &err);
    assert_string_equal(p.bucket, "models");
    assert_string_equal(p.prefix, "site a/b/");
    assert_string_equal(p.endpoint, "http://h:9000");
    assert_string_equal(p.region, "eu-west-1");
    assert_string_equal(p.cache, "/tmp/x&y");
    assert_ok(s3_place_local(&p, a, &err), &err);
    assert_memory_equal(a, "/tmp/x&y/models-", 16);
    assert_ok(
        s3_place_read("s3://models/site%20a/?endpoint=http://h:9000&cache=/tmp/x%26y", &p, &err),
        &err);
    assert_ok(s3_place_local(&p, b, &err), &err);
    assert_string_not_equal(a, b);
    assert_ok(s3_place_read("s3://abc", &p, &err), &err);
    assert_string_equal(p.prefix, "");
    assert_string_equal(p.endpoint, "");
    setenv("AWS_ENDPOINT_URL", "https://e", 1);
    setenv("AWS_REGION", "x-1", 1);
    assert_ok(s3_place_read("s3://abc/d", &p, &err), &err);
    assert_string_equal(p.endpoint, "https://e");
    assert_string_equal(p.region, "x-1");
    unsetenv("AWS_ENDPOINT_URL");
    unsetenv("AWS_REGION");
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const bad[] = {
        "s3://",
        "s3:///x",
        "s3://ab",
        "s3://UPPER/x",
        "s3://a..b/x",
        "s3://abc/a%0ab",
        "s3://abc/a//b",
        "s3://abc/a%zz",
        "s3://abc/a%00",
        "s3://abc/a%7f",
        "s3://abc/a%4",
        "s3://abc/x?endpoint",
        "s3://abc/x?endpoint=h:9",
        "s3://abc/x?endpoint=http://",
        "s3://abc/x?endpoint=http://u:p@h",
        "s3://abc/x?endpoint=http://h/path",
        "s3://abc/x?region=EU",
        "s3://abc/x?other=1",
    };
    struct s3_place p = {.bucket = "untouched"};
    struct pal_error err;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(s3_place_read(bad[i], &p, &err), PAL_EUSAGE);
        assert_non_null(strstr(err.message, "s3://BUCKET/PREFIX"));
    }
    assert_string_equal(p.bucket, "untouched");
    char root[600] = "s3://abc/";
    memset(root + 9, 'x', sizeof p.prefix - 1);
    assert_int_equal(s3_place_read(root, &p, &err), PAL_EUSAGE);
    assert_non_null(strstr(err.message, "longer than 500 bytes"));
    root[9 + sizeof p.prefix - 2] = 0;
    assert_ok(s3_place_read(root, &p, &err), &err);
    assert_int_equal(strlen(p.prefix), sizeof p.prefix - 1); /* with its slash */
}

static void keys_must_be_set(void **state)
{
    char *key = getenv("AWS_ACCESS_KEY_ID"), kept[200];
    struct registry_version v;
    struct pal_error err;
    snprintf(kept, sizeof kept, "%s", key ? key : "");
    unsetenv("AWS_ACCESS_KEY_ID");
    assert_int_equal(registry_current("s3://abc/x", &v, &err), PAL_EUSAGE);
    assert_non_null(strstr(err.message, "set AWS_ACCESS_KEY_ID"));
    if (*kept)
        setenv("AWS_ACCESS_KEY_ID", kept, 1);
}

static void xml_is_read(void **state)
{
    static const char xml[] = "<?xml?><A x=\"1\"><B></B><B>a&lt;&#34;&#x263a;&amp;</B><C><D>1</D>"
                              "</C><E>&bad;</E><F>open";
    const char *p = xml, *end = xml + sizeof xml - 1, *from, *to;
    struct str out = {0};
    assert_true(s3_xml_text(&p, end, "B", &out));
    assert_int_equal(out.len, 0);
    assert_true(s3_xml_text(&p, end, "B", &out));
    assert_string_equal(str_text(&out), "a<\"☺&");
    const char *here = p;
    assert_false(s3_xml_text(&p, end, "B", &out)); /* no more */
    assert_false(s3_xml_text(&p, end, "C", &out)); /* elements inside */
    assert_false(s3_xml_text(&p, end, "E", &out)); /* no such reference */
    assert_false(s3_xml_text(&p, end, "F", &out)); /* not closed */
    assert_ptr_equal(p, here);
    assert_string_equal(str_text(&out), "a<\"☺&");
    assert_true(s3_xml_inside(&p, end, "C", &from, &to));
    assert_memory_equal(from, "<D>1</D>", 8);
    assert_int_equal(to - from, 8);
    str_done(&out);
}

static void listings_are_checked(void **state)
{
#define HASH                "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define FILE_OF(name, size) "{\"name\":\"" name "\",\"size\":" size ",\"sha256\":\"" HASH "\"}"
    static const char good[] =
        "{\"files\":[" FILE_OF("als.safetensors", "7") "," FILE_OF("manifest.json", "0") "]}";
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "{\"files\":[]}",                                                        /* no manifest */
        "{\"files\":[" FILE_OF("a", "7") "]}",                                   /* nor here */
        "{\"files\":[" FILE_OF("../manifest.json", "7") "]}",                    /* a way out */
        "{\"files\":[" FILE_OF("manifest.json", "-1") "]}",                      /* sizes */
        "{\"files\":[" FILE_OF("manifest.json", "1.5") "]}",                     /* are whole */
        "{\"files\":[" FILE_OF("manifest.json", "1") "," FILE_OF("a", "1") "]}", /* no order */
        "{\"files\":[" FILE_OF("manifest.json", "1") "," FILE_OF("manifest.json", "1") "]}",
        "{\"files\":[" FILE_OF("files.json", "1") "," FILE_OF("manifest.json", "1") "]}",
        "{\"files\":[{\"name\":\"manifest.json\",\"size\":1,\"sha256\":\"abc\"}]}",
    };
    struct s3_files *f = NULL;
    struct pal_error err;
    struct str again = {0};
    assert_ok(s3_files_read("x", good, sizeof good - 1, &f, &err), &err);
    assert_int_equal(f->count, 2);
    assert_string_equal(f->file[0].name, "als.safetensors");
    assert_int_equal(f->file[0].size, 7);
    s3_files_write(f, &again);
    assert_string_equal(str_text(&again), good);
    str_done(&again);
    mem_free(f);
    f = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(s3_files_read("s3://b/7", bad[i], strlen(bad[i]), &f, &err), PAL_ECORRUPT);
        assert_non_null(strstr(err.message, "s3://b/7 is damaged"));
        assert_null(f);
    }
}

static void sums_are_the_known_ones(void **state)
{
    char hash[S3_HASH];
    s3_hash("", 0, hash); /* FIPS 180-4's examples */
    assert_string_equal(hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    s3_hash("abc", 3, hash);
    assert_string_equal(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* ---- with a server that goes away ---- */

static int goes_away_at; /* in which of the requests for CURRENT, from there on; 0 = in none */
static bool taken_back;  /* or somebody made version 2 live in between */

static int answer(const char *request, unsigned number, const char **body)
{
    if (strncmp(request, "GET ", 4) != 0)
        return 200;
    if (strstr(request, "list-type")) {
        *body = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
        return 200;
    }
    if (!strstr(request, "/CURRENT")) {
        *body = strstr(request, "manifest.json") || strstr(request, "files.json") ? "{}" : "";
        return **body ? 200 : 404;
    }
    if (goes_away_at && (int)number >= goes_away_at)
        return 0;
    *body = number > 1 && taken_back ? "000002\n" : "000001\n";
    return 200;
}

static bool was_asked(const struct scripted *s, const char *method, const char *end)
{
    for (unsigned i = 0; i < s->count; i++) {
        size_t len = strlen(s->asked[i]), tail = strlen(end);
        if (strncmp(s->asked[i], method, strlen(method)) == 0 && len > tail &&
            strcmp(s->asked[i] + len - tail, end) == 0)
            return true;
    }
    return false;
}

/* Version 2 is removed while CURRENT names version 1. */
static enum pal_status remove_two(struct pal_error *err, struct scripted **server)
{
    char root[100], cache[] = "/tmp/palate-s3-XXXXXX", command[64];
    assert_non_null(mkdtemp(cache));
    setenv("PALATE_MODELS_CACHE", cache, 1);
    setenv("AWS_ACCESS_KEY_ID", "a", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "b", 1);
    *server = scripted_new(answer);
    snprintf(root, sizeof root, "s3://abc/x?endpoint=http://127.0.0.1:%d", (*server)->port);
    enum pal_status st = registry_remove(root, 2, err);
    scripted_stop(*server);
    unsetenv("PALATE_MODELS_CACHE");
    snprintf(command, sizeof command, "rm -r '%s'", cache);
    assert_int_equal(system(command), 0);
    return st;
}

/* A server that goes away while a version is being removed is told from somebody who made that one
 * live meanwhile; either way the manifest is put back. */
static void going_away_is_no_race(void **state)
{
    struct scripted *server;
    struct pal_error err;
    goes_away_at = 2;
    taken_back = false;
    assert_int_equal(remove_two(&err, &server), PAL_EIO);
    assert_null(strstr(err.message, "meanwhile"));
    assert_non_null(strstr(err.message, "cannot reach s3://abc/x"));
    assert_true(was_asked(server, "DELETE", "/000002/manifest.json"));
    assert_true(was_asked(server, "PUT", "/000002/manifest.json"));
    free(server);
    goes_away_at = 0;
    taken_back = true;
    assert_int_equal(remove_two(&err, &server), PAL_EUSAGE);
    assert_non_null(strstr(err.message, "was made live meanwhile"));
    assert_true(was_asked(server, "PUT", "/000002/manifest.json"));
    free(server);
    taken_back = false;
    assert_int_equal(remove_two(&err, &server), PAL_OK);
    assert_false(was_asked(server, "PUT", "/000002/manifest.json"));
    free(server);
}

/* ---- with one ---- */

struct site {
    char dir[64], root[160];
    unsigned machines;
};

static void another_machine(struct site *x)
{
    char cache[96];
    snprintf(cache, sizeof cache, "%s/machine-%u", x->dir, x->machines++);
    setenv("PALATE_MODELS_CACHE", cache, 1);
}

static int begin(void **state)
{
    static unsigned made;
    struct site *x = calloc(1, sizeof *x);
    const char *bucket = getenv("PALATE_TEST_BUCKET");
    if (!x)
        return -1;
    strcpy(x->dir, "/tmp/palate-s3-XXXXXX");
    if (!mkdtemp(x->dir))
        return -1;
    snprintf(x->root, sizeof x->root, "%s/damage/%ld-%u", bucket ? bucket : "", (long)getpid(),
             made++);
    another_machine(x);
    *state = x;
    return 0;
}

static int finish(void **state)
{
    struct site *x = *state;
    remove_folder(x->dir);
    free(x);
    return 0;
}

static void write_text(const char *dir, const char *name, const char *text)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static uint32_t publish(const struct site *x, const char *text)
{
    struct registry_version v = {0};
    struct pal_error err;
    assert_ok(registry_begin(x->root, &v, &err), &err);
    write_text(v.path, "als.safetensors", text);
    write_text(v.path, "manifest.json", "{}");
    assert_ok(registry_publish(x->root, &v, 1, &err), &err);
    return v.number;
}

/* Puts other bytes where an object is; NULL deletes it. */
static void damage(const struct site *x, const char *key, const char *text)
{
    struct s3 s;
    struct pal_error err;
    assert_ok(s3_open(x->root, &s, &err), &err);
    if (text) {
        struct s3_call c = {.method = "PUT", .key = key, .body = text, .body_size = strlen(text)};
        assert_ok(s3_do(&s, &c, &err), &err);
        str_done(&c.answer);
    } else {
        assert_ok(s3_delete(&s, key, &err), &err);
    }
    s3_close(&s);
}

static void says(const struct site *x, enum pal_status status, const char *text)
{
    struct registry_version v = {.number = 77};
    struct pal_error err = {.message = ""};
    assert_int_equal(registry_current(x->root, &v, &err), status);
    assert_int_equal(v.number, 77);
    if (!strstr(err.message, text))
        fail_msg("'%s' is not in: %s", text, err.message);
}

/* Who has a copy does not notice; who comes later is told, and gets nothing. */
static void damage_is_noticed(void **state)
{
    static const struct {
        const char *key, *text, *says;
        enum pal_status status;
    } cases[] = {
        {"000001/als.safetensors", "hello World", "als.safetensors of", PAL_ECORRUPT},
        {"000001/als.safetensors", "hello world and more", "als.safetensors of", PAL_ECORRUPT},
        {"000001/als.safetensors", "hell", "als.safetensors of", PAL_ECORRUPT},
        {"000001/als.safetensors", NULL, "als.safetensors of version 1", PAL_ECORRUPT},
        {"000001/files.json", "{}", "another sum", PAL_ECORRUPT},
        {"000001/files.json", NULL, "files.json is gone", PAL_ECORRUPT},
        {"000001/manifest.json", NULL, "names a version that is gone", PAL_ECORRUPT},
        {"CURRENT", "", "CURRENT is damaged", PAL_ECORRUPT},
        {"CURRENT", "abc\n", "CURRENT is damaged", PAL_ECORRUPT},
        {"CURRENT", "000001 abc\n", "CURRENT is damaged", PAL_ECORRUPT},
        {"CURRENT", "000003\n", "names a version that is gone", PAL_ECORRUPT},
        {"CURRENT", NULL, "is live; it has 1", PAL_ENOTFOUND},
    };
    struct site *x = *state;
    char root[sizeof x->root];
    strcpy(root, x->root);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(x->root, sizeof x->root, "%.100s-%zu", root, i);
        assert_int_equal(publish(x, "hello world"), 1);
        damage(x, cases[i].key, cases[i].text);
        another_machine(x);
        says(x, cases[i].status, cases[i].says);
        says(x, cases[i].status, cases[i].says); /* nothing half is left that would be taken */
        assert_int_equal(publish(x, "mended"), 2);
        struct registry_version v;
        struct pal_error err;
        assert_ok(registry_current(x->root, &v, &err), &err);
        assert_int_equal(v.number, 2);
    }
}

/* A copy that lost something is fetched anew. */
static void a_damaged_copy_is_mended(void **state)
{
    struct site *x = *state;
    struct registry_version v;
    struct pal_error err;
    publish(x, "hello world");
    another_machine(x);
    for (int i = 0; i < 3; i++) {
        assert_ok(registry_current(x->root, &v, &err), &err);
        char path[PATH_MAX + 32];
        snprintf(path, sizeof path, "%s/als.safetensors", v.path);
        struct stat info;
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_size, 11);
        if (i == 0)
            assert_int_equal(truncate(path, 3), 0);
        else
            assert_int_equal(unlink(path), 0);
    }
}

/* CURRENT as somebody would write it by hand. */
static void a_current_without_a_sum_will_do(void **state)
{
    struct site *x = *state;
    struct registry_version v;
    struct pal_error err;
    publish(x, "one");
    publish(x, "two");
    damage(x, "CURRENT", "000001\n");
    assert_ok(registry_current(x->root, &v, &err), &err);
    assert_int_equal(v.number, 1);
}

/* This machine keeps the last few versions, not all. */
static void copies_do_not_pile_up(void **state)
{
    struct site *x = *state;
    struct pal_error err;
    char local[PATH_MAX], path[PATH_MAX + 32];
    unsigned there = 0;
    for (int i = 0; i < 6; i++)
        publish(x, "x");
    assert_ok(registry_local(x->root, local, sizeof local, &err), &err);
    for (int i = 1; i <= 6; i++) {
        snprintf(path, sizeof path, "%s/%06d", local, i);
        there += access(path, F_OK) == 0;
    }
    assert_int_equal(there, 3);
}

/* Of two that publish at once the one that began later stays live, whoever comes last. */
static void the_one_that_began_later_stays_live(void **state)
{
    struct site *x = *state;
    struct registry_version first = {0}, second = {0}, v;
    struct pal_error err;
    assert_ok(registry_begin(x->root, &first, &err), &err);
    assert_ok(registry_begin(x->root, &second, &err), &err);
    write_text(first.path, "manifest.json", "{}");
    write_text(second.path, "manifest.json", "{}");
    assert_ok(registry_publish(x->root, &second, 1, &err), &err);
    assert_ok(registry_publish(x->root, &first, 1, &err), &err);
    assert_ok(registry_current(x->root, &v, &err), &err);
    assert_int_equal(v.number, 2);
    assert_ok(registry_activate(x->root, 1, &err), &err); /* unless somebody wants it */
    assert_ok(registry_current(x->root, &v, &err), &err);
    assert_int_equal(v.number, 1);
}

static void refusals_say_what_to_do(void **state)
{
    struct site *x = *state;
    char kept[200];
    publish(x, "x");
    snprintf(kept, sizeof kept, "%s", getenv("AWS_SECRET_ACCESS_KEY"));
    setenv("AWS_SECRET_ACCESS_KEY", "wrong", 1);
    says(x, PAL_EIO, "403 SignatureDoesNotMatch");
    says(x, PAL_EIO, "see AWS_ACCESS_KEY_ID");
    setenv("AWS_SECRET_ACCESS_KEY", kept, 1);
    strcpy(x->root, "s3://no-such-bucket-here/x");
    says(x, PAL_EIO, "make the bucket first");
    strcpy(x->root, "s3://abc/x?endpoint=http://127.0.0.1:1");
    says(x, PAL_EIO, "cannot reach s3://abc/x at http://127.0.0.1:1");
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, finish)
    const struct CMUnitTest plain[] = {
        cmocka_unit_test(addresses_are_read),    cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(keys_must_be_set),      cmocka_unit_test(xml_is_read),
        cmocka_unit_test(listings_are_checked),  cmocka_unit_test(sums_are_the_known_ones),
        cmocka_unit_test(going_away_is_no_race),
    };
    const struct CMUnitTest served[] = {
        CASE(damage_is_noticed),
        CASE(a_damaged_copy_is_mended),
        CASE(a_current_without_a_sum_will_do),
        CASE(copies_do_not_pile_up),
        CASE(the_one_that_began_later_stays_live),
        CASE(refusals_say_what_to_do),
    };
    registry_add_kind(&registry_s3);
    return getenv("PALATE_TEST_BUCKET") ? cmocka_run_group_tests(served, NULL, NULL)
                                        : cmocka_run_group_tests(plain, NULL, NULL);
}
