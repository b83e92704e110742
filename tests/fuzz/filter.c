/* The filter language and the attributes that it asks for: the input's first line is a filter, each
 * other line an item's attributes. Of every item either the filter holds or its negation. */
#include "fuzz.h"

#include "engine/filter.h"

enum { MOST_ITEMS = 32 };

static struct catalog *read_items(char *line)
{
    struct catalog *c;
    struct pal_error err;
    FUZZ_CHECK(catalog_new(&c, &err) == PAL_OK);
    for (int i = 0; line && i < MOST_ITEMS; i++) {
        char *end = strchr(line, '\n'), id[16];
        if (end)
            *end++ = 0;
        snprintf(id, sizeof id, "i%d", i);
        struct item_row row = {.item_id = id,
                               .title = line,
                               .attributes = line,
                               .available = true,
                               .categories = line[0] == '[' ? line : NULL,
                               .created_ms = i};
        uint32_t number = INTERN_NONE, count = catalog_count(c);
        err.message[0] = 0;
        if (catalog_put(c, &row, &number, &err) == PAL_OK)
            FUZZ_CHECK(number == count && catalog_count(c) == count + 1);
        else
            FUZZ_CHECK(catalog_count(c) == count && err.message[0]);
        row.attributes = NULL;
        if (catalog_put(c, &row, &number, &err) != PAL_OK)
            FUZZ_CHECK(catalog_count(c) == count);
        line = end;
    }
    return c;
}

static void match_all(const struct catalog *c, struct filter *f, struct filter *negated,
                      struct arena *tmp)
{
    struct pal_error err;
    FUZZ_CHECK(filter_bind(f, c, tmp, &err) == PAL_OK);
    FUZZ_CHECK(!negated || filter_bind(negated, c, tmp, &err) == PAL_OK);
    for (uint32_t i = 0; i < catalog_count(c); i++) {
        bool holds = filter_match(f, c, i);
        FUZZ_CHECK(!negated || filter_match(negated, c, i) != holds);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena tmp = {0};
    struct pal_error err = {.message = ""};
    struct filter *f = NULL, *negated = NULL;
    struct str not_text = {0};
    char *text = mem_text((const char *)data, size);
    if (!text)
        abort();
    char *rest = strchr(text, '\n');
    if (rest)
        *rest++ = 0;
    struct catalog *c = read_items(rest);
    enum pal_status st = filter_parse(text, &tmp, &f, &err);
    FUZZ_CHECK(st == PAL_OK ? f != NULL : st == PAL_EUSAGE && !f && err.message[0]);
    if (f) {
        str_fmt(&not_text, "not (%s)", text); /* may be too long or too deep */
        if (filter_parse(str_text(&not_text), &tmp, &negated, &err) != PAL_OK)
            negated = NULL;
        match_all(c, f, negated, &tmp);
    }
    str_done(&not_text);
    catalog_free(c);
    arena_done(&tmp);
    mem_free(text);
    return 0;
}
