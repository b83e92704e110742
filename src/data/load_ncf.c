/* The split of "Neural Collaborative Filtering" (He et al. 2017): X.train.rating, and per user one
 * held-out event in X.test.rating and the items to rank it against in X.test.negative. Tables are
 * user, item, rating, time, parted by tabs; a line of negatives is "(user,item)", then items.
 *
 * Ids are the numbers in these files; item_map.txt's original ones become the attribute
 * "original_id". The path is a folder with one such data set, or its X.train.rating. */
#include "data/id_map.h"
#include "data/table.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static const char suffix[] = ".train.rating";

/* Items on one line past these are a mistake rather than a protocol. */
enum { MOST_NEGATIVES = 4096 };

struct negative_reader {
    uint32_t *item; /* one line after the other */
    size_t count, cap;
    size_t *start; /* (users): where a user's line begins in item */
    uint32_t *len; /* (users) */
    uint32_t users, longest;
};

/* "(user,item)": known ones. *user is the user's number. */
static bool read_pair(const struct loading *l, struct field pair, uint32_t *user,
                      struct complaint *bad)
{
    const char *p = pair.p, *end = pair.end;
    const char *comma = memchr(p, ',', (size_t)(end - p));
    if (!comma || *p != '(' || end[-1] != ')')
        return lines_wrong(bad, pair, "(user,item)");
    *user = intern_find(&l->d->users.ids, p + 1, (size_t)(comma - p - 1));
    if (*user == INTERN_NONE)
        return lines_wrong(bad, pair, "a user of the other files");
    if (intern_find(&l->d->items.ids, comma + 1, (size_t)(end - comma - 2)) == INTERN_NONE)
        return lines_wrong(bad, pair, "an item of the other files");
    return true;
}

/* Is the whole line what it should be? */
static bool good_line(const struct loading *l, const struct negative_reader *r,
                      const struct lines *lines, uint32_t *user, struct complaint *bad)
{
    const char *p = lines->p;
    struct field word;
    size_t n = 0;
    if (!lines_word(lines, &p, &word))
        return lines_wrong(bad, word, "(user,item)");
    if (!read_pair(l, word, user, bad))
        return false;
    if (r->len[*user])
        return lines_wrong(bad, word, "a user that was not listed before");
    while (lines_word(lines, &p, &word)) {
        if (n++ == MOST_NEGATIVES)
            return lines_wrong(bad, word, "at most 4096 items");
        if (!loading_good_id(l, word, event_names_plain.item, bad))
            return false;
    }
    return true;
}

static enum pal_status take_negatives(struct loading *l, struct lines *lines, void *ctx,
                                      struct complaint *bad, struct pal_error *err)
{
    struct negative_reader *r = ctx;
    const char *p = lines->p;
    struct field word;
    uint32_t user = 0, item, n = 0;
    if (!good_line(l, r, lines, &user, bad))
        return PAL_OK;
    lines_word(lines, &p, &word);
    while (lines_word(lines, &p, &word)) {
        enum pal_status st =
            loading_id(l, &l->d->items.ids, word, event_names_plain.item, &item, bad, err);
        if (st != PAL_OK)
            return st;
        if (mem_grow(&r->item, &r->cap, r->count + n + 1, sizeof item))
            return pal_no_memory(err);
        r->item[r->count + n++] = item;
    }
    r->start[user] = r->count;
    r->len[user] = n;
    r->count += n;
    r->longest = n > r->longest ? n : r->longest;
    return PAL_OK;
}

/* The lines as a matrix with a row for every user. */
static enum pal_status put_negatives(const struct negative_reader *r, struct negatives *out,
                                     struct pal_error *err)
{
    uint32_t *item = mem_alloc((size_t)r->users * r->longest, sizeof *item);
    if (!item)
        return pal_no_memory(err);
    for (uint32_t u = 0; u < r->users; u++)
        for (uint32_t i = 0; i < r->longest; i++)
            item[(size_t)u * r->longest + i] =
                i < r->len[u] ? r->item[r->start[u] + i] : INTERN_NONE;
    *out = (struct negatives){r->longest, r->users, item};
    return PAL_OK;
}

static enum pal_status read_negatives(struct loading *l, const char *path, struct pal_error *err)
{
    const struct record_format whole = {RECORD_LINE, ' ', false};
    struct negative_reader r = {.users = l->d->users.ids.count};
    r.start = mem_zero(r.users, sizeof *r.start);
    r.len = mem_zero(r.users, sizeof *r.len);
    enum pal_status st = r.start && r.len ? PAL_OK : pal_no_memory(err);
    if (st == PAL_OK)
        st = records_read(l, path, &whole, take_negatives, &r, err);
    if (st == PAL_OK && r.longest)
        st = put_negatives(&r, &l->d->negatives, err);
    mem_free(r.item);
    mem_free(r.start);
    mem_free(r.len);
    return st;
}

/* Paths of the files of one data set. */
struct ncf_files {
    char folder[PATH_BYTES], train[PATH_BYTES], test[PATH_BYTES], negative[PATH_BYTES];
};

static enum pal_status name_files(const char *path, struct ncf_files *f, struct pal_error *err)
{
    char name[256];
    if (!file_is_dir(path)) {
        snprintf(f->train, sizeof f->train, "%s", path);
    } else {
        if (folder_find(path, "", suffix, name, NULL) > 1)
            return pal_fail(err, PAL_EUSAGE,
                            "%s holds several data sets: give the path of one file *%s", path,
                            suffix);
        enum pal_status st = file_join(f->train, sizeof f->train, path, name, err);
        if (st != PAL_OK)
            return st;
    }
    size_t len = strlen(f->train), stem = len - strlen(suffix);
    if (len < strlen(suffix) || strcmp(f->train + stem, suffix) != 0)
        return pal_fail(err, PAL_EUSAGE, "%s: expected a file whose name ends in %s", path, suffix);
    snprintf(f->test, sizeof f->test, "%.*s.test.rating", (int)stem, f->train);
    snprintf(f->negative, sizeof f->negative, "%.*s.test.negative", (int)stem, f->train);
    const char *slash = strrchr(f->train, '/');
    snprintf(f->folder, sizeof f->folder, "%.*s", slash ? (int)(slash - f->train) : 1,
             slash ? f->train : ".");
    return PAL_OK;
}

static enum pal_status read_files(struct loading *l, const struct ncf_files *f,
                                  struct pal_error *err)
{
    static const struct id_map map = {"item_map.txt", false, 0, 1, false};
    size_t least, most;
    uint8_t type;
    struct rows *test;
    enum pal_status st = loading_type(l, "rating", &type, err);
    if (st == PAL_OK)
        st = id_map_read(l, f->folder, &map, err);
    if (st != PAL_OK)
        return st;
    if (!file_words(f->train, &least, &most) || most > 4 || most < 2)
        most = 4;
    struct table t = table_of(RECORD_PLAIN, '\t', most, type);
    st = table_read(l, f->train, &t, l->all, err);
    if (st != PAL_OK || !file_exists(f->test) || (st = loading_test(l, &test, err)) != PAL_OK)
        return st;
    st = table_read(l, f->test, &t, test, err);
    if (st == PAL_OK && file_exists(f->negative))
        st = read_negatives(l, f->negative, err);
    return st;
}

static enum pal_status read_ncf(struct loading *l, const char *path, struct pal_error *err)
{
    struct ncf_files f;
    enum pal_status st = name_files(path, &f, err);
    if (st != PAL_OK)
        return st;
    loading_expect(l, f.folder, "item_map.txt");
    reading_expect(&l->reading, f.train);
    reading_expect(&l->reading, f.test);
    reading_expect(&l->reading, f.negative);
    l->d->weights = "*:1";
    return read_files(l, &f, err);
}

static bool fits(const char *path)
{
    char name[256];
    size_t len = strlen(path), tail = strlen(suffix);
    if (file_is_dir(path))
        return folder_find(path, "", suffix, name, NULL) > 0;
    return len > tail && strcmp(path + len - tail, suffix) == 0;
}

const struct loader loader_ncf = {
    "ncf",
    "leave-one-out split with sampled negatives: X.train.rating, X.test.rating, X.test.negative",
    fits, read_ncf, false};
