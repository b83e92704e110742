/* See importance.h. */
#include "eval/importance.h"

#include "base/mem.h"

#include <stdlib.h>

enum { GROUPS = 4, LEAST = 20 };

struct pair {
    double x, rank;
};

static int by_x(const void *left, const void *right)
{
    const struct pair *a = left, *b = right;
    if (a->x != b->x)
        return a->x < b->x ? -1 : 1;
    return (a->rank > b->rank) - (a->rank < b->rank);
}

/* Replaces the x of pairs that are in order by their ranks; equal ones share the mean of theirs. */
static void to_ranks(struct pair *p, size_t n)
{
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && p[end].x == p[i].x; end++)
            ;
        for (size_t j = i; j < end; j++)
            p[j].rank = (double)(i + end - 1) / 2;
    }
}

static size_t group_of(size_t i, size_t n, size_t groups)
{
    return i * groups / n;
}

/* p: in order of the option, with the outcomes' ranks. */
static double explained(const struct pair *p, size_t n, bool choice)
{
    double mean = (double)(n - 1) / 2, total = 0, between = 0;
    size_t groups = 0;
    for (size_t i = 0; i < n; i++)
        total += (p[i].rank - mean) * (p[i].rank - mean);
    for (size_t i = 0, end; i < n; i = end) {
        double sum = 0;
        for (end = i; end < n; end++) {
            if (choice ? p[end].x != p[i].x : group_of(end, n, GROUPS) != group_of(i, n, GROUPS))
                break;
            sum += p[end].rank - mean;
        }
        between += sum * sum / (double)(end - i);
        groups++;
    }
    if (groups < 2 || groups >= n || total <= 0)
        return 0;
    double by_chance = (total - between) / (double)(n - groups) * (double)(groups - 1);
    return between > by_chance ? (between - by_chance) / total : 0;
}

bool importance(const double *value, const double *at, size_t n, bool choice, double *share)
{
    struct pair *p = n < LEAST ? NULL : mem_alloc(n, sizeof *p);
    size_t *place = n < LEAST ? NULL : mem_alloc(n, sizeof *place);
    bool done = p && place;
    if (done) {
        for (size_t i = 0; i < n; i++)
            p[i] = (struct pair){value[i], (double)i};
        qsort(p, n, sizeof *p, by_x);
        for (size_t i = 0; i < n; i++)
            place[i] = (size_t)p[i].rank;
        to_ranks(p, n);
        for (size_t i = 0; i < n; i++)
            p[i].x = at[place[i]];
        qsort(p, n, sizeof *p, by_x);
        *share = explained(p, n, choice);
    }
    mem_free(p);
    mem_free(place);
    return done;
}
