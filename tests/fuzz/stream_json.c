/* Messages of a stream from anyone. What is read can be written, read again, and is then the same.
 */
#include "fuzz.h"

#include "data/stream_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stream_reader *reader;
    struct pal_error err = {.message = ""};
    struct arena texts = {0};
    struct stream_origin from = {.seq = 7}, again;
    struct record r = {.kind = RECORD_CLEAR};
    struct str once = {0}, twice = {0};
    char *body = malloc(size + 1); /* a NUL behind, as messages have it */
    FUZZ_CHECK(body && stream_reader_new(&reader, &err) == PAL_OK);
    if (size)
        memcpy(body, data, size);
    body[size] = 0;
    err.message[0] = 0;
    if (stream_json_read(reader, body, size, 2000000000000, &texts, &r, &from, &err) != PAL_OK) {
        FUZZ_CHECK(err.message[0] && r.kind == RECORD_CLEAR);
        FUZZ_CHECK(from.journal[0] ||
                   from.seq == 7); /* it may say where it comes from all the same */
    } else if (from.journal[0]) {
        stream_json_write(&r, &from, &once);
        FUZZ_CHECK(str_ok(&once) && stream_json_read(reader, once.text, once.len, 2000000000000,
                                                     &texts, &r, &again, &err) == PAL_OK);
        stream_json_write(&r, &again, &twice);
        FUZZ_CHECK(once.len == twice.len && memcmp(once.text, twice.text, once.len) == 0);
    }
    str_done(&once);
    str_done(&twice);
    arena_done(&texts);
    stream_reader_free(reader);
    free(body);
    return 0;
}
