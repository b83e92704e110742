/* Logs for off-policy evaluation: the input is a file. */
#include "loading.h"

#include "data/bandit_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd;
    struct pal_error err = {.message = ""};
    struct intern actions = {0}, places = {0};
    struct bandit_log log = {0};
    long live = mem_live();
    enum pal_status st =
        bandit_log_read(memory_file(&fd, data, size), NULL, &actions, &places, &log, &err);
    FUZZ_CHECK((st == PAL_OK) == (log.n > 0));
    if (st != PAL_OK)
        FUZZ_CHECK(err.message[0] != 0 && text_is_utf8(err.message, strlen(err.message)));
    for (size_t i = 0; i < log.n; i++) {
        const struct bandit_row *r = &log.row[i];
        FUZZ_CHECK(r->action < actions.count && r->place < places.count && isfinite(r->reward));
        FUZZ_CHECK(r->propensity > 0 && r->propensity <= 1);
    }
    check_ids(&actions);
    bandit_log_done(&log);
    intern_done(&actions);
    intern_done(&places);
    FUZZ_CHECK(mem_live() == live);
    return 0;
}
