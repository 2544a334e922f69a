#include "rows.h"

#include <unistd.h>

#include "base/slice.h"
#include "net/listen.h"

#include "base/banned.h"

static const struct {
    const char *name, *text, *starts;
} good[] = {
    {"IPv4", "127.0.0.1:0", "127.0.0.1:"},
    {"a name", "localhost:0", ""},
    {"every address", ":0", ""},
};

static void addresses_are_listened_on(void **state)
{
    (void)state;
    CHECK_ROWS(row, good) {
        struct listener listener;
        struct diag diag = {0};

        assert_true(succeeded(listener_open(row->text, &listener, &diag)));
        assert_true(listener.fd >= 0);
        assert_memory_equal(listener.address, row->starts, strlen(row->starts));
        assert_false(slice_ends(slice_text(listener.address), SLICE(":0"))); /* the real port */
        listener_close(&listener);
        assert_int_equal(listener.fd, -1);
    }
}

static const struct {
    const char *name, *text, *words;
    enum err code;
} bad[] = {
    {"nothing", "", "no address to listen on", ERR_INVALID},
    {"no port", "127.0.0.1", "no address to listen on", ERR_INVALID},
    {"empty port", "127.0.0.1:", "no address to listen on", ERR_INVALID},
    {"port past 65535", "127.0.0.1:65536", "no address to listen on", ERR_INVALID},
    {"port with a sign", "127.0.0.1:+1", "no address to listen on", ERR_INVALID},
    {"IPv6 without brackets", "::1:80", "no address to listen on", ERR_INVALID},
    {"no such address", "300.0.0.1:80", "300.0.0.1:80: ", ERR_INVALID},
    {"somebody else's address", "192.0.2.1:0", "192.0.2.1:0: ", ERR_IO},
    {"no path", "unix:", "a path of 1 to", ERR_INVALID},
    {"a folder that is not there", "unix:/nowhere/at/all", "unix:/nowhere/at/all: ", ERR_IO},
};

static void what_is_no_address_is_refused_in_one_line(void **state)
{
    (void)state;
    CHECK_ROWS(row, bad) {
        struct listener listener;
        struct diag diag = {0};

        assert_true(failed(listener_open(row->text, &listener, &diag)));
        assert_int_equal(listener.fd, -1);
        assert_non_null(strstr(diag.text, row->words));
        assert_null(strchr(diag.text, '\n'));
    }
}

static void an_address_in_use_is_named(void **state)
{
    struct listener first, second;
    struct diag diag = {0};

    (void)state;
    assert_true(succeeded(listener_open("127.0.0.1:0", &first, &diag)));
    result r = listener_open(first.address, &second, &diag);
    assert_int_equal(r.code, ERR_IO);
    assert_memory_equal(diag.text, first.address, strlen(first.address));
    assert_non_null(strstr(diag.text, "in use"));
    listener_close(&first);
}

static void a_stale_socket_file_is_replaced_and_a_living_one_is_not(void **state)
{
    char folder[] = "/tmp/entente-listen-XXXXXX", text[64];
    struct listener first, second;
    struct diag diag = {0};

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(text, sizeof text, "unix:%s/s", folder);
    assert_true(succeeded(listener_open(text, &first, &diag)));
    assert_true(failed(listener_open(text, &second, &diag)));
    assert_non_null(strstr(diag.text, "in use"));
    (void)close(first.fd); /* as a killed process leaves it */
    diag_reset(&diag);
    assert_true(succeeded(listener_open(text, &second, &diag)));
    listener_close(&second);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_listened_on),
        cmocka_unit_test(what_is_no_address_is_refused_in_one_line),
        cmocka_unit_test(an_address_in_use_is_named),
        cmocka_unit_test(a_stale_socket_file_is_replaced_and_a_living_one_is_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
