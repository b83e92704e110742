/* Lists of items per user: the input is a file. */
#include "loading.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd;
    struct load_options options = {.format = "lists"};
    check_both_ways(memory_file(&fd, data, size), options);
    return 0;
}
