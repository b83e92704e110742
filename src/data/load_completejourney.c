/* The Complete Journey (84.51°): what households bought, by basket. A folder with products.csv and
 * transactions.csv or transactions_sample.csv, and demographics.csv about some of the households.
 *
 * An event is a line of a basket, of type "purchase" with the quantity as its value; a product's
 * title is its product_type, its categories are department and product_category. */
#include "data/catalog.h"
#include "data/table.h"

#include <string.h>

static enum pal_status read_file(struct loading *l, const char *folder, const char *name,
                                 struct pal_error *err)
{
    char path[PATH_BYTES];
    enum pal_status st = file_join(path, sizeof path, folder, name, err);
    if (st != PAL_OK)
        return st;
    if (strcmp(name, "products.csv") == 0)
        return catalog_read_items(l, path, err);
    if (strcmp(name, "demographics.csv") == 0)
        return catalog_read_users(l, path, err);
    return table_guess_and_read(l, path, "purchase", l->all, err);
}

static enum pal_status read_journey(struct loading *l, const char *path, struct pal_error *err)
{
    char events[256];
    if (folder_find(path, "transactions", ".csv", events, NULL) == 0)
        return pal_fail(err, PAL_ENOTFOUND, "%s holds no transactions.csv", path);
    const char *const names[] = {"products.csv", "demographics.csv", events};
    enum pal_status st = PAL_OK;
    for (size_t i = 0; i < 3; i++)
        loading_expect(l, path, names[i]);
    for (size_t i = 0; i < 3 && st == PAL_OK; i++)
        if (folder_has(path, names[i]))
            st = read_file(l, path, names[i], err);
    return st;
}

static bool fits(const char *path)
{
    char events[256];
    return folder_has(path, "products.csv") &&
           folder_find(path, "transactions", ".csv", events, NULL) > 0;
}

const struct loader loader_completejourney = {
    "completejourney", "groceries: a folder with transactions*.csv, products.csv, demographics.csv",
    fits, read_journey, true};
