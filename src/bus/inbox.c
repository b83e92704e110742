/* See inbox.h. */
#include "bus/inbox.h"

#include "base/mem.h"

#include <string.h>

void inbox_done(struct inbox *in)
{
    inbox_clear(in);
    mem_free(in->letter);
    *in = (struct inbox){0};
}

enum pal_status inbox_put(struct inbox *in, char *body, size_t size, unsigned shard, int64_t place,
                          struct pal_error *err)
{
    if (mem_grow(&in->letter, &in->cap, in->count + 1, sizeof *in->letter)) {
        mem_free(body);
        return pal_no_memory(err);
    }
    in->letter[in->count++] =
        (struct letter){.body = body, .size = size, .shard = shard, .place = place};
    in->bytes += size;
    return PAL_OK;
}

size_t inbox_ready(const struct inbox *in)
{
    return in->count - in->refused;
}

size_t inbox_give(struct inbox *in, struct bus_received *out, size_t most)
{
    size_t given = 0, i = 0;
    for (; i < in->count && given < most; i++) {
        const struct letter *l = &in->letter[i];
        if (!l->refused)
            out[given++] = (struct bus_received){l->body, l->size, l->shard};
    }
    in->given = i;
    return given;
}

struct letter *inbox_find(struct inbox *in, const struct bus_received *m)
{
    for (size_t i = 0; i < in->given; i++)
        if (in->letter[i].body == m->body)
            return &in->letter[i];
    return NULL;
}

void inbox_refuse(struct inbox *in, struct letter *l)
{
    in->refused += !l->refused;
    l->refused = true;
}

static void drop(struct inbox *in, struct letter *l)
{
    in->refused -= l->refused;
    in->bytes -= l->size;
    mem_free(l->body);
}

void inbox_settle(struct inbox *in)
{
    for (size_t i = 0; i < in->given; i++)
        drop(in, &in->letter[i]);
    in->count -= in->given;
    memmove(in->letter, in->letter + in->given, in->count * sizeof *in->letter);
    in->given = 0;
}

void inbox_clear(struct inbox *in)
{
    in->given = in->count;
    if (in->count)
        inbox_settle(in);
}

void inbox_drop_shard(struct inbox *in, unsigned shard)
{
    size_t kept = 0, given = 0;
    for (size_t i = 0; i < in->count; i++) {
        if (in->letter[i].shard == shard) {
            drop(in, &in->letter[i]);
            continue;
        }
        given += i < in->given;
        in->letter[kept++] = in->letter[i];
    }
    in->count = kept;
    in->given = given;
}
