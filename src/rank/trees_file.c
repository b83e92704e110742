/* The ranker as a file, and as people read it. Its features are named in the file: one that was
 * written by a palate with other features is refused, since its trees would look at the wrong
 * numbers. */
#include "rank/trees.h"

#include "base/text.h"

#include <math.h>
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

static const char *base_name(const struct trees_model *m)
{
    return m->base < m->ranker.sources ? m->ranker.name[m->base] : "fused";
}

enum pal_status trees_save(const struct model *model, struct tensors_out *out,
                           struct pal_error *err)
{
    const struct trees_model *m = trees_self(model);
    struct str features = {0};
    put_features(m, &features);
    enum pal_status st = str_ok(&features) ? PAL_OK : pal_no_memory(err);
    if (st == PAL_OK)
        st = tensors_meta(out, "palate.features", str_text(&features), err);
    if (st == PAL_OK)
        st = ranker_save_names(&m->ranker, out, err);
    if (st == PAL_OK)
        st = tensors_meta(out, "palate.base", base_name(m), err);
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
    while (base && m->base < m->ranker.sources && strcmp(base, m->ranker.name[m->base]) != 0)
        m->base++;
}

static enum pal_status check_features(const struct trees_model *m, const struct tensors *file,
                                      struct pal_error *err)
{
    const char *said = tensors_get_meta(file, "palate.features");
    struct str now = {0};
    put_features(m, &now);
    enum pal_status st = str_ok(&now) ? PAL_OK : pal_no_memory(err);
    if (st == PAL_OK && (!said || strcmp(said, str_text(&now)) != 0))
        st = pal_fail(err, PAL_EUNSUPPORTED,
                      "%s looks at other features than this palate %s computes: train it again",
                      tensors_path(file), PALATE_VERSION);
    str_done(&now);
    return st;
}

enum pal_status trees_load(struct model *model, const struct tensors *file, struct pal_error *err)
{
    struct trees_model *m = trees_self(model);
    struct tensor gain, trained;
    if (!model->ids.count)
        return ranker_damaged(file, "it knows no items", err);
    enum pal_status st = ranker_load_names(&m->ranker, file, err);
    find_base(m, file);
    if (st == PAL_OK)
        st = known_load(file, model->ids.count, &m->known, err);
    if (st == PAL_OK)
        st = check_features(m, file, err);
    if (st == PAL_OK)
        st = forest_load(file, (uint32_t)features_of(m), &m->forest, err);
    if (st == PAL_OK)
        st = tensors_get(file, "gain", TENSOR_F32, features_of(m), 0, &gain, err);
    if (st == PAL_OK)
        st = tensors_get(file, "trained", TENSOR_F64, 3, 0, &trained, err);
    if (st != PAL_OK)
        return st;
    m->gain = gain.data;
    memcpy(m->trained, trained.data, sizeof m->trained);
    for (size_t f = 0; f < features_of(m); f++)
        if (!isfinite(m->gain[f]))
            return ranker_damaged(file, "a gain is not a number", err);
    for (size_t i = 0; i < 3; i++)
        if (!isfinite(m->trained[i]))
            return ranker_damaged(file, "what it was trained on is not a number", err);
    return PAL_OK;
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
    str_put(out, "{");
    ranker_put_sources(model, out);
    str_fmt(out, ",\"lists\":%.0f,\"ndcg@10\":{\"base\":%.5f,\"best\":%.5f},", m->trained[0],
            m->trained[1], m->trained[2]);
    str_fmt(out, "\"base\":\"%s\",\"trees\":%u,\"importance\":{", base_name(m), m->forest.trees);
    put_importance(m, out);
    str_put(out, "}}");
}
