/* For the tests of palate train --store: what a server would have left behind.
 *
 *     fill_store DATA STORE-URL JOURNAL SHARE
 *
 * The items and the first SHARE per cent of the events, in order of time, go into the store; the
 * rest only into the journal, as if the drain had not come to it. Prints how many of each. */
#include "base/mem.h"
#include "base/str.h"
#include "data/load.h"
#include "journal/journal.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 500 };

static void check(enum pal_status st, const struct pal_error *err)
{
    if (st != PAL_OK) {
        fprintf(stderr, "fill_store: %s\n", err->message);
        exit(1);
    }
}

/* Where an event of the data set is: whose, and its place in the histories. */
struct at {
    uint32_t time_s, user;
    uint64_t place;
};

static int by_time(const void *a, const void *b)
{
    const struct at *x = a, *y = b;
    return x->time_s != y->time_s ? (x->time_s < y->time_s ? -1 : 1)
                                  : (x->place > y->place) - (x->place < y->place);
}

static struct at *in_order(const struct interactions *x)
{
    struct at *all = mem_alloc(interactions_count(x), sizeof *all);
    if (!all)
        exit(1);
    for (uint32_t u = 0; u < x->users; u++)
        for (uint64_t i = x->start[u]; i < x->start[u + 1]; i++)
            all[i] = (struct at){interactions_time(x, i), u, i};
    qsort(all, interactions_count(x), sizeof *all, by_time);
    return all;
}

static struct record event(const struct dataset *d, const struct at *a)
{
    const struct interactions *x = &d->all;
    return (struct record){.kind = RECORD_EVENT,
                           .event = {.user_id = intern_text(&d->users.ids, a->user),
                                     .item_id = intern_text(&d->items.ids, x->item[a->place]),
                                     .type = d->types.name[interactions_type(x, a->place)],
                                     .value = interactions_value(x, a->place),
                                     .time_ms = (int64_t)a->time_s * 1000}};
}

static void fill_store(struct store *s, const struct dataset *d, const struct at *all, uint64_t n)
{
    static struct store_change batch[BATCH];
    struct pal_error err;
    uint64_t seq = 0, total = d->items.ids.count + n;
    while (seq < total) {
        size_t k = 0;
        for (; k < BATCH && seq < total; k++) {
            struct record r = {.kind = RECORD_ITEM};
            if (seq < d->items.ids.count)
                r.item = (struct item_row){.item_id = intern_text(&d->items.ids, (uint32_t)seq),
                                           .available = true};
            else
                r = event(d, &all[seq - d->items.ids.count]);
            batch[k] = (struct store_change){.seq = ++seq, .record = r};
        }
        check(store_apply(s, batch, k, seq, NULL, &err), &err);
    }
}

static void fill_journal(const char *dir, uint64_t next, const struct dataset *d,
                         const struct at *all, uint64_t n)
{
    struct journal_options o;
    struct journal *j;
    struct pal_error err;
    opt_defaults(&journal_option_table, &o);
    o.sync = false;
    check(journal_open(dir, &o, next, NULL, &j, &err), &err);
    for (uint64_t i = 0; i < n; i++) {
        struct str bytes = {0};
        struct record e = event(d, &all[i]);
        record_encode(&e, &bytes);
        struct journal_record r = {RECORD_EVENT, bytes.text, bytes.len};
        check(journal_append(j, &r, 1, NULL, &err), &err);
        str_done(&bytes);
    }
    journal_close(j);
}

int main(int argc, char **argv)
{
    struct dataset *d = NULL;
    struct store *s = NULL;
    struct pal_error err;
    if (argc != 5) {
        fprintf(stderr, "usage: fill_store DATA STORE-URL JOURNAL SHARE\n");
        return 2;
    }
    check(dataset_load(argv[1], &(struct load_options){0}, NULL, &d, &err), &err);
    struct at *all = in_order(&d->all);
    uint64_t count = interactions_count(&d->all), n = count * (uint64_t)atoi(argv[4]) / 100;
    check(store_open(argv[2], false, &s, &err), &err);
    fill_store(s, d, all, n);
    store_close(s);
    fill_journal(argv[3], d->items.ids.count + n + 1, d, all + n, count - n);
    printf("%llu %llu\n", (unsigned long long)n, (unsigned long long)(count - n));
    mem_free(all);
    dataset_free(d);
    return 0;
}
