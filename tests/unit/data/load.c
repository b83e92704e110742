/* Loading small data sets written here: each format is found by itself and read whole, with ids,
 * metadata, order, types and rules as its essay says. Expectations are written out by hand. */
#include "test.h"

#include "base/run.h"
#include "data/load.h"

#include "files.h"

static const char *folder;
static struct dataset *d;
static struct pal_error err;

static int begin(void **state)
{
    (void)state;
    static char name[64];
    snprintf(name, sizeof name, "%s", make_folder());
    folder = name;
    d = NULL;
    return 0;
}

static int end(void **state)
{
    (void)state;
    dataset_free(d);
    remove_folder(folder);
    return 0;
}

static void load_with(const char *path, const char *format, const char *columns)
{
    struct load_options options = {.columns = columns};
    dataset_free(d);
    d = NULL;
    assert_ok(dataset_load(path, &options, NULL, &d, &err), &err);
    assert_string_equal(d->format, format);
}

static void load(const char *path, const char *format)
{
    load_with(path, format, NULL);
}

static void check(const char *user, const char *expected)
{
    assert_string_equal(history_text(d, &d->all, user), expected);
}

static void check_test(const char *user, const char *expected)
{
    assert_string_equal(history_text(d, &d->test, user), expected);
}

/* An item's labels as "a|b". */
static const char *joined(const struct labels *l, const char *item)
{
    static char text[256];
    uint32_t n;
    const uint32_t *label = labels_at(l, item_number(d, item), &n);
    text[0] = 0;
    for (uint32_t i = 0; i < n; i++) {
        strcat(text, i ? "|" : "");
        strcat(text, intern_text(&l->names, label[i]));
    }
    return text;
}

static const char *about_item(const char *item)
{
    return texts_at(&d->items.attributes, item_number(d, item));
}

static const char *about_user(const char *user)
{
    return texts_at(&d->users.attributes, user_number(d, user));
}

static void write_100k(void)
{
    write_text(folder, "u.data", "7\t20\t4\t200\n7\t10\t1\t100\n8\t10\t5\t50\n");
    write_text(folder, "u.genre", "unknown|0\nAction|1\nDrama|2\n\n");
    write_text(folder, "u.item",
               "10|\xc9t\xe9 (1996)|01-Jan-1996||http://x|0|1|1\n30|unknown||||1|0|0\n");
    write_text(folder, "u.user", "8|30|F|writer|T8H1N\n7|24|M|other|85711\n");
    write_text(folder, "u1.base", "7\t20\t4\t200\n7\t10\t1\t100\n");
    write_text(folder, "u1.test", "8\t10\t5\t50\n");
}

static void movielens_100k(void **state)
{
    (void)state;
    write_100k();
    load(folder, "movielens-100k");
    check("7", "10:1:100 20:4:200");
    check("8", "10:5:50");
    assert_null(d->test.start);
    assert_string_equal(d->types.name[0], "rating");
    assert_string_equal(d->weights, "rating>=4:1,rating>=3:0.2,rating:-0.2");
    /* the items file comes first: 10 and 30, then 20 of which nothing is known */
    assert_int_equal(item_number(d, "10"), 0);
    assert_int_equal(item_number(d, "30"), 1);
    assert_int_equal(item_number(d, "20"), 2);
    assert_int_equal(user_number(d, "8"), 0);
    assert_string_equal(items_name(&d->items, 0), "\xc3\x89t\xc3\xa9 (1996)");
    assert_string_equal(items_name(&d->items, 2), "20");
    assert_int_equal(d->items.titles.count, 3);
    assert_int_equal(d->items.categories.rows, 3);
    assert_string_equal(joined(&d->items.categories, "10"), "Action|Drama");
    assert_string_equal(joined(&d->items.categories, "30"), "");
    assert_int_equal(d->items.categories.names.count, 2);
    assert_string_equal(about_item("10"),
                        "{\"year\":1996,\"released\":\"01-Jan-1996\",\"imdb_url\":\"http://x\"}");
    assert_string_equal(about_item("30"), "");
    assert_string_equal(
        about_user("8"),
        "{\"age\":30,\"gender\":\"F\",\"occupation\":\"writer\",\"zip\":\"T8H1N\"}");
}

static void movielens_100k_fold(void **state)
{
    (void)state;
    struct load_options options = {.fold = "u1"};
    write_100k();
    assert_ok(dataset_load(folder, &options, NULL, &d, &err), &err);
    check("7", "10:1:100 20:4:200");
    check("8", "");
    check_test("8", "10:5:50");
}

static void movielens_1m(void **state)
{
    (void)state;
    write_text(folder, "ratings.dat", "1::20::5::978300760\r\n1::10::3.5::978300700\r\n");
    write_text(folder, "movies.dat",
               "10::\xc9t\xe9: a film (2000)::Comedy|Sci-Fi\n11::B (1999)::(no genres listed)\n");
    write_text(folder, "users.dat", "1::F::1::10::48067\n2::M::56::16::70072\n3::M::99::77::0\n");
    write_text(folder, "tags.dat", "5::11::slow::978300000\n5::10::fun::978300000\n");
    write_text(folder, "ratings.tsflag", "11");
    load(folder, "movielens-1m");
    check("1", "10:3.5:978300700 20:5:978300760");
    assert_string_equal(items_name(&d->items, 0), "\xc3\x89t\xc3\xa9: a film (2000)");
    assert_string_equal(joined(&d->items.categories, "10"), "Comedy|Sci-Fi");
    assert_string_equal(joined(&d->items.categories, "11"), "");
    assert_string_equal(joined(&d->items.tags, "11"), "slow");
    assert_string_equal(about_item("11"), "{\"year\":1999}");
    assert_string_equal(about_user("2"), "{\"gender\":\"M\",\"age\":\"56+\",\"occupation\":"
                                         "\"self-employed\",\"zip\":\"70072\"}");
    /* codes that the README does not know stay as they are */
    assert_string_equal(about_user("3"), "{\"gender\":\"M\",\"age\":\"99\",\"occupation\":\"77\","
                                         "\"zip\":\"0\"}");
}

static void movielens_csv(void **state)
{
    (void)state;
    write_text(folder, "ratings.csv",
               "userId,movieId,rating,timestamp\r\n1,3,4.0,964981247\r\n1,1,0.5,964982703\r\n");
    write_text(folder, "movies.csv",
               "movieId,title,genres\n1,\"American President, The (1995)\",Comedy|Drama|Comedy\n"
               "2,\"The \"\"Q\"\" (1996)\",(no genres listed)\n");
    write_text(folder, "tags.csv",
               "userId,movieId,tag,timestamp\n2,2,\"a, b\",1\n3,1,fun,1\n4,2,old,1\n5,1,fun,2\n");
    write_text(folder, "links.csv", "movieId,imdbId,tmdbId\n1,2,3\n");
    load(folder, "movielens-csv");
    check("1", "3:4:964981247 1:0.5:964982703");
    assert_string_equal(items_name(&d->items, 0), "American President, The (1995)");
    assert_string_equal(items_name(&d->items, 1), "The \"Q\" (1996)");
    assert_string_equal(joined(&d->items.categories, "1"), "Comedy|Drama");
    assert_string_equal(joined(&d->items.categories, "2"), "");
    assert_string_equal(joined(&d->items.tags, "1"), "fun|fun");
    assert_string_equal(joined(&d->items.tags, "2"), "a, b|old");
    assert_string_equal(joined(&d->items.tags, "3"), "");
    assert_int_equal(d->users.ids.count, 1);
    assert_string_equal(d->weights, "rating>=4:1,rating>=3:0.2,rating:-0.2");
}

static void lists(void **state)
{
    (void)state;
    write_text(folder, "train.txt", "0 5 3 5\n1 4\n2\n");
    write_text(folder, "test.txt", "0 4 \n1\n2 9 3 5 4 0");
    write_text(folder, "item_list.txt", "org_id remap_id\nx 3\ny 4\n");
    write_text(folder, "leaderboard.csv", "Year,Model\n2020,x\n");
    load(folder, "lists");
    check("0", "5:1:- 3:1:- 5:1:-");
    check("1", "4:1:-");
    check("2", "");
    check_test("0", "4:1:-");
    check_test("1", "");
    check_test("2", "9:1:- 3:1:- 5:1:- 4:1:- 0:1:-");
    assert_string_equal(about_item("3"), "{\"original_id\":\"x\"}");
    assert_string_equal(about_item("9"), "");
    assert_int_equal(item_number(d, "3"), 0);
    assert_string_equal(d->types.name[0], "interaction");
    assert_string_equal(d->weights, "*:1");
    assert_null(d->all.value);
    assert_null(d->all.time_s);
    load(write_text(folder, "one.txt", "a 1 2 3 4 5 6\nb 9\n"), "lists");
    check("a", "1:1:- 2:1:- 3:1:- 4:1:- 5:1:- 6:1:-");
}

static void ncf(void **state)
{
    (void)state;
    char path[512];
    write_text(folder, "x.train.rating", "0\t0\t5\t30\n0\t1\t3\t20\n1\t1\t4\t10\n2\t2\t1\t10\n");
    write_text(folder, "x.test.rating", "0\t2\t5\t40\n1\t0\t2\t50\n");
    write_text(folder, "x.test.negative", "(0,2)\t3\t4\n(1,0)\t2\t3\t4\n");
    write_text(folder, "item_map.txt", "0 1193\n1 661\n");
    snprintf(path, sizeof path, "%s/x.train.rating", folder);
    for (int file = 0; file < 2; file++) {
        load(file ? path : folder, "ncf");
        check("0", "1:3:20 0:5:30");
        check_test("0", "2:5:40");
        check_test("1", "0:2:50");
        assert_string_equal(about_item("0"), "{\"original_id\":\"1193\"}");
        assert_string_equal(d->weights, "*:1");
        static const char *const expected[3][3] = {
            {"3", "4", NULL}, {"2", "3", "4"}, {NULL, NULL, NULL}};
        assert_int_equal(d->negatives.users, 3);
        assert_int_equal(d->negatives.per_user, 3);
        for (int u = 0; u < 3; u++)
            for (int i = 0; i < 3; i++)
                assert_int_equal(d->negatives.item[u * 3 + i],
                                 expected[u][i] ? item_number(d, expected[u][i]) : INTERN_NONE);
    }
    write_text(folder, "y.train.rating", "0\t0\t5\t30\n");
    struct dataset *none = NULL;
    assert_int_equal(dataset_load(folder, NULL, NULL, &none, &err), PAL_EUSAGE);
    assert_non_null(strstr(err.message, "several data sets"));
    assert_null(none);
}

static void sasrec(void **state)
{
    (void)state;
    write_text(folder, "beauty.txt", "1 30\n1 10\n2 10\n1 30\n");
    write_text(folder, "sas_to_original_items.txt", "10 A\n30 B\n");
    write_text(folder, "README.txt", "what it is\n");
    load(folder, "sasrec");
    check("1", "30:1:- 10:1:- 30:1:-");
    assert_string_equal(about_item("30"), "{\"original_id\":\"B\"}");
    assert_string_equal(d->types.name[0], "interaction");
    assert_null(d->all.time_s);
}

static void completejourney(void **state)
{
    (void)state;
    write_text(
        folder, "transactions.csv",
        "\"household_id\",\"product_id\",\"quantity\",\"week\",\"transaction_timestamp\"\n"
        "\"5\",\"77\",2,1,\"2017-01-28 14:06:53\"\n\"5\",\"88\",0,1,\"2017-01-28 14:06:52\"\n");
    write_text(folder, "products.csv",
               "\"product_id\",\"department\",\"brand\",\"product_category\",\"product_type\"\n"
               "\"88\",\"MEAT\",,\"BEEF\",\"STEAK\"\n\"99\",\"FISH\",\"A\",,\n");
    write_text(folder, "demographics.csv",
               "\"household_id\",\"age\"\n\"5\",\"65+\"\n\"6\",\"45\"\n");
    load(folder, "completejourney");
    check("5", "88:0:1485612412 77:2:1485612413");
    assert_string_equal(d->types.name[0], "purchase");
    assert_string_equal(items_name(&d->items, 0), "STEAK");
    assert_string_equal(items_name(&d->items, 1), "99");
    assert_string_equal(joined(&d->items.categories, "88"), "MEAT|BEEF");
    assert_string_equal(joined(&d->items.categories, "99"), "FISH");
    assert_string_equal(about_item("99"), "{\"brand\":\"A\"}");
    assert_string_equal(about_user("5"), "{\"age\":\"65+\"}");
    assert_int_equal(d->users.ids.count, 2);
}

static void open_bandit(void **state)
{
    (void)state;
    static const char header[] =
        ",timestamp,item_id,position,click,propensity_score,user_feature_0,"
        "user_feature_1,user_feature_2,user_feature_3\n";
    char log[1024];
    snprintf(log, sizeof log,
             "%s0,2019-11-24 00:01:03.979311+00:00,2,2,0,.05,a,b,c,d\n"
             "1,2019-11-24 00:01:05.0+00:00,1,3,1,.05,a,b,c,d\n"
             "2,2019-11-24 00:01:04+00:00,1,1,0,.05,a,b,c,e\n",
             header);
    write_text(folder, "men.csv", log);
    write_text(folder, "item_context.csv", ",item_id,item_feature_0\n0,1,-0.5\n1,2,abc\n");
    load(folder, "open-bandit");
    assert_int_equal(d->users.ids.count, 2);
    check(intern_text(&d->users.ids, 0), "view=2:1:1574553663 view=1:1:1574553665 "
                                         "click=1:1:1574553665");
    check(intern_text(&d->users.ids, 1), "view=1:1:1574553664");
    assert_string_equal(texts_at(&d->users.attributes, 1),
                        "{\"user_feature_0\":\"a\",\"user_feature_1\":\"b\",\"user_feature_2\":"
                        "\"c\",\"user_feature_3\":\"e\"}");
    assert_string_equal(about_item("2"), "{\"item_feature_0\":\"abc\"}");
    assert_string_equal(d->weights, "click:1,*:0");
}

static void tables(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *columns, *type, *history;
    } rows[] = {
        {"a.csv", "user_id,item_id,rating,timestamp\nu,x,4.5,10\nu,y,2,5\n", NULL, "rating",
         "y:2:5 x:4.5:10"},
        {"a.csv", "time,product,customer\n2020-01-01,x,u\n1999-12-31,y,u\n", NULL, "interaction",
         "y:1:946598400 x:1:1577836800"},
        {"a.tsv", "item\tuser\nx\tu\ny\tu", NULL, "interaction", "x:1:- y:1:-"},
        {"a.csv", "sku;who;n\nx;u;3\ny;u;1e1\n", "user=who,item=sku,value=n", "interaction",
         "x:3:- y:10:-"},
        {"a.csv", "user,item,rating\nu,x,3\n", "value=", "interaction", "x:1:-"},
        {"a.csv", "x|4|u|9\ny|5|u|8\n", "item=1,value=2,user=3,time=4", "rating", "y:5:8 x:4:9"},
        {"a.inter", "user_id:token\titem_id:token\trating:float\ttimestamp:float\nu\tx\t4\t9.5\n",
         NULL, "rating", "x:4:9"},
        {"a.data", "u\tx\t3\t100\nu\ty\t4\t90\n", NULL, "rating", "y:4:90 x:3:100"},
        {"a.dat", "u::x::3::100\nu::y::4::90\n", NULL, "rating", "y:4:90 x:3:100"},
        {"a.txt", "u x\nu y\nu x\n", NULL, "interaction", "x:1:- y:1:- x:1:-"},
        {"a.txt", "u x 3\nu y -4\n", NULL, "rating", "x:3:- y:-4:-"},
        {"a.csv", "1,2\n", NULL, "interaction", NULL},
        {"a.csv", "user,item\n\"u\",\"a \"\"b\"\", c\"\n", NULL, "interaction", "a \"b\", c:1:-"},
        {"noname", "user,item\nu,x\n", NULL, "interaction", "x:1:-"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        load_with(write_text(folder, rows[i].name, rows[i].text), "table", rows[i].columns);
        assert_string_equal(d->types.name[0], rows[i].type);
        if (rows[i].history)
            check("u", rows[i].history);
    }
}

static void tables_with_types(void **state)
{
    (void)state;
    load(write_text(folder, "log.csv",
                    "user,item,event,value,ts\nu,x,view,,5\nu,x,like,,6\nu,y,rating,4,7\n"),
         "table");
    check("u", "view=x:1:5 like=x:1:6 rating=y:4:7");
    assert_string_equal(d->weights, weights_default);
}

/* Ratings on other scales get rules of their own. */
static void scales(void **state)
{
    (void)state;
    static const struct {
        const char *text, *weights;
    } rows[] = {
        {"u x 0.5\nu y 5\n", "rating>=4:1,rating>=3:0.2,rating:-0.2"},
        {"u x 1\nu y 10\n", "rating>=8:1,rating>=6:0.2,rating:-0.2"},
        {"u x 1\nu y 95\n", "rating>=80:1,rating>=60:0.2,rating:-0.2"},
        {"u x 1\nu y 0\n", "rating>=0.5:1,rating:-0.5"},
        {"u x -9.5\nu y 9\n", "rating>=0.5:1,rating:-0.5"},
        {"u x 1\nu y 1\n", "*:1"},
        {"u x 1\nu y 4000\n", "rating:1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        load(write_text(folder, "a.txt", rows[i].text), "table");
        assert_string_equal(d->weights, rows[i].weights);
    }
}

static void folders(void **state)
{
    (void)state;
    write_text(folder, "events.csv", "user,item,type\nu,x,like\n");
    write_text(folder, "items.csv",
               "name,id,year,genre\nFilm;1,x,1990,A;B\n\"Film, 2\",y,007,A | C\n");
    write_text(folder, "users.tsv", "user_id\tage\tsays\nv\t9\ta\"b\\c\nw\t\t\"x\ny\"\n");
    load(folder, "folder");
    check("u", "x:1:-");
    assert_string_equal(items_name(&d->items, item_number(d, "x")), "Film;1");
    assert_string_equal(joined(&d->items.categories, "x"), "A|B");
    assert_string_equal(joined(&d->items.categories, "y"), "A|C");
    assert_string_equal(about_item("x"), "{\"year\":1990}");
    assert_string_equal(about_item("y"), "{\"year\":\"007\"}");
    assert_string_equal(about_user("v"), "{\"age\":9,\"says\":\"a\\\"b\\\\c\"}");
    assert_string_equal(about_user("w"), "{\"says\":\"x\\u000ay\"}");
    assert_int_equal(d->users.ids.count, 3);
    assert_int_equal(d->users.attributes.count, 3);
}

static void folders_with_parts_or_one_file(void **state)
{
    (void)state;
    write_text(folder, "whatever.jsonl", "{\"user\":\"u\",\"item\":\"x\"}\n");
    write_text(folder, "README.md", "text\n");
    load(folder, "folder");
    check("u", "x:1:-");
    write_text(folder, "train.csv", "user,item,rating\nu,x,3\n");
    write_text(folder, "test.csv", "user,item,rating\nu,y,4\nw,x,5\n");
    load(folder, "folder");
    check("u", "x:3:-");
    check_test("u", "y:4:-");
    check_test("w", "x:5:-");
}

static void its_own_file(void **state)
{
    (void)state;
    char path[512];
    write_100k();
    load(folder, "movielens-100k");
    snprintf(path, sizeof path, "%s/saved.palate", folder);
    assert_ok(dataset_save(d, path, &err), &err);
    uint64_t before = dataset_fingerprint(d);
    dataset_free(d);
    d = NULL;
    assert_ok(dataset_load(path, NULL, NULL, &d, &err), &err);
    assert_int_equal(dataset_fingerprint(d), before);
    check("7", "10:1:100 20:4:200");
}

/* Every byte of a Latin-1 id, in a file that is said to be in Latin-1, is the same item. */
static void ids_in_latin1(void **state)
{
    (void)state;
    write_text(folder, "ratings.dat", "\xe9::x\xff::3::10\n\xe9::\xc3\xa9::3::11\n");
    load(folder, "movielens-1m");
    check("\xc3\xa9", "x\xc3\xbf:3:10 \xc3\xa9:3:11");
    assert_int_equal(d->users.ids.count, 1);
}

static void formats_are_listed(void **state)
{
    (void)state;
    size_t n = 0;
    while (load_format_name(n)) {
        assert_non_null(load_format_help(n));
        n++;
    }
    assert_int_equal(n, 13);
    assert_null(load_format_help(n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(movielens_100k, begin, end),
        cmocka_unit_test_setup_teardown(movielens_100k_fold, begin, end),
        cmocka_unit_test_setup_teardown(movielens_1m, begin, end),
        cmocka_unit_test_setup_teardown(movielens_csv, begin, end),
        cmocka_unit_test_setup_teardown(lists, begin, end),
        cmocka_unit_test_setup_teardown(ncf, begin, end),
        cmocka_unit_test_setup_teardown(sasrec, begin, end),
        cmocka_unit_test_setup_teardown(completejourney, begin, end),
        cmocka_unit_test_setup_teardown(open_bandit, begin, end),
        cmocka_unit_test_setup_teardown(tables, begin, end),
        cmocka_unit_test_setup_teardown(tables_with_types, begin, end),
        cmocka_unit_test_setup_teardown(scales, begin, end),
        cmocka_unit_test_setup_teardown(folders, begin, end),
        cmocka_unit_test_setup_teardown(folders_with_parts_or_one_file, begin, end),
        cmocka_unit_test_setup_teardown(its_own_file, begin, end),
        cmocka_unit_test_setup_teardown(ids_in_latin1, begin, end),
        cmocka_unit_test(formats_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
