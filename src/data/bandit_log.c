/* See bandit_log.h. */
#include "data/bandit_log.h"

#include "base/mem.h"
#include "base/text.h"

#include <string.h>

enum column { ITEM, REWARD, PROPENSITY, PLACE, COLUMNS };
enum { NAMES = 3, ID_MOST = 256 };

static const char *const names[COLUMNS][NAMES] = {
    {"item_id"},
    {"click", "reward"},
    {"propensity_score", "action_prob", "propensity"},
    {"position"},
};

struct reader {
    size_t fields; /* 0 until the header has been read */
    size_t at[COLUMNS];
    struct intern *actions, *places;
    struct bandit_log log;
};

void bandit_log_done(struct bandit_log *l)
{
    mem_free(l->row);
    memset(l, 0, sizeof *l);
}

/* Where the column stands; SIZE_MAX if nowhere. */
static size_t find(const struct lines *lines, enum column c)
{
    for (size_t n = 0; n < NAMES && names[c][n]; n++)
        for (size_t i = 0; i < lines->fields && i < LINE_FIELDS; i++)
            if (text_is(lines->field[i].p, lines->field[i].end, names[c][n]))
                return i;
    return SIZE_MAX;
}

static void take_header(struct reader *r, const struct lines *lines, struct complaint *bad)
{
    for (size_t c = 0; c < COLUMNS; c++) {
        r->at[c] = find(lines, c);
        if (r->at[c] == SIZE_MAX && c != PLACE)
            lines_wrong(bad, (struct field){lines->p, lines->stop, lines->p},
                        "a header with item_id, click (or reward) and propensity_score (or "
                        "action_prob)");
    }
    r->fields = lines->fields;
}

static bool good_id(struct field f, const char *expected, struct complaint *bad)
{
    size_t len = (size_t)(f.end - f.p);
    if (len == 0 || len > ID_MOST || !text_is_utf8(f.p, len) || memchr(f.p, 0, len))
        return lines_wrong(bad, f, expected);
    return true;
}

static enum pal_status take(struct reader *r, const struct lines *lines, struct complaint *bad,
                            struct pal_error *err)
{
    struct bandit_log *l = &r->log;
    if (r->fields == 0) {
        take_header(r, lines, bad);
        return PAL_OK;
    }
    if (!lines_exactly(lines, r->fields, bad))
        return PAL_OK;
    struct field item = lines->field[r->at[ITEM]], reward = lines->field[r->at[REWARD]];
    struct field chance = lines->field[r->at[PROPENSITY]];
    struct field place = {"", "", item.at};
    if (r->at[PLACE] != SIZE_MAX)
        place = lines->field[r->at[PLACE]];
    if (mem_grow(&l->row, &l->cap, l->n + 1, sizeof *l->row))
        return pal_no_memory(err);
    struct bandit_row *row = &l->row[l->n];
    if (!good_id(item, "an item id", bad) ||
        (r->at[PLACE] != SIZE_MAX && !good_id(place, "a position", bad)))
        return PAL_OK;
    if (!text_real(reward.p, reward.end, &row->reward))
        lines_wrong(bad, reward, "a reward (a number)");
    else if (!text_real(chance.p, chance.end, &row->propensity) || row->propensity <= 0 ||
             row->propensity > 1)
        lines_wrong(bad, chance, "a propensity (above 0 and up to 1)");
    if (bad->expected)
        return PAL_OK;
    enum pal_status st =
        intern_add(r->actions, item.p, (size_t)(item.end - item.p), &row->action, err);
    if (st == PAL_OK)
        st = intern_add(r->places, place.p, (size_t)(place.end - place.p), &row->place, err);
    l->n += st == PAL_OK;
    return st;
}

enum pal_status bandit_log_read(const char *path, const struct run *run, struct intern *actions,
                                struct intern *places, struct bandit_log *out,
                                struct pal_error *err)
{
    struct reader r = {.actions = actions, .places = places};
    struct reading reading = {.run = run};
    struct lines lines;
    reading_expect(&reading, path);
    enum pal_status st = lines_open(&lines, &reading, path, err);
    if (st != PAL_OK)
        return st;
    while (st == PAL_OK && lines_next(&lines, &st, err)) {
        struct complaint bad = {0};
        if (lines_csv(&lines, ',', &bad))
            st = take(&r, &lines, &bad, err);
        else if (!bad.expected)
            st = pal_no_memory(err);
        if (st != PAL_OK)
            st = lines_within(&lines, st, err);
        else if (bad.expected)
            st = lines_bad(&lines, &bad, err);
    }
    lines_close(&lines);
    if (st == PAL_OK && r.log.n == 0)
        st = pal_fail(err, PAL_EFORMAT,
                      "%s holds no rows: expected a header and a line for each "
                      "choice of the policy",
                      path);
    if (st == PAL_OK) {
        *out = r.log;
        memset(&r.log, 0, sizeof r.log);
    }
    bandit_log_done(&r.log);
    return st;
}
