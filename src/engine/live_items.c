/* Lists of the catalog: by words of the title and by filter, a page at a time.
 *
 * How many there are in all takes a look at every item. It is remembered for the last few questions
 * until the catalog changes, so that who scrolls on pays for a page only. The catalog is held for
 * some thousand items at a time: those who want to write get their turn in between. */
#include "engine/live_inside.h"

#include "base/mem.h"

#include <string.h>

enum { ITEMS_AT_ONCE = 4096 };

struct looking {
    struct live *l;
    struct filter *filter; /* NULL = all */
    struct wanted wanted;
    struct arena *tmp;
    size_t n;
    uint32_t from, at; /* the first to show; the next to look at */
    uint64_t version;  /* of epoch and catalog when this began */
    bool counted;      /* the total is known */
    struct live_page page;
};

/* ---- Totals ---- */

/* What was asked, as one text. */
static const char *question(const char *search, const char *filter, struct arena *tmp)
{
    size_t first = strlen(search), second = strlen(filter);
    char *text = arena_alloc(tmp, first + second + 2, 1);
    if (text) {
        memcpy(text, search, first);
        text[first] = 1; /* in neither */
        memcpy(text + first + 1, filter, second + 1);
    }
    return text;
}

static bool recall(struct live_totals *t, const char *asked, uint64_t version, uint32_t *total)
{
    bool known = false;
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < LIVE_TOTALS && !known; i++)
        if (t->row[i].asked && t->row[i].version == version &&
            strcmp(t->row[i].asked, asked) == 0) {
            *total = t->row[i].total;
            known = true;
        }
    pthread_mutex_unlock(&t->lock);
    return known;
}

static void remember(struct live_totals *t, const char *asked, uint64_t version, uint32_t total)
{
    char *copy = mem_text(asked, strlen(asked)), *old = copy;
    pthread_mutex_lock(&t->lock);
    if (copy) {
        old = t->row[t->next].asked;
        t->row[t->next].asked = copy;
        t->row[t->next].version = version;
        t->row[t->next].total = total;
        t->next = (t->next + 1) % LIVE_TOTALS;
    }
    pthread_mutex_unlock(&t->lock);
    mem_free(old);
}

void live_totals_done(struct live_totals *t)
{
    for (size_t i = 0; i < LIVE_TOTALS; i++)
        mem_free(t->row[i].asked);
    pthread_mutex_destroy(&t->lock);
}

/* ---- Looking ---- */

static bool qualifies(const struct looking *k, const struct catalog *c, struct item_row *row)
{
    return title_keys_match(&k->l->titles, k->at, &k->wanted) && catalog_item(c, k->at, row) &&
           (!k->filter || filter_match(k->filter, c, k->at));
}

/* Takes, or only counts, the item at k->at. */
static enum pal_status take(struct looking *k, const struct catalog *c, struct pal_error *err)
{
    struct live_page *p = &k->page;
    p->total += !k->counted;
    if (k->at < k->from)
        return PAL_OK;
    if (p->count == k->n) {
        p->next = p->next ? p->next : k->at;
        return PAL_OK;
    }
    return live_copy_item(c, k->at, true, k->tmp, &p->items[p->count++], err);
}

/* Looks at some items; *more = false when nothing is left to find out. */
static enum pal_status look(struct looking *k, bool *more, struct pal_error *err)
{
    struct live *l = k->l;
    struct item_row row;
    live_read_lock(l);
    const struct catalog *c = l->catalog;
    uint32_t all = catalog_count(c), end = all;
    if (k->at < all && all - k->at > ITEMS_AT_ONCE)
        end = k->at + ITEMS_AT_ONCE;
    enum pal_status st = k->filter ? filter_bind(k->filter, c, k->tmp, err) : PAL_OK;
    for (; k->at < end && st == PAL_OK && !(k->counted && k->page.next); k->at++)
        if (qualifies(k, c, &row))
            st = take(k, c, err);
    *more = k->at < all && !(k->counted && k->page.next);
    live_unlock(l);
    return st;
}

/* Under world: what is known of the list before any item is looked at. */
static void prepare(struct looking *k, const char *asked)
{
    struct live *l = k->l;
    live_read_lock(l);
    k->version = (l->epoch << 40) + catalog_version(l->catalog);
    if (!k->filter && k->wanted.count == 0) {
        k->page.total = catalog_present(l->catalog);
        k->counted = true;
    }
    if (k->filter)
        k->page.hint = filter_hint(k->filter, l->catalog, k->tmp);
    live_unlock(l);
    k->counted = k->counted || recall(&l->totals, asked, k->version, &k->page.total);
    k->at = k->counted ? k->from : 0;
}

enum pal_status live_items(struct live *l, const char *search, const char *filter, uint32_t from,
                           size_t n, struct arena *tmp, struct live_page *out,
                           struct pal_error *err)
{
    struct looking k = {.l = l, .tmp = tmp, .n = n, .from = from};
    bool more = true;
    enum pal_status st = PAL_OK;
    search = search ? search : "";
    filter = filter ? filter : "";
    const char *asked = question(search, filter, tmp);
    k.page.items = arena_alloc(tmp, n, sizeof *k.page.items);
    if (!k.page.items || !asked)
        return pal_no_memory(err);
    if (*filter)
        st = filter_parse(filter, tmp, &k.filter, err);
    if (st == PAL_OK)
        st = title_keys_want(search, tmp, &k.wanted, err);
    if (st != PAL_OK)
        return st;
    prepare(&k, asked);
    bool known = k.counted;
    while (st == PAL_OK && more)
        st = look(&k, &more, err);
    if (st != PAL_OK)
        return st;
    if (!known)
        remember(&l->totals, asked, k.version, k.page.total);
    *out = k.page;
    return PAL_OK;
}
