/* The films and people of an invented world: titles, genres, years, attributes. */
#ifndef DATA_SYNTH_FILMS_H
#define DATA_SYNTH_FILMS_H

#include "base/rng.h"
#include "data/dataset.h"

enum { FILM_GENRES = 18, FILM_GENRES_MAX = 3 };

/* A genre's name; genre < FILM_GENRES. */
const char *film_genre(uint32_t genre);

/* Makes up distinct titles. */
struct titles {
    struct intern used;
    uint32_t *sequels; /* (used.count) the number that each one's next sequel gets */
    size_t sequels_cap;
};
void titles_done(struct titles *t);

/* Appends a film to items: the next id, a title that no film had before, its genres and
 * attributes. */
MUST_USE enum pal_status film_invent(struct titles *t, const uint32_t *genre, uint32_t genres,
                                     struct rng *r, struct items *items, struct pal_error *err);

/* Appends a user: the next id and attributes. */
MUST_USE enum pal_status person_invent(struct rng *r, struct users *users, struct pal_error *err);

#endif
