/* What palate export writes, read as a data set. */
#include "loading.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd;
    struct load_options options = {.format = "export"};
    check_both_ways(memory_file(&fd, data, size), options);
    return 0;
}
