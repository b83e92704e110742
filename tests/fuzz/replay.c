/* Runs a fuzz target over kept inputs, without a fuzzer: replay-NAME FOLDER. Besides each file it
 * tries every prefix of it (all for short ones, evenly spread ones for long ones): a parser's usual
 * mistake is to read on where the input ends. */
#include "fuzz.h"

#include <dirent.h>

enum { MOST_PREFIXES = 512 };

/* A block of exactly the input's size, so that a sanitizer sees a read past its end. */
static void feed(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    long live = mem_live();
    (void)LLVMFuzzerTestOneInput(copy, size);
    FUZZ_CHECK(mem_live() == live);
    free(copy);
}

static void feed_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    FUZZ_CHECK(f != NULL);
    static uint8_t data[1 << 20];
    size_t size = fread(data, 1, sizeof data, f);
    FUZZ_CHECK(fclose(f) == 0);
    size_t step = size / MOST_PREFIXES + 1;
    for (size_t part = 0; part < size; part += step)
        feed(data, part);
    feed(data, size);
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (!folder) {
        fprintf(stderr, "usage: %s FOLDER-OF-SEEDS\n", argv[0]);
        return 2;
    }
    int files = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        feed_file(path);
        files++;
    }
    closedir(folder);
    printf("%d inputs and their prefixes\n", files);
    return files > 0 ? 0 : 1;
}
