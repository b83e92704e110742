/* Content: items are near each other when they have categories, tags and title words in common,
 * the more the rarer these are. Needs no interactions at all, so it knows the item that came today.
 * The vector space model of Salton, Wong and Yang, CACM 1975, with TF-IDF weights.
 *
 * Each field f of an item is a vector of its features, feature x with weight
 *
 *     (1 + log tf_x) · log((1 + N) / df_x)      N items, df_x of them have x, tf_x times this one
 *
 * scaled to length √share_f (shares sum to 1) and laid end to end. The dot product of two items is
 * then Σ_f share_f cos_f: a weighted mean of cosines, 1 for equal items, and a field that one of
 * them lacks counts as nothing in common. A history is the sum of its items' vectors times their
 * weights; what it scores is the dot product with that, so that a dislike pushes away.
 *
 * Features in fewer than min_df items tell nothing of others and are left out.
 *
 * A history meets most items by way of a few frequent categories. But what items have of these they
 * have in common with many: a catalog knows some hundred combinations of genres or departments. So
 * each combination is scored once, and only the rest, which is rare, feature by feature. */
#include "model/models.h"
#include "model/stored.h"
#include "model/words.h"

#include "base/mem.h"
#include "base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct content_options {
    double categories, tags, titles;
    int64_t min_df;
};

struct content_model {
    struct model model;
    struct csr vectors;    /* (items, features) */
    struct csr by_feature; /* its transpose: what scores every item, but for categories */
    struct csr kinds;      /* (kinds, categories) each combination of categories once */
    uint32_t *kind;        /* (items) which one it has */
    struct intern names;   /* (features) "c:Comedy", "t:dark", "w:story" */
    const void *in_file;   /* not NULL: vectors is a view of it */
};

#define FIELD(name) offsetof(struct content_options, name)
static const struct opt rows[] = {
    {"categories", OPT_REAL, FIELD(categories), "0.5", 0, 1, OPT_LINEAR, NULL,
     "share of categories (genres, departments)"},
    {"tags", OPT_REAL, FIELD(tags), "0.3", 0, 1, OPT_LINEAR, NULL, "share of tags"},
    {"titles", OPT_REAL, FIELD(titles), "0.2", 0, 1, OPT_LINEAR, NULL, "share of title words"},
    {"min_df", OPT_INT, FIELD(min_df), "2", 1, 1000, OPT_LOG2, NULL,
     "items that must have a feature for it to count"},
};
#undef FIELD

static struct content_model *self(const struct model *m)
{
    return (struct content_model *)(uintptr_t)m;
}

/* Features are counted only while fitting: about ten per item is what catalogs have. */
static uint64_t content_memory(const void *options, uint64_t users, uint64_t items,
                               uint64_t entries)
{
    return items * 512;
}

enum { FIELDS = 3 };
static const char prefix[FIELDS] = {'c', 't', 'w'};

/* Every field's features, all of them in one space. */
struct space {
    struct intern names;
    struct {
        uint64_t *start; /* (items + 1) */
        uint32_t *feature;
        size_t start_cap, feature_cap;
    } field[FIELDS];
    uint32_t *df; /* (names.count) */
    uint32_t *to; /* (names.count) number among those that count, or INTERN_NONE */
    struct pal_error *err;
    enum pal_status status; /* of the walk over words */
    int now;                /* field that is being read */
    uint64_t used;          /* features of it so far */
};

static void space_done(struct space *s)
{
    intern_done(&s->names);
    for (int f = 0; f < FIELDS; f++) {
        mem_free(s->field[f].start);
        mem_free(s->field[f].feature);
    }
    mem_free(s->df);
    mem_free(s->to);
}

/* Appends a feature to the item that is being read; a word_fn. */
static int put(void *ctx, const char *text, size_t len)
{
    struct space *s = ctx;
    char name[2 + 256];
    uint32_t number;
    if (len > sizeof name - 2)
        len = sizeof name - 2;
    name[0] = prefix[s->now];
    name[1] = ':';
    memcpy(name + 2, text, len);
    s->status = intern_add(&s->names, name, len + 2, &number, s->err);
    if (s->status != PAL_OK)
        return 1;
    if (mem_grow(&s->field[s->now].feature, &s->field[s->now].feature_cap, s->used + 1,
                 sizeof number)) {
        s->status = pal_no_memory(s->err);
        return 1;
    }
    s->field[s->now].feature[s->used++] = number;
    return 0;
}

static void put_labels(struct space *s, const struct labels *l, uint32_t item)
{
    uint32_t n;
    const uint32_t *label = labels_at(l, item, &n);
    for (uint32_t i = 0; i < n; i++)
        if (put(s, intern_text(&l->names, label[i]), intern_len(&l->names, label[i])))
            return;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static enum pal_status read_field(struct space *s, const struct items *items, int field)
{
    uint32_t n = items->ids.count;
    s->now = field;
    s->used = 0;
    s->field[field].start = mem_zero((size_t)n + 1, sizeof(uint64_t));
    if (!s->field[field].start)
        return pal_no_memory(s->err);
    for (uint32_t i = 0; i < n && s->status == PAL_OK; i++) {
        const char *title = texts_at(&items->titles, i);
        if (field == 2)
            words_of(title, strlen(title), put, s);
        else
            put_labels(s, field == 0 ? &items->categories : &items->tags, i);
        uint64_t begin = s->field[field].start[i];
        if (s->used > begin)
            qsort(s->field[field].feature + begin, s->used - begin, sizeof(uint32_t), by_number);
        s->field[field].start[i + 1] = s->used;
    }
    return s->status;
}

/* df, and the numbers of those features that count. */
static enum pal_status count_features(struct space *s, uint32_t items, int64_t min_df,
                                      struct intern *names)
{
    s->df = mem_zero(s->names.count, sizeof *s->df);
    s->to = mem_alloc(s->names.count, sizeof *s->to);
    if (!s->df || !s->to)
        return pal_no_memory(s->err);
    for (int f = 0; f < FIELDS; f++)
        for (uint32_t i = 0; i < items; i++) {
            const uint32_t *x = s->field[f].feature;
            for (uint64_t e = s->field[f].start[i]; e < s->field[f].start[i + 1]; e++)
                s->df[x[e]] += e == s->field[f].start[i] || x[e] != x[e - 1];
        }
    for (uint32_t x = 0; x < s->names.count; x++) {
        s->to[x] = INTERN_NONE;
        if (s->df[x] < min_df)
            continue;
        enum pal_status st = intern_add(names, intern_text(&s->names, x), intern_len(&s->names, x),
                                        &s->to[x], s->err);
        if (st != PAL_OK)
            return st;
    }
    return PAL_OK;
}

struct entry {
    uint32_t feature;
    float weight;
};

static int by_feature(const void *a, const void *b)
{
    return by_number(&((const struct entry *)a)->feature, &((const struct entry *)b)->feature);
}

/* One item's weights of one field, scaled to length √share; returns how many. */
static size_t weigh_field(const struct space *s, int field, uint32_t item, uint32_t items,
                          double share, struct entry *out)
{
    const uint32_t *x = s->field[field].feature;
    uint64_t e = s->field[field].start[item], end = s->field[field].start[item + 1];
    double length = 0;
    size_t n = 0;
    while (e < end) {
        uint64_t first = e;
        while (e < end && x[e] == x[first])
            e++;
        if (s->to[x[first]] == INTERN_NONE)
            continue;
        double w = (1 + log((double)(e - first))) * log((1.0 + items) / s->df[x[first]]);
        length += w * w;
        out[n++] = (struct entry){s->to[x[first]], (float)w};
    }
    for (size_t i = 0; i < n; i++)
        out[i].weight = (float)(out[i].weight * sqrt(share / length));
    return n;
}

static void shares_of(const struct content_options *o, double share[FIELDS])
{
    double sum = o->categories + o->tags + o->titles;
    share[0] = sum > 0 ? o->categories / sum : 0;
    share[1] = sum > 0 ? o->tags / sum : 0;
    share[2] = sum > 0 ? o->titles / sum : 0;
}

/* All items' vectors; out has room for every feature that was read. */
static enum pal_status weigh_all(const struct space *s, const struct content_options *o,
                                 struct csr *out, struct pal_error *err)
{
    double share[FIELDS];
    uint64_t most = 0, used = 0;
    uint32_t items = out->rows;
    shares_of(o, share);
    for (uint32_t i = 0; i < items; i++) {
        uint64_t n = 0;
        for (int f = 0; f < FIELDS; f++)
            n += s->field[f].start[i + 1] - s->field[f].start[i];
        most = n > most ? n : most;
    }
    struct entry *entry = mem_alloc(most, sizeof *entry);
    if (!entry)
        return pal_no_memory(err);
    for (uint32_t i = 0; i < items; i++) {
        size_t n = 0;
        for (int f = 0; f < FIELDS; f++)
            if (share[f] > 0)
                n += weigh_field(s, f, i, items, share[f], entry + n);
        qsort(entry, n, sizeof *entry, by_feature);
        for (size_t j = 0; j < n; j++) {
            out->col[used] = entry[j].feature;
            out->val[used++] = entry[j].weight;
        }
        out->start[i + 1] = used;
    }
    mem_free(entry);
    return PAL_OK;
}

/* How many features are categories: they come first. */
static uint32_t count_categories(const struct intern *names)
{
    uint32_t n = 0;
    while (n < names->count && intern_text(names, n)[0] == prefix[0])
        n++;
    return n;
}

/* The number of each item's combination of categories, weights included; item_of (room for all
 * items) receives an item that has it. */
static enum pal_status tell_kinds(struct content_model *c, uint32_t categories, uint32_t *item_of,
                                  uint32_t *kinds, uint64_t *entries, struct pal_error *err)
{
    const struct csr *v = &c->vectors;
    struct intern seen = {0};
    struct str key = {0};
    enum pal_status st = PAL_OK;
    *entries = 0;
    for (uint32_t i = 0; i < v->rows && st == PAL_OK; i++) {
        uint64_t begin = v->start[i], n = 0;
        while (begin + n < v->start[i + 1] && v->col[begin + n] < categories)
            n++;
        str_clear(&key);
        str_add(&key, (const char *)(v->col + begin), n * sizeof *v->col);
        str_add(&key, (const char *)(v->val + begin), n * sizeof *v->val);
        uint32_t before = seen.count;
        st = str_ok(&key) ? intern_add(&seen, str_text(&key), key.len, &c->kind[i], err)
                          : pal_no_memory(err);
        if (seen.count > before) {
            item_of[before] = i;
            *entries += n;
        }
    }
    *kinds = seen.count;
    str_done(&key);
    intern_done(&seen);
    return st;
}

/* What answers are computed from, once vectors and names are there. */
static enum pal_status prepare(struct content_model *c, struct pal_error *err)
{
    const struct csr *v = &c->vectors;
    uint32_t categories = count_categories(&c->names), kinds = 0;
    uint32_t *item_of = mem_alloc(v->rows, sizeof *item_of);
    uint64_t entries = 0;
    c->kind = mem_alloc(v->rows, sizeof *c->kind);
    enum pal_status st = c->kind && item_of
                             ? tell_kinds(c, categories, item_of, &kinds, &entries, err)
                             : pal_no_memory(err);
    if (st == PAL_OK)
        st = csr_alloc(&c->kinds, kinds, categories, entries, err);
    for (uint32_t k = 0; k < kinds && st == PAL_OK; k++) {
        uint64_t to = c->kinds.start[k];
        for (uint64_t e = v->start[item_of[k]];
             e < v->start[item_of[k] + 1] && v->col[e] < categories; e++) {
            c->kinds.col[to] = v->col[e];
            c->kinds.val[to++] = v->val[e];
        }
        c->kinds.start[k + 1] = to;
    }
    mem_free(item_of);
    return st == PAL_OK ? csr_transpose(v, &c->by_feature, err) : st;
}

static enum pal_status content_fit(struct model *m, const struct training *t, const struct run *run,
                                   struct pal_error *err)
{
    const struct content_options *o = m->options;
    struct content_model *c = self(m);
    struct space s = {.err = err};
    enum pal_status st = PAL_OK;
    uint32_t items = m->ids.count;
    uint64_t features = 0;
    for (int f = 0; f < FIELDS && st == PAL_OK; f++) {
        st = read_field(&s, t->items, f);
        features += s.used;
    }
    if (st == PAL_OK && features == 0)
        st =
            pal_fail(err, PAL_EUNSUPPORTED,
                     "content needs categories, tags or titles of items, and these data have none");
    if (st == PAL_OK)
        st = count_features(&s, items, o->min_df, &c->names);
    if (st == PAL_OK)
        st = csr_alloc(&c->vectors, items, c->names.count, features, err);
    if (st == PAL_OK)
        st = weigh_all(&s, o, &c->vectors, err);
    if (st == PAL_OK && csr_entries(&c->vectors) == 0)
        st = pal_fail(err, PAL_EUNSUPPORTED,
                      "content finds nothing that %lld items have in common: lower content.min_df "
                      "or give the fields that these data have a share",
                      (long long)o->min_df);
    space_done(&s);
    return st == PAL_OK ? prepare(c, err) : st;
}

/* scores (items) = vectors times profile (features); by_kind (kinds) is scratch. The rest by
 * feature, so that only those that the profile has are read, and no loop is as short as an item's
 * few features. Each item's sum is taken in the order of its features all the same. */
static void multiply(const struct content_model *c, const float *profile, float *by_kind,
                     float *scores)
{
    const struct csr *kinds = &c->kinds, *rest = &c->by_feature;
    for (uint32_t k = 0; k < kinds->rows; k++) {
        by_kind[k] = 0;
        for (uint64_t e = kinds->start[k]; e < kinds->start[k + 1]; e++)
            by_kind[k] += kinds->val[e] * profile[kinds->col[e]];
    }
    for (uint32_t i = 0; i < rest->cols; i++)
        scores[i] = by_kind[c->kind[i]];
    for (uint32_t x = kinds->cols; x < rest->rows; x++) {
        float weight = profile[x];
        if (weight == 0)
            continue;
        for (uint64_t e = rest->start[x]; e < rest->start[x + 1]; e++)
            scores[rest->col[e]] += rest->val[e] * weight;
    }
}

/* profile (features) += weight times an item's vector. */
static void add_item(const struct csr *v, uint32_t item, float weight, float *profile)
{
    for (uint64_t e = v->start[item]; e < v->start[item + 1]; e++)
        profile[v->col[e]] += weight * v->val[e];
}

static enum pal_status content_score(const struct model *m, const struct history *h, size_t n,
                                     float *scores, struct arena *tmp, struct pal_error *err)
{
    const struct csr *v = &self(m)->vectors;
    float *profile = arena_alloc(tmp, v->cols, sizeof *profile);
    float *by_kind = arena_alloc(tmp, self(m)->kinds.rows, sizeof *by_kind);
    if (!profile || !by_kind)
        return pal_no_memory(err);
    for (size_t row = 0; row < n; row++) {
        memset(profile, 0, v->cols * sizeof *profile);
        for (size_t i = 0; i < h[row].n; i++)
            add_item(v, h[row].item[i], h[row].weight[i], profile);
        multiply(self(m), profile, by_kind, scores + row * v->rows);
    }
    return PAL_OK;
}

static enum pal_status content_similar(const struct model *m, uint32_t item, float *scores,
                                       struct arena *tmp, struct pal_error *err)
{
    const struct csr *v = &self(m)->vectors;
    float *profile = arena_zero(tmp, v->cols, sizeof *profile);
    float *by_kind = arena_alloc(tmp, self(m)->kinds.rows, sizeof *by_kind);
    if (!profile || !by_kind)
        return pal_no_memory(err);
    add_item(v, item, 1, profile);
    multiply(self(m), profile, by_kind, scores);
    for (uint32_t i = 0; i < v->rows; i++)
        scores[i] = scores[i] > 0 ? scores[i] : -INFINITY;
    return PAL_OK;
}

static enum pal_status content_explain(const struct model *m, const struct history *h,
                                       uint32_t item, float *part, struct arena *tmp,
                                       struct pal_error *err)
{
    const struct csr *v = &self(m)->vectors;
    float *profile = arena_zero(tmp, v->cols, sizeof *profile);
    if (!profile)
        return pal_no_memory(err);
    add_item(v, item, 1, profile);
    for (size_t i = 0; i < h->n; i++) {
        float sum = 0;
        for (uint64_t e = v->start[h->item[i]]; e < v->start[h->item[i] + 1]; e++)
            sum += v->val[e] * profile[v->col[e]];
        part[i] = h->weight[i] * sum;
    }
    return PAL_OK;
}

static enum pal_status content_save(const struct model *m, struct tensors_out *out,
                                    struct pal_error *err)
{
    enum pal_status st = tensors_add_intern(out, "features", &self(m)->names, err);
    return st == PAL_OK ? stored_csr_add(out, "vectors", &self(m)->vectors, err) : st;
}

static enum pal_status content_load(struct model *m, const struct tensors *file,
                                    struct pal_error *err)
{
    struct content_model *c = self(m);
    enum pal_status st = tensors_get_intern(file, "features", &c->names, err);
    if (st != PAL_OK)
        return st;
    c->in_file = file;
    st = stored_csr_get(file, "vectors", m->ids.count, c->names.count, &c->vectors, err);
    return st == PAL_OK ? prepare(c, err) : st;
}

static void content_done(struct model *m)
{
    intern_done(&self(m)->names);
    csr_done(&self(m)->by_feature);
    csr_done(&self(m)->kinds);
    mem_free(self(m)->kind);
    if (!self(m)->in_file)
        csr_done(&self(m)->vectors);
}

const struct model_ops model_content = {
    .name = "content",
    .title = "TF-IDF over categories, tags and title words",
    .paper = "Salton, Wong and Yang, A vector space model for automatic indexing, CACM 1975",
    .can = MODEL_SIMILAR | MODEL_EXPLAIN | MODEL_PERSONAL | MODEL_COARSE,
    .options = {rows, sizeof rows / sizeof rows[0]},
    .options_size = sizeof(struct content_options),
    .model_size = sizeof(struct content_model),
    .memory = content_memory,
    .fit = content_fit,
    .score = content_score,
    .similar = content_similar,
    .explain = content_explain,
    .save = content_save,
    .load = content_load,
    .done = content_done,
};
