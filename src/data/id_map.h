/* Files that say what an id was before a published split renumbered it. */
#ifndef DATA_ID_MAP_H
#define DATA_ID_MAP_H

#include "data/loading.h"

struct id_map {
    const char *file;
    bool users;           /* else items */
    size_t now, original; /* which words of a line */
    bool header;
};

/* Adds its ids in the file's order, each with an attribute "original_id"; nothing if the folder has
 * no such file. */
MUST_USE enum pal_status id_map_read(struct loading *l, const char *folder,
                                     const struct id_map *map, struct pal_error *err);

#endif
