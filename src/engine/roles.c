/* See roles.h. */
#include "engine/roles.h"

#include <stdio.h>
#include <string.h>

static const char *const names[] = {"recs", "collector", "pipeline"}; /* bit i is names[i] */
enum { NAMES = sizeof names / sizeof names[0] };

static unsigned role_of(const char *word, size_t len)
{
    for (unsigned i = 0; i < NAMES; i++)
        if (strlen(names[i]) == len && memcmp(names[i], word, len) == 0)
            return 1u << i;
    return len == 3 && memcmp(word, "all", 3) == 0 ? ROLE_ALL : 0;
}

enum pal_status roles_parse(const char *text, unsigned *out, struct pal_error *err)
{
    unsigned roles = 0;
    for (const char *p = text ? text : "all";; p++) {
        p += strspn(p, " ");
        size_t len = strcspn(p, ",");
        size_t word = len;
        while (word > 0 && p[word - 1] == ' ')
            word--;
        unsigned role = role_of(p, word);
        if (!role)
            return pal_fail(err, PAL_EUSAGE,
                            "'%.*s' is no role: there are recs, collector and pipeline, with "
                            "commas between",
                            (int)(word < 40 ? word : 40), p);
        roles |= role;
        p += len;
        if (!*p)
            break;
    }
    *out = roles;
    return PAL_OK;
}

void roles_text(unsigned roles, char out[ROLES_TEXT])
{
    size_t used = 0;
    out[0] = 0;
    for (unsigned i = 0; i < NAMES; i++)
        if (roles & 1u << i)
            used +=
                (size_t)snprintf(out + used, ROLES_TEXT - used, "%s%s", used ? "," : "", names[i]);
}
