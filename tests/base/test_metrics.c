#include "base/metrics.h"

#include <pthread.h>

#include "base/result.h"

#include "rows.h"

#include "base/banned.h"

static void text_is_openmetrics(void **state)
{
    CLEANUP(buf_free) struct buf buf = BUF(65536);
    slice rest, line;
    size_t samples = 0;

    (void)state;
    metric_add(METRIC_http_sent, 40);
    metric_add(METRIC_http_sent, 2);
    metric_set(METRIC_http_connections, 7);
    metric_set(METRIC_http_connections, 3);
    metrics_write(&buf);
    assert_false(buf.overflowed);
    slice text = buf_slice(&buf);
    assert_true(slice_find(text, SLICE("# TYPE entente_http_sent_bytes counter\n"
                                       "# UNIT entente_http_sent_bytes bytes\n")) != SIZE_MAX);
    assert_true(slice_find(text, SLICE("\nentente_http_sent_bytes_total 42\n")) != SIZE_MAX);
    assert_true(slice_find(text, SLICE("\nentente_http_connections 3\n")) != SIZE_MAX);
    assert_true(slice_find(text, SLICE("entente_build_info{version=\"" ENTENTE_VERSION)) !=
                SIZE_MAX);
    assert_true(slice_ends(text, SLICE("\n# EOF\n")));
    for (rest = text; slice_cut(rest, '\n', &line, &rest);) {
        assert_true(line.len > 0); /* OpenMetrics knows no empty line */
        samples += slice_starts(line, SLICE("entente_"));
    }
    assert_int_equal(rest.len, 0);
    assert_int_equal(samples, METRIC_COUNT + 1);
}

static void *count_many(void *unused)
{
    (void)unused;
    for (int i = 0; i < 10000; i++)
        metric_add(METRIC_http_requests, 1);
    return NULL;
}

static void no_count_is_lost_between_threads(void **state)
{
    uint64_t before = metric_get(METRIC_http_requests);
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_many, NULL), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(metric_get(METRIC_http_requests) == before + 40000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_openmetrics),
        cmocka_unit_test(no_count_is_lost_between_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
