/* See memory.h. */
#include "model/memory.h"

#include <stdio.h>
#include <string.h>

/* The number after `label` in a file of labelled lines, or the file's only number for "". Returns
 * UINT64_MAX if it is not there ("max" in a control group is no number). */
static uint64_t number_in(const char *path, const char *label)
{
    char line[256];
    unsigned long long value = UINT64_MAX;
    FILE *f = fopen(path, "r");
    if (!f)
        return UINT64_MAX;
    while (fgets(line, sizeof line, f)) {
        size_t len = strlen(label);
        if (strncmp(line, label, len) == 0 && sscanf(line + len, "%llu", &value) == 1)
            break;
    }
    fclose(f);
    return value;
}

/* A container sees its own group at the root of the mount. */
static uint64_t group_left(void)
{
    static const char *const files[][2] = {
        {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"},
        {"/sys/fs/cgroup/memory/memory.limit_in_bytes",
         "/sys/fs/cgroup/memory/memory.usage_in_bytes"}};
    static const char *const stats[] = {"/sys/fs/cgroup/memory.stat",
                                        "/sys/fs/cgroup/memory/memory.stat"};
    for (size_t i = 0; i < 2; i++) {
        uint64_t most = number_in(files[i][0], ""), used = number_in(files[i][1], "");
        if (most == UINT64_MAX || used == UINT64_MAX)
            continue;
        /* cached files count as used, but give way */
        uint64_t cache = number_in(stats[i], "inactive_file ");
        if (cache != UINT64_MAX)
            used -= cache < used ? cache : used;
        return most > used ? most - used : 0;
    }
    return UINT64_MAX;
}

uint64_t memory_available(void)
{
    uint64_t kib = number_in("/proc/meminfo", "MemAvailable:"), group = group_left();
    uint64_t machine = kib < UINT64_MAX / 1024 ? kib * 1024 : UINT64_MAX;
    return machine < group ? machine : group;
}

const char *memory_text(char buf[MEMORY_TEXT], uint64_t bytes)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB", "EB"};
    double x = (double)bytes;
    size_t unit = 0;
    for (; x >= 999.5 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        x /= 1000;
    snprintf(buf, MEMORY_TEXT, unit && x < 9.95 ? "%.1f %s" : "%.0f %s", x, units[unit]);
    return buf;
}

const char *memory_count(char buf[MEMORY_TEXT], uint64_t n)
{
    char digits[MEMORY_TEXT];
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n), at = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            buf[at++] = ',';
        buf[at++] = digits[i];
    }
    buf[at] = 0;
    return buf;
}
