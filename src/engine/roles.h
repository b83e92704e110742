/* What one process of several does: answer, take in, or carry on and train. */
#ifndef ENGINE_ROLES_H
#define ENGINE_ROLES_H

#include "base/error.h"

enum {
    ROLE_RECS = 1,      /* answers: models, catalog, profiles and bandit in memory */
    ROLE_COLLECTOR = 2, /* takes in events, items, users and erasures */
    ROLE_PIPELINE = 4,  /* carries the stream into the store; trains and publishes */
    ROLE_ALL = 7,
};

enum { ROLES_TEXT = 32 };

/* "recs,collector"; NULL or "all" is all of them. PAL_EUSAGE names the word that is none. */
MUST_USE enum pal_status roles_parse(const char *text, unsigned *out, struct pal_error *err);

/* The reverse. */
void roles_text(unsigned roles, char out[ROLES_TEXT]);

#endif
