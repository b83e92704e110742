/* A folder with negatives: the input is its files, one after the other, parted by bytes 0x01. */
#include "loading.h"

static const char *const names[] = {"x.train.rating", "x.test.rating", "x.test.negative"};
enum { NAMES = sizeof names / sizeof names[0] };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct load_options options = {.format = "ncf"};
    put_files(names, NAMES, data, size);
    check_both_ways(memory_folder(), options);
    remove_files(names, NAMES);
    return 0;
}
