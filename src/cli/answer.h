/* Recommendations and similar items, fetched and printed: palate recommend, similar and demo. */
#ifndef CLI_ANSWER_H
#define CLI_ANSWER_H

#include "cli/command.h"
#include "data/dataset.h"
#include "engine/recommender.h"

#include <limits.h>

/* The live version in --models: its number, folder, and a recommender that the caller frees. */
struct live {
    uint32_t number;
    char path[PATH_MAX];
    struct recommender *recommender;
};
MUST_USE enum pal_status answer_open(struct job *job, struct live *out, struct pal_error *err);
void live_done(struct live *l); /* an all-zero struct is fine */

/* A user's history by the rules `weights`, in the catalog's numbers. Arrays live in tmp. */
MUST_USE enum pal_status answer_history(const struct recommender *r, const struct dataset *d,
                                        const char *user, const char *weights, struct arena *tmp,
                                        struct history *out, struct pal_error *err);

struct answer {
    size_t count;
    struct recommendation *items; /* (count), in the arena that was given */
};

/* What is recommended or similar: rank, title, categories, score, and reasons if there are. */
void answer_say(struct console *c, unsigned indent, const struct items *items,
                const struct answer *a);

/* What somebody liked, the newest first: "Heat (1995), Casino (1995), … (53 in all)". */
void answer_say_history(struct console *c, unsigned indent, const struct items *items,
                        const struct history *h);

struct emit;
void answer_emit(struct emit *e, const char *key, const struct items *items, const struct answer *a,
                 bool explain);

/* The members "item_id" and "title" of an open object. */
void answer_emit_item(struct emit *e, const struct items *items, uint32_t item);

#endif
