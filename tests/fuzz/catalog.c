/* A folder with tables about items and users: the input is its files, one after the other, parted
 * by bytes 0x01. */
#include "loading.h"

static const char *const names[] = {"events.csv", "items.csv", "users.csv"};
enum { NAMES = sizeof names / sizeof names[0] };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct load_options options = {.format = "folder"};
    put_files(names, NAMES, data, size);
    check_both_ways(memory_folder(), options);
    remove_files(names, NAMES);
    return 0;
}
