/* Malformed input: each complaint names file, line, column, what was expected and what was found;
 * up to a limit malformed lines are passed over without a trace; nothing is half-loaded; each
 * allocation may fail. */
#include "test.h"

#include "data/load.h"

#include "in_folder.h"

static struct pal_error err;

static void empty_folder(void)
{
    remove_folder(folder);
    assert_int_equal(mkdir(folder, 0700), 0);
}

/* Loading fails with this status and a message that is the folder's name and this. */
static void refuse(const char *path, const struct load_options *options, enum pal_status status,
                   const char *message)
{
    struct dataset *d = NULL;
    char expected[700];
    long live = mem_live();
    snprintf(expected, sizeof expected, "%s/%s", folder, message);
    enum pal_status st = dataset_load(path, options, NULL, &d, &err);
    assert_string_equal(err.message, expected);
    assert_int_equal(st, status);
    assert_null(d);
    assert_int_equal(mem_live(), live);
}

#define LONG16  "0123456789abcdef"
#define LONG64  LONG16 LONG16 LONG16 LONG16
#define LONG257 LONG64 LONG64 LONG64 LONG64 "x"
#define TIME    "a time (unix seconds or YYYY-MM-DD HH:MM:SS, from 1970 to 2106)"

static void tables_complain(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *message;
    } rows[] = {
        {"a.csv", "user,item,rating\nu,i,3\nu,j,x\n",
         "a.csv:3:5: expected a rating (a number), found 'x'"},
        {"a.csv", "user,item,quantity\nu,i,\n",
         "a.csv:2:5: expected a value (a number), found the end of the line"},
        {"a.csv", "user,item,rating\nu,i,nan\n",
         "a.csv:2:5: expected a rating (a number), found 'nan'"},
        {"a.csv", "user,item,rating\nu,i,1e39\n",
         "a.csv:2:5: expected a rating (a number), found '1e39'"},
        {"a.csv", "user,item,time\nu,i,noon\n", "a.csv:2:5: expected " TIME ", found 'noon'"},
        {"a.csv", "user,item,time\nu,i,4294967296\n",
         "a.csv:2:5: expected " TIME ", found '4294967296'"},
        {"a.csv", "user,item\n,i\n", "a.csv:2:1: expected a user id, found nothing"},
        {"a.csv", "user,item\nu,\n", "a.csv:2:3: expected an item id, found the end of the line"},
        {"a.csv", "user,item\nu,i\n\nu,i\n",
         "a.csv:3:1: expected as many fields as the first line has, found the end of the line"},
        {"a.csv", "user,item\nu\n",
         "a.csv:2:2: expected as many fields as the first line has, found the end of the line"},
        {"a.csv", "user,item\nu,i,3\n",
         "a.csv:2:5: expected no more fields than the first line has, found '3'"},
        {"a.csv", "user,item\n\"u\nv\",\"x\"y\n",
         "a.csv:3:7: expected a separator after the closing quote, found 'y'"},
        {"a.csv", "user,item\nu,\"x\n",
         "a.csv:2:3: expected a closing quote to this one, found '\"'"},
        {"a.csv", "user,item\n\"a\tb\",x\n",
         "a.csv:2:1: expected an id without control characters, found 'a?b'"},
        {"a.csv", "user,item\n\xe9,x\n", "a.csv:2:1: expected an id in UTF-8, found '?'"},
        {"a.csv", "user,item,type\nu,x,\n",
         "a.csv:2:5: expected an event type (1 to 31 bytes of UTF-8), found the end of the line"},
        {"a.csv", "user,item,type\nu,x," LONG16 LONG16 "\n",
         "a.csv:2:5: expected an event type (1 to 31 bytes of UTF-8), found '" LONG16 LONG16 "'"},
        {"a.csv", "user,item\nu," LONG257 "\n",
         "a.csv:2:3: expected an id of at most 256 bytes, found '" LONG16 LONG16
         "01234567\xe2\x80\xa6'"},
        {"a.csv", "", "a.csv:1:1: expected a first line, found an empty file"},
        {"a.dat", "1::2::3::4\n1::2::3\n",
         "a.dat:2:8: expected " TIME ", found the end of the line"},
        {"a.dat", "1::2::3::4\n1::2::x::4\n", "a.dat:2:7: expected a rating (a number), found 'x'"},
        {"a.dat", "1::2::3\n1::2::3::4\n", "a.dat:2:10: expected the end of the line, found '4'"},
        {"a.txt", "1 2\n1\n", "a.txt:2:2: expected an item id, found the end of the line"},
        {"a.txt", "1 2\n1 2 3\n", "a.txt:2:5: expected the end of the line, found '3'"},
        {"a.csv", "a,b,c\n1,2,3\n",
         "a.csv: cannot tell which columns are the user and the item; say so with columns "
         "user=NAME,item=NAME (or their numbers, from 1); the first line is: a, b, c"},
        {"a.csv", "user,\"item\n", "a.csv:1:6: expected a closing quote to this one, found '\"'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        refuse(write_text(folder, rows[i].name, rows[i].text), NULL,
               strstr(rows[i].message, "cannot tell") ? PAL_EUSAGE : PAL_EFORMAT, rows[i].message);
}

static void options_complain(void **state)
{
    (void)state;
    struct dataset *d;
    struct load_options columns = {.columns = "user=who"};
    const char *path = write_text(folder, "a.csv", "user,item\nu,i\n");
    refuse(path, &columns, PAL_EUSAGE,
           "a.csv: there is no column 'who'; the first line is: user, item");
    struct load_options format = {.format = "cvs"};
    assert_int_equal(dataset_load(path, &format, NULL, &d, &err), PAL_EUSAGE);
    assert_non_null(strstr(
        err.message, "there is no format 'cvs': give one of palate, export, jsonl, movielens"));
    struct load_options fold = {.fold = "u1"};
    refuse(path, &fold, PAL_EUSAGE,
           "a.csv is table: only MovieLens 100K (a folder with u.data) has folds");
    struct load_options needless = {.columns = "user=a", .format = "lists"};
    refuse(path, &needless, PAL_EUSAGE,
           "a.csv is lists, whose columns are known: leave columns out");
    assert_int_equal(dataset_load("/nonexistent/x", NULL, NULL, &d, &err), PAL_ENOTFOUND);
    assert_non_null(strstr(err.message, "cannot open /nonexistent/x"));
    empty_folder();
    assert_int_equal(dataset_load(folder, NULL, NULL, &d, &err), PAL_EFORMAT);
    assert_non_null(strstr(err.message, "no known data set is in this folder"));
    static const char *const folders_only[] = {
        "movielens-100k",  "movielens-1m", "movielens-csv", "ncf",   "lists", "sasrec",
        "completejourney", "open-bandit",  "folder",        "table", "jsonl", "palate"};
    for (size_t i = 0; i < sizeof folders_only / sizeof folders_only[0]; i++) {
        struct load_options wrong = {.format = folders_only[i]};
        long live = mem_live();
        assert_int_not_equal(dataset_load(folder, &wrong, NULL, &d, &err), PAL_OK);
        assert_true(strlen(err.message) > 10);
        assert_int_equal(mem_live(), live);
    }
}

/* A folder of files, one of which is wrong. */
struct wrong_folder {
    const char *files[8]; /* name, text, name, text… */
    const char *message;
};

static void folders_complain(void **state)
{
    (void)state;
    static const struct wrong_folder rows[] = {
        {{"u.data", "1\t2\t3\t4\n", "u.genre", "a|0\nb|2\n", "u.item", ""},
         "u.genre:2:3: expected the genre's number, counted from 0, found '2'"},
        {{"u.data", "1\t2\t3\t4\n", "u.genre", "a|0\n", "u.item", "1|t|||\n"},
         "u.item:1:7: expected another field, found the end of the line"},
        {{"u.data", "1\t2\t3\t4\n", "u.genre", "a|0\n", "u.item", "1|t||||1\n2|t||||2\n"},
         "u.item:2:8: expected 0 or 1 for a genre, found '2'"},
        {{"u.data", "1\t2\t3\t4\n", "u.genre", "a|0\n", "u.item", "1|t||||1\n1|t||||0\n"},
         "u.item:2:1: expected an id that was not listed before, found '1'"},
        {{"u.data", "1\t2\t3\t4\n", "u.user", "1|2|M|x|9|9\n"},
         "u.user:1:11: expected the end of the line, found '9'"},
        {{"u.data", "1\t2\t3\n"}, "u.data:1:6: expected " TIME ", found the end of the line"},
        {{"ratings.dat", "1::2::3::4\n", "movies.dat", "1::t\n"},
         "movies.dat:1:5: expected another field, found the end of the line"},
        {{"ratings.dat", "1::2::3::4\n", "users.dat", "::M::1::1::1\n"},
         "users.dat:1:1: expected a user id, found nothing"},
        {{"ratings.dat", "1::2::3::4\n", "tags.dat", "1::2::x\n"},
         "tags.dat:1:8: expected another field, found the end of the line"},
        {{"ratings.csv", "userId,movieId,rating\n1,2,3\n", "movies.csv", "film,title\n1,t\n"},
         "movies.csv:1:1: expected a header with an item id, found 'film,title'"},
        {{"ratings.csv", "userId,movieId,rating\n1,2,3\n", "movies.csv", "movieId,title\n1,t,u\n"},
         "movies.csv:2:5: expected as many fields as the first line has, found 'u'"},
        {{"train.txt", "1 2 3 4 5\n\n2 3\n"},
         "train.txt:2:1: expected a user id, found the end of the line"},
        {{"train.txt", "1 2 3 4 5\n", "item_list.txt", "org_id remap_id\n1\n"},
         "item_list.txt:2:2: expected an id and the id that it was before, found the end of the "
         "line"},
        {{"x.train.rating", "1\t2\t3\t4\n", "x.test.rating", "1\t2\t3\tx\n"},
         "x.test.rating:1:7: expected " TIME ", found 'x'"},
        {{"x.train.rating", "1\t2\t3\t4\n", "x.test.rating", "1\t2\t3\t4\n", "x.test.negative",
          "(1,2)\t5\n1,2\t5\n"},
         "x.test.negative:2:1: expected (user,item), found '1,2'"},
        {{"x.train.rating", "1\t2\t3\t4\n", "x.test.rating", "1\t2\t3\t4\n", "x.test.negative",
          "(9,2)\t5\n"},
         "x.test.negative:1:1: expected a user of the other files, found '(9,2)'"},
        {{"x.train.rating", "1\t2\t3\t4\n", "x.test.rating", "1\t2\t3\t4\n", "x.test.negative",
          "(1,9)\t5\n"},
         "x.test.negative:1:1: expected an item of the other files, found '(1,9)'"},
        {{"x.train.rating", "1\t2\t3\t4\n", "x.test.rating", "1\t2\t3\t4\n", "x.test.negative",
          "(1,2)\t5\n(1,2)\t6\n"},
         "x.test.negative:2:1: expected a user that was not listed before, found '(1,2)'"},
        {{"x.train.rating", "1\t2\t3\t4\n", "x.test.rating", "1\t2\t3\t4\n", "x.test.negative",
          "(1,2)\t5\n(\n"},
         "x.test.negative:2:1: expected (user,item), found '('"},
        {{"transactions.csv", "household_id,product_id,quantity\n1,2,x\n", "products.csv",
          "product_id,brand\n2,b\n"},
         "transactions.csv:2:5: expected a value (a number), found 'x'"},
        {{"men.csv", "timestamp,item_id,click\n", "item_context.csv", "item_id,f\n1,2\n"},
         "men.csv:1:1: expected a header with timestamp, item_id, click, user_feature_0 to _3, "
         "found 'timestamp,item_id,click'"},
        {{"men.csv",
          "timestamp,item_id,click,user_feature_0,user_feature_1,user_feature_2,user_feature_3\n"
          "5,1,2,a,b,c,d\n",
          "item_context.csv", "item_id,f\n1,2\n"},
         "men.csv:2:5: expected 0 or 1 for a click, found '2'"},
        {{"events.csv", "user,item\nu,i\n", "users.csv", "age\n4\n"},
         "users.csv:1:1: expected a header with a user id, found 'age'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        empty_folder();
        for (size_t j = 0; j < 8 && rows[i].files[j]; j += 2)
            write_text(folder, rows[i].files[j], rows[i].files[j + 1]);
        refuse(folder, NULL, PAL_EFORMAT, rows[i].message);
    }
}

static void parts_agree_on_times(void **state)
{
    (void)state;
    struct dataset *d;
    char expected[300];
    write_text(folder, "train.csv", "user,item,time\nu,i,5\n");
    write_text(folder, "test.csv", "user,item\n");
    assert_ok(dataset_load(folder, NULL, NULL, &d, &err), &err);
    assert_string_equal(history_text(d, &d->all, "u"), "i:1:5");
    dataset_free(d);
    write_text(folder, "test.csv", "user,item\nu,j\n");
    snprintf(expected, sizeof expected, "train.csv and %s/test.csv has times: both or none must",
             folder);
    d = NULL;
    assert_int_equal(dataset_load(folder, NULL, NULL, &d, &err), PAL_EFORMAT);
    assert_non_null(strstr(err.message, expected));
}

/* A NUL inside an id can't be written as a C string above. */
static void nul_bytes_complain(void **state)
{
    (void)state;
    static const char text[] = "user,item\nu,a\0b\n";
    refuse(write_bytes(folder, "a.csv", text, sizeof text - 1), NULL, PAL_EFORMAT,
           "a.csv:2:3: expected an id without control characters, found 'a?b'");
}

static void more_types_than_fit(void **state)
{
    (void)state;
    char text[1024] = "user,item,type\n";
    for (int i = 0; i <= EVENT_TYPES; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "u,x,t%d\n", i);
    refuse(write_text(folder, "a.csv", text), NULL, PAL_EUSAGE,
           "a.csv:66: more than 64 event types ('t64' is one more)");
}

static void bad_lines_leave_no_trace(void **state)
{
    (void)state;
    static const char text[] = "user,item,rating,type\n"
                               "u,a,1,like\n"
                               "badu,b,x,like\n" /* rating */
                               "u,c,3,rating\n"
                               "u,,3,badtype\n" /* item */
                               "badv,badi,3,\n" /* type */
                               "u,d,4,like,\n"  /* too many */
                               "v,\"a\",5,like\n";
    struct load_options options = {.skip_bad = 4};
    struct dataset *d;
    const char *path = write_text(folder, "a.csv", text);
    assert_ok(dataset_load(path, &options, NULL, &d, &err), &err);
    assert_int_equal(d->skipped, 4);
    assert_int_equal(interactions_count(&d->all), 3);
    assert_int_equal(d->users.ids.count, 2);
    assert_int_equal(d->items.ids.count, 2);
    assert_int_equal(d->types.count, 2);
    assert_string_equal(history_text(d, &d->all, "u"), "like=a:1:- rating=c:3:-");
    assert_string_equal(history_text(d, &d->all, "v"), "like=a:5:-");
    dataset_free(d);
    options.skip_bad = 3;
    refuse(path, &options, PAL_EFORMAT,
           "a.csv:7:12: expected no more fields than the first line has, found the end of the line "
           "(after 3 malformed lines, as many as are allowed)");
}

/* One list with a bad id in the middle is left out whole. */
static void bad_lists_are_left_out_whole(void **state)
{
    (void)state;
    struct load_options options = {.skip_bad = 1};
    struct dataset *d;
    write_text(folder, "train.txt", "1 2 3 4 5\n2 9 " LONG257 " 8\n");
    assert_ok(dataset_load(folder, &options, NULL, &d, &err), &err);
    assert_int_equal(d->skipped, 1);
    assert_int_equal(interactions_count(&d->all), 4);
    assert_int_equal(d->users.ids.count, 1);
    assert_int_equal(d->items.ids.count, 4);
    dataset_free(d);
}

static void make_all_formats(void)
{
    static const char *const files[][2] = {
        {"ml/u.data", "1\t2\t3\t4\n2\t2\t3\t1\n1\t1\t1\t1\n"},
        {"ml/u.genre", "unknown|0\nAction|1\n"},
        {"ml/u.item", "1|T\xe9 (1999)|x||y|0|1\n"},
        {"ml/u.user", "1|30|M|x|9\n"},
        {"1m/ratings.dat", "1::2::3::4\n"},
        {"1m/movies.dat", "2::T\xe9 (1999)::A|B\n"},
        {"1m/users.dat", "1::F::1::10::48067\n"},
        {"1m/tags.dat", "1::2::\xe9t::4\n1::3::u::4\n"},
        {"csv/ratings.csv", "userId,movieId,rating,timestamp\n1,2,3,4\n"},
        {"csv/movies.csv", "movieId,title,genres\n2,\"a \"\"b\"\"\",A|B\n"},
        {"lists/train.txt", "1 2 3 4 5\n2 2\n"},
        {"lists/test.txt", "1 7\n"},
        {"lists/item_list.txt", "org_id remap_id\na 1\nb 2\n"},
        {"ncf/x.train.rating", "1\t2\t3\t4\n"},
        {"ncf/x.test.rating", "1\t3\t3\t4\n"},
        {"ncf/x.test.negative", "(1,3)\t4\t5\n"},
        {"sasrec/x.txt", "1 2\n1 3\n"},
        {"cj/transactions.csv", "household_id,product_id,quantity\n1,2,3\n"},
        {"cj/products.csv", "product_id,department,brand\n2,A,b\n"},
        {"cj/demographics.csv", "household_id,age\n1,65+\n"},
        {"obd/men.csv", "timestamp,item_id,click,user_feature_0,user_feature_1,user_feature_2,"
                        "user_feature_3\n5,1,1,a,b,c,d\n"},
        {"obd/item_context.csv", "item_id,f\n1,2\n"},
        {"own/events.jsonl",
         "{\"user_id\":1,\"item_id\":\"x\",\"type\":\"like\",\"timestamp\":5}\n"
         "{\"user_id\":1,\"item_id\":\"y\",\"type\":\"view\",\"timestamp\":4}\n"},
        {"own/items.csv", "id,title\nx,X\n"},
    };
    empty_folder();
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char sub[128];
        snprintf(sub, sizeof sub, "%s/%.*s", folder, (int)strcspn(files[i][0], "/"), files[i][0]);
        mkdir(sub, 0700);
        write_text(folder, files[i][0], files[i][1]);
    }
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    static const char *const folders[] = {"ml",     "1m", "csv", "lists", "ncf",
                                          "sasrec", "cj", "obd", "own"};
    long live = mem_live();
    make_all_formats();
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        char path[128];
        struct dataset *d = NULL;
        long failed = 0;
        snprintf(path, sizeof path, "%s/%s", folder, folders[i]);
        for (long at = 1;; at++) {
            mem_fail_at(at);
            enum pal_status st = dataset_load(path, NULL, NULL, &d, &err);
            mem_fail_at(0);
            if (st == PAL_OK)
                break;
            failed++;
            assert_int_equal(st, PAL_ENOMEM);
            assert_null(d);
            assert_int_equal(mem_live(), live);
        }
        assert_true(failed > 8);
        dataset_free(d);
        assert_int_equal(mem_live(), live);
    }
}

static void stops_when_told(void **state)
{
    (void)state;
    static const char *const folders[] = {"ml", "1m", "csv", "lists", "ncf", "sasrec", "own"};
    atomic_int stop = 1;
    struct run run = {.stop = &stop};
    long live = mem_live();
    make_all_formats();
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        char path[128];
        struct dataset *d = NULL;
        snprintf(path, sizeof path, "%s/%s", folder, folders[i]);
        assert_int_equal(dataset_load(path, NULL, &run, &d, &err), PAL_EINTERRUPTED);
        assert_null(d);
        assert_int_equal(mem_live(), live);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tables_complain, begin, end),
        cmocka_unit_test_setup_teardown(options_complain, begin, end),
        cmocka_unit_test_setup_teardown(folders_complain, begin, end),
        cmocka_unit_test_setup_teardown(parts_agree_on_times, begin, end),
        cmocka_unit_test_setup_teardown(nul_bytes_complain, begin, end),
        cmocka_unit_test_setup_teardown(more_types_than_fit, begin, end),
        cmocka_unit_test_setup_teardown(bad_lines_leave_no_trace, begin, end),
        cmocka_unit_test_setup_teardown(bad_lists_are_left_out_whole, begin, end),
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, begin, end),
        cmocka_unit_test_setup_teardown(stops_when_told, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
