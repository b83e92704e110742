/* See split.h. A split is a label per interaction (train, given, valid or test), written by one
 * function per method, and then one pass over the data per part. Everything random is drawn in one
 * thread, from a stream per user where users are treated alone. */
#include "data/split.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/text.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum part { TRAIN, GIVEN, VALID, TEST, PARTS };

struct plan {
    const struct method *method;
    double share[3]; /* train, valid, test; their sum is 1 */
    char spec[64];
    uint64_t seed;
};

struct method {
    const char *name, *example, *help;
    bool shares;
    enum pal_status (*label)(const struct plan *p, const struct dataset *d, uint8_t *label,
                             struct pal_error *err);
};

static enum pal_status label_random(const struct plan *, const struct dataset *, uint8_t *,
                                    struct pal_error *);
static enum pal_status label_user(const struct plan *, const struct dataset *, uint8_t *,
                                  struct pal_error *);
static enum pal_status label_latest(const struct plan *, const struct dataset *, uint8_t *,
                                    struct pal_error *);
static enum pal_status label_last(const struct plan *, const struct dataset *, uint8_t *,
                                  struct pal_error *);
static enum pal_status label_time(const struct plan *, const struct dataset *, uint8_t *,
                                  struct pal_error *);
static enum pal_status label_users(const struct plan *, const struct dataset *, uint8_t *,
                                   struct pal_error *);
static enum pal_status label_file(const struct plan *, const struct dataset *, uint8_t *,
                                  struct pal_error *);

static const struct method methods[] = {
    {"random", "random:60/20/20", "each interaction by itself: train/validation/test shares", true,
     label_random},
    {"user", "user:60/20/20", "the same shares within each user, at random", true, label_user},
    {"latest", "latest:60/20/20", "the same shares within each user, the newest for test", true,
     label_latest},
    {"leave-one-out", "leave-one-out",
     "each user's last interaction for test, the one before for validation", false, label_last},
    {"time", "time:80/10/10", "by one point in time for all users", true, label_time},
    {"users", "users:80/10/10", "by user: 80 % of each held-out user's history is given", true,
     label_users},
    {"file", "file", "the train and test files that the data set brings along", false, label_file},
};

enum { METHODS = sizeof methods / sizeof *methods };

static enum pal_status parse(const char *spec, struct plan *out, struct pal_error *err);
static enum pal_status check_parts(const struct plan *p, const struct dataset *d,
                                   const uint8_t *label, struct pal_error *err);
static enum pal_status take(const struct interactions *x, const uint8_t *label, enum part part,
                            struct interactions *out, struct pal_error *err);

const char *split_example(size_t i)
{
    return i < METHODS ? methods[i].example : NULL;
}

const char *split_help(size_t i)
{
    return i < METHODS ? methods[i].help : NULL;
}

void split_done(struct split *s)
{
    interactions_done(&s->train);
    interactions_done(&s->given);
    interactions_done(&s->valid);
    interactions_done(&s->test);
    memset(s, 0, sizeof *s);
}

enum pal_status split_make(const struct dataset *d, const char *spec, uint64_t seed,
                           struct split *out, struct pal_error *err)
{
    struct plan p;
    enum pal_status st = parse(spec, &p, err);
    if (st)
        return st;
    p.seed = seed;
    bool file = p.method->label == label_file;
    struct split s = {.seed = seed};
    memcpy(s.spec, p.spec, sizeof s.spec);
    if (file && d->negatives.item)
        s.negatives = &d->negatives;

    const struct interactions *tests = file ? &d->test : &d->all;
    uint64_t room = interactions_count(&d->all);
    if (interactions_count(tests) > room)
        room = interactions_count(tests);
    uint8_t *label = mem_zero(room, 1); /* TRAIN */
    if (!label)
        return pal_no_memory(err);
    st = p.method->label(&p, d, label, err);
    if (st == PAL_OK && !file)
        st = check_parts(&p, d, label, err);
    if (st == PAL_OK)
        st = take(&d->all, label, TRAIN, &s.train, err);
    if (st == PAL_OK && p.method->label == label_users)
        st = take(&d->all, label, GIVEN, &s.given, err);
    if (st == PAL_OK && p.share[1] > 0)
        st = take(&d->all, label, VALID, &s.valid, err);
    if (st == PAL_OK && file)
        memset(label, TEST, room);
    if (st == PAL_OK)
        st = take(tests, label, TEST, &s.test, err);
    if (st == PAL_OK) {
        *out = s;
        memset(&s, 0, sizeof s);
    }
    split_done(&s);
    mem_free(label);
    return st;
}

enum pal_status split_inner(const struct dataset *d, const struct split *s, const char *spec,
                            uint64_t seed, struct split *out, struct pal_error *err)
{
    struct dataset inside = *d; /* borrows everything, of the interactions only the training part */
    inside.all = s->train;
    memset(&inside.test, 0, sizeof inside.test);
    memset(&inside.negatives, 0, sizeof inside.negatives);
    /* drawn from numbers of its own: with those that made s the same places would be kept again */
    enum pal_status st = split_make(&inside, spec, ~seed, out, err);
    if (st == PAL_OK)
        out->seed = seed;
    return st;
}

/* ---- the spec ---- */

static enum pal_status parse_shares(const char *text, double raw[3], int *count,
                                    struct pal_error *err)
{
    const char *p = text;
    for (*count = 0;; p++) {
        const char *end = p + strcspn(p, "/");
        double x;
        if (*count == 3)
            return pal_fail(err, PAL_EUSAGE,
                            "split shares '%s': at most three (train/validation/test)", text);
        if (!text_real(p, end, &x) || !(x > 0) || x > 1e9)
            return pal_fail(err, PAL_EUSAGE,
                            "split shares '%s': '%.*s' is not a positive number; "
                            "write 60/20/20 or, without a validation part, 80/20",
                            text, (int)(end - p), p);
        raw[(*count)++] = x;
        p = end;
        if (!*p)
            break;
    }
    if (*count < 2)
        return pal_fail(err, PAL_EUSAGE,
                        "split shares '%s': one share is not enough; write 60/20/20 or 80/20",
                        text);
    return PAL_OK;
}

/* Per cent if two decimals say it exactly, so that 6/2/2 and 60/20/20 are called the same. raw
 * becomes what was written, so that the spec written down makes the same split. */
static void write_shares(double raw[3], int count, char *out, size_t size)
{
    double sum = 0, percent[3];
    bool exact = true;
    for (int i = 0; i < count; i++)
        sum += raw[i];
    for (int i = 0; i < count; i++) {
        percent[i] = round(raw[i] / sum * 1e4) / 1e2;
        exact = exact && percent[i] > 0 && fabs(percent[i] - raw[i] / sum * 1e2) < 1e-9;
    }
    char *p = out;
    for (int i = 0; i < count; i++) {
        if (i)
            *p++ = '/';
        int len = snprintf(p, size - (size_t)(p - out), "%.9g", exact ? percent[i] : raw[i]);
        bool ok = text_real(p, p + len, &raw[i]);
        assert(ok);
        (void)ok;
        p += len;
    }
}

static enum pal_status parse(const char *spec, struct plan *out, struct pal_error *err)
{
    memset(out, 0, sizeof *out);
    size_t len = strcspn(spec, ":");
    for (size_t i = 0; i < METHODS; i++)
        if (text_is(spec, spec + len, methods[i].name))
            out->method = &methods[i];
    if (!out->method)
        return pal_fail(err, PAL_EUSAGE,
                        "there is no split '%.*s'; write random:60/20/20, user:60/20/20, "
                        "latest:60/20/20, leave-one-out, time:80/10/10, users:80/10/10 or file",
                        (int)(len < 40 ? len : 40), spec);
    const struct method *m = out->method;
    if (!m->shares) {
        if (spec[len])
            return pal_fail(err, PAL_EUSAGE, "split '%s' takes no shares: write just that",
                            m->name);
        snprintf(out->spec, sizeof out->spec, "%s", m->name);
        out->share[1] = m->label == label_last;
        return PAL_OK;
    }
    const char *shares = spec[len] ? spec + len + 1 : m->example + strlen(m->name) + 1;
    double raw[3];
    int count;
    char text[48];
    enum pal_status st = parse_shares(shares, raw, &count, err);
    if (st)
        return st;
    write_shares(raw, count, text, sizeof text);
    snprintf(out->spec, sizeof out->spec, "%s:%s", m->name, text);
    if (count == 2) {
        raw[2] = raw[1];
        raw[1] = 0;
    }
    double sum = raw[0] + raw[1] + raw[2];
    for (int i = 0; i < 3; i++)
        out->share[i] = raw[i] / sum;
    return PAL_OK;
}

/* ---- shared by the methods ---- */

/* How many of n go to each part: cut where the running sum of shares rounds to. */
static void cut(const double share[3], uint64_t n, uint64_t count[3])
{
    uint64_t a = (uint64_t)llround((double)n * share[0]);
    uint64_t b = (uint64_t)llround((double)n * (share[0] + share[1]));
    if (a == 0 && n > 0)
        a = 1;
    if (a > n)
        a = n;
    b = b < a ? a : b > n ? n : b;
    count[0] = a;
    count[1] = b - a;
    count[2] = n - b;
}

/* Draws one part for the next interaction out of what is left for each (selection sampling, Knuth
 * 3.4.2 S): over all interactions every way to deal them out is equally likely. */
static int draw(struct rng *r, uint64_t left[3])
{
    uint64_t x = rng_below(r, left[0] + left[1] + left[2]);
    int part = x < left[0] ? 0 : x < left[0] + left[1] ? 1 : 2;
    left[part]--;
    return part;
}

static const uint8_t part_of[3] = {TRAIN, VALID, TEST};

static enum pal_status check_parts(const struct plan *p, const struct dataset *d,
                                   const uint8_t *label, struct pal_error *err)
{
    static const char *const name[PARTS] = {"training", NULL, "validation", "test"};
    uint64_t count[PARTS] = {0}, n = interactions_count(&d->all);
    for (uint64_t i = 0; i < n; i++)
        count[label[i]]++;
    for (int i = 0; i < PARTS; i++)
        if (count[i] == 0 && (i == TRAIN || i == TEST || (i == VALID && p->share[1] > 0)))
            return pal_fail(
                err, PAL_EUNSUPPORTED,
                "split %s leaves nothing for the %s part of %s: with %llu interactions of %u "
                "users use another split or more data",
                p->spec, name[i], d->name, (unsigned long long)n, d->all.users);
    return PAL_OK;
}

static enum pal_status take(const struct interactions *x, const uint8_t *label, enum part part,
                            struct interactions *out, struct pal_error *err)
{
    uint8_t keep[256] = {0};
    keep[part] = 1;
    return interactions_select(x, label, keep, out, err);
}

/* ---- the methods ---- */

static enum pal_status label_random(const struct plan *p, const struct dataset *d, uint8_t *label,
                                    struct pal_error *err)
{
    uint64_t n = interactions_count(&d->all), left[3];
    struct rng r;
    rng_init(&r, p->seed, 0);
    cut(p->share, n, left);
    for (uint64_t i = 0; i < n; i++)
        label[i] = part_of[draw(&r, left)];
    return PAL_OK;
}

static enum pal_status label_user(const struct plan *p, const struct dataset *d, uint8_t *label,
                                  struct pal_error *err)
{
    const struct interactions *x = &d->all;
    for (uint32_t u = 0; x->start && u < x->users; u++) {
        uint64_t left[3];
        struct rng r;
        rng_init(&r, p->seed, u);
        cut(p->share, x->start[u + 1] - x->start[u], left);
        for (uint64_t i = x->start[u]; i < x->start[u + 1]; i++)
            label[i] = part_of[draw(&r, left)];
    }
    return PAL_OK;
}

static enum pal_status label_latest(const struct plan *p, const struct dataset *d, uint8_t *label,
                                    struct pal_error *err)
{
    const struct interactions *x = &d->all;
    for (uint32_t u = 0; x->start && u < x->users; u++) {
        uint64_t count[3], i = x->start[u];
        cut(p->share, x->start[u + 1] - i, count);
        for (int part = 0; part < 3; part++)
            for (; count[part]; count[part]--)
                label[i++] = part_of[part];
    }
    return PAL_OK;
}

static enum pal_status label_last(const struct plan *p, const struct dataset *d, uint8_t *label,
                                  struct pal_error *err)
{
    const struct interactions *x = &d->all;
    for (uint32_t u = 0; x->start && u < x->users; u++) {
        uint64_t end = x->start[u + 1];
        if (end - x->start[u] < 3)
            continue;
        label[end - 1] = TEST;
        label[end - 2] = VALID;
    }
    return PAL_OK;
}

static uint64_t count_before(const uint32_t *time, uint64_t n, uint64_t t)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < n; i++)
        count += time[i] < t;
    return count;
}

/* The time that comes nearest to having `want` interactions before it: bisects for the last one
 * that has no more, and takes it or the next, rather one with something on both sides. */
static uint64_t border(const uint32_t *time, uint64_t n, uint64_t want)
{
    uint64_t low = 0, high = (uint64_t)UINT32_MAX + 1; /* at low no more than want, at high more */
    if (count_before(time, n, high) <= want)
        return high;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (count_before(time, n, middle) <= want)
            low = middle;
        else
            high = middle;
    }
    uint64_t below = count_before(time, n, low), above = count_before(time, n, high);
    if (below == 0)
        return high;
    if (above == n)
        return low;
    return above - want < want - below ? high : low;
}

static enum pal_status label_time(const struct plan *p, const struct dataset *d, uint8_t *label,
                                  struct pal_error *err)
{
    const struct interactions *x = &d->all;
    if (!x->time_s)
        return pal_fail(err, PAL_EUNSUPPORTED,
                        "split %s needs timestamps; %s has none: use random:80/20%s", p->spec,
                        d->name, d->test.start ? " or file" : "");
    uint64_t n = interactions_count(x), count[3];
    cut(p->share, n, count);
    uint64_t valid_from = border(x->time_s, n, count[0]);
    uint64_t test_from = count[1] ? border(x->time_s, n, count[0] + count[1]) : valid_from;
    for (uint64_t i = 0; i < n; i++)
        label[i] = x->time_s[i] < valid_from ? TRAIN : x->time_s[i] < test_from ? VALID : TEST;
    return PAL_OK;
}

/* Gives 80 % of a held-out user's history, at random: at least one, and leaves at least one. */
static void label_held_out(const struct plan *p, const struct interactions *x, uint32_t user,
                           enum part part, uint8_t *label)
{
    uint64_t n = x->start[user + 1] - x->start[user];
    uint64_t given = (uint64_t)llround(0.8 * (double)n);
    if (given == n)
        given = n - 1;
    uint64_t left[3] = {given, 0, n - given};
    struct rng r;
    rng_init(&r, p->seed, (uint64_t)user + 1);
    for (uint64_t i = x->start[user]; i < x->start[user + 1]; i++)
        label[i] = draw(&r, left) == 0 ? GIVEN : (uint8_t)part;
}

/* Only users with two interactions or more can be held out. */
static enum pal_status label_users(const struct plan *p, const struct dataset *d, uint8_t *label,
                                   struct pal_error *err)
{
    const struct interactions *x = &d->all;
    uint32_t *user = mem_alloc(x->users, sizeof *user), n = 0;
    if (!user)
        return pal_no_memory(err);
    for (uint32_t u = 0; x->start && u < x->users; u++)
        if (x->start[u + 1] - x->start[u] >= 2)
            user[n++] = u;
    struct rng r;
    rng_init(&r, p->seed, 0);
    rng_shuffle(&r, user, n);
    uint64_t count[3];
    cut(p->share, n, count);
    for (uint64_t i = count[0]; i < n; i++)
        label_held_out(p, x, user[i], i < count[0] + count[1] ? VALID : TEST, label);
    mem_free(user);
    return PAL_OK;
}

static enum pal_status label_file(const struct plan *p, const struct dataset *d, uint8_t *label,
                                  struct pal_error *err)
{
    if (!d->test.start)
        return pal_fail(err, PAL_EUNSUPPORTED,
                        "split file: %s brings no test part along: use random:80/20, latest:80/20 "
                        "or leave-one-out",
                        d->name);
    return PAL_OK;
}
