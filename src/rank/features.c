/* See features.h. A row of the table is filled once, or once for each source, half-life or
 * attribute; `which` says for the how-manyeth. */
#include "rank/features.h"

#include <math.h>
#include <string.h>

enum times { ONCE, PER_SOURCE, PER_HALF, PER_NUMBER, PER_KIND, IF_AGAIN };

struct feature {
    const char *name; /* behind the source's, half-life's or attribute's where there are several */
    enum times times;
    void (*fill)(const struct rank_view *v, size_t which, float *out); /* out (v->count) */
    const char *what;
};

static const double TAU = 6.283185307179586;
enum { DAY_S = 86400 };

/* ---- of the lists ---- */

static void source_score(const struct rank_view *v, size_t which, float *out)
{
    memcpy(out, v->score + which * v->count, v->count * sizeof *out);
}

static void source_place(const struct rank_view *v, size_t which, float *out)
{
    memcpy(out, v->place + which * v->count, v->count * sizeof *out);
}

static void source_share(const struct rank_view *v, size_t which, float *out)
{
    const float *score = v->score + which * v->count;
    float best = 0;
    for (size_t i = 0; i < v->count; i++)
        best = score[i] > best ? score[i] : best;
    for (size_t i = 0; i < v->count; i++)
        out[i] = best > 0 ? score[i] / best : NAN;
}

static void sources_that_have_it(const struct rank_view *v, size_t which, float *out)
{
    for (size_t i = 0; i < v->count; i++) {
        out[i] = 0;
        for (size_t s = 0; s < v->sources; s++)
            out[i] += !isnan(v->place[s * v->count + i]);
    }
}

static void fused(const struct rank_view *v, size_t which, float *out)
{
    for (size_t i = 0; i < v->count; i++) {
        out[i] = 0;
        for (size_t s = 0; s < v->sources; s++) {
            float place = v->place[s * v->count + i];
            out[i] += isnan(place) ? 0 : 1 / (60 + place);
        }
    }
}

/* ---- of the item ---- */

static void popularity(const struct rank_view *v, size_t which, float *out)
{
    for (size_t i = 0; i < v->count; i++)
        out[i] = v->known->popularity[which * v->known->items + v->item[i]];
}

static void trend(const struct rank_view *v, size_t which, float *out)
{
    const float *lately = v->known->popularity + (size_t)v->known->items;
    const float *ever = v->known->popularity + (size_t)(KNOWN_HALVES - 1) * v->known->items;
    for (size_t i = 0; i < v->count; i++)
        out[i] = lately[v->item[i]] - ever[v->item[i]];
}

static void item_likes(const struct rank_view *v, size_t which, float *out)
{
    for (size_t i = 0; i < v->count; i++)
        out[i] = v->known->likes[v->item[i]];
}

static void item_age(const struct rank_view *v, size_t which, float *out)
{
    for (size_t i = 0; i < v->count; i++) {
        uint32_t first = v->known->first_s[v->item[i]];
        out[i] = first ? ((float)v->known->at_s - (float)first) / DAY_S : NAN;
    }
}

static void number(const struct rank_view *v, size_t which, float *out)
{
    for (size_t i = 0; i < v->count; i++)
        out[i] = v->known->number[which * v->known->items + v->item[i]];
}

/* ---- of both ---- */

/* The sum of what the item's categories have. */
static void overlap(const struct rank_view *v, const float *share, bool any, float *out)
{
    const struct known *k = v->known;
    for (size_t i = 0; i < v->count; i++) {
        uint64_t begin = k->start[v->item[i]], end = k->start[v->item[i] + 1];
        out[i] = any && begin < end ? 0 : NAN;
        for (uint64_t j = begin; j < end; j++)
            out[i] += share[k->label[j]];
    }
}

static void liked_overlap(const struct rank_view *v, size_t which, float *out)
{
    overlap(v, v->liked, v->history->n > 0, out);
}

static void disliked_overlap(const struct rank_view *v, size_t which, float *out)
{
    overlap(v, v->disliked, v->history->n > 0, out);
}

/* Jaccard's share of categories in common; an item may name one twice, which then counts twice. */
static void last_overlap(const struct rank_view *v, size_t which, float *out)
{
    const struct known *k = v->known;
    uint32_t last = v->last;
    for (size_t i = 0; i < v->count; i++) {
        uint64_t begin = k->start[v->item[i]], end = k->start[v->item[i] + 1], common = 0;
        out[i] = NAN;
        if (last == INTERN_NONE || begin == end || k->start[last] == k->start[last + 1])
            continue;
        for (uint64_t j = begin; j < end; j++)
            for (uint64_t l = k->start[last]; l < k->start[last + 1]; l++)
                common += k->label[j] == k->label[l];
        uint64_t all = end - begin + k->start[last + 1] - k->start[last];
        out[i] = (float)common / (float)(all - common);
    }
}

/* How much more of the likes than of everybody's: of `liked` out of `all`, where everybody has the
 * share `common`. As if ten more had been liked as everybody does (log). */
static float lift(float liked, float all, float common)
{
    const float prior = 10;
    return logf((liked + prior * common) / ((all + prior) * common));
}

/* The greatest among the item's categories. */
static void category_lift(const struct rank_view *v, size_t which, float *out)
{
    const struct known *k = v->known;
    for (size_t i = 0; i < v->count; i++) {
        out[i] = NAN;
        for (uint64_t j = k->start[v->item[i]]; k->common && j < k->start[v->item[i] + 1]; j++) {
            uint32_t l = k->label[j];
            float x = lift(v->label_liked[l], v->all_liked, k->common[l]);
            out[i] = v->all_liked > 0 && !(x <= out[i]) ? x : out[i];
        }
    }
}

/* An item's value in a kind, INTERN_NONE for none. */
static uint32_t value_of(const struct rank_view *v, size_t which, size_t i)
{
    return v->known->kinds.value[which * v->known->items + v->item[i]];
}

static void kind_share(const struct rank_view *v, size_t which, float *out)
{
    for (size_t i = 0; i < v->count; i++) {
        uint32_t x = value_of(v, which, i);
        out[i] = x != INTERN_NONE && v->all_liked > 0 ? v->kind_liked[x] / v->all_liked : NAN;
    }
}

static void kind_lift(const struct rank_view *v, size_t which, float *out)
{
    const struct alike *k = &v->known->kinds;
    for (size_t i = 0; i < v->count; i++) {
        uint32_t x = value_of(v, which, i);
        out[i] = x != INTERN_NONE && v->all_liked > 0
                     ? lift(v->kind_liked[x], v->all_liked, k->share[x])
                     : NAN;
    }
}

static void kind_common(const struct rank_view *v, size_t which, float *out)
{
    for (size_t i = 0; i < v->count; i++) {
        uint32_t x = value_of(v, which, i);
        out[i] = x != INTERN_NONE ? logf(v->known->kinds.share[x]) : NAN;
    }
}

static void beside_taste(const struct rank_view *v, size_t which, float *out)
{
    const float *ever = v->known->popularity + (size_t)(KNOWN_HALVES - 1) * v->known->items;
    for (size_t i = 0; i < v->count; i++)
        out[i] = ever[v->item[i]] - v->taste;
}

static void beside_mean(const struct rank_view *v, size_t which, float *out)
{
    const float *x = v->known->number + which * v->known->items;
    for (size_t i = 0; i < v->count; i++)
        out[i] = fabsf(x[v->item[i]] - v->mean[which]);
}

/* ---- of what the user had before ---- */

/* A candidate's place in the history, or SIZE_MAX. */
static size_t own_place(const struct rank_view *v, size_t i)
{
    return v->own[i] ? v->own[i] - 1 : SIZE_MAX;
}

/* What is known of how often and when; NULL = nothing. */
static const struct had *own_had(const struct rank_view *v, size_t i)
{
    size_t at = own_place(v, i);
    const struct had *had = at < SIZE_MAX && v->history->had ? &v->history->had[at] : NULL;
    return had && had->times ? had : NULL;
}

/* Days since the last event with it. */
static float own_age(const struct rank_view *v, size_t i)
{
    const struct had *had = own_had(v, i);
    uint32_t now = v->history->now_s;
    return had && had->last_s && now >= had->last_s ? (float)(now - had->last_s) / DAY_S : NAN;
}

static float own_gap_of(const struct rank_view *v, size_t i)
{
    const struct had *had = own_had(v, i);
    return had && had->times > 1 && had->last_s > had->first_s
               ? (float)(had->last_s - had->first_s) / DAY_S / (float)(had->times - 1)
               : NAN;
}

static void own_times(const struct rank_view *v, size_t which, float *out)
{
    for (size_t i = 0; i < v->count; i++) {
        const struct had *had = own_had(v, i);
        out[i] = had ? (float)had->times : own_place(v, i) < SIZE_MAX ? 1.0f : 0.0f;
    }
}

static void own_share(const struct rank_view *v, size_t which, float *out)
{
    for (size_t i = 0; i < v->count; i++) {
        size_t at = own_place(v, i);
        float weight = at < SIZE_MAX ? v->history->weight[at] : 0;
        out[i] = v->all_liked > 0 ? weight / v->all_liked : NAN;
    }
}

static void own_days(const struct rank_view *v, size_t which, float *out)
{
    for (size_t i = 0; i < v->count; i++)
        out[i] = own_age(v, i);
}

static void own_gap(const struct rank_view *v, size_t which, float *out)
{
    for (size_t i = 0; i < v->count; i++)
        out[i] = own_gap_of(v, i);
}

static void own_due(const struct rank_view *v, size_t which, float *out)
{
    for (size_t i = 0; i < v->count; i++) {
        float gap = own_gap_of(v, i), age = own_age(v, i);
        gap = isnan(gap) ? v->known->gap_days[v->item[i]] : gap;
        out[i] = log1pf(age) - log1pf(gap);
    }
}

static void item_returned(const struct rank_view *v, size_t which, float *out)
{
    for (size_t i = 0; i < v->count; i++)
        out[i] = v->known->returned[v->item[i]];
}

static void item_gap(const struct rank_view *v, size_t which, float *out)
{
    for (size_t i = 0; i < v->count; i++)
        out[i] = v->known->gap_days[v->item[i]];
}

/* ---- of who asks, and when ---- */

static void same(const struct rank_view *v, double x, float *out)
{
    for (size_t i = 0; i < v->count; i++)
        out[i] = (float)x;
}

static void history_items(const struct rank_view *v, size_t which, float *out)
{
    same(v, log1p((double)v->history->n), out);
}

static void history_likes(const struct rank_view *v, size_t which, float *out)
{
    same(v, v->likes, out);
}

static void history_taste(const struct rank_view *v, size_t which, float *out)
{
    same(v, v->taste, out);
}

static void history_idle(const struct rank_view *v, size_t which, float *out)
{
    const struct history *h = v->history;
    bool known = h->now_s && h->last_s && h->now_s >= h->last_s;
    same(v, known ? log1p((double)(h->now_s - h->last_s)) : NAN, out);
}

/* Where the time stands in a round of `round_s` seconds. */
static double turn(const struct rank_view *v, uint32_t round_s)
{
    uint32_t now = v->history->now_s;
    return now ? TAU * (now % round_s) / round_s : NAN;
}

static void hour_sin(const struct rank_view *v, size_t which, float *out)
{
    same(v, sin(turn(v, DAY_S)), out);
}

static void hour_cos(const struct rank_view *v, size_t which, float *out)
{
    same(v, cos(turn(v, DAY_S)), out);
}

static void weekday_sin(const struct rank_view *v, size_t which, float *out)
{
    same(v, sin(turn(v, 7 * DAY_S)), out);
}

static void weekday_cos(const struct rank_view *v, size_t which, float *out)
{
    same(v, cos(turn(v, 7 * DAY_S)), out);
}

/* clang-format off */
static const struct feature table[] = {
    {"score",            PER_SOURCE, source_score,   "a source's score"},
    {"rank",             PER_SOURCE, source_place,   "the place in a source's list, from 1"},
    {"share",            PER_SOURCE, source_share,   "the score as a share of the best"},
    {"sources",          ONCE, sources_that_have_it, "how many sources put the item forward"},
    {"fused",            ONCE, fused,                "sum of 1 / (60 + rank) over the sources"},
    {"popularity",       PER_HALF, popularity,       "fading likes, by the most popular's (log)"},
    {"trend",            ONCE, trend,                "popularity of late against that of all time"},
    {"likes",            ONCE, item_likes,           "share of the item's events that are likes"},
    {"age",              ONCE, item_age,             "days since the item's first event"},
    {"value",            PER_NUMBER, number,         "a numeric attribute of the item"},
    {"nearness",         PER_NUMBER, beside_mean,    "distance to the mean of what was liked"},
    {"overlap.liked",    ONCE, liked_overlap,        "share of the likes in the item's categories"},
    {"overlap.disliked", ONCE, disliked_overlap,     "share of the dislikes in its categories"},
    {"overlap.last",     ONCE, last_overlap,         "categories in common with the last like"},
    {"overlap.lift",     ONCE, category_lift,        "its categories against others' likes (log)"},
    {"alike",            PER_KIND, kind_share,       "share of the likes with the same attribute"},
    {"lift",             PER_KIND, kind_lift,        "the same against everybody's likes (log)"},
    {"common",           PER_KIND, kind_common,      "everybody's likes with the attribute (log)"},
    {"mainstream",       ONCE, beside_taste,         "popularity against that of what was liked"},
    {"own.times",        IF_AGAIN, own_times,        "with how many events the user had the item"},
    {"own.share",        IF_AGAIN, own_share,        "its share of what the user liked"},
    {"own.days",         IF_AGAIN, own_days,         "days since the user had it last"},
    {"own.gap",          IF_AGAIN, own_gap,          "days between the user's events with it"},
    {"own.due",          IF_AGAIN, own_due,          "the days since, by the usual gap (log)"},
    {"returned",         IF_AGAIN, item_returned,    "share of its users who came back to it"},
    {"gap",              IF_AGAIN, item_gap,         "days until they did, on the mean"},
    {"history.items",    ONCE, history_items,        "items in the history (log)"},
    {"history.likes",    ONCE, history_likes,        "share of them that were liked"},
    {"history.taste",    ONCE, history_taste,        "mean popularity of what was liked"},
    {"history.idle",     ONCE, history_idle,         "seconds since the last event (log)"},
    {"hour.sin",         ONCE, hour_sin,             "time of day (UTC)"},
    {"hour.cos",         ONCE, hour_cos,             "time of day (UTC)"},
    {"weekday.sin",      ONCE, weekday_sin,          "time of the week (UTC)"},
    {"weekday.cos",      ONCE, weekday_cos,          "time of the week (UTC)"},
};
/* clang-format on */

enum { FEATURES = sizeof table / sizeof *table };

static size_t times_of(const struct feature *f, const struct known *k, size_t sources)
{
    switch (f->times) {
    case PER_SOURCE:
        return sources;
    case PER_HALF:
        return KNOWN_HALVES;
    case PER_NUMBER:
        return k->names.count;
    case PER_KIND:
        return k->kinds.names.count;
    case IF_AGAIN:
        return k->again;
    default:
        return 1;
    }
}

/* Whether the name stands for itself. */
static bool once(const struct feature *f)
{
    return f->times == ONCE || f->times == IF_AGAIN;
}

size_t features_count(const struct known *known, size_t sources)
{
    size_t n = 0;
    for (size_t i = 0; i < FEATURES; i++)
        n += times_of(&table[i], known, sources);
    return n;
}

/* An attribute's name, blanks and quotes replaced, so that lists of names can be read. */
static void put_name(const char *name, struct str *out)
{
    for (size_t i = 0; name[i] && i < FEATURE_NAME / 2; i++)
        str_char(out, name[i] > ' ' && name[i] != '"' && name[i] != '\\' ? name[i] : '_');
}

void features_names(const struct known *known, const char *const *source, size_t sources,
                    struct str *out)
{
    for (size_t i = 0; i < FEATURES; i++)
        for (size_t j = 0; j < times_of(&table[i], known, sources); j++) {
            if (out->len)
                str_char(out, ' ');
            if (table[i].times == PER_NUMBER)
                put_name(intern_text(&known->names, (uint32_t)j), out);
            else if (table[i].times == PER_KIND)
                put_name(intern_text(&known->kinds.names, (uint32_t)j), out);
            else if (!once(&table[i]))
                str_put(out, table[i].times == PER_SOURCE ? source[j] : known_halves[j].name);
            str_fmt(out, "%s%s", once(&table[i]) ? "" : ".", table[i].name);
        }
}

const char *features_help(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < FEATURES; i++) {
        size_t own = strlen(table[i].name);
        if (own <= len && strcmp(name + len - own, table[i].name) == 0 &&
            (own == len) == once(&table[i]))
            return table[i].what;
    }
    return "";
}

void features_fill(const struct rank_view *view, float *out, size_t stride)
{
    for (size_t i = 0; i < FEATURES; i++)
        for (size_t j = 0; j < times_of(&table[i], view->known, view->sources); j++) {
            table[i].fill(view, j, out);
            out += stride;
        }
}
