/* Records from a disk: the input's first byte is the kind, the rest its bytes, in a block of
 * exactly that size. What decodes must be written again as the same bytes. */
#include "fuzz.h"

#include "data/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pal_error err = {.message = ""};
    struct record r;
    if (size == 0)
        return 0;
    char *bytes = malloc(size);
    if (!bytes)
        return 0;
    memcpy(bytes, data + 1, size - 1);
    if (record_decode(data[0], bytes, size - 1, &r, &err) == PAL_OK) {
        struct str again = {0};
        int64_t at = record_accepted(data[0], bytes, size - 1);
        if ((data[0] & RECORD_DATED) && (!at || at < 0)) { /* a moment that makes no sense */
            free(bytes);
            return 0;
        }
        if (at)
            record_date(at, &again);
        record_encode(&r, &again);
        FUZZ_CHECK(str_ok(&again) && again.len == size - 1);
        FUZZ_CHECK(again.len == 0 || memcmp(again.text, bytes, again.len) == 0);
        str_done(&again);
        /* what it holds may still be no valid JSON: then, too, with a sentence */
        FUZZ_CHECK(record_check(&r, INT64_MAX, &err) == PAL_OK || err.message[0] != 0);
    } else {
        FUZZ_CHECK(err.status == PAL_ECORRUPT && err.message[0] != 0);
    }
    free(bytes);
    return 0;
}
