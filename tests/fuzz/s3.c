/* What comes from an S3 server or from whoever writes its address. The input's first byte says
 * which: a listing of a version's files, XML, or an address; the rest is it. */
#include "fuzz.h"

#include "base/mem.h"
#include "registry/s3_inside.h"

static void listing(const char *text, size_t size)
{
    struct s3_files *f = NULL, *again = NULL;
    struct pal_error err = {.message = ""};
    if (s3_files_read("x", text, size, &f, &err) == PAL_OK) {
        struct str out = {0};
        s3_files_write(f, &out);
        FUZZ_CHECK(str_ok(&out));
        FUZZ_CHECK(s3_files_read("x", str_text(&out), out.len, &again, &err) == PAL_OK);
        FUZZ_CHECK(again->count == f->count && memcmp(again->file, f->file, sizeof f->file) == 0);
        mem_free(again);
        mem_free(f);
        str_done(&out);
    } else {
        FUZZ_CHECK(err.status == PAL_ECORRUPT && err.message[0] != 0 && !f);
    }
}

static void xml(const char *text, size_t size)
{
    const char *p = text, *end = text + size, *from, *to;
    struct str out = {0};
    while (s3_xml_inside(&p, end, "Contents", &from, &to)) {
        FUZZ_CHECK(from <= to && to < p && p <= end);
        s3_xml_text(&from, to, "Key", &out);
        FUZZ_CHECK(from <= to);
    }
    p = text;
    while (s3_xml_text(&p, end, "ETag", &out))
        FUZZ_CHECK(p <= end);
    str_done(&out);
}

static void address(const char *text)
{
    struct s3_place p;
    struct pal_error err = {.message = ""};
    char local[PATH_MAX];
    if (s3_place_read(text, &p, &err) == PAL_OK) {
        size_t len = strlen(p.prefix);
        FUZZ_CHECK(strlen(p.bucket) >= 3 && (len == 0 || p.prefix[len - 1] == '/'));
        FUZZ_CHECK(s3_place_local(&p, local, &err) == PAL_OK || err.message[0] != 0);
    } else {
        FUZZ_CHECK(err.message[0] != 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *text = malloc(size);
    if (!text)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    switch (data[0] % 3) {
    case 0:
        address(text);
        break;
    case 1:
        listing(text, size - 1);
        break;
    default:
        xml(text, size - 1);
    }
    free(text);
    return 0;
}
