/* Data out of a running server's store and journal (see source.h). */
#include "base/scheme.h"
#include "cli/pending.h"
#include "cli/source.h"

bool source_is_store(const char *path)
{
    return scheme_is(path, "sqlite") || scheme_is(path, "postgres") ||
           scheme_is(path, "postgresql") || scheme_is(path, "clickhouse");
}

enum pal_status source_choose(struct job *job, struct pal_error *err)
{
    enum origin data = job->origin[option_index("data", 4)];
    enum origin store = job->origin[option_index("store", 5)];
    if (store == FROM_DEFAULT || store < data)
        return PAL_OK;
    if (data == FROM_FLAG)
        return pal_fail(err, PAL_EUSAGE, "give --data or --store, not both");
    return job_set(job, option_index("data", 4), job->set.store, store, NULL, err);
}

enum pal_status source_load_store(struct job *job, const char *url, struct dataset **out,
                                  struct pal_error *err)
{
    struct store *s = NULL;
    struct pending p = {0};
    uint64_t position = 0;
    enum pal_status st = store_open(url, true, &s, err);
    if (!st)
        st = run_step(&job->run, "loading", 0, 0, err);
    if (!st)
        st = pending_read(job, s, &p, err);
    if (!st)
        st = store_dataset(s, p.change, p.count, &job->run, out, &position, err);
    if (!st) {
        uint64_t last = p.count ? p.change[p.count - 1].seq : 0;
        job->position = last > position ? last : position;
    }
    store_close(s);
    pending_done(&p);
    return st;
}
