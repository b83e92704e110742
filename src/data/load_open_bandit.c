/* Open Bandit Data (Saito et al. 2020): what a policy showed, and whether it was clicked. A folder
 * with item_context.csv and one log, such as bts/men.
 *
 * Each line is an event "view"; a clicked one is also an event "click". There are no user ids:
 * those who share the four anonymous user features are one user, whose id is a hash of them and
 * whose attributes they are. Propensities and positions, which off-policy evaluation needs, are not
 * kept. */
#include "data/catalog.h"

#include <stdio.h>
#include <string.h>

#include <xxhash.h>

enum column { TIME, ITEM, CLICK, FEATURE, COLUMNS = FEATURE + 4 };
static const char *const column_names[COLUMNS] = {
    "timestamp",      "item_id",        "click",         "user_feature_0",
    "user_feature_1", "user_feature_2", "user_feature_3"};

struct log_reader {
    size_t fields; /* 0 until the header has been read */
    size_t at[COLUMNS];
    uint8_t view, click;
    struct str attributes, room;
};

static void take_header(struct log_reader *r, struct lines *lines, struct complaint *bad)
{
    for (size_t c = 0; c < COLUMNS; c++) {
        size_t i = 0;
        size_t len = strlen(column_names[c]);
        for (; i < lines->fields && i < LINE_FIELDS; i++)
            if ((size_t)(lines->field[i].end - lines->field[i].p) == len &&
                memcmp(lines->field[i].p, column_names[c], len) == 0)
                break;
        if (i == lines->fields || i == LINE_FIELDS) {
            lines_wrong(bad, (struct field){lines->p, lines->stop, lines->p},
                        "a header with timestamp, item_id, click, user_feature_0 to _3");
            return;
        }
        r->at[c] = i;
    }
    r->fields = lines->fields;
}

/* What is known of a user who was just met for the first time. */
static enum pal_status put_user(struct loading *l, struct log_reader *r, const struct lines *lines,
                                struct pal_error *err)
{
    attr_begin(&r->attributes);
    for (size_t i = FEATURE; i < COLUMNS; i++) {
        struct field value;
        enum pal_status st = loading_text(lines->field[r->at[i]], &r->room, &value, err);
        if (st != PAL_OK)
            return st;
        attr_text(&r->attributes, column_names[i], value.p, value.end);
    }
    attr_end(&r->attributes);
    return catalog_put_user(l, &r->attributes, err);
}

static enum pal_status take(struct loading *l, struct lines *lines, void *ctx,
                            struct complaint *bad, struct pal_error *err)
{
    struct log_reader *r = ctx;
    if (r->fields == 0) {
        take_header(r, lines, bad);
        return PAL_OK;
    }
    if (!lines_exactly(lines, r->fields, bad))
        return PAL_OK;
    struct field click = lines->field[r->at[CLICK]];
    if (click.end - click.p != 1 || (*click.p != '0' && *click.p != '1')) {
        lines_wrong(bad, click, "0 or 1 for a click");
        return PAL_OK;
    }
    char id[17];
    uint64_t hash = 0;
    for (size_t i = FEATURE; i < COLUMNS; i++) {
        struct field f = lines->field[r->at[i]];
        hash = XXH3_64bits_withSeed(f.p, (size_t)(f.end - f.p), hash);
    }
    snprintf(id, sizeof id, "%016llx", (unsigned long long)hash);
    struct loaded_event e = {.user = {id, id + 16, lines->p},
                             .item = lines->field[r->at[ITEM]],
                             .time = lines->field[r->at[TIME]],
                             .otherwise = 1,
                             .type = r->view};
    uint32_t users = l->d->users.ids.count;
    enum pal_status st = loading_event(l, l->all, &e, &event_names_plain, bad, err);
    if (st == PAL_OK && !bad->expected && l->d->users.ids.count > users)
        st = put_user(l, r, lines, err);
    if (st != PAL_OK || bad->expected || *click.p == '0')
        return st;
    e.type = r->click;
    return loading_event(l, l->all, &e, &event_names_plain, bad, err);
}

/* The folder's log: its one .csv file beside item_context.csv. */
static bool find_log(const char *folder, char path[PATH_BYTES])
{
    char first[256], last[256];
    if (!folder_has(folder, "item_context.csv") ||
        folder_find(folder, "", ".csv", first, last) != 2)
        return false;
    const char *log = strcmp(first, "item_context.csv") == 0 ? last : first;
    return file_join(path, PATH_BYTES, folder, log, NULL) == PAL_OK;
}

static enum pal_status read_log(struct loading *l, const char *folder, struct log_reader *r,
                                struct pal_error *err)
{
    const struct record_format csv = {RECORD_QUOTED, ',', false};
    char log[PATH_BYTES], items[PATH_BYTES];
    if (!find_log(folder, log))
        return pal_fail(err, PAL_EUSAGE,
                        "%s: expected a folder with item_context.csv and one other .csv file",
                        folder);
    enum pal_status st = file_join(items, sizeof items, folder, "item_context.csv", err);
    reading_expect(&l->reading, items);
    reading_expect(&l->reading, log);
    if (st == PAL_OK)
        st = loading_type(l, "view", &r->view, err);
    if (st == PAL_OK)
        st = loading_type(l, "click", &r->click, err);
    if (st == PAL_OK)
        st = catalog_read_items(l, items, err);
    return st == PAL_OK ? records_read(l, log, &csv, take, r, err) : st;
}

static enum pal_status read_bandit(struct loading *l, const char *path, struct pal_error *err)
{
    struct log_reader r = {0};
    l->has_times = true;
    l->d->weights = "click:1,*:0"; /* to be shown something by a policy says nothing of a taste */
    enum pal_status st = read_log(l, path, &r, err);
    str_done(&r.attributes);
    str_done(&r.room);
    return st;
}

static bool fits(const char *path)
{
    char log[PATH_BYTES];
    return file_is_dir(path) && find_log(path, log);
}

const struct loader loader_open_bandit = {
    "open-bandit", "logged impressions: a folder with item_context.csv and one log", fits,
    read_bandit, false};
