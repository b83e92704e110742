/* Tables of events: the input is a file, of which kind its first line tells. */
#include "loading.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd;
    struct load_options options = {.format = "table"};
    check_both_ways(memory_file(&fd, data, size), options);
    return 0;
}
