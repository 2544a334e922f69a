#include "base/fault.h"
#include "base/source.h"
#include "stix/checked.h"
#include "stix/pattern.h"
#include "json/stream.h"

#define ID "4c1f5d4e-6a0b-4c57-9d0e-000000000001"
#define TIMES "'created':'2026-01-05T08:00:00.000Z','modified':'2026-01-06T08:00:00.123456789Z'"
#define TLP_RED "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"

/* Everything the check gathers, once. */
static const char rich[] =
    "{'type':'indicator','spec_version':'2.1','id':'indicator--" ID "'," TIMES ","
    "'created_by_ref':'identity--" ID "','revoked':true,'name':'Be\\u0061con','description':'Of a "
    "loader','labels':['one','two'],'indicator_types':['benign'],"
    "'pattern':'[domain-name:value = `Example.COM.` OR file:hashes.MD5 = `AA` OR url:value != "
    "`x`]',"
    "'pattern_type':'stix','valid_from':'2026-01-05T08:00:00Z',"
    "'kill_chain_phases':[{'kill_chain_name':'mitre-attack','phase_name':'execution'}],"
    "'external_references':[{'source_name':'mitre-attack','external_id':'T1566.001'}],"
    "'object_marking_refs':['" TLP_RED "'],"
    "'granular_markings':[{'marking_ref':'" TLP_RED "','selectors':['name']}],"
    "'x_crew_ref':'identity--" ID "','x_old_aliases':['Buoy',5],"
    "'x_deep':{'list':[{'made_by_refs':['tool--" ID "','malware--" ID "']}]}}";

static void expect_slices(const slice *found, size_t count, const slice *wanted,
                          size_t wanted_count)
{
    assert_int_equal(count, wanted_count);
    for (size_t i = 0; i < count; i++) {
        if (!slice_eq(found[i], wanted[i]))
            fail_msg("%.*s, not %.*s", SLICE_ARG(found[i]), SLICE_ARG(wanted[i]));
    }
}

#define EXPECT_SLICES(found, count, ...)                                                           \
    do {                                                                                           \
        static const slice wanted_[] = {__VA_ARGS__};                                              \
        expect_slices(found, count, wanted_, sizeof(wanted_) / sizeof(wanted_[0]));                \
    } while (0)

static void what_the_program_reads_is_gathered(void **state)
{
    struct checked *checked = *state;
    const struct stix_object *object = &checked->object;
    char text[TIMESTAMP_TEXT_BYTES_MAX];

    checked_run_plain(checked, slice_of(rich, sizeof(rich) - 1), STIX_NORMAL);
    assert_true(succeeded(checked->outcome));
    assert_true(slice_eq(object->id_text, SLICE("indicator--" ID)));
    assert_true(slice_eq(object->id.type, SLICE("indicator")));
    assert_true(object->class == STIX_SDO && object->spec == STIX_21);
    assert_true(object->is_revoked && object->has_created && object->has_modified);
    assert_true(object->has_version);
    size_t len = timestamp_format(&object->version, text);
    assert_true(slice_eq(slice_of(text, len), SLICE("2026-01-06T08:00:00.123456789Z")));
    assert_true(slice_eq(object->created_by, SLICE("identity--" ID)));
    assert_true(slice_eq(object->name, SLICE("Beacon")));
    assert_true(slice_eq(object->description, SLICE("Of a loader")));
    EXPECT_SLICES(object->labels, object->label_count, S("one"), S("two"));
    EXPECT_SLICES(object->texts, object->text_count, S("Beacon"), S("Of a loader"), S("Buoy"),
                  S("T1566.001"));
    assert_int_equal(object->phase_count, 1);
    assert_true(slice_eq(object->phases[0].chain, SLICE("mitre-attack")));
    assert_true(slice_eq(object->phases[0].phase, SLICE("execution")));
    assert_true(slice_eq(object->pattern_type, SLICE("stix")));
    assert_true(slice_starts(object->pattern, SLICE("[domain-name:value = 'Example.COM.' OR")));
}

static void values_of_a_pattern_are_gathered(void **state)
{
    struct checked *checked = *state;
    const struct stix_value *values;

    checked_run_plain(checked, slice_of(rich, sizeof(rich) - 1), STIX_NORMAL);
    values = checked->object.values;
    assert_int_equal(checked->object.value_count, 2);
    assert_true(slice_eq(values[0].kind, SLICE("domain-name:value")));
    assert_true(slice_eq(values[0].value, SLICE("example.com")));
    assert_true(slice_eq(values[1].kind, SLICE("file:hashes.MD5")));
    assert_true(slice_eq(values[1].value, SLICE("aa")));
}

static void references_are_gathered_at_any_depth(void **state)
{
    static const struct {
        slice property, type;
    } wanted[] = {
        {S("created_by_ref"), S("identity")},
        {S("object_marking_refs"), S("marking-definition")},
        {S("x_crew_ref"), S("identity")},
        {S("x_deep.list.made_by_refs"), S("tool")},
        {S("x_deep.list.made_by_refs"), S("malware")},
        {S("granular_markings.marking_ref"), S("marking-definition")},
    };
    struct checked *checked = *state;

    checked_run_plain(checked, slice_of(rich, sizeof(rich) - 1), STIX_NORMAL);
    assert_int_equal(checked->object.ref_count, sizeof(wanted) / sizeof(wanted[0]));
    for (size_t i = 0; i < checked->object.ref_count; i++) {
        assert_true(slice_eq(checked->object.refs[i].property, wanted[i].property));
        assert_true(slice_eq(checked->object.refs[i].id.type, wanted[i].type));
    }
}

/* ---- values of observables ---- */

static const struct {
    const char *name;
    slice json;   /* the inside of the object */
    slice values; /* "kind=value", a line each */
} observables[] = {
    {"file",
     S("'type':'file','name':'A.exe','hashes':{'MD5':'3773A88F65A5E780C8DFF9CDC3A056F3',"
       "'sha256':'AA'}"),
     S("file:name=A.exe\nfile:hashes.MD5=3773a88f65a5e780c8dff9cdc3a056f3\n"
       "file:hashes.'SHA-256'=aa\n")},
    {"domain", S("'type':'domain-name','value':'EXAMPLE.com'"),
     S("domain-name:value=example.com\n")},
    {"IPv6", S("'type':'ipv6-addr','value':'2001:DB8:0::1'"), S("ipv6-addr:value=2001:db8::1\n")},
    {"number", S("'type':'autonomous-system','number':64496,'name':'Net'"),
     S("autonomous-system:number=64496\n")},
    {"account", S("'type':'user-account','user_id':'1001','account_login':'Jo'"),
     S("user-account:user_id=1001\nuser-account:account_login=Jo\n")},
    {"key", S("'type':'windows-registry-key','key':'HKEY_USERS\\\\X'"),
     S("windows-registry-key:key=HKEY_USERS\\X\n")},
    {"certificate", S("'type':'x509-certificate','serial_number':'00:ff','subject':'CN=a'"),
     S("x509-certificate:serial_number=00:ff\nx509-certificate:subject=CN=a\n")},
    {"extension",
     S("'type':'network-traffic','protocols':['tcp'],'extensions':{'http-request-ext':{"
       "'request_method':'get','request_value':'/a'}}"),
     S("network-traffic:extensions.'http-request-ext'.request_value=/a\n")},
    {"of a wrong kind, in lenient", S("'type':'url','value':5"), S("")},
    {"contained",
     S("'type':'observed-data','objects':{'0':{'type':'mutex','name':'M'},'1':{'type':'email-addr',"
       "'value':'A@B.Example'}}"),
     S("mutex:name=M\nemail-addr:value=A@b.example\n")},
};

static void values_of_observables_are_gathered(void **state)
{
    struct checked *checked = *state;

    CHECK_ROWS(row, observables) {
        CLEANUP(buf_free) struct buf json = BUF(CHECKED_TEXT_MAX);
        CLEANUP(buf_free) struct buf told = BUF(CHECKED_TEXT_MAX);
        slice type, rest;

        assert_true(slice_cut(slice_from(row->json, sizeof("'type':'") - 1), '\'', &type, &rest));
        buf_printf(&json, "{'id':'%.*s--" ID "',%.*s}", SLICE_ARG(type), SLICE_ARG(row->json));
        checked_run_plain(checked, buf_slice(&json), STIX_LENIENT);
        assert_true(succeeded(checked->outcome));
        for (size_t i = 0; i < checked->object.value_count; i++)
            buf_printf(&told, "%.*s=%.*s\n", SLICE_ARG(checked->object.values[i].kind),
                       SLICE_ARG(checked->object.values[i].value));
        if (!slice_eq(buf_slice(&told), row->values))
            fail_msg("%s: %.*s", row->name, SLICE_ARG(buf_slice(&told)));
    }
}

/* ---- what kind of object it is ---- */

static const struct {
    const char *name;
    slice json;
    enum stix_class class;
    enum stix_spec spec;
    bool has_version;
} kinds[] = {
    {"no spec_version", S("{'type':'tool','id':'tool--" ID "'," TIMES "}"), STIX_SDO, STIX_20,
     true},
    {"2.0", S("{'type':'tool','spec_version':'2.0','id':'tool--" ID "'}"), STIX_SDO, STIX_20,
     false},
    {"2.1", S("{'type':'tool','spec_version':'2.1','id':'tool--" ID "'}"), STIX_SDO, STIX_21,
     false},
    {"unknown version", S("{'type':'tool','spec_version':'3','id':'tool--" ID "'}"), STIX_SDO,
     STIX_21, false},
    {"an observable", S("{'type':'mutex','id':'mutex--" ID "','name':'m'}"), STIX_SCO, STIX_21,
     false},
    {"a type of 2.1 alone", S("{'type':'note','id':'note--" ID "'}"), STIX_SDO, STIX_21, false},
    {"a relationship", S("{'type':'sighting','id':'sighting--" ID "'}"), STIX_SRO, STIX_20, false},
    {"a marking",
     S("{'type':'marking-definition','id':'marking-definition--" ID "','created':"
       "'2026-01-05T08:00:00.000Z'}"),
     STIX_META, STIX_20, true},
    {"custom", S("{'type':'x-thing','id':'x-thing--" ID "'," TIMES "}"), STIX_CUSTOM, STIX_20,
     true},
};

static void class_and_version_are_told(void **state)
{
    struct checked *checked = *state;

    CHECK_ROWS(row, kinds) {
        checked_run_plain(checked, row->json, STIX_LENIENT);
        assert_true(succeeded(checked->outcome));
        assert_int_equal(checked->object.class, row->class);
        assert_int_equal(checked->object.spec, row->spec);
        assert_int_equal(checked->object.has_version, row->has_version);
    }
}

static void modes_have_names(void **state)
{
    enum stix_mode mode = STIX_LENIENT;

    (void)state;
    assert_true(stix_mode_parse(SLICE("strict"), &mode) && mode == STIX_STRICT);
    assert_true(stix_mode_parse(SLICE("normal"), &mode) && mode == STIX_NORMAL);
    assert_true(stix_mode_parse(SLICE("lenient"), &mode) && mode == STIX_LENIENT);
    assert_false(stix_mode_parse(SLICE("Strict"), &mode));
    assert_false(stix_mode_parse(SLICE(""), &mode));
}

/* ---- bundles ---- */

static const struct {
    const char *name;
    slice json;
    slice words; /* of the refusal; empty: taken */
} bundles[] = {
    {"2.1", S("{'type':'bundle','id':'bundle--" ID "'}"), S("")},
    {"2.0", S("{'type':'bundle','id':'bundle--" ID "','spec_version':'2.0','objects':[]}"), S("")},
    {"no id", S("{'type':'bundle'}"), S("id: is required")},
    {"an id of another type", S("{'type':'bundle','id':'tool--" ID "'}"),
     S("id: is of type tool, the object of type bundle")},
    {"another type", S("{'type':'tool','id':'tool--" ID "'}"), S("type: is not bundle")},
    {"a list", S("[]"), S("must be an object, not a list")},
};

static void bundles_frames_are_checked(void **state)
{
    struct checked *checked = *state;

    CHECK_ROWS(row, bundles) {
        checked_run_plain(checked, row->json, STIX_LENIENT);
        diag_reset(&checked->diag);
        result outcome = stix_check_bundle(&checked->doc, STIX_NORMAL, &checked->arena,
                                           &checked->findings, &checked->diag);
        assert_int_equal(failed(outcome), row->words.len > 0);
        assert_true(slice_eq(slice_text(checked->diag.text), row->words));
    }
}

/* ---- limits and failures ---- */

static void a_budget_too_small_is_said(void **state)
{
    struct checked *checked = *state;
    struct stix_findings findings;
    struct stix_object object;

    checked_run_plain(checked, slice_of(rich, sizeof(rich) - 1), STIX_NORMAL);
    for (size_t budget = 0; budget < 4096; budget += 64) {
        CLEANUP(arena_free) struct arena small = ARENA(budget);
        struct diag diag = {0};
        result outcome = stix_check(&checked->doc, STIX_STRICT, &small, &object, &findings, &diag);

        assert_true(succeeded(outcome) || outcome.code == ERR_LIMIT || outcome.code == ERR_INVALID);
        assert_int_equal(failed(outcome), diag.text[0] != '\0');
        assert_true(!small.overflowed || outcome.code == ERR_LIMIT);
    }
}

#ifdef ENTENTE_FAULTS
static void every_step_that_can_fail_is_heard(void **state)
{
    struct checked *checked = *state;
    struct stix_findings findings;
    struct stix_object object;
    unsigned long nth = 0;
    result outcome;

    checked_run_plain(checked, slice_of(rich, sizeof(rich) - 1), STIX_NORMAL);
    do {
        CLEANUP(arena_free) struct arena arena = ARENA(CHECKED_BUDGET);
        struct diag diag = {0};

        fault_arm(++nth);
        outcome = stix_check(&checked->doc, STIX_NORMAL, &arena, &object, &findings, &diag);
        assert_true(!failed(outcome) || fault_fired());
        assert_int_equal(failed(outcome), diag.text[0] != '\0');
    } while (failed(outcome));
    fault_arm(0);
    assert_true(nth > 1);
}
#endif

static void findings_past_the_table_are_counted(void **state)
{
    struct checked *checked = *state;
    CLEANUP(buf_free) struct buf json = BUF(CHECKED_TEXT_MAX);

    buf_put(&json, SLICE("{'type':'mutex','name':'m'"));
    for (int i = 0; i < STIX_FINDINGS_MAX * 2; i++)
        buf_printf(&json, ",'prop%d':1", i);
    buf_put(&json, SLICE(",'id':'mutex--" ID "'}"));
    checked_run_plain(checked, buf_slice(&json), STIX_NORMAL);
    assert_true(succeeded(checked->outcome));
    assert_int_equal(checked->findings.count, STIX_FINDINGS_MAX);
    assert_int_equal(checked->findings.more, STIX_FINDINGS_MAX);
}

/* The refusal may stand behind more warnings than the table holds. */
static void a_refusal_behind_many_warnings_refuses(void **state)
{
    struct checked *checked = *state;
    CLEANUP(buf_free) struct buf json = BUF(CHECKED_TEXT_MAX);

    buf_put(&json, SLICE("{'type':'mutex','id':'mutex--" ID "'"));
    for (int i = 0; i < STIX_FINDINGS_MAX * 2; i++)
        buf_printf(&json, ",'prop%d':1", i);
    buf_put(&json, SLICE("}"));
    checked_run_plain(checked, buf_slice(&json), STIX_NORMAL);
    assert_int_equal(checked->outcome.code, ERR_INVALID);
    assert_string_equal(checked->diag.text, "name: is required");
    assert_true(checked->findings.refused);
}

/* ---- a property: whatever is changed, the answer has words ---- */

static uint64_t seed;

static uint64_t chance(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

/* Put another value where one of the nodes stands. */
static void mutate(const struct json_doc *doc, struct buf *out)
{
    static const slice values[] = {
        S("null"),
        S("5"),
        S("-1.5e3"),
        S("true"),
        S("[]"),
        S("{}"),
        S("\"\""),
        S("[null,{}]"),
        S("\"x\""),
        S("{\"a\":{\"b_ref\":[]}}"),
        S("\"tool--" ID "\""),
        S("99999999999999999999"),
        S("{\"type\":\"file\",\"type\":5}"),
    };
    const struct json_node *node = &doc->nodes[chance(doc->node_count)];
    slice raw = json_raw(doc, node);
    size_t at = (size_t)(raw.at - doc->text.at);
    bool is_key = raw.at + raw.len < doc->text.at + doc->text.len && raw.at[raw.len] == ':';

    buf_reset(out);
    buf_put(out, slice_head(doc->text, at));
    buf_put(out, is_key ? SLICE("\"labels\"") : values[chance(sizeof(values) / sizeof(values[0]))]);
    buf_put(out, slice_from(doc->text, at + raw.len));
}

static void whatever_changes_every_refusal_has_words(void **state)
{
    struct checked *checked = *state;
    CLEANUP(buf_free) struct buf changed = BUF(CHECKED_TEXT_MAX);

    seed = (uint64_t)time_now_us() | 1;
    print_message("# seed %llu\n", (unsigned long long)seed);
    for (int round = 0; round < 3000; round++) {
        enum stix_mode mode = (enum stix_mode)chance(3);
        bool has_error = false;

        if (round % 4 == 0)
            checked_run_plain(checked, slice_of(rich, sizeof(rich) - 1), mode);
        mutate(&checked->doc, &changed);
        checked_run(checked, buf_slice(&changed), mode);
        for (size_t i = 0; i < checked->findings.count; i++) {
            assert_true(checked->findings.items[i].text.len > 0);
            has_error |= checked->findings.items[i].severity == STIX_ERROR;
        }
        assert_int_equal(failed(checked->outcome), checked->diag.text[0] != '\0');
        assert_true(!has_error || failed(checked->outcome));
        assert_int_equal(checked->findings.refused, failed(checked->outcome));
    }
}

/* ---- the real thing ---- */

static void attack_is_taken_whole(void **state)
{
    const char *folder = getenv("ENTENTE_DATA");
    struct json_stream_limits limits = {(size_t)8 << 20, (size_t)1 << 20, JSON_DEPTH_MAX};
    struct json_stream *stream = NULL;
    struct source *source = NULL;
    struct checked *checked = *state;
    struct json_window window;
    struct diag diag = {0};
    char path[4096];
    size_t count = 0;

    (void)snprintf(path, sizeof(path), "%s/attack/enterprise-attack.json.zst",
                   folder != NULL ? folder : "../shared/data");
    if (failed(source_open(path, &source, &diag))) {
        print_message("# not here, so not run: %s\n", path);
        return;
    }
    assert_true(succeeded(json_stream_open(source, &limits, &stream, &diag)));
    do {
        if (failed(json_stream_next(stream, &window, &diag)))
            fail_msg("%s", diag.text);
        for (size_t i = 0; i < window.count; i++) {
            checked_run(checked, window.objects[i], STIX_NORMAL);
            if (failed(checked->outcome))
                fail_msg("object %zu: %s", count, checked->diag.text);
            count++;
        }
    } while (window.count > 0);
    assert_int_equal(count, 24771);
    json_stream_close(&stream);
    source_close(&source);
}

static int setup(void **state)
{
    static struct checked checked;

    checked_init(&checked);
    *state = &checked;
    return 0;
}

static int teardown(void **state)
{
    checked_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_program_reads_is_gathered),
        cmocka_unit_test(values_of_a_pattern_are_gathered),
        cmocka_unit_test(references_are_gathered_at_any_depth),
        cmocka_unit_test(values_of_observables_are_gathered),
        cmocka_unit_test(class_and_version_are_told),
        cmocka_unit_test(modes_have_names),
        cmocka_unit_test(bundles_frames_are_checked),
        cmocka_unit_test(a_budget_too_small_is_said),
#ifdef ENTENTE_FAULTS
        cmocka_unit_test(every_step_that_can_fail_is_heard),
#endif
        cmocka_unit_test(findings_past_the_table_are_counted),
        cmocka_unit_test(a_refusal_behind_many_warnings_refuses),
        cmocka_unit_test(whatever_changes_every_refusal_has_words),
        cmocka_unit_test(attack_is_taken_whole),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
