/* Lists as text (see lists.h). Scores have seven digits, as many as a float is good for. */
#include "cli/lists.h"

#include "base/digits.h"
#include "base/emit.h"

#include <string.h>

const char *lists_header(enum lists_form form)
{
    return form == FORM_CSV ? "user_id,rank,item_id,score,source\n" : "";
}

static void put_uint(struct str *out, uint64_t x)
{
    char digits[DIGITS_MOST];
    str_add(out, digits, digits_uint(digits, x));
}

static void put_score(struct str *out, float x)
{
    char digits[DIGITS_MOST];
    str_add(out, digits, digits_real(digits, (double)x, 7));
}

/* A field of RFC 4180: quoted where it has to be. */
static void put_csv(struct str *out, const char *text)
{
    if (!text[strcspn(text, ",\"\r\n")]) {
        str_put(out, text);
        return;
    }
    str_char(out, '"');
    for (const char *p = text; *p; p++) {
        if (*p == '"')
            str_char(out, '"');
        str_char(out, *p);
    }
    str_char(out, '"');
}

/* A field of COPY's text format. */
static void put_copy(struct str *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        const char *special = strchr("\\\b\f\n\r\t\v", *p);
        if (special) {
            str_char(out, '\\');
            str_char(out, "\\bfnrtv"[special - "\\\b\f\n\r\t\v"]);
        } else {
            str_char(out, *p);
        }
    }
}

static void put_csv_list(struct str *out, const char *user_id, const struct items *items,
                         const struct recommendation *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put_csv(out, user_id);
        str_char(out, ',');
        put_uint(out, i + 1);
        str_char(out, ',');
        put_csv(out, intern_text(&items->ids, list[i].item));
        str_char(out, ',');
        put_score(out, list[i].score);
        str_char(out, ',');
        put_csv(out, list[i].source);
        str_char(out, '\n');
    }
}

static void put_copy_list(struct str *out, uint32_t version, const char *user_id,
                          const struct items *items, const struct recommendation *list,
                          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put_copy(out, user_id);
        str_char(out, '\t');
        put_uint(out, i + 1);
        str_char(out, '\t');
        put_copy(out, intern_text(&items->ids, list[i].item));
        str_char(out, '\t');
        put_score(out, list[i].score);
        str_char(out, '\t');
        put_copy(out, list[i].source);
        str_char(out, '\t');
        put_uint(out, version);
        str_char(out, '\n');
    }
}

static void put_json_list(struct str *out, uint32_t version, const char *user_id,
                          const struct items *items, const struct recommendation *list,
                          size_t count)
{
    str_put(out, "{\"user_id\":");
    emit_quoted(out, user_id);
    str_put(out, ",\"version\":");
    put_uint(out, version);
    str_put(out, ",\"items\":[");
    for (size_t i = 0; i < count; i++) {
        str_put(out, i ? ",{\"item_id\":" : "{\"item_id\":");
        emit_quoted(out, intern_text(&items->ids, list[i].item));
        str_put(out, ",\"score\":");
        put_score(out, list[i].score);
        str_put(out, ",\"source\":");
        emit_quoted(out, list[i].source);
        str_char(out, '}');
    }
    str_put(out, "]}\n");
}

void lists_put(struct str *out, enum lists_form form, uint32_t version, const char *user_id,
               const struct items *items, const struct recommendation *list, size_t count)
{
    switch (form) {
    case FORM_CSV:
        put_csv_list(out, user_id, items, list, count);
        break;
    case FORM_JSONL:
        put_json_list(out, version, user_id, items, list, count);
        break;
    case FORM_COPY:
        put_copy_list(out, version, user_id, items, list, count);
        break;
    }
}
