/* Reads the filter language by recursive descent into a tree, then lays the tree out as the walk of
 * filter_code.h: `and`, `or` and `not` are only where a test goes on, and cost nothing later.
 *
 *     any     = all { "or" all }
 *     all     = one { "and" one }
 *     one     = "not" one | "(" any ")" | "exists" "(" name ")" | name test
 *     test    = compare value | ["not"] ( "in" "[" value { "," value } "]" | "has" value
 *                                       | "contains" text )
 *     compare = "=" | "==" | "!=" | "<" | "<=" | ">" | ">="
 */
#include "engine/filter_code.h"

#include "base/text.h"

#include <string.h>

enum token_kind { AT_END, AT_WORD, AT_TEXT, AT_NUMBER, AT_SIGN };

struct token {
    enum token_kind kind;
    const char *at; /* where it begins in the input */
    size_t len;     /* of it there */
    double number;
    const char *text; /* AT_TEXT: without quotes and escapes; AT_WORD: at */
    size_t size;
};

enum node_kind { NODE_TERM, NODE_AND, NODE_OR, NODE_NOT };

struct node {
    enum node_kind kind;
    size_t term;  /* NODE_TERM */
    size_t terms; /* in it */
    struct node *left, *right;
};

struct parser {
    const char *text, *end, *p; /* p: after the token */
    struct token token;
    struct arena *tmp;
    struct filter_term *term; /* (FILTER_TERMS) */
    size_t terms, values;
    int depth;
    struct pal_error *err;
};

/* Counts characters, not bytes: what people see. */
static size_t place_of(const struct parser *p, const char *at)
{
    size_t place = 1;
    for (const char *q = p->text; q < at; q++)
        place += (*q & 0xc0) != 0x80;
    return place;
}

static enum pal_status complain(struct parser *p, const char *at, const char *what)
{
    return pal_fail(p->err, PAL_EUSAGE, "the filter at character %zu: %s", place_of(p, at), what);
}

/* "the filter at character 14: expected a value, not 'and'" */
static enum pal_status expected(struct parser *p, const char *what)
{
    const struct token *t = &p->token;
    size_t len = t->len;
    if (t->kind == AT_END)
        return pal_fail(p->err, PAL_EUSAGE, "the filter at character %zu: expected %s, but it ends",
                        place_of(p, t->at), what);
    if (len > 40) {
        len = 40;
        while ((t->at[len] & 0xc0) == 0x80)
            len--;
    }
    return pal_fail(p->err, PAL_EUSAGE, "the filter at character %zu: expected %s, not %.*s%s",
                    place_of(p, t->at), what, (int)len, t->at, len < t->len ? "…" : "");
}

/* ---- Tokens ---- */

static bool begins_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static enum pal_status read_text(struct parser *p)
{
    char quote = *p->token.at;
    const char *q = p->token.at + 1;
    char *text = arena_alloc(p->tmp, (size_t)(p->end - q) + 1, 1);
    size_t size = 0;
    if (!text)
        return pal_no_memory(p->err);
    for (; q < p->end && *q != quote; q++) {
        if (*q == '\\' && ++q < p->end && *q != '\\' && *q != '"' && *q != '\'')
            return complain(p, q, "after a backslash in a text comes \\, \" or '");
        if (q < p->end)
            text[size++] = *q;
    }
    if (q >= p->end)
        return complain(p, p->token.at, "this text has no closing quote");
    text[size] = 0;
    p->token.kind = AT_TEXT;
    p->token.text = text;
    p->token.size = size;
    p->p = q + 1;
    return PAL_OK;
}

static enum pal_status read_number(struct parser *p)
{
    const char *q = p->token.at;
    while (q < p->end && (is_digit(*q) || strchr("+-.", *q) || begins_word(*q)))
        q++;
    p->token.kind = AT_NUMBER;
    p->p = q;
    if (!text_real(p->token.at, q, &p->token.number))
        return complain(p, p->token.at, "this is not a number (a text needs quotes)");
    return PAL_OK;
}

static void read_word(struct parser *p)
{
    const char *q = p->token.at;
    while (q < p->end && (begins_word(*q) || is_digit(*q) || *q == '.' || *q == '-'))
        q++;
    p->token.kind = AT_WORD;
    p->token.text = p->token.at;
    p->token.size = (size_t)(q - p->token.at);
    p->p = q;
}

static enum pal_status advance(struct parser *p)
{
    enum pal_status st = PAL_OK;
    while (p->p < p->end && strchr(" \t\r\n", *p->p))
        p->p++;
    p->token = (struct token){.kind = AT_END, .at = p->p};
    if (p->p == p->end)
        return PAL_OK;
    char c = *p->p, next = p->p + 1 < p->end ? p->p[1] : 0;
    if (c == '"' || c == '\'') {
        st = read_text(p);
    } else if (is_digit(c) || c == '-' || (c == '.' && is_digit(next))) {
        st = read_number(p);
    } else if (begins_word(c)) {
        read_word(p);
    } else if (strchr("()[],=<>", c) || (c == '!' && next == '=')) {
        p->token.kind = AT_SIGN;
        p->p += strchr("!<>=", c) && next == '=' ? 2 : 1;
    } else {
        return complain(p, p->p, "this character has no place here (a text needs quotes)");
    }
    p->token.len = (size_t)(p->p - p->token.at);
    return st;
}

static bool is_sign(const struct parser *p, const char *sign)
{
    return p->token.kind == AT_SIGN && p->token.len == strlen(sign) &&
           memcmp(p->token.at, sign, p->token.len) == 0;
}

static bool is_word(const struct parser *p, const char *word)
{
    return p->token.kind == AT_WORD && text_is(p->token.at, p->token.at + p->token.len, word);
}

static enum pal_status take_sign(struct parser *p, const char *sign, const char *what)
{
    return is_sign(p, sign) ? advance(p) : expected(p, what);
}

/* ---- Terms ---- */

static const struct {
    const char *name;
    enum filter_field field;
} fields[] = {
    {"item_id", FIELD_ID},          {"title", FIELD_TITLE},        {"categories", FIELD_CATEGORIES},
    {"available", FIELD_AVAILABLE}, {"created_at", FIELD_CREATED},
};

static enum pal_status read_name(struct parser *p, struct filter_term *t)
{
    static const char *const reserved[] = {"and",      "or",     "not",  "in",   "has",
                                           "contains", "exists", "true", "false"};
    if (p->token.kind != AT_WORD && p->token.kind != AT_TEXT)
        return expected(p, "the name of an attribute");
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (is_word(p, reserved[i]))
            return expected(p, "the name of an attribute (in quotes if it is a word of the "
                               "language)");
    t->name = p->token.text;
    t->name_size = p->token.size;
    for (size_t i = 0; i < sizeof fields / sizeof *fields && p->token.kind == AT_WORD; i++)
        if (strlen(fields[i].name) == t->name_size &&
            memcmp(fields[i].name, t->name, t->name_size) == 0)
            t->field = fields[i].field;
    return advance(p);
}

/* A date for created_at becomes milliseconds. */
static enum pal_status read_date(struct parser *p, struct filter_value *v)
{
    uint32_t seconds;
    if (!text_time(p->token.text, p->token.text + p->token.size, &seconds))
        return expected(p, "milliseconds since 1970 or a date such as \"2024-12-31\"");
    v->kind = CELL_NUMBER;
    v->number = 1000.0 * seconds;
    return PAL_OK;
}

static enum pal_status read_value(struct parser *p, const struct filter_term *t,
                                  struct filter_value *v)
{
    enum pal_status st = PAL_OK;
    *v = (struct filter_value){.bound = INTERN_NONE};
    if (++p->values > FILTER_VALUES)
        return complain(p, p->token.at, "more than 1,024 values");
    if (p->token.kind == AT_NUMBER) {
        v->kind = CELL_NUMBER;
        v->number = p->token.number;
    } else if (is_word(p, "true") || is_word(p, "false")) {
        v->kind = CELL_BOOL;
        v->number = is_word(p, "true");
    } else if (p->token.kind == AT_TEXT) {
        v->kind = CELL_TEXT;
        v->text = p->token.text;
        v->size = (uint32_t)p->token.size;
        v->hash = catalog_hash(v->text, v->size);
        if (t->field == FIELD_CREATED)
            st = read_date(p, v);
    } else {
        return expected(p, "a value: a number, true, false, or a text in quotes");
    }
    if (st == PAL_OK && v->kind != CELL_TEXT &&
        (t->field == FIELD_ID || t->field == FIELD_TITLE || t->field == FIELD_CATEGORIES ||
         t->op == OP_CONTAINS))
        return expected(p, "a text in quotes");
    if (st == PAL_OK && t->field == FIELD_CREATED && v->kind != CELL_NUMBER)
        return expected(p, "milliseconds since 1970 or a date such as \"2024-12-31\"");
    if (st == PAL_OK && t->field == FIELD_AVAILABLE && v->kind != CELL_BOOL)
        return expected(p, "true or false");
    if (st == PAL_OK && v->kind == CELL_BOOL && t->op >= OP_LT && t->op <= OP_GE)
        return expected(p, "a number or a text, of which one can be the greater");
    return st == PAL_OK ? advance(p) : st;
}

static enum pal_status read_list(struct parser *p, struct filter_term *t)
{
    struct filter_value *value = NULL;
    size_t cap = 0;
    enum pal_status st = take_sign(p, "[", "'[' and a list of values");
    while (st == PAL_OK) {
        if (t->count == cap) {
            struct filter_value *more = arena_alloc(p->tmp, cap * 2 + 4, sizeof *more);
            if (!more)
                return pal_no_memory(p->err);
            if (cap)
                memcpy(more, value, cap * sizeof *more);
            value = more;
            cap = cap * 2 + 4;
        }
        st = read_value(p, t, &value[t->count]);
        t->count += st == PAL_OK;
        if (st != PAL_OK || !is_sign(p, ","))
            break;
        st = advance(p);
    }
    t->value = value;
    return st == PAL_OK ? take_sign(p, "]", "',' or ']'") : st;
}

/* *negated: it was "not in", "not has" or "not contains". */
static enum pal_status read_op(struct parser *p, enum filter_op *op, bool *negated)
{
    static const struct {
        const char *text;
        enum filter_op op;
    } signs[] = {{"=", OP_EQ},  {"==", OP_EQ}, {"!=", OP_NE}, {"<", OP_LT},
                 {"<=", OP_LE}, {">", OP_GT},  {">=", OP_GE}},
      words[] = {{"in", OP_IN}, {"has", OP_HAS}, {"contains", OP_CONTAINS}};
    enum pal_status st = PAL_OK;
    *negated = is_word(p, "not");
    if (*negated)
        st = advance(p);
    for (size_t i = 0; i < sizeof words / sizeof *words && st == PAL_OK; i++)
        if (is_word(p, words[i].text)) {
            *op = words[i].op;
            return advance(p);
        }
    for (size_t i = 0; i < sizeof signs / sizeof *signs && st == PAL_OK && !*negated; i++)
        if (is_sign(p, signs[i].text)) {
            *op = signs[i].op;
            return advance(p);
        }
    return st != PAL_OK ? st
                        : expected(p, *negated ? "in, has or contains"
                                               : "=, !=, <, <=, >, >=, in, has or contains");
}

/* Contains ignores case: the value's is taken off once and for all. */
static enum pal_status lower_value(struct parser *p, struct filter_value *v)
{
    char *out = arena_alloc(p->tmp, (size_t)v->size * 4 + 1, 1);
    size_t used = 0, len;
    if (!out)
        return pal_no_memory(p->err);
    for (const char *q = v->text; q < v->text + v->size; q += len)
        used += text_encode(text_lower(text_decode(q, v->text + v->size, &len)), out + used);
    v->text = out;
    v->size = (uint32_t)used;
    return PAL_OK;
}

static enum pal_status read_test(struct parser *p, struct filter_term *t, bool *negated)
{
    const char *at = p->token.at;
    enum pal_status st = read_op(p, &t->op, negated);
    if (st != PAL_OK)
        return st;
    if (t->field == FIELD_CATEGORIES && t->op != OP_HAS)
        return complain(p, at, "categories is a list: ask categories has \"…\"");
    if (t->field == FIELD_AVAILABLE && t->op != OP_EQ && t->op != OP_NE)
        return complain(p, at, "available is true or false: ask available = true");
    if (t->field != FIELD_ATTRIBUTE && t->field != FIELD_CATEGORIES && t->op == OP_HAS)
        return complain(p, at, "this is no list, as has wants one");
    if (t->field == FIELD_CREATED && t->op == OP_CONTAINS)
        return complain(p, at, "created_at is a number, and contains wants a text");
    if (t->op == OP_IN)
        return read_list(p, t);
    t->value = arena_alloc(p->tmp, 1, sizeof *t->value);
    if (!t->value)
        return pal_no_memory(p->err);
    t->count = 1;
    st = read_value(p, t, t->value);
    return st == PAL_OK && t->op == OP_CONTAINS ? lower_value(p, t->value) : st;
}

/* ---- The tree ---- */

static struct node *new_node(struct parser *p, enum node_kind kind, struct node *left,
                             struct node *right)
{
    struct node *n = arena_zero(p->tmp, 1, sizeof *n);
    if (n)
        *n = (struct node){.kind = kind,
                           .terms = (left ? left->terms : 0) + (right ? right->terms : 0),
                           .left = left,
                           .right = right};
    return n;
}

static enum pal_status wrap(struct parser *p, enum node_kind kind, struct node **left,
                            struct node *right)
{
    struct node *n = new_node(p, kind, *left, right);
    if (!n)
        return pal_no_memory(p->err);
    *left = n;
    return PAL_OK;
}

static enum pal_status read_term(struct parser *p, struct node **out)
{
    bool negated = false;
    enum pal_status st;
    if (p->terms >= FILTER_TERMS)
        return complain(p, p->token.at, "more than 256 conditions");
    struct filter_term *t = &p->term[p->terms];
    *t = (struct filter_term){.column = INTERN_NONE};
    if (is_word(p, "exists")) {
        t->op = OP_EXISTS;
        st = advance(p);
        if (st == PAL_OK)
            st = take_sign(p, "(", "'(' and a name");
        if (st == PAL_OK)
            st = read_name(p, t);
        if (st == PAL_OK)
            st = take_sign(p, ")", "')'");
    } else {
        st = read_name(p, t);
        if (st == PAL_OK)
            st = read_test(p, t, &negated);
    }
    struct node *n = st == PAL_OK ? new_node(p, NODE_TERM, NULL, NULL) : NULL;
    if (!n)
        return st == PAL_OK ? pal_no_memory(p->err) : st;
    n->term = p->terms++;
    n->terms = 1;
    *out = n;
    return negated ? wrap(p, NODE_NOT, out, NULL) : PAL_OK;
}

static enum pal_status read_any(struct parser *p, struct node **out);

static enum pal_status read_one(struct parser *p, struct node **out)
{
    bool negated = is_word(p, "not");
    if (!negated && !is_sign(p, "("))
        return read_term(p, out);
    if (p->depth >= FILTER_DEPTH)
        return complain(p, p->token.at, "more than 64 levels of not and parentheses");
    p->depth++;
    enum pal_status st = advance(p);
    if (st == PAL_OK)
        st = negated ? read_one(p, out) : read_any(p, out);
    if (st == PAL_OK)
        st = negated ? wrap(p, NODE_NOT, out, NULL) : take_sign(p, ")", "'and', 'or' or ')'");
    p->depth--;
    return st;
}

static enum pal_status read_all(struct parser *p, struct node **out)
{
    struct node *right;
    enum pal_status st = read_one(p, out);
    while (st == PAL_OK && is_word(p, "and")) {
        st = advance(p);
        if (st == PAL_OK)
            st = read_one(p, &right);
        if (st == PAL_OK)
            st = wrap(p, NODE_AND, out, right);
    }
    return st;
}

static enum pal_status read_any(struct parser *p, struct node **out)
{
    struct node *right;
    enum pal_status st = read_all(p, out);
    while (st == PAL_OK && is_word(p, "or")) {
        st = advance(p);
        if (st == PAL_OK)
            st = read_all(p, &right);
        if (st == PAL_OK)
            st = wrap(p, NODE_OR, out, right);
    }
    return st;
}

/* Says where each term below n goes on, given where n as a whole does. Terms stand in the order of
 * the text, so the right part begins `terms` after the left. Recursion is bounded by FILTER_TERMS
 * and FILTER_DEPTH. */
static void lay_out(struct filter_term *term, const struct node *n, int first, int yes, int no)
{
    int right = n->left ? first + (int)n->left->terms : 0;
    switch (n->kind) {
    case NODE_TERM:
        term[first].yes = (int16_t)yes;
        term[first].no = (int16_t)no;
        break;
    case NODE_NOT:
        lay_out(term, n->left, first, no, yes);
        break;
    case NODE_AND:
        lay_out(term, n->left, first, right, no);
        lay_out(term, n->right, right, yes, no);
        break;
    case NODE_OR:
        lay_out(term, n->left, first, yes, right);
        lay_out(term, n->right, right, yes, no);
        break;
    }
}

static enum pal_status check_text(struct parser *p)
{
    size_t size = (size_t)(p->end - p->text), len;
    if (size > FILTER_BYTES)
        return pal_fail(p->err, PAL_EUSAGE, "the filter has %zu bytes: at most %d", size,
                        FILTER_BYTES);
    for (const char *q = p->text; q < p->end; q += len)
        if ((len = text_utf8_char(q, p->end)) == 0)
            return complain(p, q, "this is not UTF-8");
    return PAL_OK;
}

enum pal_status filter_parse(const char *text, struct arena *tmp, struct filter **out,
                             struct pal_error *err)
{
    struct parser p = {.text = text, .end = text + strlen(text), .p = text, .tmp = tmp, .err = err};
    struct node *root = NULL;
    enum pal_status st = check_text(&p);
    if (st != PAL_OK)
        return st;
    struct filter *f = arena_zero(tmp, 1, sizeof *f);
    p.term = arena_alloc(tmp, FILTER_TERMS, sizeof *p.term);
    if (!f || !p.term)
        return pal_no_memory(err);
    st = advance(&p);
    if (st == PAL_OK)
        st = read_any(&p, &root);
    if (st == PAL_OK && p.token.kind != AT_END)
        st = expected(&p, "'and', 'or' or the end");
    if (st != PAL_OK)
        return st;
    lay_out(p.term, root, 0, FILTER_YES, FILTER_NO);
    *f = (struct filter){.count = p.terms, .term = p.term};
    *out = f;
    return PAL_OK;
}
