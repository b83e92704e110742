/* MovieLens as GroupLens publishes it since 1M: 1M and 10M with "::" (ratings.dat, movies.dat,
 * users.dat, tags.dat), and the CSV folders of all later ones (ratings.csv, movies.csv, tags.csv).
 *
 * Titles stay as published. Categories are the genres, "(no genres listed)" being none; an item's
 * attribute is its year, a user's are gender, age, occupation and zip code, with the words of the
 * 1M README in place of its codes. 1M is Latin-1. A tag is kept once for each time that someone
 * gave it; those who only gave tags are no users here. */
#include "data/catalog.h"
#include "data/table.h"

#include "base/mem.h"
#include "base/text.h"

#include <string.h>

/* That an item was given a tag. */
struct tagging {
    uint32_t item, tag;
};

/* What goes through the reading of a folder. */
struct reader {
    struct str room, attributes;
    struct intern tags;
    struct tagging *taggings;
    size_t tagging_count, taggings_cap;
};

/* movies.dat: id, title, genres parted by bars. */
static enum pal_status take_movie(struct loading *l, struct lines *lines, void *ctx,
                                  struct complaint *bad, struct pal_error *err)
{
    struct reader *m = ctx;
    struct field title;
    if (!lines_exactly(lines, 3, bad))
        return PAL_OK;
    enum pal_status st =
        loading_new_id(l, &l->d->items.ids, lines->field[0], "an item id", bad, err);
    if (st == PAL_OK && !bad->expected)
        st = loading_text(lines->field[1], &m->room, &title, err);
    if (st != PAL_OK || bad->expected)
        return st;
    attr_begin(&m->attributes);
    attr_year(&m->attributes, title.p, title.end);
    attr_end(&m->attributes);
    return catalog_put_item(l, title, lines->field[2], &m->attributes, err);
}

/* The words for a code; the code itself if it is none of the README's. */
static struct field age_band(struct field code)
{
    static const char *const bands[][2] = {{"1", "Under 18"}, {"18", "18-24"}, {"25", "25-34"},
                                           {"35", "35-44"},   {"45", "45-49"}, {"50", "50-55"},
                                           {"56", "56+"}};
    for (size_t i = 0; i < sizeof bands / sizeof bands[0]; i++)
        if (text_is(code.p, code.end, bands[i][0]))
            return (struct field){bands[i][1], bands[i][1] + strlen(bands[i][1]), code.at};
    return code;
}

static struct field occupation(struct field code)
{
    static const char *const names[] = {"other",
                                        "academic/educator",
                                        "artist",
                                        "clerical/admin",
                                        "college/grad student",
                                        "customer service",
                                        "doctor/health care",
                                        "executive/managerial",
                                        "farmer",
                                        "homemaker",
                                        "K-12 student",
                                        "lawyer",
                                        "programmer",
                                        "retired",
                                        "sales/marketing",
                                        "scientist",
                                        "self-employed",
                                        "technician/engineer",
                                        "tradesman/craftsman",
                                        "unemployed",
                                        "writer"};
    uint64_t i;
    if (!text_u64(code.p, code.end, &i) || i >= sizeof names / sizeof names[0])
        return code;
    return (struct field){names[i], names[i] + strlen(names[i]), code.at};
}

/* users.dat: id, gender, age code, occupation code, zip code. */
static enum pal_status take_user(struct loading *l, struct lines *lines, void *ctx,
                                 struct complaint *bad, struct pal_error *err)
{
    static const char *const keys[] = {"gender", "age", "occupation", "zip"};
    struct reader *m = ctx;
    if (!lines_exactly(lines, 5, bad))
        return PAL_OK;
    enum pal_status st =
        loading_new_id(l, &l->d->users.ids, lines->field[0], "a user id", bad, err);
    if (st != PAL_OK || bad->expected)
        return st;
    const struct field fields[] = {lines->field[1], age_band(lines->field[2]),
                                   occupation(lines->field[3]), lines->field[4]};
    attr_begin(&m->attributes);
    for (size_t i = 0; i < 4 && st == PAL_OK; i++) {
        struct field value;
        st = loading_text(fields[i], &m->room, &value, err);
        if (st == PAL_OK)
            attr_text(&m->attributes, keys[i], value.p, value.end);
    }
    attr_end(&m->attributes);
    return st == PAL_OK ? catalog_put_user(l, &m->attributes, err) : st;
}

/* tags.dat, tags.csv: user, item, tag, time. */
static enum pal_status take_tag(struct loading *l, struct lines *lines, void *ctx,
                                struct complaint *bad, struct pal_error *err)
{
    struct reader *r = ctx;
    struct tagging t;
    struct field tag;
    if (!lines_exactly(lines, 4, bad))
        return PAL_OK;
    enum pal_status st =
        loading_id(l, &l->d->items.ids, lines->field[1], "an item id", &t.item, bad, err);
    if (st == PAL_OK && !bad->expected)
        st = loading_text(lines->field[2], &r->room, &tag, err);
    if (st != PAL_OK || bad->expected || tag.p == tag.end)
        return st;
    st = intern_add(&r->tags, tag.p, (size_t)(tag.end - tag.p), &t.tag, err);
    if (st != PAL_OK)
        return st;
    if (mem_grow(&r->taggings, &r->taggings_cap, r->tagging_count + 1, sizeof t))
        return pal_no_memory(err);
    r->taggings[r->tagging_count++] = t;
    return PAL_OK;
}

/* Taggings in order of their items, stable, as one row of labels per item. */
static enum pal_status put_tags(struct loading *l, struct reader *r, struct pal_error *err)
{
    struct labels *tags = &l->d->items.tags;
    uint32_t items = l->d->items.ids.count;
    enum pal_status st = PAL_OK;
    size_t *start = mem_zero((size_t)items + 2, sizeof *start);
    uint32_t *sorted = mem_alloc(r->tagging_count, sizeof *sorted);
    if (!start || !sorted) {
        st = pal_no_memory(err);
        goto done;
    }
    for (size_t i = 0; i < r->tagging_count; i++)
        start[r->taggings[i].item + 2]++;
    for (uint32_t i = 2; i < items + 2; i++)
        start[i] += start[i - 1];
    for (size_t i = 0; i < r->tagging_count; i++)
        sorted[start[r->taggings[i].item + 1]++] = r->taggings[i].tag;
    for (uint32_t i = 0; i < items && st == PAL_OK; i++) {
        for (size_t j = start[i]; j < start[i + 1] && st == PAL_OK; j++)
            st = labels_add(tags, intern_text(&r->tags, sorted[j]), intern_len(&r->tags, sorted[j]),
                            err);
        if (st == PAL_OK)
            st = labels_end_row(tags, err);
    }
done:
    mem_free(start);
    mem_free(sorted);
    return st;
}

static enum pal_status read_tags(struct loading *l, const char *folder, const char *name,
                                 const struct record_format *f, struct reader *r,
                                 struct pal_error *err)
{
    if (!folder_has(folder, name))
        return PAL_OK;
    enum pal_status st = records_read_in(l, folder, name, f, take_tag, r, err);
    return st == PAL_OK ? put_tags(l, r, err) : st;
}

static enum pal_status read_dat(struct loading *l, const char *folder, struct reader *r,
                                struct pal_error *err)
{
    const struct record_format colons = {RECORD_PLAIN, ':', false};
    uint8_t type;
    enum pal_status st = loading_type(l, "rating", &type, err);
    if (st == PAL_OK && folder_has(folder, "movies.dat"))
        st = records_read_in(l, folder, "movies.dat", &colons, take_movie, r, err);
    if (st == PAL_OK && folder_has(folder, "users.dat"))
        st = records_read_in(l, folder, "users.dat", &colons, take_user, r, err);
    if (st != PAL_OK)
        return st;
    struct table t = table_of(RECORD_PLAIN, ':', 4, type);
    st = table_read_in(l, folder, "ratings.dat", &t, l->all, err);
    return st == PAL_OK ? read_tags(l, folder, "tags.dat", &colons, r, err) : st;
}

static enum pal_status read_csv(struct loading *l, const char *folder, struct reader *r,
                                struct pal_error *err)
{
    const struct record_format commas = {RECORD_QUOTED, ',', true};
    char path[PATH_BYTES];
    enum pal_status st = file_join(path, sizeof path, folder, "movies.csv", err);
    if (st == PAL_OK)
        st = catalog_read_items(l, path, err);
    if (st == PAL_OK)
        st = file_join(path, sizeof path, folder, "ratings.csv", err);
    if (st == PAL_OK)
        st = table_guess_and_read(l, path, "rating", l->all, err);
    return st == PAL_OK ? read_tags(l, folder, "tags.csv", &commas, r, err) : st;
}

static void reader_done(struct reader *r)
{
    str_done(&r->room);
    str_done(&r->attributes);
    intern_done(&r->tags);
    mem_free(r->taggings);
}

static enum pal_status read_1m(struct loading *l, const char *folder, struct pal_error *err)
{
    static const char *const names[] = {"movies.dat", "users.dat", "ratings.dat", "tags.dat"};
    struct reader r = {0};
    for (size_t i = 0; i < 4; i++)
        loading_expect(l, folder, names[i]);
    l->latin1 = true;
    enum pal_status st = read_dat(l, folder, &r, err);
    l->d->weights = loading_rating_weights(l);
    reader_done(&r);
    return st;
}

static enum pal_status read_later(struct loading *l, const char *folder, struct pal_error *err)
{
    static const char *const names[] = {"movies.csv", "ratings.csv", "tags.csv"};
    struct reader r = {0};
    for (size_t i = 0; i < 3; i++)
        loading_expect(l, folder, names[i]);
    enum pal_status st = read_csv(l, folder, &r, err);
    reader_done(&r);
    return st;
}

static bool fits_1m(const char *path)
{
    return folder_has(path, "ratings.dat");
}

static bool fits_later(const char *path)
{
    return folder_has(path, "ratings.csv") && folder_has(path, "movies.csv");
}

const struct loader loader_movielens_1m = {
    "movielens-1m", "MovieLens 1M and 10M: a folder with ratings.dat, movies.dat, users.dat",
    fits_1m, read_1m, false};
const struct loader loader_movielens_csv = {
    "movielens-csv", "later MovieLens: a folder with ratings.csv, movies.csv, tags.csv", fits_later,
    read_later, true};
