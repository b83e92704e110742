/* Random: the floor that every other model must beat.
 *
 * An item's score is a hash of the seed, the item's id and the history, so that it is the same
 * whenever the same question is asked, at any thread count, and different users get different
 * lists. Ids rather than numbers, so that the order in which items were loaded does not matter. */
#include "model/model.h"
#include "model/models.h"

#include "base/mem.h"

#include <string.h>

#include <xxhash.h>

struct random_model {
    struct model model;
    uint64_t seed;
    uint64_t *key; /* (items) hash of the id */
};

static struct random_model *self(const struct model *m)
{
    return (struct random_model *)(uintptr_t)m;
}

static uint64_t random_memory(const void *options, uint64_t users, uint64_t items, uint64_t entries)
{
    return items * sizeof(uint64_t);
}

static enum pal_status hash_ids(struct model *m, struct pal_error *err)
{
    uint64_t *key = mem_alloc(m->ids.count, sizeof *key);
    if (!key)
        return pal_no_memory(err);
    for (uint32_t i = 0; i < m->ids.count; i++)
        key[i] = XXH3_64bits(intern_text(&m->ids, i), intern_len(&m->ids, i));
    self(m)->key = key;
    return PAL_OK;
}

static enum pal_status random_fit(struct model *m, const struct training *t, const struct run *run,
                                  struct pal_error *err)
{
    self(m)->seed = run ? run->seed : 0;
    return hash_ids(m, err);
}

/* The last step of splitmix64: every bit of the input reaches every bit of the output. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static enum pal_status random_score(const struct model *m, const struct history *h, size_t n,
                                    float *scores, struct arena *tmp, struct pal_error *err)
{
    uint32_t items = m->ids.count;
    for (size_t row = 0; row < n; row++) {
        uint64_t seed = mix(self(m)->seed + 0x9e3779b97f4a7c15u);
        for (size_t i = 0; i < h[row].n; i++)
            seed = mix(seed + self(m)->key[h[row].item[i]]);
        for (uint32_t i = 0; i < items; i++)
            scores[row * items + i] = (float)(mix(seed ^ self(m)->key[i]) >> 40) * 0x1p-24f;
    }
    return PAL_OK;
}

static enum pal_status random_save(const struct model *m, struct tensors_out *out,
                                   struct pal_error *err)
{
    return tensors_add(out, "seed", TENSOR_U64, 1, 0, &self(m)->seed, err);
}

static enum pal_status random_load(struct model *m, const struct tensors *file,
                                   struct pal_error *err)
{
    struct tensor seed;
    enum pal_status st = tensors_get(file, "seed", TENSOR_U64, 1, 0, &seed, err);
    if (st != PAL_OK)
        return st;
    memcpy(&self(m)->seed, seed.data, sizeof self(m)->seed);
    return hash_ids(m, err);
}

static void random_done(struct model *m)
{
    mem_free(self(m)->key);
}

const struct model_ops model_random = {
    .name = "random",
    .title = "random order, the same for the same history",
    .paper = "",
    .options_size = 1,
    .model_size = sizeof(struct random_model),
    .memory = random_memory,
    .fit = random_fit,
    .score = random_score,
    .save = random_save,
    .load = random_load,
    .done = random_done,
};
