/* JSON lines. */
#include "loading.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd;
    struct load_options options = {.format = "jsonl"};
    check_both_ways(memory_file(&fd, data, size), options);
    return 0;
}
