/* The ranker as a file, and as people read it. Its features are named in the file: where this
 * palate has more of them, its trees look at theirs under new numbers; where it lacks one, it is
 * refused. */
#include "rank/trees.h"

#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static size_t features_of(const struct trees_model *m)
{
    return features_count(&m->known, m->ranker.sources);
}

static void put_features(const struct trees_model *m, struct str *out)
{
    const char *source[RANK_SOURCES];
    for (size_t i = 0; i < m->ranker.sources; i++)
        source[i] = m->ranker.name[i];
    features_names(&m->known, source, m->ranker.sources, out);
}

enum { BASE_NAME = 48 };

static const char *base_name(const struct trees_model *m, size_t base, char room[BASE_NAME])
{
    bool score = base > m->ranker.sources + 1;
    const char *name = score                       ? m->ranker.name[base - m->ranker.sources - 2]
                       : base < m->ranker.sources  ? m->ranker.name[base]
                       : base == m->ranker.sources ? "fused"
                                                   : "popularity";
    snprintf(room, BASE_NAME, "%s%s", name, score ? ".score" : "");
    return room;
}

enum pal_status trees_save(const struct model *model, struct tensors_out *out,
                           struct pal_error *err)
{
    const struct trees_model *m = trees_self(model);
    struct str features = {0};
    char room[BASE_NAME];
    put_features(m, &features);
    enum pal_status st = str_ok(&features) ? PAL_OK : pal_no_memory(err);
    if (st == PAL_OK)
        st = tensors_meta(out, "palate.features", str_text(&features), err);
    if (st == PAL_OK)
        st = ranker_save_names(&m->ranker, out, err);
    if (st == PAL_OK)
        st = tensors_meta(out, "palate.base", base_name(m, m->base, room), err);
    str_done(&features);
    if (st == PAL_OK)
        st = known_save(&m->known, out, err);
    if (st == PAL_OK)
        st = forest_save(&m->forest, out, err);
    if (st == PAL_OK)
        st = tensors_add(out, "gain", TENSOR_F32, features_of(m), 0, m->gain, err);
    return st == PAL_OK ? tensors_add(out, "trained", TENSOR_F64, 3, 0, m->trained, err) : st;
}

static void find_base(struct trees_model *m, const struct tensors *file)
{
    const char *base = tensors_get_meta(file, "palate.base");
    char room[BASE_NAME];
    m->base = m->ranker.sources; /* as in files that say nothing of it */
    for (size_t i = 0; base && i < rank_bases(m->ranker.sources); i++)
        if (strcmp(base, base_name(m, i, room)) == 0)
            m->base = i;
}

/* The f-th name of a list with blanks between. */
static const char *name_at(const char *names, size_t f, size_t *len)
{
    for (; f > 0 && *names; f--) {
        names += strcspn(names, " ");
        names += *names == ' ';
    }
    *len = strcspn(names, " ");
    return names;
}

/* Where a name of len bytes stands in a list, or its length if nowhere. */
static uint32_t place_of(const char *name, size_t len, const char *names)
{
    uint32_t i = 0;
    for (; *names; i++) {
        size_t own = strcspn(names, " ");
        if (own == len && memcmp(name, names, len) == 0)
            break;
        names += own + (names[own] == ' ');
    }
    return i;
}

/* number (FEATURES_MOST): what the file's features (*count) are called by here. */
static enum pal_status find_features(const struct trees_model *m, const struct tensors *file,
                                     uint32_t *number, uint32_t *count, struct pal_error *err)
{
    const char *said = tensors_get_meta(file, "palate.features");
    size_t all = features_of(m);
    struct str now = {0};
    put_features(m, &now);
    enum pal_status st = str_ok(&now) ? PAL_OK : pal_no_memory(err);
    bool fits = said && all <= FEATURES_MOST;
    *count = 0;
    while (st == PAL_OK && fits && *said) {
        size_t len = strcspn(said, " ");
        uint32_t at = place_of(said, len, str_text(&now));
        fits = at < all && *count < all;
        if (fits)
            number[(*count)++] = at;
        said += len + (said[len] == ' ');
    }
    str_done(&now);
    if (st == PAL_OK && (!fits || !*count))
        st = pal_fail(err, PAL_EUNSUPPORTED,
                      "%s looks at other features than this palate %s computes: train it again",
                      tensors_path(file), PALATE_VERSION);
    return st;
}

/* The forest and gain of a file with these features (count) as if it had those of now. */
static enum pal_status renumber(struct trees_model *m, const uint32_t *number, uint32_t count,
                                const float *gain, struct pal_error *err)
{
    struct forest *f = &m->forest;
    uint32_t nodes = f->start[f->trees];
    uint32_t *feature = arena_alloc(&m->own, nodes, sizeof *feature);
    float *gains = arena_zero(&m->own, features_of(m), sizeof *gains);
    if (!feature || !gains)
        return pal_no_memory(err);
    for (uint32_t i = 0; i < nodes; i++)
        feature[i] = number[f->feature[i] & ~FOREST_MISSING] | (f->feature[i] & FOREST_MISSING);
    for (uint32_t i = 0; i < count; i++)
        gains[number[i]] = gain[i];
    f->feature = feature;
    f->features = (uint32_t)features_of(m);
    m->gain = gains;
    return PAL_OK;
}

enum pal_status trees_load(struct model *model, const struct tensors *file, struct pal_error *err)
{
    struct trees_model *m = trees_self(model);
    struct tensor gain, trained;
    uint32_t number[FEATURES_MOST], count = 0;
    if (!model->ids.count)
        return ranker_damaged(file, "it knows no items", err);
    enum pal_status st = ranker_load_names(&m->ranker, file, err);
    find_base(m, file);
    if (st == PAL_OK)
        st = known_load(file, model->ids.count, &m->known, err);
    if (st == PAL_OK)
        st = find_features(m, file, number, &count, err);
    if (st == PAL_OK)
        st = forest_load(file, count, &m->forest, err);
    if (st == PAL_OK)
        st = tensors_get(file, "gain", TENSOR_F32, count, 0, &gain, err);
    if (st == PAL_OK)
        st = tensors_get(file, "trained", TENSOR_F64, 3, 0, &trained, err);
    if (st != PAL_OK)
        return st;
    const float *gains = gain.data;
    memcpy(m->trained, trained.data, sizeof m->trained);
    for (size_t f = 0; f < count; f++)
        if (!isfinite(gains[f]))
            return ranker_damaged(file, "a gain is not a number", err);
    for (size_t i = 0; i < 3; i++)
        if (!isfinite(m->trained[i]))
            return ranker_damaged(file, "what it was trained on is not a number", err);
    return renumber(m, number, count, gains, err);
}

/* Features by gain, the greatest first; those that no tree looks at are left out. */
static void put_importance(const struct trees_model *m, struct str *out)
{
    bool told[FEATURES_MOST] = {false};
    size_t n = features_of(m), len;
    struct str names = {0};
    double sum = 0;
    put_features(m, &names);
    for (size_t f = 0; f < n; f++)
        sum += m->gain[f];
    for (size_t i = 0; i < n && m->forest.trees && str_ok(&names); i++) {
        size_t best = n;
        for (size_t f = 0; f < n; f++)
            if (!told[f] && m->gain[f] > 0 && (best == n || m->gain[f] > m->gain[best]))
                best = f;
        if (best == n)
            break;
        told[best] = true;
        const char *name = name_at(str_text(&names), best, &len);
        str_fmt(out, "%s\"%.*s\":%.5f", i ? "," : "", (int)len, name, m->gain[best] / sum);
    }
    out->failed |= names.failed;
    str_done(&names);
}

void trees_describe(const struct model *model, struct str *out)
{
    const struct trees_model *m = trees_self(model);
    char room[BASE_NAME];
    str_put(out, "{");
    ranker_put_sources(model, out);
    str_fmt(out, ",\"lists\":%.0f,\"ndcg@10\":{\"base\":%.5f,\"best\":%.5f},", m->trained[0],
            m->trained[1], m->trained[2]);
    str_fmt(out, "\"base\":\"%s\",\"trees\":%u,\"importance\":{", base_name(m, m->base, room),
            m->forest.trees);
    put_importance(m, out);
    str_put(out, "}}");
}
