/* See publish.h. The file:
 *
 *     palate published 1
 *     position 1234             all up to here is confirmed
 *     batch 1300 1760000000000  the last batch: up to where, and its moment
 *     shard 0 1230              the last number of each shard
 */
#include "engine/publish.h"

#include "base/file.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME "published"
#define HEAD "palate published 1\n"

enum {
    PIECE_BYTES = 8 << 20, /* of messages handed to the broker at once, about */
    WAIT_MS = 10000,       /* for its confirmation */
    LOW_BITS = 20,         /* a store tells changes of one moment by so many bits of the number */
    KEYS_MOST = 1 << 16,   /* tried to find one for each shard */
};

/* ---- The file ---- */

static enum pal_status damaged(const char *path, struct pal_error *err)
{
    return pal_fail(err, PAL_ECORRUPT,
                    "%s is damaged: delete it, and what the journal holds is published once more; "
                    "events are stored once all the same, items may be set back to how they were",
                    path);
}

static bool read_line(struct publish *p, const char *line)
{
    unsigned shard;
    uint64_t seq;
    int64_t at;
    char end;
    if (sscanf(line, "position %" SCNu64 "%c", &seq, &end) == 2 && end == '\n') {
        p->position = seq;
    } else if (sscanf(line, "batch %" SCNu64 " %" SCNd64 "%c", &seq, &at, &end) == 3 &&
               end == '\n' && at >= 0) {
        p->upto = seq;
        p->at_ms = at;
    } else if (sscanf(line, "shard %u %" SCNu64 "%c", &shard, &seq, &end) == 3 && end == '\n' &&
               shard < BUS_SHARDS_MOST) {
        p->last[shard] = seq;
    } else {
        return false;
    }
    return true;
}

static enum pal_status read_file(struct publish *p, struct pal_error *err)
{
    struct file_map file;
    enum pal_status st = file_map(p->path, &file, err);
    if (st != PAL_OK)
        return st;
    char *text = mem_text(file.data, file.size);
    file_unmap(&file);
    if (!text)
        return pal_no_memory(err);
    bool whole = strncmp(text, HEAD, sizeof HEAD - 1) == 0;
    for (char *line = text + sizeof HEAD - 1, *end; whole && *line; line = end + 1) {
        end = strchr(line, '\n');
        whole = end && read_line(p, line);
        if (!whole)
            break;
    }
    if (!whole)
        st = damaged(p->path, err);
    mem_free(text);
    return st;
}

static enum pal_status write_file(const struct publish *p, struct pal_error *err)
{
    struct str text = {0};
    struct file_out *f = NULL;
    str_fmt(&text, HEAD "position %" PRIu64 "\nbatch %" PRIu64 " %" PRId64 "\n", p->position,
            p->upto, p->at_ms);
    for (unsigned i = 0; i < BUS_SHARDS_MOST; i++)
        if (p->last[i])
            str_fmt(&text, "shard %u %" PRIu64 "\n", i, p->last[i]);
    enum pal_status st = str_ok(&text) ? file_create(p->path, &f, err) : pal_no_memory(err);
    if (st == PAL_OK)
        st = file_write(f, str_text(&text), text.len, err);
    if (st == PAL_OK)
        st = file_commit(f, err);
    else
        file_abandon(f);
    str_done(&text);
    return st;
}

enum pal_status publish_read(const char *dir, uint64_t *position, bool *there,
                             struct pal_error *err)
{
    struct publish p = {0};
    enum pal_status st = file_join(p.path, sizeof p.path, dir, NAME, err);
    *position = 0;
    *there = st == PAL_OK && file_exists(p.path);
    if (*there)
        st = read_file(&p, err);
    if (st == PAL_OK)
        *position = p.position;
    return st;
}

enum pal_status publish_open(struct publish *p, struct bus *bus, const char *dir,
                             const char *journal, uint64_t position, struct pal_error *err)
{
    *p = (struct publish){.bus = bus, .position = position};
    pthread_mutex_init(&p->lock, NULL);
    snprintf(p->journal, sizeof p->journal, "%s", journal);
    enum pal_status st = file_join(p->path, sizeof p->path, dir, NAME, err);
    if (st == PAL_OK && file_exists(p->path))
        st = read_file(p, err);
    if (p->position < position)
        p->position = position;
    return st;
}

void publish_close(struct publish *p)
{
    if (!p->bus)
        return;
    str_done(&p->bodies);
    mem_free(p->size);
    mem_free(p->message);
    pthread_mutex_destroy(&p->lock);
    *p = (struct publish){0};
}

/* ---- Publishing ---- */

size_t publish_cut(const struct publish *p, const uint64_t *seq, size_t count)
{
    for (size_t i = 0; i + 1 < count; i++)
        if (seq[i] == p->upto || seq[i] >> LOW_BITS != seq[i + 1] >> LOW_BITS)
            return i + 1;
    return count;
}

/* A batch that is tried again, perhaps by the process after the one that tried it first, carries
 * the moment that it carried then. */
static enum pal_status begin(struct publish *p, uint64_t last, int64_t now_ms,
                             struct pal_error *err)
{
    if (p->upto >= last)
        return PAL_OK;
    int64_t at_before = p->at_ms;
    uint64_t upto_before = p->upto;
    p->at_ms = now_ms > p->at_ms ? now_ms : p->at_ms + 1;
    p->upto = last;
    enum pal_status st = write_file(p, err);
    if (st != PAL_OK) {
        p->at_ms = at_before;
        p->upto = upto_before;
    }
    return st;
}

static enum pal_status add(struct publish *p, const struct store_change *c, const char *key,
                           struct pal_error *err)
{
    struct stream_origin from = {.seq = c->seq, .at_ms = p->at_ms};
    size_t before = p->bodies.len;
    snprintf(from.journal, sizeof from.journal, "%s", p->journal);
    if (mem_grow(&p->size, &p->size_cap, p->count + 1, sizeof *p->size) ||
        mem_grow(&p->message, &p->message_cap, p->count + 1, sizeof *p->message))
        return pal_no_memory(err);
    stream_json_write(&c->record, &from, &p->bodies);
    if (!str_ok(&p->bodies))
        return pal_no_memory(err);
    p->size[p->count] = p->bodies.len - before;
    p->message[p->count++] = (struct bus_message){.key = key};
    return PAL_OK;
}

/* Publishes what was added. */
static enum pal_status flush(struct publish *p, struct pal_error *err)
{
    const char *at = str_text(&p->bodies);
    for (size_t i = 0; i < p->count; at += p->size[i++]) {
        p->message[i].body = at;
        p->message[i].size = p->size[i];
    }
    enum pal_status st =
        p->count ? bus_publish(p->bus, p->message, p->count, WAIT_MS, err) : PAL_OK;
    p->count = 0;
    str_clear(&p->bodies);
    return st;
}

/* What concerns everybody goes into every shard, so that in each it stands behind what came before
 * it and before what comes later. The store does it when it first comes and then no more: whatever
 * it meets afterwards is from later, or says that it is from before. */
static enum pal_status to_every_shard(struct publish *p, const struct store_change *c,
                                      struct pal_error *err)
{
    bool done[BUS_SHARDS_MOST] = {false};
    unsigned left = 1;
    enum pal_status st = PAL_OK;
    for (unsigned k = 0; st == PAL_OK && left && k < KEYS_MOST; k++) {
        char key[24];
        snprintf(key, sizeof key, "everybody-%u", k);
        if (k && done[bus_shard(p->bus, key) % BUS_SHARDS_MOST])
            continue;
        st = add(p, c, key, err);
        if (st == PAL_OK)
            st = flush(p, err);
        if (st == PAL_OK && k == 0)
            left = bus_shards(p->bus); /* which is known by now */
        if (st == PAL_OK)
            done[bus_shard(p->bus, key) % BUS_SHARDS_MOST] = true;
        left -= st == PAL_OK;
    }
    if (st == PAL_OK && left)
        st = pal_fail(err, PAL_EIO, "%u shards of the stream could not be reached", left);
    return st;
}

static enum pal_status publish_all(struct publish *p, const struct store_change *changes,
                                   size_t count, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    p->count = 0;
    str_clear(&p->bodies);
    p->bodies.failed = false;
    for (size_t i = 0; i < count && st == PAL_OK; i++) {
        const char *key = stream_key(&changes[i].record);
        if (!key || p->bodies.len > PIECE_BYTES)
            st = flush(p, err);
        if (st == PAL_OK)
            st = key ? add(p, &changes[i], key, err) : to_every_shard(p, &changes[i], err);
    }
    return st == PAL_OK ? flush(p, err) : st;
}

/* Notes what is confirmed. */
static void note(struct publish *p, const struct store_change *changes, size_t count, uint64_t last)
{
    unsigned shards = bus_shards(p->bus);
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < count; i++) {
        const char *key = stream_key(&changes[i].record);
        for (unsigned s = 0; !key && s < shards && s < BUS_SHARDS_MOST; s++)
            p->last[s] = changes[i].seq;
        if (key)
            p->last[bus_shard(p->bus, key) % BUS_SHARDS_MOST] = changes[i].seq;
    }
    p->position = last;
    pthread_mutex_unlock(&p->lock);
}

enum pal_status publish_batch(struct publish *p, const struct store_change *changes, size_t count,
                              uint64_t last, int64_t now_ms, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    if (p->position < last) {
        st = begin(p, last, now_ms, err);
        if (st == PAL_OK)
            st = publish_all(p, changes, count, err);
        if (st == PAL_OK)
            note(p, changes, count, last);
    }
    return st == PAL_OK ? write_file(p, err) : st;
}

/* ---- How far the store is ---- */

void publish_before(struct publish *p, struct publish_then *out)
{
    pthread_mutex_lock(&p->lock);
    out->position = p->position;
    memcpy(out->last, p->last, sizeof out->last);
    pthread_mutex_unlock(&p->lock);
}

static uint64_t reach_of(const struct store_reach *reaches, size_t count, unsigned shard)
{
    for (size_t i = 0; i < count; i++)
        if (reaches[i].shard == shard)
            return reaches[i].seq;
    return 0;
}

/* In a shard that is behind, what comes next may be any number behind its reach. */
uint64_t publish_stored(struct publish *p, const struct publish_then *then,
                        const struct store_reach *reaches, size_t count)
{
    uint64_t least = then->position;
    for (unsigned s = 0; s < BUS_SHARDS_MOST; s++) {
        uint64_t reach = then->last[s] ? reach_of(reaches, count, s) : 0;
        if (reach < then->last[s] && reach < least)
            least = reach;
    }
    pthread_mutex_lock(&p->lock);
    p->stored = least > p->stored ? least : p->stored;
    least = p->stored;
    pthread_mutex_unlock(&p->lock);
    return least;
}
