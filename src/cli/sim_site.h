/* Where simulated users go: a recommender that is asked and told, and does not know that they are
 * not real. One interface; behind it a server's classic calls, an engine in this process, or a
 * plain rule to compare with. */
#ifndef CLI_SIM_SITE_H
#define CLI_SIM_SITE_H

#include "cli/serving.h"
#include "cli/sim_world.h"

struct sim_site;

struct sim_site_ops {
    enum pal_status (*add_items)(struct sim_site *s, const struct items *items,
                                 struct pal_error *err);

    /* Up to n items for the user, by number, best first. */
    enum pal_status (*recommend)(struct sim_site *s, uint32_t user, size_t n, uint32_t *out,
                                 size_t *count, struct pal_error *err);

    /* What the user thought of these (count), never undecided. */
    enum pal_status (*interact)(struct sim_site *s, uint32_t user, const uint32_t *item,
                                const enum opinion *opinion, size_t count, struct pal_error *err);

    /* It is so late now, in days since the beginning. NULL = nothing to do. */
    void (*tick)(struct sim_site *s, double day);

    /* A round is over: time to learn. NULL = nothing to do. */
    enum pal_status (*learn)(struct sim_site *s, struct pal_error *err);
    void (*done)(struct sim_site *s);
};

struct sim_site {
    const struct sim_site_ops *ops;
    const char *name; /* of the series */
    /* the site's own fields follow in its own struct, whose first member this is */
};

/* The server at url ("http://127.0.0.1:8080"); collector: who is told, NULL = the same; key: its
 * secret, or NULL. */
MUST_USE enum pal_status sim_http_new(const struct sim_world *w, const char *url,
                                      const char *collector, const char *key, struct sim_site **out,
                                      struct pal_error *err);

/* Sends a report to the server's page. */
MUST_USE enum pal_status sim_http_report(struct sim_site *s, const char *json,
                                         struct pal_error *err);

/* An engine of its own, in a temporary folder that goes with it, with these options; trains when
 * told to learn if `trains`. The same run->seed gives the same answers; run->stop ends a training.
 */
MUST_USE enum pal_status sim_engine_new(const struct sim_world *w, const char *name,
                                        const struct serving *o, const struct run *run, bool trains,
                                        struct sim_site **out, struct pal_error *err);

/* Unseen items at random; those that were liked most so far; those that the user likes best. */
enum sim_rule { SIM_RANDOM, SIM_POPULAR, SIM_ORACLE };
MUST_USE enum pal_status sim_rule_new(const struct sim_world *w, enum sim_rule rule, uint64_t seed,
                                      struct sim_site **out, struct pal_error *err);

#endif
