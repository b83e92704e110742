/* The page in the binary: every file of web/ is there byte for byte (and compressed, by the
 * length and checksum in the trailer), what the files name among themselves exists, and nothing in
 * them would break the policy they are served with. */
#include "test.h"

#include "server/web.h"

#include <dirent.h>
#include <stdbool.h>

struct text {
    char *data;
    size_t len;
};

static struct text read_web(const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "web/%s", name);
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    struct text t = {calloc(1, 1 << 20), 0};
    assert_non_null(t.data);
    t.len = fread(t.data, 1, (1 << 20) - 1, in);
    fclose(in);
    return t;
}

/* CRC-32 as gzip has it, bit by bit. */
static uint32_t crc_of(const char *data, size_t len)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned char)data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

static uint32_t little_endian(const unsigned char *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static const struct web_asset *asset_of(const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "/assets/%s", name);
    return web_asset_find(strcmp(name, "index.html") == 0 ? "/" : path);
}

typedef void each_file(const char *name, struct text t);

static size_t walk(each_file *visit)
{
    DIR *dir = opendir("web");
    assert_non_null(dir);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "meson.build") == 0)
            continue;
        struct text t = read_web(entry->d_name);
        visit(entry->d_name, t);
        free(t.data);
        count++;
    }
    closedir(dir);
    return count;
}

static void check_bytes(const char *name, struct text t)
{
    const struct web_asset *a = asset_of(name);
    if (!a)
        fail_msg("web/%s is not in web/meson.build", name);
    assert_int_equal(a->len, t.len);
    assert_memory_equal(a->data, t.data, t.len);
    if (a->gzip) {
        assert_memory_equal(a->gzip, "\x1f\x8b\x08\x00\x00\x00\x00\x00", 8);
        assert_int_equal(little_endian(a->gzip + a->gzip_len - 8), crc_of(t.data, t.len));
        assert_int_equal(little_endian(a->gzip + a->gzip_len - 4), t.len);
        assert_true(a->gzip_len < t.len);
    }
}

static void test_files_are_embedded(void **state)
{
    assert_int_equal(crc_of("123456789", 9), 0xCBF43926u); /* the published check value */
    size_t files = walk(check_bytes);
    size_t ours = 0; /* beside the page's own files there are the chart library and openapi.json */
    for (size_t i = 0; i < web_asset_count; i++) {
        const char *path = web_assets[i].path;
        bool asset = strncmp(path, "/assets/", 8) == 0 && strcmp(path, "/assets/chart.js") != 0;
        ours += asset || strcmp(path, "/") == 0;
    }
    assert_int_equal(files, ours);
}

static void test_table(void **state)
{
    for (size_t i = 0; i < web_asset_count; i++) {
        const struct web_asset *a = &web_assets[i];
        assert_ptr_equal(web_asset_find(a->path), a);
        assert_true(a->len > 0);
        assert_true(i == 0 || strcmp(web_assets[i - 1].path, a->path) < 0);
        const char *tag = a->gzip ? a->etag + 2 : a->etag;
        assert_true(!a->gzip || strncmp(a->etag, "W/", 2) == 0);
        assert_true(tag[0] == '"' && a->etag[strlen(a->etag) - 1] == '"');
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(a->etag, web_assets[j].etag);
    }
    assert_string_equal(web_asset_find("/")->content_type, "text/html; charset=utf-8");
    assert_non_null(web_asset_find("/assets/main.js")->gzip);
    assert_string_equal(web_asset_find("/assets/main.js")->content_type,
                        "text/javascript; charset=utf-8");
    const char *absent[] = {"",   "/assets",     "/assets/", "/assets/none.js", "/index.html",
                            "//", "/assets/../", "zzz"};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        assert_null(web_asset_find(absent[i]));
}

/* After each `before` in the text comes a name up to `end`: it has to be an asset. */
static size_t check_names(struct text t, const char *before, char end)
{
    size_t count = 0;
    for (char *at = t.data; (at = strstr(at, before)); count++) {
        char name[100] = "";
        at += strlen(before);
        for (size_t i = 0; i + 1 < sizeof name && at[i] && at[i] != end; i++)
            name[i] = at[i];
        if (strcmp(name, "chart.js") && !asset_of(name))
            fail_msg("%s%s%c: there is no such asset", before, name, end);
    }
    return count;
}

static size_t names_found;

static void check_file(const char *name, struct text t)
{
    names_found += check_names(t, "\"assets/", '"');
    names_found += check_names(t, "from './", '\'');
    names_found += check_names(t, "import('./", '\'');
    /* The policy would refuse these, and only a browser would say so. */
    static const char *const refused[] = {
        " style=\"", "<style", " onclick=", "javascript:", "eval(", "http://", "@import"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        for (const char *at = t.data; (at = strstr(at, refused[i])); at++)
            if (strncmp(at, "http://www.w3.org/", 18) != 0) /* a name, not an address */
                fail_msg("web/%s has '%s'", name, refused[i]);
    }
}

static void test_what_files_name_exists(void **state)
{
    names_found = 0;
    walk(check_file);
    assert_true(names_found >= 10); /* the page's own links and the modules' imports */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_are_embedded),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_what_files_name_exists),
    };
    return cmocka_run_group_tests_name("web", tests, NULL, NULL);
}
