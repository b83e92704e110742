/* The search for titles: the input's first line is what a person typed, the others are the
 * catalog's titles. */
#include "fuzz.h"

#include "engine/recommender.h"

enum { MOST_TITLES = 64 };

static void check_item(const struct items *items, const char *text)
{
    struct pal_error err = {.message = ""};
    uint32_t item = INTERN_NONE;
    enum pal_status st = find_item(items, text, &item, &err);
    FUZZ_CHECK((st == PAL_OK) == (item != INTERN_NONE));
    FUZZ_CHECK(st == PAL_OK ? item < items->ids.count : err.message[0] != 0);
}

static void check_history(const struct items *items, const char *text)
{
    struct pal_error err = {.message = ""};
    struct arena tmp = {0};
    struct history h = {0};
    enum pal_status st = find_history(items, text, &tmp, &h, &err);
    FUZZ_CHECK(st == PAL_OK ? h.n > 0 : h.n == 0 && err.message[0] != 0);
    for (size_t i = 0; i < h.n; i++) {
        FUZZ_CHECK(h.item[i] < items->ids.count && (h.weight[i] == 1 || h.weight[i] == -1));
        for (size_t j = 0; j < i; j++)
            FUZZ_CHECK(h.item[i] != h.item[j]);
    }
    arena_done(&tmp);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct items items = {0};
    struct pal_error err;
    char *text = mem_text((const char *)data, size);
    if (!text)
        abort();
    char *titles = strchr(text, '\n');
    if (titles)
        *titles++ = 0;
    for (char *line = titles; line && items.ids.count < MOST_TITLES;) {
        char *end = strchr(line, '\n'), id[16];
        if (end)
            *end++ = 0;
        uint32_t number;
        int len = snprintf(id, sizeof id, "%u", items.ids.count);
        FUZZ_CHECK(intern_add(&items.ids, id, (size_t)len, &number, &err) == PAL_OK);
        FUZZ_CHECK(texts_add(&items.titles, line, strlen(line), &err) == PAL_OK);
        line = end;
    }
    check_item(&items, text);
    check_history(&items, text);
    items_done(&items);
    mem_free(text);
    return 0;
}
