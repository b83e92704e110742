/* See columns.h. */
#include "data/columns.h"

#include "base/str.h"
#include "base/text.h"

#include <ctype.h>
#include <string.h>

static const char *const role_names[ROLES] = {"user", "item", "value", "time", "type"};

/* What published data sets call their columns, the surest first; written without '_' and so on. */
static const char *const known[ROLES][36] = {
    [ROLE_USER] = {"userid", "user", "uid", "customerid", "customer", "householdid", "household",
                   "visitorid", "visitor", "memberid", "clientid", "accountid", "reviewerid",
                   "personid", "profileid", "sessionid", "session"},
    [ROLE_ITEM] = {"itemid",    "item",    "iid",        "movieid",  "movie",     "productid",
                   "product",   "bookid",  "book",       "trackid",  "songid",    "artistid",
                   "articleid", "asin",    "isbn",       "sku",      "stockcode", "businessid",
                   "venueid",   "poiid",   "locationid", "recipeid", "videoid",   "gameid",
                   "appid",     "animeid", "adid",       "newsid",   "contentid", "resourceid"},
    [ROLE_VALUE] = {"rating", "value", "score", "stars", "overall", "weight", "quantity", "count",
                    "plays", "playcount", "listens", "strength"},
    [ROLE_TIME] = {"timestamp", "time", "ts", "datetime", "date", "eventtime", "createdat",
                   "transactiontimestamp", "ratedat", "unixreviewtime", "invoicedate"},
    [ROLE_TYPE] = {"type", "eventtype", "event", "action", "behavior", "behaviour",
                   "interactiontype", "eventname"},
};

bool columns_named(const char *name, size_t len, const char *word)
{
    for (size_t i = 0; i < len && name[i] != ':'; i++) {
        if (name[i] == '_' || name[i] == '-' || name[i] == ' ' || name[i] == '.')
            continue;
        if (!*word || tolower((unsigned char)name[i]) != *word)
            return false;
        word++;
    }
    return !*word;
}

enum pal_status columns_parse(const char *text, struct columns_wanted *out, struct pal_error *err)
{
    struct columns_wanted w = {0};
    for (const char *p = text; p && *p;) {
        const char *end = strchrnul(p, ',');
        const char *equals = memchr(p, '=', (size_t)(end - p));
        int role = 0;
        while (equals && role < ROLES && !text_is(p, equals, role_names[role]))
            role++;
        if (!equals || role == ROLES)
            return pal_fail(err, PAL_EUSAGE,
                            "columns: cannot read '%.*s': write user=NAME,item=NAME and, if there "
                            "are such columns, value=NAME,time=NAME,type=NAME",
                            (int)(end - p > 80 ? 80 : end - p), p);
        w.name[role].p = equals + 1;
        w.name[role].len = (size_t)(end - equals - 1);
        p = *end ? end + 1 : end;
    }
    *out = w;
    return PAL_OK;
}

enum role columns_role(const struct columns_wanted *w, const char *name, size_t len, unsigned *rank)
{
    *rank = 0;
    for (int r = 0; r < ROLES; r++)
        if (w->name[r].len == len && len && memcmp(w->name[r].p, name, len) == 0)
            return (enum role)r;
    for (int r = 0; r < ROLES; r++)
        for (unsigned i = 0; !w->name[r].p && known[r][i]; i++)
            if (columns_named(name, len, known[r][i])) {
                *rank = i + 1;
                return (enum role)r;
            }
    return ROLE_NONE;
}

bool columns_is_rating(const char *name, size_t len)
{
    static const char *const words[] = {"rating", "score", "stars", "overall"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (columns_named(name, len, words[i]))
            return true;
    return false;
}

static void no_columns(struct columns *c, size_t fields)
{
    *c = (struct columns){.fields = fields};
    for (int r = 0; r < ROLES; r++)
        c->at[r] = -1;
}

/* Was every column that the caller named found? */
static bool all_wanted(const struct columns_wanted *w, const struct columns *c)
{
    for (int r = 0; r < ROLES; r++)
        if (w->name[r].len && c->at[r] < 0)
            return false;
    return c->at[ROLE_USER] >= 0 && c->at[ROLE_ITEM] >= 0;
}

bool columns_from_header(const struct columns_wanted *w, const struct lines *l, struct columns *out)
{
    unsigned best[ROLES], rank;
    no_columns(out, l->fields);
    for (size_t i = 0; i < l->fields && i < LINE_FIELDS; i++) {
        const struct field *f = &l->field[i];
        size_t len = (size_t)(f->end - f->p);
        enum role r = columns_role(w, f->p, len, &rank);
        if (r == ROLE_NONE || (out->at[r] >= 0 && best[r] <= rank))
            continue;
        best[r] = rank;
        out->at[r] = (int)i;
        if (r == ROLE_VALUE)
            out->rating = columns_is_rating(f->p, len);
    }
    return all_wanted(w, out);
}

/* A position from 1 as an index, or -1. */
static int position(const struct columns_wanted *w, int role, size_t fields)
{
    uint64_t number;
    const char *p = w->name[role].p;
    if (!p || !text_u64(p, p + w->name[role].len, &number) || number < 1 || number > fields ||
        number > LINE_FIELDS)
        return -1;
    return (int)number - 1;
}

static bool is_number(struct field f)
{
    double number;
    return text_real(f.p, f.end, &number);
}

bool columns_from_row(const struct columns_wanted *w, const struct lines *l, bool words,
                      struct columns *out)
{
    uint32_t time_s;
    no_columns(out, l->fields);
    out->rating = true;
    if (w->name[ROLE_USER].p || w->name[ROLE_ITEM].p) {
        for (int r = 0; r < ROLES; r++)
            out->at[r] = position(w, r, l->fields);
    } else {
        if (l->fields < 2 || l->fields > 4)
            return false;
        for (int r = ROLE_USER; r <= ROLE_TIME; r++)
            out->at[r] = (size_t)r < l->fields ? r : -1;
        /* two words could be a header with unknown names: numbers can't, nor can a list of pairs */
        if (l->fields == 2 && !words && !(is_number(l->field[0]) && is_number(l->field[1])))
            return false;
    }
    struct field value = lines_field(l, (size_t)out->at[ROLE_VALUE]);
    struct field time = lines_field(l, (size_t)out->at[ROLE_TIME]);
    return all_wanted(w, out) && (out->at[ROLE_VALUE] < 0 || is_number(value)) &&
           (out->at[ROLE_TIME] < 0 || text_time(time.p, time.end, &time_s));
}

enum pal_status columns_refuse(const struct columns_wanted *w, const struct lines *l,
                               struct pal_error *err)
{
    struct str names = {0};
    for (size_t i = 0; i < l->fields && i < LINE_FIELDS && names.len < 200; i++)
        str_fmt(&names, "%s%.*s", i ? ", " : "",
                (int)(l->field[i].end - l->field[i].p > 60 ? 60 : l->field[i].end - l->field[i].p),
                l->field[i].p);
    struct columns c;
    int missing = 0;
    columns_from_header(w, l, &c);
    while (missing < ROLES && (!w->name[missing].len || c.at[missing] >= 0))
        missing++;
    if (missing < ROLES)
        pal_fail(err, PAL_EUSAGE, "%s: there is no column '%.*s'; the first line is: %s", l->path,
                 (int)(w->name[missing].len > 60 ? 60 : w->name[missing].len), w->name[missing].p,
                 str_text(&names));
    else
        pal_fail(err, PAL_EUSAGE,
                 "%s: cannot tell which columns are the user and the item; say so with columns "
                 "user=NAME,item=NAME (or their numbers, from 1); the first line is: %s",
                 l->path, str_text(&names));
    str_done(&names);
    return PAL_EUSAGE;
}
