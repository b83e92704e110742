/* The demonstration's parts. */
#ifndef CLI_DEMO_H
#define CLI_DEMO_H

#include "cli/trials.h"

#include <limits.h>

struct demo {
    struct job *job;
    struct dataset *data;
    char path[PATH_MAX];  /* what --data would be */
    const char *shown;    /* the same as a shell takes it */
    bool given;           /* --data was */
    struct trials judged; /* models, by a held-out part; in the end those that are published */
    const char *models;   /* to train: the one that answers comes first */
    int step;
};

/* Where its files lie. */
#define DEMO_FOLDER "palate-demo"
#define DEMO_MODELS DEMO_FOLDER "/models"
#define DEMO_STORE  "sqlite:" DEMO_FOLDER "/palate.db"

/* A step's heading, what it is for, and how to do it by hand. */
void demo_step(struct demo *demo, const char *title, const char *text);
MUST_USE enum pal_status demo_by_hand(struct demo *demo, const char *command,
                                      struct pal_error *err);

/* A word as a shell takes it. */
const char *demo_quoted(struct demo *demo, const char *word);

/* The first user from `from` on who did enough to have a taste. */
uint32_t demo_somebody(const struct dataset *d, uint32_t from);

/* The item that most people did something with. */
uint32_t demo_best_known(const struct dataset *d, struct arena *tmp);

/* What else there is to try. */
void demo_say_next(struct demo *demo);

/* The last step: all of it in a store, and a server on top that runs until it is told to stop. With
 * --once the calls that it prints are made here, checked, and that is the end. */
MUST_USE enum pal_status demo_serve(struct demo *demo, struct pal_error *err);

#endif
