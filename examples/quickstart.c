/* quickstart: opens a data set, or a tiny one of its own, trains, and prints what comes next.
 *
 *     cc quickstart.c $(pkg-config --cflags --libs palate) && ./a.out [DATA [USER]] */
#include <palate.h>
#include <stdio.h>

static const char *const likes[][2] = {
    {"ann", "Alien"},   {"ann", "Solaris"}, {"bob", "Alien"},        {"bob", "Solaris"},
    {"bob", "Stalker"}, {"cid", "Amelie"},  {"cid", "Delicatessen"}, {"cid", "Playtime"},
    {"dot", "Stalker"}, {"dot", "Solaris"}, {"eva", "Amelie"},       {"eva", "Playtime"},
};

int main(int argc, char **argv)
{
    struct palate *p = NULL;
    struct pal_list *list = NULL;
    struct pal_error err;
    const char *user = argc > 2 ? argv[2] : argc > 1 ? "1" : "ann";
    enum pal_status st = pal_open(argc > 1 ? argv[1] : NULL, &p, &err);
    for (size_t i = 0; st == PAL_OK && argc < 2 && i < sizeof likes / sizeof likes[0]; i++)
        st = pal_add_event(p, likes[i][0], likes[i][1], "like", 1, 0, &err);
    if (st == PAL_OK)
        st = pal_train(p, "als", "factors=16", &err);
    if (st == PAL_OK)
        st = pal_recommend(p, user, 3, &list, &err);
    if (st != PAL_OK)
        fprintf(stderr, "quickstart: %s\n", err.message);
    for (size_t i = 0; list && i < list->count; i++) {
        const struct pal_recommendation *r = &list->item[i];
        printf("%-40s %6.3f  %s %s\n", r->title, r->score, r->reason_count ? "because of" : "from",
               r->reason_count ? r->reason[0].title : r->source);
    }
    pal_list_free(list);
    pal_close(p);
    return st != PAL_OK;
}
