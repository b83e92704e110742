/* palate version: what was built, how, and what it found here. */
#include "base/pool.h"
#include "cli/command.h"
#include "math/kernels.h"

/* OpenBLAS's own words about itself; its header is not needed for two functions. */
char *openblas_get_config(void);
char *openblas_get_corename(void);

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER "gcc " __VERSION__
#else
#define COMPILER "unknown"
#endif

#ifdef __OPTIMIZE__
#define OPTIMIZED true
#else
#define OPTIMIZED false
#endif

static void put_variants(struct str *out)
{
    size_t n;
    const struct kernels *const *all = kernels_all(&n);
    for (size_t i = 0; i < n; i++)
        str_fmt(out, "%s%s", i ? ", " : "", all[i]->name);
}

static void say_json(struct console *c)
{
    size_t n;
    const struct kernels *const *all = kernels_all(&n);
    struct emit e = {0};
    emit_open(&e, NULL, '{');
    emit_string(&e, "version", PALATE_VERSION);
    emit_string(&e, "compiler", COMPILER);
    emit_boolean(&e, "optimized", OPTIMIZED);
    emit_string(&e, "kernels", kernels()->name);
    emit_open(&e, "kernels_here", '[');
    for (size_t i = 0; i < n; i++)
        emit_string(&e, NULL, all[i]->name);
    emit_close(&e, ']');
    emit_string(&e, "blas", openblas_get_config());
    emit_string(&e, "blas_core", openblas_get_corename());
    emit_uint(&e, "cores", pool_cores());
    emit_close(&e, '}');
    emit_say(&e, c);
}

enum pal_status version_run(struct job *job, struct pal_error *err)
{
    struct console *c = &job->out;
    enum pal_status st = job_threads(job, err);
    if (st)
        return st;
    if (job->set.json) {
        say_json(c);
        return PAL_OK;
    }
    struct str variants = {0};
    put_variants(&variants);
    say(c, "palate %s\n", PALATE_VERSION);
    say(c, "  compiler  %s%s\n", COMPILER, OPTIMIZED ? "" : ", not optimized");
    say(c, "  kernels   %s (this processor can run %s)\n", kernels()->name, str_text(&variants));
    say(c, "  blas      %s, core %s\n", openblas_get_config(), openblas_get_corename());
    say(c, "  cores     %u\n", pool_cores());
    str_done(&variants);
    return PAL_OK;
}
