/* See title_keys.h. */
#include "engine/title_keys.h"

#include "base/mem.h"
#include "engine/names.h"

#include <string.h>

/* Adds a text's pairs. A title of 25 letters sets about 20 of the 128 bits, so one in forty has
 * both of a three-letter word by chance. */
static void add_pairs(struct pairs *p, const char *text)
{
    for (; text[0] && text[1]; text++) {
        unsigned pair = ((unsigned char)text[0] << 8 | (unsigned char)text[1]) * 40503u;
        p->bits[pair >> 15 & 1] |= (uint64_t)1 << (pair >> 9 & 63);
    }
}

void title_keys_done(struct title_keys *t)
{
    for (size_t i = 0; i < t->count; i++)
        mem_free(t->key[i]);
    mem_free(t->key);
    mem_free(t->pairs);
    memset(t, 0, sizeof *t);
}

void title_keys_set(struct title_keys *t, uint32_t number, const char *title)
{
    if (mem_grow(&t->key, &t->cap, (size_t)number + 1, sizeof *t->key) ||
        mem_grow(&t->pairs, &t->pairs_cap, (size_t)number + 1, sizeof *t->pairs))
        return;
    while (t->count <= number) {
        t->pairs[t->count] = (struct pairs){0};
        t->key[t->count++] = NULL;
    }
    if (t->key[number]) {
        t->bytes -= strlen(t->key[number]) + 1;
        mem_free(t->key[number]);
        t->key[number] = NULL;
        t->pairs[number] = (struct pairs){0};
    }
    if (!title || !*title)
        return;
    struct name name;
    name_whole(title, strlen(title), &name);
    t->key[number] = mem_text(name.key, name.len);
    if (t->key[number]) {
        t->bytes += name.len + 1;
        add_pairs(&t->pairs[number], t->key[number]);
    }
}

enum pal_status title_keys_want(const char *search, struct arena *tmp, struct wanted *out,
                                struct pal_error *err)
{
    size_t room = strlen(search) / 2 + 1;
    const char **word = arena_alloc(tmp, room, sizeof *word);
    size_t count = 0;
    if (!word)
        return pal_no_memory(err);
    for (const char *p = search; *p;) {
        size_t len = strcspn(p, " \t");
        struct name name;
        name_whole(p, len, &name);
        for (const char *q = name.key; *q;) { /* "mother-in-law" is several words */
            size_t n = strcspn(q, " ");
            const char *copy = arena_text(tmp, q, n);
            const char **more = NULL;
            if (copy && count == room) {
                more = arena_alloc(tmp, 2 * room, sizeof *more);
                if (more) {
                    memcpy(more, word, count * sizeof *word);
                    word = more;
                    room *= 2;
                }
            }
            if (!copy || count == room)
                return pal_no_memory(err);
            word[count++] = copy;
            q += n;
            q += *q == ' ';
        }
        p += len;
        p += *p != 0;
    }
    *out = (struct wanted){.count = count, .word = word};
    for (size_t i = 0; i < count; i++)
        add_pairs(&out->pairs, word[i]);
    return PAL_OK;
}

bool title_keys_match(const struct title_keys *t, uint32_t number, const struct wanted *w)
{
    if (w->count == 0)
        return true;
    if (number >= t->count || (w->pairs.bits[0] & ~t->pairs[number].bits[0]) ||
        (w->pairs.bits[1] & ~t->pairs[number].bits[1]))
        return false;
    const char *key = t->key[number];
    for (size_t i = 0; i < w->count; i++)
        if (!key || !strstr(key, w->word[i]))
            return false;
    return true;
}
