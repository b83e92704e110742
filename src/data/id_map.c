/* See id_map.h. */
#include "data/id_map.h"

#include "data/records.h"

struct map_reader {
    const struct id_map *map;
    struct str attributes, room;
};

static enum pal_status take(struct loading *l, struct lines *lines, void *ctx,
                            struct complaint *bad, struct pal_error *err)
{
    struct map_reader *r = ctx;
    const struct id_map *map = r->map;
    struct field now = lines_field(lines, map->now), original;
    struct intern *ids = map->users ? &l->d->users.ids : &l->d->items.ids;
    struct texts *texts = map->users ? &l->d->users.attributes : &l->d->items.attributes;
    if (lines->fields < 2) {
        lines_wrong(bad, lines_field(lines, lines->fields), "an id and the id that it was before");
        return PAL_OK;
    }
    enum pal_status st =
        loading_new_id(l, ids, now, map->users ? "a user id" : "an item id", bad, err);
    if (st == PAL_OK && !bad->expected)
        st = loading_text(lines_field(lines, map->original), &r->room, &original, err);
    if (st != PAL_OK || bad->expected)
        return st;
    attr_begin(&r->attributes);
    attr_text(&r->attributes, "original_id", original.p, original.end);
    attr_end(&r->attributes);
    if (!str_ok(&r->attributes))
        return pal_no_memory(err);
    return texts_add(texts, str_text(&r->attributes), r->attributes.len, err);
}

enum pal_status id_map_read(struct loading *l, const char *folder, const struct id_map *map,
                            struct pal_error *err)
{
    const struct record_format words = {RECORD_WORDS, ' ', map->header};
    struct map_reader r = {.map = map};
    if (!folder_has(folder, map->file))
        return PAL_OK;
    enum pal_status st = records_read_in(l, folder, map->file, &words, take, &r, err);
    str_done(&r.attributes);
    str_done(&r.room);
    return st;
}
