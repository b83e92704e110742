/* Small data sets for tests of models: made from a list of events, or in blocks of users and items
 * that belong together. */
#ifndef WORLD_H
#define WORLD_H

#include "base/rng.h"
#include "data/dataset.h"
#include "model/model.h"

#include "test.h"

struct event {
    uint32_t user, item;
    float value;
    uint32_t time_s;
};

static inline void add_id(struct intern *ids, const char *prefix, uint32_t i)
{
    struct pal_error err;
    char text[32];
    uint32_t number;
    int len = snprintf(text, sizeof text, "%s%u", prefix, i);
    assert_ok(intern_add(ids, text, (size_t)len, &number, &err), &err);
}

/* Events of one type, whose value is the weight under the rules of world_weights. */
static inline struct dataset *world_of(const struct event *events, size_t n, uint32_t users,
                                       uint32_t items)
{
    struct pal_error err;
    struct rows *rows;
    uint8_t type;
    struct dataset *d = dataset_new();
    assert_non_null(d);
    snprintf(d->name, sizeof d->name, "world");
    assert_ok(event_type_add(&d->types, "rating", 6, &type, &err), &err);
    for (uint32_t u = 0; u < users; u++)
        add_id(&d->users.ids, "u", u);
    for (uint32_t i = 0; i < items; i++)
        add_id(&d->items.ids, "i", i);
    assert_ok(rows_new(&rows, &err), &err);
    for (size_t i = 0; i < n; i++)
        assert_ok(rows_add(rows,
                           (struct row){events[i].user, events[i].item, events[i].value,
                                        events[i].time_s},
                           type, &err),
                  &err);
    assert_ok(rows_finish(rows, users, items, true, &d->all, &err), &err);
    rows_free(rows);
    return d;
}

/* A rating of v weighs v, for v = -2, -1, 0, 0.5, 1, 2, 3. */
static inline struct weights world_weights(void)
{
    struct pal_error err;
    struct weights w;
    assert_ok(weights_parse("rating>=3:3,rating>=2:2,rating>=1:1,rating>=0.5:0.5,rating>=0:0,"
                            "rating>=-1:-1,rating:-2",
                            &w, &err),
              &err);
    return w;
}

/* World of `blocks` blocks: user u and item i belong together when u % blocks == i % blocks; then u
 * likes i with probability 0.6, others with probability noise. Each item's title and category name
 * its block. */
static inline struct dataset *world_of_blocks(uint32_t users, uint32_t items, uint32_t blocks,
                                              double noise, uint64_t seed)
{
    struct pal_error err;
    struct rng rng;
    struct event *events = malloc((size_t)users * items * sizeof *events + 1);
    size_t n = 0;
    rng_init(&rng, seed, 0);
    for (uint32_t u = 0; u < users; u++)
        for (uint32_t i = 0; i < items; i++)
            if (rng_real(&rng) < (u % blocks == i % blocks ? 0.6 : noise))
                events[n++] =
                    (struct event){u, i, 1, (uint32_t)(1000000 + rng_below(&rng, 100000))};
    struct dataset *d = world_of(events, n, users, items);
    free(events);
    for (uint32_t i = 0; i < items; i++) {
        char text[64];
        int len = snprintf(text, sizeof text, "Film %u of the Block%u (%u)", i, i % blocks,
                           1950 + i % blocks);
        assert_ok(texts_add(&d->items.titles, text, (size_t)len, &err), &err);
        len = snprintf(text, sizeof text, "genre%u", i % blocks);
        assert_ok(labels_add(&d->items.categories, text, (size_t)len, &err), &err);
        assert_ok(labels_end_row(&d->items.categories, &err), &err);
    }
    return d;
}

#endif
