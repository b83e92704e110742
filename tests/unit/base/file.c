/* Files that appear whole or not at all: after a commit, after an abandoned one, in a folder that
 * can't be written, on a disk that is full. */
#include "test.h"

#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char folder[64]; /* each test has its own, empty */

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/palate-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[2 * sizeof folder + 32];
    snprintf(command, sizeof command, "chmod -R u+w %s; rm -rf %s", folder, folder);
    return system(command);
}

static const char *in_folder(const char *name)
{
    static char path[2][512];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static int entries(const char *path)
{
    int n = 0;
    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void write_file(const char *path, const void *data, size_t size)
{
    struct file_out *f;
    struct pal_error err;
    assert_ok(file_create(path, &f, &err), &err);
    assert_ok(file_write(f, data, size, &err), &err);
    assert_ok(file_commit(f, &err), &err);
}

static void expect_content(const char *path, const void *data, size_t size)
{
    struct file_map m;
    struct pal_error err;
    assert_ok(file_map(path, &m, &err), &err);
    assert_int_equal(m.size, size);
    assert_memory_equal(m.data, data, size);
    file_unmap(&m);
    assert_int_equal(m.size, 0);
}

/* Pieces of all sizes around the buffer's: what is read is their sum. */
static void what_was_written_is_read(void **state)
{
    (void)state;
    static const size_t pieces[] = {0, 1,       100,           (1 << 18) - 101, 1, (1 << 18) - 1,
                                    2, 1 << 18, (1 << 18) + 1, 1 << 20,         3, 0};
    size_t total = 0;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
        total += pieces[i];
    char *data = malloc(total);
    assert_non_null(data);
    for (size_t i = 0; i < total; i++)
        data[i] = (char)(i * 2654435761u >> 13);
    struct file_out *f;
    struct pal_error err;
    const char *path = in_folder("model");
    assert_ok(file_create(path, &f, &err), &err);
    size_t at = 0;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; at += pieces[i++])
        assert_ok(file_write(f, data + at, pieces[i], &err), &err);
    assert_false(file_exists(path)); /* not before it is whole */
    assert_int_equal(file_size(path), -1);
    assert_ok(file_commit(f, &err), &err);
    assert_int_equal(file_size(path), total);
    expect_content(path, data, total);
    assert_int_equal(entries(folder), 1);
    free(data);
}

static void empty_files_are_files(void **state)
{
    (void)state;
    write_file(in_folder("empty"), "", 0);
    expect_content(in_folder("empty"), "", 0);
    struct file_map none = {0};
    file_unmap(&none);
}

static void the_old_one_stays_until_the_new_is_whole(void **state)
{
    (void)state;
    struct file_out *f;
    struct pal_error err;
    const char *path = in_folder("f");
    write_file(path, "old", 3);
    assert_ok(file_create(path, &f, &err), &err);
    assert_ok(file_write(f, "new!", 4, &err), &err);
    expect_content(path, "old", 3);
    file_abandon(f);
    file_abandon(NULL);
    expect_content(path, "old", 3);
    assert_int_equal(entries(folder), 1);
    write_file(path, "new!", 4);
    expect_content(path, "new!", 4);
}

/* Two that write the same name at once: each is whole, and the later commit wins. */
static void two_writers_do_not_mix(void **state)
{
    (void)state;
    struct file_out *a, *b;
    struct pal_error err;
    const char *path = in_folder("f");
    assert_ok(file_create(path, &a, &err), &err);
    assert_ok(file_create(path, &b, &err), &err);
    assert_ok(file_write(a, "aaaa", 4, &err), &err);
    assert_ok(file_write(b, "bb", 2, &err), &err);
    assert_ok(file_commit(b, &err), &err);
    expect_content(path, "bb", 2);
    assert_ok(file_commit(a, &err), &err);
    expect_content(path, "aaaa", 4);
    assert_int_equal(entries(folder), 1);
}

static void what_cannot_be_read(void **state)
{
    (void)state;
    struct file_map m = {"kept", 4};
    struct pal_error err;
    const char *path = in_folder("absent");
    assert_int_equal(file_map(path, &m, &err), PAL_ENOTFOUND);
    assert_non_null(strstr(err.message, path));
    assert_int_equal(file_map(folder, &m, &err), PAL_EIO);
    assert_non_null(strstr(err.message, "folder"));
    path = in_folder("pipe");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(file_map(path, &m, &err), PAL_EIO); /* and it does not wait for a writer */
    assert_non_null(strstr(err.message, path));
    assert_string_equal(m.data, "kept");
    assert_int_equal(file_create(in_folder("no/such/folder"), &(struct file_out *){NULL}, &err),
                     PAL_ENOTFOUND);
}

/* A file is renamed into its place: a device or a pipe there must not be replaced. */
static void only_ordinary_files_are_replaced(void **state)
{
    (void)state;
    struct pal_error err;
    struct file_out *f = NULL;
    struct stat info;
    const char *path = in_folder("fifo");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(file_create(path, &f, &err), PAL_EIO);
    assert_non_null(strstr(err.message, path));
    assert_int_equal(stat(path, &info), 0);
    assert_true(S_ISFIFO(info.st_mode));
    assert_int_equal(file_create(folder, &f, &err), PAL_EIO);
    assert_non_null(strstr(err.message, "a folder"));
    assert_null(f);
}

static void a_link_is_followed(void **state)
{
    (void)state;
    struct pal_error err;
    struct file_out *f = NULL;
    struct stat info;
    char link[512], target[512];
    snprintf(target, sizeof target, "%s", in_folder("target"));
    snprintf(link, sizeof link, "%s", in_folder("link"));
    write_file(target, "old", 3);
    assert_int_equal(symlink(target, link), 0);
    write_file(link, "new!", 4);
    expect_content(target, "new!", 4);
    assert_int_equal(lstat(link, &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(unlink(target), 0);
    assert_int_equal(symlink("/dev/null", target), 0);
    assert_int_equal(file_create(link, &f, &err), PAL_EIO);
    assert_null(f);
}

static void paths_that_are_too_long(void **state)
{
    (void)state;
    static char longer[6000];
    memset(longer, 'a', sizeof longer - 1);
    struct file_out *f = NULL;
    struct pal_error err;
    char buf[16];
    assert_int_equal(file_create(longer, &f, &err), PAL_EUSAGE);
    assert_null(f);
    assert_int_equal(file_make_dir(longer, &err), PAL_EUSAGE);
    assert_int_equal(file_join(buf, sizeof buf, "0123456789", "abcd", &err), PAL_OK);
    assert_string_equal(buf, "0123456789/abcd");
    assert_int_equal(file_join(buf, sizeof buf, "0123456789", "abcde", &err), PAL_EUSAGE);
}

static void folders(void **state)
{
    (void)state;
    struct pal_error err;
    assert_ok(file_make_dir(in_folder("a/b//c/"), &err), &err);
    assert_true(file_is_dir(in_folder("a/b/c")));
    assert_ok(file_make_dir(in_folder("a/b"), &err), &err);
    write_file(in_folder("file"), "x", 1);
    assert_false(file_is_dir(in_folder("file")));
    assert_int_equal(file_make_dir(in_folder("file"), &err), PAL_EIO);
    assert_non_null(strstr(err.message, "file"));
    assert_int_equal(file_make_dir(in_folder("file/below"), &err), PAL_EIO);
    assert_int_equal(file_make_dir("", &err), PAL_EUSAGE);
}

/* A file system of its own, so that root meets these errors too. */
static bool mount_tiny(const char *path, const char *options)
{
    assert_int_equal(mkdir(path, 0755), 0);
    return mount("palate-test", path, "tmpfs", 0, options) == 0;
}

static void a_read_only_folder(void **state)
{
    (void)state;
    char disk[128], path[160];
    struct file_out *f = NULL;
    struct pal_error err;
    snprintf(disk, sizeof disk, "%s/disk", folder);
    snprintf(path, sizeof path, "%s/f", disk);
    bool mounted = mount_tiny(disk, "size=64k");
    if (mounted) {
        assert_int_equal(mount("palate-test", disk, "tmpfs", MS_REMOUNT | MS_RDONLY, ""), 0);
    } else if (geteuid() == 0) {
        printf("skipped: root may not mount here, and mode bits do not bind root\n");
        skip();
    } else {
        assert_int_equal(chmod(disk, 0500), 0);
    }
    enum pal_status create = file_create(path, &f, &err);
    if (mounted)
        umount(disk);
    assert_int_equal(create, PAL_EIO);
    assert_null(f);
    assert_non_null(strstr(err.message, path));
}

static void a_full_disk_leaves_the_old_file(void **state)
{
    (void)state;
    char disk[128], path[160], old[1000], block[10000] = {0}, content[1000] = {0};
    struct file_out *f;
    struct pal_error err;
    memset(old, 'o', sizeof old);
    snprintf(disk, sizeof disk, "%s/disk", folder);
    snprintf(path, sizeof path, "%s/f", disk);
    if (!mount_tiny(disk, "size=64k")) {
        printf("skipped: mounting a small tmpfs needs root\n");
        skip();
    }
    write_file(path, old, sizeof old);
    assert_ok(file_create(path, &f, &err), &err);
    enum pal_status written = PAL_OK, after = PAL_OK;
    for (int i = 0; i < 100 && written == PAL_OK; i++) /* a megabyte */
        written = file_write(f, block, sizeof block, &err);
    bool named = strstr(err.message, path) != NULL;
    /* one who ignores that must not get half a file either */
    after = file_commit(f, &err);
    int left = entries(disk);
    FILE *in = fopen(path, "rb");
    size_t size = in ? fread(content, 1, sizeof content, in) : 0;
    if (in)
        fclose(in);
    umount(disk);
    assert_int_equal(written, PAL_EIO);
    assert_true(named);
    assert_int_equal(after, PAL_EIO);
    assert_int_equal(left, 1);
    assert_int_equal(size, sizeof old);
    assert_memory_equal(content, old, sizeof old);
}

/* The same when all fits into the buffer, so that only the commit can notice. */
static void a_full_disk_is_noticed_by_the_commit(void **state)
{
    (void)state;
    char disk[128], path[160];
    static char block[200000];
    struct file_out *f;
    struct pal_error err;
    snprintf(disk, sizeof disk, "%s/disk", folder);
    snprintf(path, sizeof path, "%s/f", disk);
    if (!mount_tiny(disk, "size=64k")) {
        printf("skipped: mounting a small tmpfs needs root\n");
        skip();
    }
    assert_ok(file_create(path, &f, &err), &err);
    assert_ok(file_write(f, block, sizeof block, &err), &err);
    enum pal_status committed = file_commit(f, &err);
    int left = entries(disk);
    umount(disk);
    assert_int_equal(committed, PAL_EIO);
    assert_int_equal(left, 0);
}

static void out_of_memory(void **state)
{
    (void)state;
    long live = mem_live();
    struct file_out *f = NULL;
    struct pal_error err;
    mem_fail_at(1);
    assert_int_equal(file_create(in_folder("f"), &f, &err), PAL_ENOMEM);
    assert_null(f);
    assert_int_equal(entries(folder), 0);
    assert_int_equal(mem_live(), live);
}

/* An empty file NAME.tmp-PID-1 that was last written so long ago. */
static void leave(const char *name, pid_t pid, time_t ago)
{
    char file[64];
    snprintf(file, sizeof file, "%s.tmp-%d-1", name, (int)pid);
    const char *path = in_folder(file);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    const struct timespec then[2] = {{time(NULL) - ago, 0}, {time(NULL) - ago, 0}};
    assert_int_equal(utimensat(AT_FDCWD, path, then, 0), 0);
}

/* Of what lies beside a file only that goes which nobody can be writing to any more. */
static void what_the_dead_left_is_swept(void **state)
{
    struct file_out *f;
    struct pal_error err;
    pid_t dead = fork();
    if (dead == 0)
        _exit(0);
    assert_int_equal(waitpid(dead, NULL, 0), dead);
    leave("f", dead, 3600);
    leave("f", getpid(), 3600); /* alive */
    leave("g", dead, 3600);     /* of another file */
    assert_ok(file_create(in_folder("f"), &f, &err), &err);
    assert_int_equal(entries(folder), 4);
    assert_ok(file_commit(f, &err), &err);
    assert_int_equal(entries(folder), 3);
    leave("f", dead, 10); /* of a moment ago: that number may live in another container */
    assert_ok(file_create(in_folder("f"), &f, &err), &err);
    assert_ok(file_commit(f, &err), &err);
    assert_int_equal(entries(folder), 4);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_written_is_read),
        TEST(empty_files_are_files),
        TEST(the_old_one_stays_until_the_new_is_whole),
        TEST(two_writers_do_not_mix),
        TEST(what_cannot_be_read),
        TEST(only_ordinary_files_are_replaced),
        TEST(a_link_is_followed),
        TEST(paths_that_are_too_long),
        TEST(folders),
        TEST(a_read_only_folder),
        TEST(a_full_disk_leaves_the_old_file),
        TEST(a_full_disk_is_noticed_by_the_commit),
        TEST(out_of_memory),
        TEST(what_the_dead_left_is_swept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
