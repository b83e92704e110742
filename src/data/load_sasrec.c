/* "user item", one event per line, each user's in order of time but without times, as SASRec (Kang
 * and McAuley 2018) and its successors publish their data: a folder with one such NAME.txt. Where
 * sas_to_original_items.txt and …_users.txt say what the numbers were, that becomes the attribute
 * "original_id". A single file of this kind is read by "table". */
#include "data/id_map.h"
#include "data/table.h"

static const struct id_map maps[] = {{"sas_to_original_items.txt", false, 0, 1, false},
                                     {"sas_to_original_users.txt", true, 0, 1, false}};

/* The folder's one file of pairs. */
static bool find_file(const char *folder, char path[PATH_BYTES])
{
    char name[256];
    size_t least, most;
    return folder_find(folder, "", ".txt", name, NULL) == 1 &&
           file_join(path, PATH_BYTES, folder, name, NULL) == PAL_OK &&
           file_words(path, &least, &most) && least == 2 && most == 2;
}

static enum pal_status read_sasrec(struct loading *l, const char *path, struct pal_error *err)
{
    char file[PATH_BYTES];
    uint8_t type;
    if (!find_file(path, file))
        return pal_fail(err, PAL_EUSAGE,
                        "%s: expected a folder with one file NAME.txt of lines 'user item'", path);
    for (size_t i = 0; i < 2; i++)
        loading_expect(l, path, maps[i].file);
    reading_expect(&l->reading, file);
    l->d->weights = "*:1";
    enum pal_status st = loading_type(l, "interaction", &type, err);
    for (size_t i = 0; i < 2 && st == PAL_OK; i++)
        st = id_map_read(l, path, &maps[i], err);
    if (st != PAL_OK)
        return st;
    struct table t = table_of(RECORD_WORDS, ' ', 2, type);
    return table_read(l, file, &t, l->all, err);
}

static bool fits(const char *path)
{
    char file[PATH_BYTES];
    return file_is_dir(path) && find_file(path, file);
}

const struct loader loader_sasrec = {
    "sasrec", "user item per line in order of time: a folder with one NAME.txt", fits, read_sasrec,
    false};
