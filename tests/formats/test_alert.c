/* Texts of an alert stay in their field. */
#include "formats/alert.h"

#include "rows.h"

#include "base/crypto.h"
#include "base/encode.h"

#include "base/banned.h"

static struct alert alert_of(slice name)
{
    return (struct alert){.id = SLICE("sighting--1"),
                          .indicator = SLICE("indicator--1"),
                          .name = name,
                          .last_us = 1767225600000000,
                          .last_seen = SLICE("2026-01-01T00:00:00Z"),
                          .count = 3,
                          .confidence = 85,
                          .has_value = true,
                          .kind = OUT_URL,
                          .value = SLICE("http://a.example/?a=b|c\\d")};
}

static void texts_stay_in_their_field(void **state)
{
    static const struct {
        const char *name, *text, *cef, *leef;
    } rows[] = {
        {"plain", "bad host", "|bad host|8|cnt=3", "\tname=bad host\t"},
        {"pipe and backslash", "a|b\\c", "|a\\|b\\\\c|8|cnt=3", "\tname=a|b\\c\t"},
        {"line and tab", "a\nb\tc=d", "|a b c=d|8|cnt=3", "\tname=a b c=d\t"},
        {"none", "", "|indicator--1|8|cnt=3", "\tname=indicator--1\t"},
    };

    (void)state;
    CHECK_ROWS(row, rows) {
        CLEANUP(buf_free) struct buf cef = BUF(1 << 14), leef = BUF(1 << 14);
        CLEANUP(buf_free) struct buf json = BUF(1 << 14), syslog = BUF(1 << 14);
        struct alert alert = alert_of(slice_text(row->text));

        alert_cef(&alert, &cef);
        alert_leef(&alert, &leef);
        alert_json(&alert, SLICE("identity--1"), &json);
        alert_syslog(&alert, SLICE("our host"), buf_slice(&cef), &syslog);
        assert_true(slice_starts(buf_slice(&cef), SLICE("CEF:0|Entente|Entente|")));
        assert_true(slice_find(buf_slice(&cef), slice_text(row->cef)) != SIZE_MAX);
        assert_true(slice_ends(buf_slice(&cef), SLICE(" request=http://a.example/?a\\=b|c\\\\d")));
        assert_true(slice_starts(buf_slice(&leef), SLICE("LEEF:2.0|Entente|Entente|")));
        assert_true(slice_find(buf_slice(&leef), slice_text(row->leef)) != SIZE_MAX);
        assert_true(slice_find_byte(buf_slice(&cef), '\n') == SIZE_MAX);
        assert_true(slice_find_byte(buf_slice(&leef), '\n') == SIZE_MAX);
        assert_true(slice_starts(buf_slice(&syslog),
                                 SLICE("<130>1 2026-01-01T00:00:00.000000Z our_host entente - "
                                       "alert - CEF:0|")));
        assert_true(slice_find_byte(buf_slice(&json), '\n') == SIZE_MAX);
    }
}

/* RFC 4231, cases 1, 2 and 6. */
static void signatures_are_those_of_the_standard(void **state)
{
    char long_key[131];
    static const struct {
        const char *name, *key, *text, *hex;
    } rows[] = {
        {"short key", "Jefe", "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {"long key", NULL, "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    };

    (void)state;
    memset(long_key, 0xAA, sizeof(long_key));
    CHECK_ROWS(row, rows) {
        char hex[2 * SHA256_BYTES + 1] = "";
        slice key = row->key != NULL ? slice_text(row->key) : slice_of(long_key, sizeof(long_key));
        struct hash256 mac = hmac_sha256(key, slice_text(row->text));

        hex_encode(slice_of(mac.bytes, sizeof(mac.bytes)), hex);
        assert_string_equal(hex, row->hex);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_stay_in_their_field),
        cmocka_unit_test(signatures_are_those_of_the_standard),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
