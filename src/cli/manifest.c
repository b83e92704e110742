/* See manifest.h. The engine writes what a reader of models needs; this adds where the data lie,
 * which is the command line's business: `palate recommend --user 42` reads that user's history;
 * and times, which model files leave out so that the same training gives the same bytes. */
#include "cli/manifest.h"

#include "base/file.h"
#include "base/scheme.h"
#include "cli/gate.h"
#include "cli/source.h"
#include "cli/trials.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char file_name[] = "manifest.json";

/* The options that say what data are read, as they are named in the manifest too. */
static const char recorded[] = "format columns skip-bad fold seed";

enum pal_status manifest_read(const char *dir, json_t **out, struct pal_error *err)
{
    char path[PATH_MAX];
    struct file_map text;
    json_error_t where;
    enum pal_status st = file_join(path, sizeof path, dir, file_name, err);
    if (!st)
        st = file_map(path, &text, err);
    if (st)
        return st;
    *out = json_loadb(text.data, text.size, 0, &where);
    file_unmap(&text);
    if (!*out || !json_is_object(*out)) {
        json_decref(*out);
        return pal_fail(err, PAL_ECORRUPT, "%s is damaged at line %d: %s", path, where.line,
                        where.text);
    }
    return PAL_OK;
}

bool manifest_held_back(const json_t *manifest)
{
    return json_is_false(json_object_get(json_object_get(manifest, "gate"), "published"));
}

const char *manifest_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

int64_t manifest_int(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

json_t *manifest_place(const char *path)
{
    char buf[PATH_MAX], absolute[PATH_MAX];
    if (source_is_synthetic(path))
        return json_string(path);
    if (strstr(path, "://") && source_is_store(path)) { /* a server's */
        scheme_copy(buf, sizeof buf, path);
        return json_string(buf);
    }
    size_t scheme = source_is_store(path) ? strcspn(path, ":") + 1 : 0;
    const char *file = scheme ? path + scheme : source_look_up(path, buf, sizeof buf);
    file = realpath(file, absolute) ? absolute : file;
    json_t *text = json_sprintf("%.*s%s", (int)scheme, path, file);
    return text ? text : json_string(""); /* a name that is not UTF-8 can't be written down */
}

static json_t *describe_source(const struct job *job, const char *split)
{
    const char *list = recorded;
    json_t *source = json_object(), *sets = json_array();
    int bad = !source || !sets ||
              json_object_set_new(source, "path", manifest_place(job->set.data)) ||
              json_object_set(source, "set", sets);
    for (size_t i = 0; i < job->set_count && !bad; i++)
        if (strncmp(job->sets[i].text, "synth.", 6) == 0)
            bad = json_array_append_new(sets, json_string(job->sets[i].text));
    for (int i; (i = option_next(&list)) >= 0 && !bad;) {
        struct str value = {0};
        opt_show(&options[i].row, &job->set, &value);
        if (value.len)
            bad = json_object_set_new(source, options[i].row.name, json_string(value.text));
        bad |= value.failed;
        str_done(&value);
    }
    if (!bad && split)
        bad = json_object_set_new(source, "split", json_string(split));
    if (!bad && job->set.journal)
        bad = json_object_set_new(source, "journal", json_string(job->set.journal));
    if (!bad && job->position)
        bad = json_object_set_new(source, "position", json_integer((json_int_t)job->position));
    json_decref(sets);
    if (bad) {
        json_decref(source);
        return NULL;
    }
    return source;
}

/* Everything that was measured, with intervals, by groups of users and with what it took. */
static json_t *comparison_json(const struct trials *t)
{
    struct emit e = {.compact = true};
    trials_emit(&e, t);
    json_t *all = str_ok(&e.text) ? json_loadb(str_text(&e.text), e.text.len, 0, NULL) : NULL;
    str_done(&e.text);
    return all;
}

static int add_extra(json_t *all, const struct manifest_extra *x)
{
    json_t *models = json_object_get(all, "models"), *model;
    size_t i;
    int bad = json_object_set_new(all, "created_s", json_integer((json_int_t)time(NULL)));
    json_array_foreach(models, i, model) bad |=
        json_object_set_new(model, "train_seconds", json_real(x->train_s[i]));
    if (x->newest_s)
        bad |= json_object_set_new(all, "newest_event_s", json_integer(x->newest_s));
    if (x->replaces)
        bad |= json_object_set_new(all, "replaces", json_integer(x->replaces));
    if (x->gate)
        bad |= json_object_set_new(all, "gate", gate_json(x->gate));
    if (x->compared)
        bad |= json_object_set_new(all, "comparison", comparison_json(x->compared));
    return bad;
}

enum pal_status manifest_complete(const char *dir, const struct job *job,
                                  const struct manifest_extra *extra, struct pal_error *err)
{
    char path[PATH_MAX], *text = NULL;
    json_t *all = NULL;
    enum pal_status st = manifest_read(dir, &all, err);
    if (st)
        return st;
    if (add_extra(all, extra) == 0 &&
        json_object_set_new(all, "source", describe_source(job, extra->split)) == 0)
        text = json_dumps(all, JSON_INDENT(2) | JSON_REAL_PRECISION(10));
    if (!text)
        st = pal_no_memory(err);
    if (!st)
        st = file_join(path, sizeof path, dir, file_name, err);
    if (!st)
        st = file_put(path, text, strlen(text), err);
    free(text);
    json_decref(all);
    return st;
}

enum pal_status manifest_use_source(const json_t *manifest, struct job *job, struct pal_error *err)
{
    const json_t *source = json_object_get(manifest, "source"), *entry;
    const char *path = manifest_text(source, "path"), *list = recorded;
    size_t n;
    if (!*path)
        return pal_fail(err, PAL_ENOTFOUND,
                        "this version doesn't say where its data are: give --data PATH");
    enum pal_status st = job_set(job, option_index("data", 4), path, FROM_FILE, file_name, err);
    if (!st && *manifest_text(source, "journal"))
        st = job_set(job, option_index("journal", 7), manifest_text(source, "journal"), FROM_FILE,
                     file_name, err);
    for (int i; (i = option_next(&list)) >= 0 && !st;) {
        const char *value = manifest_text(source, options[i].row.name);
        if (*value && job->origin[i] != FROM_FLAG)
            st = job_set(job, i, value, FROM_FILE, file_name, err);
    }
    json_array_foreach(json_object_get(source, "set"), n, entry)
    {
        if (!st && json_is_string(entry))
            st = job_set(job, option_index("set", 3), json_string_value(entry), FROM_FILE,
                         file_name, err);
    }
    return st;
}
