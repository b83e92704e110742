/* Lines of an export from anyone. What is read can be written, read again, and is then the same. */
#include "fuzz.h"

#include "data/record_json.h"

#include <sys/mman.h>
#include <unistd.h>

enum { NOW_MS = 2000000000 };

/* Reads every line of the file; what can be read is appended to *out, if it is not NULL. */
static void read_all(const char *path, struct str *out)
{
    static struct lines l;
    struct reading reading = {0};
    struct record_reader *reader;
    struct pal_error err = {.message = ""};
    enum pal_status st;
    if (lines_open(&l, &reading, path, &err) != PAL_OK)
        return;
    FUZZ_CHECK(record_reader_new(&reader, &err) == PAL_OK);
    while (lines_next(&l, &st, &err)) {
        struct arena texts = {0};
        struct complaint bad = {0};
        struct record r = {.kind = RECORD_CLEAR};
        err.message[0] = 0;
        st = record_json_read(reader, &l, (int64_t)NOW_MS * 1000, &texts, &r, &bad, &err);
        if (bad.expected || st != PAL_OK) {
            FUZZ_CHECK(r.kind == RECORD_CLEAR);
            FUZZ_CHECK(bad.expected ? bad.at >= l.p && bad.at <= l.stop : err.message[0] != 0);
        } else {
            FUZZ_CHECK(record_json_looks(&l));
            record_json_write(&r, out);
        }
        arena_done(&texts);
    }
    record_reader_free(reader);
    lines_close(&l);
}

static const char *file_of(int *fd, const void *data, size_t size, char path[64])
{
    *fd = memfd_create("lines", MFD_CLOEXEC);
    FUZZ_CHECK(*fd >= 0 && write(*fd, data, size) == (ssize_t)size);
    snprintf(path, 64, "/proc/self/fd/%d", *fd);
    return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str once = {0}, twice = {0};
    char path[64];
    int fd;
    read_all(file_of(&fd, data, size, path), &once);
    close(fd);
    read_all(file_of(&fd, str_text(&once), once.len, path), &twice);
    close(fd);
    FUZZ_CHECK(str_ok(&once) && str_ok(&twice) && once.len == twice.len);
    FUZZ_CHECK(once.len == 0 || memcmp(once.text, twice.text, once.len) == 0);
    str_done(&once);
    str_done(&twice);
    return 0;
}
