/* The mapping of columns: the input's first line is what a person typed, the rest is a table, and
 * once more the first line of it is a JSON object. */
#include "loading.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd;
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    size_t len = end ? (size_t)(end - data) : size, rest = end ? len + 1 : size;
    char *columns = mem_text((const char *)data, len);
    if (!columns)
        abort();
    struct load_options options = {.format = "table", .columns = columns};
    check_both_ways(memory_file(&fd, data + rest, size - rest), options);
    options.format = "jsonl";
    check_both_ways(memory_file(&fd, data + rest, size - rest), options);
    mem_free(columns);
    return 0;
}
