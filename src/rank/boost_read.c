/* XGBoost's trees as ours. Its JSON has an array per column of each tree's nodes: the two children
 * (-1 for a leaf), the feature, the threshold (a leaf's value), whether missing values go left, and
 * by how much the split lowered the loss. The format has been the same from 1.3 on. */
#include "rank/boost.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

enum { NODES = 2 * FOREST_LEAVES - 1 };

/* One tree's columns. */
struct columns {
    const json_t *left, *right, *feature, *threshold, *missing, *gain;
    size_t nodes;
};

/* What is being filled. */
struct building {
    uint32_t *start, *feature, *kept;
    float *threshold, *leaf, *gain;
    uint32_t features, nodes, leaves; /* leaves: of the tree in work */
};

static enum pal_status strange(struct pal_error *err, const char *what)
{
    return pal_fail(err, PAL_EFORMAT, "XGBoost's model is not what is expected: %s", what);
}

static double number_at(const json_t *array, size_t i)
{
    const json_t *x = json_array_get(array, i);
    return json_is_boolean(x) ? json_is_true(x) : json_number_value(x);
}

static enum pal_status open_tree(const json_t *tree, struct columns *c, struct pal_error *err)
{
    const struct {
        const char *key;
        const json_t **to;
    } all[] = {{"left_children", &c->left},    {"right_children", &c->right},
               {"split_indices", &c->feature}, {"split_conditions", &c->threshold},
               {"default_left", &c->missing},  {"loss_changes", &c->gain}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        *all[i].to = json_object_get(tree, all[i].key);
        if (i == 0)
            c->nodes = json_array_size(*all[i].to);
        if (c->nodes < 1 || json_array_size(*all[i].to) != c->nodes)
            return strange(err, "a tree's columns differ in length");
    }
    if (c->nodes > NODES)
        return strange(err, "a tree has more leaves than were asked for");
    return PAL_OK;
}

/* Adds node `at` and what is below it, its leaves from left to right. `depth` ends what goes in
 * circles. */
static enum pal_status add_node(const struct columns *c, size_t at, size_t depth,
                                struct building *b, uint32_t tree, struct pal_error *err)
{
    double left = number_at(c->left, at), right = number_at(c->right, at);
    double threshold = number_at(c->threshold, at), feature = number_at(c->feature, at);
    if (!isfinite(threshold))
        return strange(err, "a threshold is not a number");
    if (left < 0) {
        if (b->leaves == FOREST_LEAVES)
            return strange(err, "a tree has more leaves than were asked for");
        b->leaf[(size_t)tree * FOREST_LEAVES + b->leaves++] = (float)threshold;
        return PAL_OK;
    }
    if (depth == FOREST_LEAVES || left >= (double)c->nodes || right < 0 ||
        right >= (double)c->nodes || feature < 0 || feature >= b->features)
        return strange(err, "a node leads nowhere");
    uint32_t own = b->nodes++, first = b->leaves;
    if (own - b->start[tree] >= FOREST_LEAVES - 1)
        return strange(err, "a tree has more leaves than were asked for");
    b->feature[own] = (uint32_t)feature | (number_at(c->missing, at) != 0 ? FOREST_MISSING : 0);
    b->threshold[own] = (float)threshold;
    b->gain[(size_t)feature] += (float)number_at(c->gain, at);
    enum pal_status st = add_node(c, (size_t)left, depth + 1, b, tree, err);
    if (st != PAL_OK)
        return st;
    b->kept[own] = ~(uint32_t)((((uint64_t)1 << (b->leaves - first)) - 1) << first);
    return add_node(c, (size_t)right, depth + 1, b, tree, err);
}

static enum pal_status add_trees(const json_t *list, uint32_t trees, struct building *b,
                                 struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    b->start[0] = 0;
    for (uint32_t t = 0; t < trees && st == PAL_OK; t++) {
        struct columns c;
        st = open_tree(json_array_get(list, t), &c, err);
        b->leaves = 0;
        if (st == PAL_OK)
            st = add_node(&c, 0, 0, b, t, err);
        b->start[t + 1] = b->nodes;
    }
    return st;
}

static enum pal_status build(const json_t *list, uint32_t features, uint32_t trees,
                             struct arena *keep, struct forest *out, float *gain,
                             struct pal_error *err)
{
    size_t nodes = (size_t)trees * FOREST_LEAVES;
    struct building b = {
        .start = arena_alloc(keep, (size_t)trees + 1, sizeof *b.start),
        .feature = arena_alloc(keep, nodes, sizeof *b.feature),
        .kept = arena_alloc(keep, nodes, sizeof *b.kept),
        .threshold = arena_alloc(keep, nodes, sizeof *b.threshold),
        .leaf = arena_zero(keep, nodes, sizeof *b.leaf),
        .gain = gain,
        .features = features,
    };
    if (!b.start || !b.feature || !b.kept || !b.threshold || !b.leaf)
        return pal_no_memory(err);
    memset(gain, 0, features * sizeof *gain);
    enum pal_status st = add_trees(list, trees, &b, err);
    if (st == PAL_OK)
        *out = (struct forest){trees, features, b.start, b.feature, b.threshold, b.kept, b.leaf};
    return st;
}

enum pal_status boost_read(const char *json, size_t len, uint32_t features, uint32_t trees,
                           struct arena *keep, struct forest *out, float *gain,
                           struct pal_error *err)
{
    static const char *const path[] = {"learner", "gradient_booster", "model", "trees"};
    json_t *all = json_loadb(json, len, 0, NULL);
    const json_t *at = all;
    for (size_t i = 0; i < sizeof path / sizeof *path; i++)
        at = json_object_get(at, path[i]);
    size_t there = json_array_size(at);
    enum pal_status st = PAL_OK;
    if (!there || there > UINT16_MAX || (trees > there && trees != UINT32_MAX))
        st = strange(err, "it has no trees");
    if (st == PAL_OK)
        st = build(at, features, trees < there ? trees : (uint32_t)there, keep, out, gain, err);
    json_decref(all);
    return st;
}
