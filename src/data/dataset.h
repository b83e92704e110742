/* A data set: users, items, what they did, and what its publisher split off for testing. */
#ifndef DATA_DATASET_H
#define DATA_DATASET_H

#include "data/interactions.h"
#include "data/items.h"
#include "data/weights.h"

/* For each test user the items to rank the held-out one against (NCF's 99 negatives). */
struct negatives {
    uint32_t per_user;
    uint32_t users;
    uint32_t *item; /* (users, per_user); INTERN_NONE where the file lists fewer */
};

struct dataset {
    char name[128];      /* of the folder or file it came from */
    const char *format;  /* the loader's name: a constant */
    const char *weights; /* the rules its format suggests: a constant or weights_own */
    char *weights_own;   /* owned; NULL where weights is a constant */
    struct event_types types;
    struct items items;
    struct users users;
    struct interactions all;    /* everything; for a given split only its training part */
    struct interactions test;   /* the published test part (start NULL if there is none) */
    struct negatives negatives; /* item NULL if there are none */
    uint64_t skipped;           /* malformed lines that --skip-bad let pass */
};

struct dataset *dataset_new(void);    /* empty; NULL when memory is out */
void dataset_free(struct dataset *d); /* NULL is fine */

/* A number that changes when ids or interactions do: for model cards. */
uint64_t dataset_fingerprint(const struct dataset *d);

/* Palate's own file: a safetensors file (see tensors.h) that loads at the speed of memory. */
MUST_USE enum pal_status dataset_save(const struct dataset *d, const char *path,
                                      struct pal_error *err);
MUST_USE enum pal_status dataset_load_own(const char *path, struct dataset **out,
                                          struct pal_error *err);

#endif
